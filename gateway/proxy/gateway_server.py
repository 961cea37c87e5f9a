"""An ``aiohttp.web.Server`` whose connections are ``GatewayProtocol``s: give it to a site."""

import asyncio

from aiohttp import web

from gateway.proxy.client_connection import ClientLimits
from gateway.proxy.downstream import FastLane, GatewayProtocol, Handler, ProblemAnswer


class GatewayServer(web.Server):
    """``aiohttp.web.Server`` of ``GatewayProtocol``s. ``handler`` answers each request (see the module's top)."""

    def __init__(
        self,
        handler: Handler,
        problem_answer: ProblemAnswer,
        limits: ClientLimits | None = None,
        lane: FastLane | None = None,
    ) -> None:
        super().__init__(handler)  # type: ignore[arg-type]
        self._lane = lane
        self._limits = limits or ClientLimits()
        self._problem_answer = problem_answer
        shortest = min(self._limits.head_timeout, self._limits.body_timeout, self._limits.linger)
        self._interval = min(1.0, max(0.01, shortest / 8))
        self._sweeper: asyncio.TimerHandle | None = None

    def __call__(self) -> GatewayProtocol:
        """A protocol for one accepted connection."""
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(self._interval, self._sweep)
        return GatewayProtocol(
            self, loop=self._loop, limits=self._limits, problem_answer=self._problem_answer, lane=self._lane
        )

    def _sweep(self) -> None:
        """Look at every connection's deadline: one timer for all is cheaper than one each."""
        self._sweeper = None
        now = self._loop.time()
        for connection in tuple(self._connections):
            connection.expire(now)  # type: ignore[attr-defined]
        if self._connections:
            self._sweeper = self._loop.call_later(self._interval, self._sweep)

    def leave(self) -> None:
        """Tell every client, with its next answer, that it was the last one on its connection."""
        for connection in tuple(self._connections):
            connection.leave()  # type: ignore[attr-defined]

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  (aiohttp's signature)
        """Finish what is being answered, at most for ``timeout`` seconds."""
        await super().shutdown(timeout)
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
