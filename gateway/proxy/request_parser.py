"""llhttp's events of one client connection, turned into requests; what could be read in two ways is refused.

aiohttp's own parser is not used: it drops trailers and lets the last one of a request appear in the head of the next,
knows ``Transfer-Encoding: gzip, chunked`` as plain chunked, and quotes raw header lines in its errors.
"""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass

import httptools

from gateway.core.hop_by_hop import KEYS, RawHeaders, key_of
from gateway.core.problems import BadRequest, ContentTooLarge, NotImplementedHere, Problem, TooLarge
from gateway.proxy.request import Request

_METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?: |\Z)")
HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*")
_JUDGED = frozenset({b"connection", b"content-length", b"expect", b"host", b"te", b"transfer-encoding", b"upgrade"})
_ONCE = frozenset({b"content-length", b"host", b"transfer-encoding"})
_MINOR = {"1.0": 0, "1.1": 1}
_METHODS: dict[bytes, str] = {}


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """How long a request's head may be, in bytes and in fields. Trailers and chunk extensions have the same bound."""

    size: int = 64 * 1024
    fields: int = 200


class RequestParser:
    """Feeds one connection's bytes to llhttp; ``begin`` is called with each request when its head is complete.

    ``make(method, raw_target, minor, headers, keys)`` makes the request. ``max_body``: bytes of its body. After a
    ``Problem`` the connection is of no use.
    """

    __slots__ = (
        "_begin",
        "_fields",
        "_framing",
        "_keys",
        "_llhttp",
        "_make",
        "_max_body",
        "_max_fields",
        "_max_size",
        "_reframing",
        "_silent",
        "_size",
        "_url",
        "idle",
        "request",
    )

    def __init__(
        self,
        make: Callable[[str, bytes, int, RawHeaders, list[bytes]], Request],
        begin: Callable[[Request], None],
        limits: HeadLimits,
        max_body: int = sys.maxsize,
    ) -> None:
        self._make = make
        self._begin = begin
        self._llhttp = httptools.HttpRequestParser(self)
        self._fields: RawHeaders = []
        self._keys: list[bytes] = []
        self._framing: dict[bytes, bytes] = {}
        self._max_size, self._max_fields = limits.size, limits.fields
        self._max_body = max_body
        self._url = b""
        self._size = 0
        self._silent = 0
        self._reframing = False
        self.idle = True
        """Whether nothing of a next request has come yet."""
        self.request: Request | None = None
        """The request whose body is coming."""

    def feed(self, data: bytes | memoryview) -> bytes | None:
        """Parse ``data``. Returns the bytes behind an upgrade request, if this was one; raises ``Problem``."""
        self._silent += len(data)
        try:
            self._llhttp.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return bytes(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            raise self._problem(error, data) from None
        if self._silent > self._max_size:
            raise TooLarge(f"The head of a request may have {self._max_size} bytes.")
        return None

    def reframe(self, request: Request) -> None:
        """Go on after an upgrade that does not take place: what comes next is the request's body, or the next request.

        llhttp takes what follows such a head for another protocol, so a fresh one gets a head with the same framing.
        """
        self._llhttp = httptools.HttpRequestParser(self)
        if not request.complete:
            self._reframing = True
            framing = (
                b"Transfer-Encoding: chunked" if request.chunked else b"Content-Length: %d" % (request.length or 0)
            )
            self._llhttp.feed_data(b"POST / HTTP/1.1\r\n%b\r\n\r\n" % framing)
            self._reframing = False

    def on_message_begin(self) -> None:
        """A first byte of a request."""
        self.idle = False
        self._fields, self._keys, self._framing = [], [], {}
        self._url = b""
        self._size = 0

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        self._url += url
        self._size += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head, or of the trailers."""
        key = KEYS.get(name) or key_of(name)
        value = value.rstrip(b" \t")  # llhttp keeps the white space behind it (RFC 9110, 5.5: it is not part of it)
        self._fields.append((name, value))
        self._keys.append(key)
        self._size += len(name) + len(value)
        if self._size > self._max_size or len(self._fields) > self._max_fields:
            raise TooLarge(f"A head may have {self._max_size} bytes in {self._max_fields} fields.")
        if key in _JUDGED and self.request is None:
            self._judge(key, name, value)

    def _judge(self, key: bytes, name: bytes, value: bytes) -> None:
        """Keep a field that frames the message; refuse what two readers could read in two ways (RFC 9112, 3.2, 6)."""
        if b"_" in name:
            raise BadRequest("A field that frames the message is spelled with an underscore.")
        earlier = self._framing.get(key)
        if earlier is None:
            self._framing[key] = value
        elif key in _ONCE:
            raise BadRequest(f"The field {key.decode()} is there more than once.")
        else:
            self._framing[key] = earlier + b", " + value

    def on_headers_complete(self) -> None:
        """The head is complete."""
        if self._reframing:
            self._fields = []
            return
        headers, self._fields, self._size, self._silent = self._fields, [], 0, 0
        keys, self._keys = self._keys, []
        method = self._llhttp.get_method()
        name = _METHODS.get(method) or _METHODS.setdefault(method, method.decode())
        minor = _MINOR.get(self._llhttp.get_http_version())
        if minor is None:
            raise BadRequest("Only HTTP/1.0 and HTTP/1.1 are spoken here.")
        if name == "CONNECT":
            raise NotImplementedHere("CONNECT is for forward proxies; this is a gateway.")
        request = self._make(name, self._url, minor, headers, keys)
        request.keep_alive = self._llhttp.should_keep_alive()
        _frame(request, self._framing)
        if request.length is not None and request.length > self._max_body:
            raise self._too_large()
        request.upgrade = request.upgrade and self._llhttp.should_upgrade() and not request.has_body
        self.request = request
        self._begin(request)

    def on_body(self, data: bytes) -> None:
        """A part of a body, without its chunking."""
        self._silent = 0
        request = self.request
        if request is not None:
            if request.bytes_in + len(data) > self._max_body:
                raise self._too_large()
            request.feed(data)

    def on_message_complete(self) -> None:
        """A request is complete, trailers included."""
        request = self.request
        if request is None or self._reframing:
            return
        self._silent = 0
        if self._llhttp.should_upgrade() and request.has_body:
            return  # llhttp has not looked at the body: reframe() will
        if self._fields and not self._llhttp.should_keep_alive():
            request.keep_alive = False  # llhttp takes nothing more: a trailer can say so as well
        self.request = None
        self.idle = True
        trailers, self._fields = self._fields, []
        request.finish(trailers)

    def _too_large(self) -> Problem:
        return ContentTooLarge(f"The body of a request may have {self._max_body} bytes.")

    def _problem(self, error: httptools.HttpParserError, data: bytes | memoryview) -> Problem:
        """Ours, without a byte of the request in it; llhttp's sentences are fixed texts."""
        if isinstance(error.__context__, Problem):
            return error.__context__
        if isinstance(error, httptools.HttpParserInvalidMethodError) and _METHOD.match(bytes(data).lstrip(b"\r\n")):
            return NotImplementedHere("This method is not known here.")
        if isinstance(error, httptools.HttpParserCallbackError) and error.__context__ is not None:
            raise error.__context__
        return BadRequest(f"This is not HTTP/1.1 as RFC 9112 has it: {error}.")


def _frame(request: Request, framing: dict[bytes, bytes]) -> None:
    """Set what the framing fields say."""
    host = request.host = framing.get(b"host")
    if host is None:
        if request.minor == 1:
            raise BadRequest("An HTTP/1.1 request needs a Host.")
    elif not HOST.fullmatch(host):
        raise BadRequest("This is not a Host.")
    if len(framing) == 1 and host is not None:
        return  # most requests say no more
    _frame_body(request, framing.get(b"content-length"), framing.get(b"transfer-encoding"))
    request.connection = framing.get(b"connection", b"")
    if request.minor == 1:
        # RFC 9110, 10.1.1 and 7.8: these mean nothing in HTTP/1.0.
        request.takes_trailers = b"te" in framing and b"trailers" in framing[b"te"].lower()
        request.expects_continue = b"expect" in framing and framing[b"expect"].lower() == b"100-continue"
        request.upgrade = request.method == "GET" and framing.get(b"upgrade", b"").lower() == b"websocket"


def _frame_body(request: Request, length: bytes | None, coding: bytes | None) -> None:
    if coding is not None:
        if length is not None or request.minor == 0:
            raise BadRequest("Transfer-Encoding does not go with Content-Length or HTTP/1.0.")
        if coding.lower() != b"chunked":
            raise NotImplementedHere("The only transfer coding known here is chunked.")
        request.chunked = True
    elif length is not None:
        if not length.isdigit():
            raise BadRequest("This is not a Content-Length.")
        request.length = int(length)
