"""aiohttp's server side, made a proxy's: our parser, our heads, bounded waits, and one request at a time in order.

The handler (see ``gateway_server``) gets a ``Request`` and answers it with ``request.respond(answer)`` or
``await forward(request, ...)``; a ``Problem`` it raises is answered through ``problem_answer``. No task is made per
request, and no handler is cancelled because its client left: the handler learns it from ``request.client_left``
(``forward`` drops the upstream then), so that no debit is cut in two.
"""

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol, cast

import structlog
from aiohttp import web

from gateway.core.answers import Answer
from gateway.core.hop_by_hop import RawHeaders
from gateway.core.problems import Problem
from gateway.proxy.answer_writer import whole
from gateway.proxy.client_connection import NEVER, ClientLimits
from gateway.proxy.client_ends import Current
from gateway.proxy.client_requests import ClientRequests
from gateway.proxy.plain_request import PlainReader
from gateway.proxy.request import BODY_BUFFER, Request

_log = structlog.get_logger(__name__)

Handler = Callable[[Request], Awaitable[None]]
ProblemAnswer = Callable[[Problem], Answer]


class FastLane(Protocol):
    """Takes requests that need no waiting (see ``lane``)."""

    def take(self, client: "GatewayProtocol", data: bytes) -> bool:
        """Whether the lane answers the request that ``data`` is; if not, nothing has happened."""


class GatewayProtocol(ClientRequests):
    """One client's connection: answers its requests in order.

    While it rests, with nothing of a request there, the fast lane may take what comes whole; its task rests meanwhile.
    """

    __slots__ = ("_lane", "_leaves", "_problem_answer", "_rests", "plain")

    def __init__(
        self,
        manager: web.Server,
        *,
        loop: asyncio.AbstractEventLoop,
        limits: ClientLimits,
        problem_answer: ProblemAnswer,
        lane: FastLane | None,
    ) -> None:
        super().__init__(manager, loop=loop, limits=limits)
        self._problem_answer = problem_answer
        self._lane = lane
        self._rests = self._leaves = False
        self.plain = PlainReader(limits)

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._rests:
            self._rests = False
            if self._lane is not None and self._lane.take(self, data):
                return
        super().data_received(data)

    @property
    def closing(self) -> bool:
        """Whether the answer to a request that has come whole is the connection's last one."""
        return self._close or self._leaves or (self._eof and not self._ahead)

    def loop_time(self) -> float:
        """The loop's time."""
        return self._loop.time()

    def begin_ride(self, ride: Current) -> None:
        """The lane answers a request."""
        self._request_count += 1
        if self._request_count >= self.limits.requests:
            self._close = True
        self._in_head = False
        self._current = ride
        self.read_deadline = NEVER

    def end_ride(self, ride: Current, *, close: bool) -> None:
        """``ride`` has been answered. ``close``: and the client was told that it was the last."""
        if self._current is not ride:
            return
        self._current = None
        if self._force_close:
            return
        if close:
            self._end_or_linger(more=bool(self._ahead))
        elif self._ahead or self._close or self._eof:
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(None)
        else:
            self._rest()

    async def finish_ride(self, request: Request, handler: Handler) -> None:
        """Let the reference path finish a request that the lane has begun."""
        await self._answer(request, handler)
        self.end_ride(request, close=not request.keep_alive or self._close)

    def hand_over(self, request: Request) -> None:
        """The lane's request is the reference path's from now on."""
        self._current = request

    def _rest(self) -> None:
        """Wait for a next request, of which nothing has come."""
        self._rests = self._lane is not None and not self.writing_paused and not self._broken
        self.read_deadline = self._loop.time() + self.limits.keepalive_timeout

    def _make_request(
        self, method: str, raw_target: bytes, minor: int, headers: RawHeaders, keys: list[bytes]
    ) -> Request:
        return Request(self, method, raw_target, minor, headers, keys)

    async def start(self) -> None:
        """Answer one request after the other until the connection ends. Overrides aiohttp's loop."""
        handler = cast("Handler | None", self._request_handler)
        while not self._force_close:
            if not self._waiting and not self._release():
                if self._eof or self._close or (self._latest is not None and not self._latest.keep_alive):
                    break
                await self._next()
                continue
            message = self._waiting.popleft()
            if isinstance(message, Problem):
                self.write(whole(self._problem_answer(message), close=True, minor=1, without_body=False))
                self._linger()
                return
            if self._eof and not message.complete and message.broken is None:
                break  # it ended in the middle of this body: nobody waits for an answer
            await self._serve(message, handler)
            if not message.keep_alive or self._close:
                self._end_or_linger(more=not message.complete or bool(self._ahead))
                return
        self._end_or_linger(more=False)

    def _end_or_linger(self, *, more: bool) -> None:
        """The connection's last answer has been given. ``more``: the client has said, or says, more than that."""
        if more:
            self._linger()
            return
        self._task_handler = None
        if not self._force_close:
            self._end()

    async def _next(self) -> None:
        """Wait for the next request."""
        if self._http.idle:
            until = self.read_deadline
            self._rest()
            if not self._request_count:
                self.read_deadline = until  # a new client has less time than one that has asked before
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
            self._rests = False

    async def _serve(self, request: Request, handler: Handler | None) -> None:
        """Let the handler answer one request."""
        self._count()
        try:
            await self._answer(request, handler)
        finally:
            self._current = None

    def _count(self) -> None:
        self._request_count += 1
        if self._request_count >= self.limits.requests:
            self._close = True

    async def _answer(self, request: Request, handler: Handler | None) -> None:
        """Let the handler answer, and answer for it if it fails.

        It is the current one until the client has taken the answer: one that comes meanwhile waits for that.
        """
        self._current = request
        try:
            if handler is not None:
                await handler(request)
            if not request.head_sent and not request.client_left:
                _log.error("a request was not answered")
                self._fail(request, Problem("The gateway did not answer."))
        except Problem as problem:
            self._fail(request, problem)
        except Exception as error:  # noqa: BLE001  (whatever it is, the client gets an answer)
            # Not the message: it may quote the request.
            stack = "".join(traceback.format_tb(error.__traceback__))
            _log.error("a request failed", error=type(error).__name__, stack=stack)
            self._fail(request, Problem("The gateway failed."))
        request.let_go()
        if self.writing_paused and self.transport is not None:
            with suppress(ConnectionError):  # it left without reading what was written: the loop sees that it has
                await self._drain_helper()

    def _fail(self, request: Request, problem: Problem) -> None:
        """Answer a problem, or end the connection where an answer has begun."""
        if request.head_sent:
            self.abort()
        else:
            self.respond(request, self._problem_answer(problem))

    def respond(self, request: Request, answer: Answer) -> None:
        """Write an answer of our own."""
        if request.head_sent or request.client_left:
            return
        request.head_sent = True
        close = self.decide_close(request)
        self.write(whole(answer, close=close, minor=request.minor, without_body=request.method == "HEAD"))

    def decide_close(self, request: Request) -> bool:
        """Whether this is the connection's last answer. Called when its head is made.

        A body that is still to come is only waited for if it is short and the client is sure to send it.
        """
        if not request.complete and (
            request.expects_continue or request.length is None or request.length - request.bytes_in > BODY_BUFFER
        ):
            request.keep_alive = False
        if self._close or self._leaves or (self._eof and not self._waiting and not self._ahead):
            request.keep_alive = False
        return not request.keep_alive

    def _linger(self) -> None:
        """Say that no more will come and read what is still sent: a reset would destroy the answer on its way."""
        self._task_handler = None
        self._lingering = True
        if self._eof or self.transport is None or self.transport.is_closing():
            self.force_close()
            return
        self.read_deadline = self._loop.time() + self.limits.linger
        self._buffer_paused = False
        self.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def leave(self) -> None:
        """Let each answer whose head is made from now on be the last one, and say so: nobody is cut off untold."""
        self._leaves = True

    def close(self) -> None:
        """Take no more requests; the one that is being answered is finished."""
        self._close = True
        if self._current is None and not self._waiting and self._http.idle:
            self.force_close()

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109  (aiohttp's signature)
        """Finish what is being answered within ``timeout`` seconds, then end the connection."""
        self.close()
        task = self._task_handler
        if task is not None and not task.done():
            _, running = await asyncio.wait({task}, timeout=timeout)
            if running:
                task.cancel()
                await asyncio.wait({task}, timeout=1.0)
        self.force_close()
