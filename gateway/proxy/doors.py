"""The addresses that the gateway listens on: opened one by one, closed in an orderly way."""

import asyncio
import os
from collections.abc import Callable

from aiohttp import web

from gateway.core.answers import Answer
from gateway.core.problems import Problem
from gateway.proxy.client_connection import ClientLimits
from gateway.proxy.downstream import GatewayServer, Handler

_BACKLOG = 1024


class CannotListen(Exception):  # noqa: N818  (it completes: the gateway …)
    """An address that cannot be had: a sentence that names the key to change."""


class Doors:
    """All of them have the same limits and answer what is not even a request in the same way."""

    def __init__(self, problem_answer: Callable[[Problem], Answer], limits: ClientLimits) -> None:
        self._problem_answer = problem_answer
        self._limits = limits
        self._runners: list[web.ServerRunner] = []

    async def open(self, handler: Handler, host: str, port: int, key: str) -> None:
        """Listen, and give ``handler`` what comes. Raises ``CannotListen``."""
        runner = web.ServerRunner(GatewayServer(handler, self._problem_answer, self._limits), access_log=None)
        await runner.setup()
        self._runners.append(runner)
        try:
            await web.TCPSite(runner, host, port, backlog=_BACKLOG).start()
        except OSError as error:
            # asyncio's sentence names the address once more; a negative number is a resolver's.
            reason = os.strerror(error.errno) if error.errno is not None and error.errno > 0 else error.strerror
            shown = _shown(host, port)
            raise CannotListen(f"cannot listen on {shown}: {reason}; free the address or change `{key}`") from error

    async def close(self, patience_s: float) -> None:
        """Stop accepting and finish what is being answered, at most ``patience_s`` a door.

        In the order of their opening: while the first is emptied, health and metrics at a second still answer.
        """
        for runner in self._runners:
            for site in tuple(runner.sites):
                await site.stop()
            await asyncio.sleep(0)  # what has been read by now is a request, and not an idle connection
            if runner.server is not None:
                await runner.server.shutdown(patience_s)
            await runner.cleanup()

    @property
    def urls(self) -> list[str]:
        """Where they are."""
        return [f"http://{_shown(*address[:2])}" for runner in self._runners for address in runner.addresses]


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
