"""llhttp's events of one upstream connection, turned into the head, body and end of answers."""

import re
from dataclasses import dataclass
from typing import Protocol

import httptools

from gateway.core.hop_by_hop import KEYS, RawHeaders, key_of
from gateway.proxy.failures import UpstreamFailed, UpstreamProblem

_JUDGED = frozenset({b"connection", b"content-length", b"transfer-encoding"})
_REASON = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_SILENT = 64 * 1024
"""Bytes of head, trailers or chunk extensions that may come without a byte of body."""
_INTERIM = 32
"""1xx answers that may come before the real one."""


@dataclass(slots=True)
class ResponseHead:
    """A response's head, byte-true. ``length``: its ``Content-Length``. ``chunked``: how its body comes.

    ``keys``: the names of ``headers`` as they are compared, in the same order. ``connection``: what ``Connection``
    says. ``bodiless``: no body follows, whatever the fields say. Not ``length``, ``chunked`` or ``bodiless``: the body
    ends with the connection.
    """

    status: int
    reason: bytes
    headers: RawHeaders
    keys: list[bytes]
    connection: bytes = b""
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


class ResponseParser:
    """Feeds one connection's bytes to llhttp and tells a sink.

    ``ended``: the answer is whole. ``keep_alive``: nothing speaks against another exchange. ``until_close``: the answer
    ends with the connection. ``answered``: a byte has come. ``switched``: the head of a 101. ``trailers``: at the end.
    """

    __slots__ = (
        "_bodiless",
        "_expect_upgrade",
        "_fields",
        "_final",
        "_framing",
        "_head_only",
        "_interims",
        "_keys",
        "_llhttp",
        "_reason",
        "_silent",
        "_sink",
        "answered",
        "ended",
        "keep_alive",
        "switched",
        "until_close",
    )

    def __init__(self) -> None:
        self._llhttp = httptools.HttpResponseParser(self)
        self._sink: ResponseSink | None = None
        self._fields: RawHeaders = []
        self._keys: list[bytes] = []
        self._framing: dict[bytes, bytes] = {}
        self._reason = b""
        self._silent = 0
        self._interims = 0
        self._head_only = self._expect_upgrade = self._final = self._bodiless = False
        self.answered = self.ended = self.keep_alive = self.until_close = False
        self.switched: ResponseHead | None = None

    @property
    def trailers(self) -> RawHeaders:
        """What came behind a chunked body."""
        return self._fields

    def begin(self, sink: ResponseSink, *, head_only: bool, upgrade: bool) -> None:
        """Expect an answer for ``sink``. ``head_only``: to HEAD. ``upgrade``: 101 was asked for."""
        if self._head_only:
            # llhttp did not know that its last answer was one to HEAD and waits for a body.
            self._llhttp = httptools.HttpResponseParser(self)
        self._sink = sink
        self._head_only, self._expect_upgrade = head_only, upgrade
        self._fields, self._keys, self._framing, self._reason = [], [], {}, b""
        self._silent = self._interims = 0
        self._final = self._bodiless = False
        self.answered = self.ended = self.keep_alive = self.until_close = False

    def feed(self, data: bytes) -> bytes | None:
        """Parse ``data``. Returns the bytes behind a 101. Raises ``UpstreamFailed``, or what the sink did."""
        self.answered = True
        self._silent += len(data)
        try:
            self._llhttp.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if not self.ended:
                return data[upgrade.args[0] :]
            self.keep_alive = False
        except httptools.HttpParserError as error:
            # Bytes behind a whole answer spoil the connection, not the answer.
            self.keep_alive = False
            if not self.ended:
                raise self._cause(error) from None
        if self._silent > _SILENT:
            raise UpstreamFailed("The upstream's head is too long.", request_sent=True)
        return None

    def on_message_begin(self) -> None:
        """A first byte of a response. One behind the end is nobody's: not a byte of it may reach the sink."""
        if self.ended:
            self.keep_alive = False

    def on_status(self, reason: bytes) -> None:
        """A part of the reason phrase."""
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head, or of the trailers."""
        if self.ended:
            return
        key = KEYS.get(name) or key_of(name)
        value = value.rstrip(b" \t")
        self._fields.append((name, value))
        self._keys.append(key)
        if key in _JUDGED and b"_" not in name:
            earlier = self._framing.get(key)
            self._framing[key] = value if earlier is None else earlier + b", " + value

    def on_headers_complete(self) -> None:
        """A head is complete."""
        if self.ended:
            return
        self._silent = 0
        if self._reason != b"OK" and not _REASON.fullmatch(self._reason):
            raise UpstreamFailed("The upstream's status line has a control byte.", request_sent=True)
        status = self._llhttp.get_status_code()
        if status < 100:  # noqa: PLR2004
            raise UpstreamFailed("The upstream's status is none.", request_sent=True)
        head = ResponseHead(status, self._reason, self._fields, self._keys, self._framing.get(b"connection", b""))
        framing = self._framing
        self._fields, self._keys, self._framing, self._reason = [], [], {}, b""
        if status == 101:  # noqa: PLR2004
            if not self._expect_upgrade:
                raise UpstreamFailed("The upstream switched protocols unasked.", request_sent=True)
            self.switched = head
            return
        if status < 200:  # noqa: PLR2004
            self._interim(head)
            return
        self._frame(head, framing.get(b"content-length"), framing.get(b"transfer-encoding"))
        self._final = True
        if self._sink is not None:
            self._sink.response_head(head)

    def on_body(self, data: bytes) -> None:
        """A part of the body, without its chunking."""
        self._silent = 0
        if self._bodiless or self.ended:
            self.keep_alive = False  # bytes where there must be none
        elif self._sink is not None:
            self._sink.response_body(data)

    def on_message_complete(self) -> None:
        """A response is complete, trailers included."""
        if self._final:
            if not self._head_only and not self._llhttp.should_keep_alive():
                self.keep_alive = False  # llhttp takes nothing more: a trailer can say so as well
            self.ended = True

    def _interim(self, head: ResponseHead) -> None:
        self._interims += 1
        if self._interims > _INTERIM:
            raise UpstreamFailed("The upstream sends 1xx without end.", request_sent=True)
        if self._sink is not None:
            self._sink.response_interim(head)

    def _frame(self, head: ResponseHead, length: bytes | None, coding: bytes | None) -> None:
        """How the body ends (RFC 9112, 6.3), and whether the connection can be kept; refuse what is ambiguous."""
        if coding is not None:
            if length is not None or coding.lower() != b"chunked":
                problem = "The upstream sends a transfer coding that is not chunked alone."
                raise UpstreamFailed(problem, request_sent=True)
            head.chunked = True
        elif length is not None:
            head.length = int(length)
        version = self._llhttp.get_http_version()
        if version not in {"1.0", "1.1"}:
            raise UpstreamFailed("The upstream does not speak HTTP/1.", request_sent=True)
        head.bodiless = self._bodiless = self._head_only or head.status in {204, 304}
        if self._head_only:
            # llhttp does not know that this answers HEAD and waits for a body: a fresh one takes the next answer.
            self.ended = True
            self.keep_alive = version == "1.1" and b"close" not in head.connection.lower()
        else:
            self.keep_alive = self._llhttp.should_keep_alive()
            self.until_close = not (self._bodiless or head.chunked or length is not None)

    def _cause(self, error: httptools.HttpParserError) -> BaseException:
        """What was raised while llhttp spoke to us, or what llhttp itself refused."""
        if isinstance(error, httptools.HttpParserCallbackError) and error.__context__ is not None:
            return error.__context__
        return UpstreamFailed(f"The upstream's answer is not HTTP/1.1: {error}.", request_sent=True)
