"""What a client's connection says, made into requests: one at a time, the rest held until it is their turn."""

import asyncio
from abc import abstractmethod
from collections import deque
from typing import TYPE_CHECKING

from gateway.core.hop_by_hop import RawHeaders
from gateway.core.problems import Problem
from gateway.proxy.client_connection import NEVER, ClientConnection, ClientLimits
from gateway.proxy.request import BODY_BUFFER, Request
from gateway.proxy.request_parser import RequestParser

if TYPE_CHECKING:
    from aiohttp import web

_SLICE = 16 * 1024
"""Bytes that are parsed at a time, which bounds how many small pipelined requests can wait."""


class ClientRequests(ClientConnection):
    """Puts each request whose head is complete, and the problem that ends them, into ``_waiting``."""

    __slots__ = ("_ahead", "_broken", "_http", "_in_head", "_latest", "_reframe", "_timed", "_waiting")

    def __init__(self, manager: "web.Server", *, loop: asyncio.AbstractEventLoop, limits: ClientLimits) -> None:
        super().__init__(manager, loop=loop, limits=limits)
        self._http = RequestParser(self._make_request, self._begin, limits.head, limits.body)
        self._waiting: deque[Request | Problem] = deque()
        self._latest: Request | None = None
        self._timed: Request | None = None
        self._ahead = b""
        self._reframe = False
        self._broken = False
        self._in_head = True

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._tunnel is not None:
            self._tunnel.from_client(data)
        elif not (self._force_close or self._lingering or self._broken):
            if self._ahead or self._one_is_whole():
                self._hold(data)
            else:
                self._parse(data)

    def _one_is_whole(self) -> bool:
        """Whether a request waits or is answered with nothing more of it to come: what follows is for later."""
        return (self._current is not None or bool(self._waiting)) and self._http.request is None

    def _owes_an_answer(self) -> bool:
        """Whether something has come whole, or has been refused, that is not answered yet."""
        waiting = self._waiting if self._current is None else (self._current, *self._waiting)
        return bool(self._ahead) or any(isinstance(each, Problem) or each.complete for each in waiting) or self._broken

    def _hold(self, data: bytes) -> None:
        self._ahead += data
        if len(self._ahead) >= BODY_BUFFER and not self._buffer_paused:
            self._pause_reading_for_buffer()

    def _release(self) -> bool:
        """Parse what was held while the last request was answered; whether there is a request now."""
        data, self._ahead = self._ahead, b""
        if self._reframe and self._latest is not None:
            self._reframe = False
            self._http.reframe(self._latest)
        if data:
            self._parse(data)
        if self._buffer_paused and not self._ahead:
            self._resume_reading_for_buffer()
        return bool(self._waiting)

    def _parse(self, data: bytes) -> None:
        """Parse a read, piece by piece; what follows a whole request is held."""
        start, size, coming = 0, len(data), self._http.request
        while start < size:
            if start and self._one_is_whole():
                self._hold(data[start:])
                break
            end = start + self._piece(size - start)
            try:
                behind = self._http.feed(data if end - start == size else memoryview(data)[start:end])
            except Problem as problem:
                self._break_off(problem)
                break
            start = end
            if behind is not None:
                self._upgrade_asked(behind + data[end:])
                break
        if coming is not None and coming is not self._latest:
            coming.flush()  # the read has ended its body and brought the next request
        if self._latest is not None:
            self._latest.flush()
        self._wait_for_more()

    def _piece(self, left: int) -> int:
        """How many bytes may be parsed at once: all of them while they belong to one body."""
        body = self._http.request
        if left <= _SLICE or (body is not None and body.length is not None and body.length - body.bytes_in >= left):
            return left
        return _SLICE

    def _wait_for_more(self) -> None:
        """Set the time by which the client must have sent more."""
        body = self._http.request
        if body is not None:
            if not self._reading_paused:
                self.read_deadline = self._body_deadline(body)
        elif self._http.idle or self._one_is_whole():
            self.read_deadline = NEVER
        elif not self._in_head:
            self._in_head = True
            self.read_deadline = self._loop.time() + self.limits.head_timeout

    def _body_deadline(self, body: Request) -> float:
        """The next bytes are due after a while; a body that trickles is due sooner and sooner."""
        now, limits = self._loop.time(), self.limits
        if not limits.body_rate:
            return now + limits.body_timeout
        if body is not self._timed:
            self._timed, self._body_since = body, now
        return min(now, self._body_since + body.bytes_in / limits.body_rate) + limits.body_timeout

    @abstractmethod
    def _make_request(
        self, method: str, raw_target: bytes, minor: int, headers: RawHeaders, keys: list[bytes]
    ) -> Request:
        """The request whose head has come, in the hands of this connection."""

    def _begin(self, request: Request) -> None:
        """A head is complete."""
        self._latest = request
        self._in_head = False
        self._waiting.append(request)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _enqueue(self, message: Request | Problem) -> None:
        self._waiting.append(message)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _upgrade_asked(self, behind: bytes) -> None:
        """Bytes behind an upgrade request wait for the answer; behind one that is not passed on they are HTTP."""
        request = self._latest
        if request is None:
            return
        self._reframe = True
        if request.upgrade:
            self._hold(behind)
            return
        self._ahead += behind
        if not self._one_is_whole():
            self._release()

    def _break_off(self, problem: Problem) -> None:
        """Nothing more can be read from this client."""
        self._broken = True
        body = self._http.request
        if body is not None:
            body.break_off(problem)
        elif self._latest is None or self._latest.keep_alive:  # else: bytes behind ``Connection: close`` mean nothing
            self._enqueue(problem)

    def take_ahead(self) -> bytes:
        """The bytes that came behind an upgrade request, for its tunnel."""
        data, self._ahead, self._reframe = self._ahead, b"", False
        if self._buffer_paused:
            self._resume_reading_for_buffer()
        return data
