"""One connection to the upstream: bytes out as given, llhttp's events in, by callbacks.

An exchange is: ``begin(sink, ...)``, ``write(head and body)``, ``end_request()``; the sink hears of the answer until
``response_end`` or ``response_failed``, which is said exactly once. The connection then goes back to its pool by
itself, or is closed. No task and no future is made here; whoever wants to await builds it on the sink (see ``forward``).
"""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

import httptools

from gateway.core.hop_by_hop import RawHeaders, connection_options
from gateway.proxy.failures import UpstreamFailed, UpstreamProblem, UpstreamTimedOut

NEVER = float("inf")
_SILENT = 64 * 1024
"""Bytes of head, trailers or chunk extensions that may come without a byte of body."""
_INTERIM = 32


@dataclass(slots=True)
class ResponseHead:
    """A response's head, byte-true. ``length``: its ``Content-Length``. ``chunked``: how its body comes.

    ``bodiless``: no body follows, whatever the fields say. Neither of the three: the body ends with the connection.
    """

    status: int
    reason: bytes
    headers: RawHeaders
    length: int | None = None
    chunked: bool = False
    bodiless: bool = False


class ResponseSink(Protocol):
    """Who takes an answer. After an exception in one of these the connection is closed and the sink hears no more."""

    def response_interim(self, head: ResponseHead) -> None:
        """A 1xx other than 101."""

    def response_head(self, head: ResponseHead) -> None:
        """The head of the answer."""

    def response_body(self, data: bytes) -> None:
        """The next bytes of its body, without chunking."""

    def response_flush(self) -> None:
        """All that one read brought has been delivered, but for the end."""

    def response_end(self, trailers: RawHeaders) -> None:
        """The answer is whole."""

    def response_upgraded(self, head: ResponseHead, rest: bytes) -> None:
        """101: the connection is the sink's; ``rest`` has come behind the head."""

    def response_failed(self, problem: UpstreamProblem, *, stale: bool) -> None:
        """There will be no (more) answer. ``stale``: a kept connection died before it said anything."""

    def upstream_writable(self) -> None:
        """What was written has gone out."""


class TunnelEnd(Protocol):
    """Who has the connection's bytes after 101."""

    def from_upstream(self, data: bytes) -> None:
        """Bytes from the upstream."""

    def upstream_eof(self) -> bool:
        """The upstream sends no more; whether to keep its connection open."""

    def upstream_writable(self) -> None:
        """What was written has gone out."""

    def upstream_lost(self) -> None:
        """The upstream's connection is gone."""


class Keeper(Protocol):
    """Who keeps connections between exchanges."""

    read_timeout: float

    def keep(self, connection: "UpstreamConnection") -> None:
        """The connection is free again."""

    def drop(self, connection: "UpstreamConnection") -> None:
        """The connection is gone."""


class UpstreamConnection(asyncio.Protocol):
    """One connection. ``used``: exchanges begun on it. ``deadline``: the loop's time by which something must happen."""

    __slots__ = (
        "_answered",
        "_bodiless",
        "_expect_upgrade",
        "_fields",
        "_final",
        "_head_only",
        "_interims",
        "_keep_alive",
        "_keeper",
        "_llhttp",
        "_loop",
        "_reason",
        "_request_ended",
        "_response_ended",
        "_silent",
        "_sink",
        "_switched",
        "_tunnel",
        "_until_close",
        "deadline",
        "reading_paused",
        "transport",
        "used",
        "write_paused",
    )

    def __init__(self, keeper: Keeper, loop: asyncio.AbstractEventLoop) -> None:
        self._keeper = keeper
        self._loop = loop
        self._llhttp = httptools.HttpResponseParser(self)
        self._sink: ResponseSink | None = None
        self._tunnel: TunnelEnd | None = None
        self.transport: asyncio.Transport | None = None
        self.deadline = NEVER
        self.used = 0
        self.write_paused = False
        self.reading_paused = False
        self._keep_alive = False
        self._reset()

    def _reset(self) -> None:
        self._fields: RawHeaders = []
        self._reason = b""
        self._silent = 0
        self._interims = 0
        self._answered = self._final = self._until_close = self._bodiless = False
        self._request_ended = self._response_ended = False
        self._expect_upgrade = self._head_only = False
        self._switched: ResponseHead | None = None

    @property
    def usable(self) -> bool:
        """Whether a request can be written."""
        return self.transport is not None and not self.transport.is_closing()

    def begin(self, sink: ResponseSink, *, head_only: bool = False, upgrade: bool = False) -> None:
        """Start an exchange. ``head_only``: the request is HEAD. ``upgrade``: it asks for one, 101 is an answer."""
        self._reset()
        self._sink = sink
        self._head_only = head_only
        self._expect_upgrade = upgrade
        self.used += 1

    def write(self, data: bytes) -> None:
        """Write a part of the request."""
        if self.transport is not None:
            self.transport.write(data)

    def end_request(self) -> None:
        """The request has been written whole: now the upstream is waited on."""
        self._request_ended = True
        if self._response_ended:
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

    def call_later(self, delay: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Call back in ``delay`` seconds."""
        return self._loop.call_later(delay, callback)

    def abort(self) -> None:
        """End the connection at once; its sink hears nothing more."""
        self._sink = None
        self._tunnel = None
        if self.transport is not None:
            self.transport.abort()

    def close(self) -> None:
        """Close the connection after what was written has gone out; its sink hears nothing more."""
        self._sink = None
        self._tunnel = None
        if self.transport is not None:
            self.transport.close()

    def expire(self, now: float) -> None:
        """End the connection if it was waited on for too long. ``now`` is the loop's time."""
        if now < self.deadline:
            return
        if self._sink is None:
            self.close()
        else:
            self._fail(UpstreamTimedOut("The upstream did not answer in time.", request_sent=True))

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
        elif self._sink is not None:
            if exc is None and self._until_close:
                self._end()
            else:
                self._fail(UpstreamFailed("The upstream broke the connection.", request_sent=True))

    def eof_received(self) -> bool:
        """The upstream sends no more."""
        return self._tunnel is not None and self._tunnel.upstream_eof()

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
        sink = self._sink
        if sink is None:
            self.abort()  # an answer that nobody asked for
            return
        self._answered = True
        self._silent += len(data)
        try:
            self._llhttp.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgraded(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError as error:
            # Bytes behind a whole answer spoil the connection, not the answer.
            self._keep_alive = False
            if not self._response_ended:
                self._garbled(error)
                return
        if self._silent > _SILENT:
            self._fail(UpstreamFailed("The upstream's head is too long.", request_sent=True))
        elif self._response_ended:
            self._end()
        elif self._sink is not None:
            if self._request_ended:
                self.deadline = self._loop.time() + self._keeper.read_timeout
            sink.response_flush()

    def on_message_begin(self) -> None:
        """A first byte of a response."""
        if self._response_ended:
            self._keep_alive = False  # and nobody asked for it

    def on_status(self, reason: bytes) -> None:
        """A part of the reason phrase."""
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head, or of the trailers."""
        self._fields.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """A head is complete."""
        if self._response_ended:
            return
        self._silent = 0
        status = self._llhttp.get_status_code()
        head = ResponseHead(status, self._reason, self._fields)
        self._fields, self._reason = [], b""
        if status == 101:  # noqa: PLR2004
            if not self._expect_upgrade:
                raise UpstreamFailed("The upstream switched protocols unasked.", request_sent=True)
            self._switched = head
            return
        if status < 200:  # noqa: PLR2004
            self._interim(head)
            return
        self._frame(head)
        self._final = True
        if self._sink is not None:
            self._sink.response_head(head)

    def on_body(self, data: bytes) -> None:
        """A part of the body, without its chunking."""
        self._silent = 0
        if self._bodiless:
            self._keep_alive = False  # bytes where there must be none
        elif self._sink is not None:
            self._sink.response_body(data)

    def on_message_complete(self) -> None:
        """A response is complete, trailers included."""
        if self._final:
            self._response_ended = True

    def _interim(self, head: ResponseHead) -> None:
        self._interims += 1
        if self._interims > _INTERIM:
            raise UpstreamFailed("The upstream sends 1xx without end.", request_sent=True)
        if self._sink is not None:
            self._sink.response_interim(head)

    def _frame(self, head: ResponseHead) -> None:
        """How the body ends (RFC 9112, 6.3), and whether the connection can be kept; refuse what is ambiguous."""
        lengths, codings = [], []
        for name, value in head.headers:
            key = name.lower()
            if key == b"content-length":
                lengths.append(value)
            elif key == b"transfer-encoding":
                codings.append(value)
        if codings and (lengths or len(codings) > 1 or codings[0].lower() != b"chunked"):
            raise UpstreamFailed("The upstream sends a transfer coding that is not chunked alone.", request_sent=True)
        head.chunked = bool(codings)
        head.length = int(lengths[0]) if lengths else None
        version = self._llhttp.get_http_version()
        if version not in {"1.0", "1.1"}:
            raise UpstreamFailed("The upstream does not speak HTTP/1.", request_sent=True)
        head.bodiless = self._bodiless = self._head_only or head.status in {204, 304}
        if self._head_only:
            # llhttp does not know that this answers HEAD and waits for a body: a fresh one takes the next answer.
            self._response_ended = True
            self._keep_alive = version == "1.1" and b"close" not in connection_options(head.headers)
        else:
            self._keep_alive = self._llhttp.should_keep_alive()
            self._until_close = not (self._bodiless or head.chunked or lengths)

    def _upgraded(self, rest: bytes) -> None:
        sink, head = self._sink, self._switched
        if sink is not None and head is not None:
            self._sink = None
            self.deadline = NEVER
            sink.response_upgraded(head, rest)

    def _garbled(self, error: httptools.HttpParserError) -> None:
        """What llhttp refused, or what was raised while it spoke to us."""
        cause = error.__context__
        if isinstance(cause, UpstreamFailed):
            self._fail(cause)
        elif isinstance(error, httptools.HttpParserCallbackError) and cause is not None:
            self.abort()
            raise cause
        else:
            self._fail(UpstreamFailed(f"The upstream's answer is not HTTP/1.1: {error}.", request_sent=True))

    def _fail(self, problem: UpstreamProblem) -> None:
        sink = self._sink
        stale = isinstance(problem, UpstreamFailed) and self.used > 1 and not self._answered
        self.abort()
        if sink is not None:
            sink.response_failed(problem, stale=stale)

    def _end(self) -> None:
        """The answer is whole: tell the sink, and be free unless the request is still on its way."""
        sink, self._sink = self._sink, None
        trailers, self._fields = self._fields, []
        self.deadline = NEVER
        if self._head_only:
            self._llhttp = httptools.HttpResponseParser(self)
        self._leave()
        if sink is not None:
            sink.response_end(trailers)

    def _leave(self) -> None:
        """Back to the pool, or away: an upstream that answered before it had read the request cannot be used again."""
        if self._keep_alive and self._request_ended and self.usable:
            self.resume_reading()
            self._keeper.keep(self)
        else:
            self.close()
