"""One connection to the upstream: bytes out as given, llhttp's events in, by callbacks.

An exchange is: ``begin(sink, ...)``, ``write(head and body)``, ``end_request()``; the sink hears of the answer until
``response_end`` or ``response_failed``, which is said exactly once. The connection then goes back to its pool by
itself, or is closed. No task and no future is made here; who wants to await builds it on the sink (see ``forward``).
"""

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from gateway.proxy.failures import UpstreamFailed, UpstreamProblem, UpstreamTimedOut
from gateway.proxy.keeper import Keeper
from gateway.proxy.plain_answer import AnswerReader
from gateway.proxy.response_parser import ResponseParser, ResponseSink
from gateway.proxy.upstream_ends import Passenger, TunnelEnd

NEVER = float("inf")


class UpstreamConnection(asyncio.Protocol):
    """One connection. ``used``: exchanges begun on it. ``deadline``: the loop's time by which something must happen.

    ``last_use``: the loop's time from which on no further exchange begins.
    """

    __slots__ = (
        "_http",
        "_keeper",
        "_loop",
        "_passenger",
        "_plain",
        "_request_ended",
        "_sink",
        "_tunnel",
        "deadline",
        "last_use",
        "reading_paused",
        "transport",
        "used",
        "write_paused",
    )

    def __init__(self, keeper: Keeper, loop: asyncio.AbstractEventLoop) -> None:
        self._keeper = keeper
        self._loop = loop
        self._http = ResponseParser()
        self._plain = AnswerReader()
        self._sink: ResponseSink | None = None
        self._passenger: Passenger | None = None
        self._tunnel: TunnelEnd | None = None
        self._request_ended = False
        self.transport: asyncio.Transport | None = None
        self.deadline = self.last_use = NEVER
        self.used = 0
        self.write_paused = False
        self.reading_paused = False

    @property
    def usable(self) -> bool:
        """Whether a request can be written."""
        return self.transport is not None and not self.transport.is_closing()

    @property
    def busy(self) -> bool:
        """Whether somebody waits for an answer."""
        return self._sink is not None or self._passenger is not None

    def begin(self, sink: ResponseSink, *, head_only: bool = False, upgrade: bool = False) -> None:
        """Start an exchange. ``head_only``: the request is HEAD. ``upgrade``: it asks for one, 101 is an answer."""
        self._sink = sink
        self._request_ended = False
        self._http.begin(sink, head_only=head_only, upgrade=upgrade)
        self.used += 1

    def begin_ride(self, passenger: Passenger, wire: bytes, at_us: int) -> None:
        """Start an exchange for a request, which is written whole. ``at_us``: now."""
        self._passenger = passenger
        self._request_ended = True
        self.used += 1
        self.deadline = self._loop.time() + self._keeper.read_timeout
        passenger.sent_us = at_us
        self.write(wire)

    def end_ride(self) -> None:
        """The answer has been taken: back to the pool."""
        self._passenger = None
        keeper, transport = self._keeper, self.transport
        if keeper.failing:
            keeper.answered()
        if transport is not None and not transport.is_closing():
            keeper.keep(self)
        else:
            self.deadline = NEVER

    def _leave_lane(self) -> ResponseSink | None:
        """The answer is not plain: it is read as any other."""
        passenger, self._passenger = self._passenger, None
        if passenger is not None:
            self._sink = passenger.hand_over()
            self._http.begin(self._sink, head_only=passenger.head_only, upgrade=False)
        return self._sink

    def write(self, data: bytes) -> None:
        """Write a part of the request."""
        if self.transport is not None:
            self.transport.write(data)

    def end_request(self) -> None:
        """The request has been written whole: now the upstream is waited on."""
        self._request_ended = True
        if self._http.ended:
            self._leave()
        elif not self.reading_paused:
            self.deadline = self._loop.time() + self._keeper.read_timeout

    def pause_reading(self) -> None:
        """Do not read until ``resume_reading``."""
        if not self.reading_paused and self.transport is not None:
            self.reading_paused = True
            self.deadline = NEVER
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if self.reading_paused and self.transport is not None:
            self.reading_paused = False
            if self._request_ended:
                self.deadline = self._loop.time() + self._keeper.read_timeout
            self.transport.resume_reading()

    def start_tunnel(self, tunnel: TunnelEnd) -> None:
        """Give the connection's bytes to ``tunnel`` from now on."""
        self._sink = None
        self._tunnel = tunnel
        self.deadline = NEVER

    def give_back(self) -> None:
        """No exchange was begun after all."""
        self._keeper.keep(self)

    def call_later(self, delay: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Call back in ``delay`` seconds."""
        return self._loop.call_later(delay, callback)

    def abort(self) -> None:
        """End the connection at once; its sink hears nothing more."""
        self._sink = self._passenger = self._tunnel = None
        if self.transport is not None:
            self.transport.abort()

    def close(self) -> None:
        """Close the connection after what was written has gone out; its sink hears nothing more."""
        self._sink = self._passenger = self._tunnel = None
        if self.transport is not None:
            if self.transport.get_write_buffer_size():
                self.deadline = self._loop.time() + self._keeper.read_timeout
            self.transport.close()

    def expire(self, now: float) -> None:
        """End the connection if it was waited on for too long. ``now`` is the loop's time."""
        if now < self.deadline:
            return
        if self.busy:
            self._fail(UpstreamTimedOut("The upstream did not answer in time.", request_sent=True))
        elif self.usable:
            self.close()
        else:
            self.abort()  # it does not take what was written

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self.transport = cast("asyncio.Transport", transport)
        connected = transport.get_extra_info("socket")
        if connected is not None and connected.family != socket.AF_UNIX:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, whoever ended it."""
        self.transport = None
        self.deadline = NEVER
        self._keeper.drop(self)
        tunnel, self._tunnel = self._tunnel, None
        if tunnel is not None:
            tunnel.upstream_lost()
        elif self._leave_lane() is not None:
            if exc is None and self._http.until_close:
                self._end()
            else:
                self._fail(UpstreamFailed("The upstream broke the connection.", request_sent=True))

    def eof_received(self) -> bool:
        """The upstream sends no more."""
        # TLS knows no half-closed connection: asyncio ends it whatever is said here, and warns if it is "go on".
        goes_on = self._tunnel is not None and self._tunnel.upstream_eof()
        return goes_on and self.transport is not None and self.transport.can_write_eof()

    def pause_writing(self) -> None:
        """The upstream does not keep up."""
        self.write_paused = True
        if self._tunnel is None:
            self.deadline = self._loop.time() + self._keeper.read_timeout

    def resume_writing(self) -> None:
        """The upstream has caught up."""
        self.write_paused = False
        if self._tunnel is not None:
            self._tunnel.upstream_writable()
        elif self._sink is not None:
            if not self._request_ended:
                self.deadline = NEVER
            self._sink.upstream_writable()

    def data_received(self, data: bytes) -> None:
        """Bytes from the upstream."""
        if self._tunnel is not None:
            self._tunnel.from_upstream(data)
            return
        passenger = self._passenger
        if passenger is not None:
            plain, head_only = self._plain, passenger.head_only
            status = (not head_only and plain.read(data)) or plain.read_bodiless(data, head_only=head_only)
            if status and passenger.answered(status, plain):
                return
        sink = self._leave_lane()
        if sink is None:
            self.abort()  # an answer that nobody asked for
            return
        http = self._http
        try:
            rest = http.feed(data)
        except UpstreamFailed as failure:
            self._fail(failure)
            return
        if rest is not None:
            self._upgraded(rest)
        elif http.ended:
            self._end()
        elif self._sink is not None:
            if self._request_ended:
                self.deadline = self._loop.time() + self._keeper.read_timeout
            sink.response_flush()

    def _upgraded(self, rest: bytes) -> None:
        sink, head = self._sink, self._http.switched
        if sink is not None and head is not None:
            self._sink = None
            self.deadline = NEVER
            if self._keeper.failing:
                self._keeper.answered()
            try:
                sink.response_upgraded(head, rest)
            except UpstreamFailed as failure:
                self._sink = sink
                self._fail(failure)

    def _fail(self, problem: UpstreamProblem) -> None:
        sink = self._leave_lane()
        stale = isinstance(problem, UpstreamFailed) and self.used > 1 and not self._http.answered
        if not stale:
            self._keeper.failed(problem.message)
        self.abort()
        if sink is not None:
            sink.response_failed(problem, stale=stale)

    def _end(self) -> None:
        """The answer is whole: tell the sink, and be free unless the request is still on its way."""
        sink, self._sink = self._sink, None
        trailers = self._http.trailers
        self.deadline = NEVER
        if self._keeper.failing:
            self._keeper.answered()
        self._leave()
        if sink is not None:
            sink.response_end(trailers)

    def _leave(self) -> None:
        """Back to the pool, or away: an upstream that answered before it had read the request cannot be used again."""
        if self._http.keep_alive and self._request_ended and self.usable:
            self.resume_reading()
            self._keeper.keep(self)
        else:
            self.close()
