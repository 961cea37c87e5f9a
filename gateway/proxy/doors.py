"""The addresses that the gateway listens on: opened one by one, closed in an orderly way."""

import asyncio
from collections.abc import Callable

from gateway.core.answers import Answer
from gateway.core.problems import Problem
from gateway.proxy.client_connection import ClientLimits
from gateway.proxy.downstream import FastLane, Handler
from gateway.proxy.gateway_server import GatewayServer
from gateway.proxy.site import Place, Site


class CannotListen(Exception):  # noqa: N818  (it completes: the gateway …)
    """An address that cannot be had: a sentence that names the key to change."""


class Doors:
    """All of them have the same limits and answer what is not even a request in the same way.

    ``linger_s``: how long idle connections are kept once nothing is accepted any more, where others go on serving.
    """

    def __init__(
        self, problem_answer: Callable[[Problem], Answer], limits: ClientLimits, *, linger_s: float = 0
    ) -> None:
        self._problem_answer = problem_answer
        self._linger_s = linger_s
        self._limits = limits
        self._doors: list[tuple[Site, GatewayServer]] = []

    async def open(self, handler: Handler, place: Place, key: str, lane: FastLane | None = None) -> None:
        """Listen, and give ``handler`` what ``lane`` leaves. ``key``: the setting. Raises ``CannotListen``."""
        server = GatewayServer(handler, self._problem_answer, self._limits, lane)
        site = Site(server, place, self._limits.head_timeout)
        try:
            await site.start()
        except OSError as error:
            reason = error.strerror or str(error)
            raise CannotListen(f"cannot listen on {place}: {reason}; free the address or change `{key}`") from error
        self._doors.append((site, server))

    async def close(self, patience_s: float) -> None:
        """Stop accepting and finish what is being answered, at most ``patience_s`` a door.

        In the order of their opening: while the first is emptied, health and metrics at a second still answer.
        """
        for site, server in self._doors:
            await site.stop()
            server.leave()  # whoever is at it learns it from an answer, and goes elsewhere before the end
            await asyncio.sleep(self._linger_s)  # what has been read by now is a request, and not an idle connection
            await server.shutdown(patience_s)

    @property
    def urls(self) -> list[str]:
        """Where they are."""
        return [url for site, _ in self._doors for url in site.urls]
