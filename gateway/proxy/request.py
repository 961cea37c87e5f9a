"""One request of a client: its head as it came, its body as it comes, and where the answer goes."""

from typing import TYPE_CHECKING, Protocol

from gateway.core.hop_by_hop import RawHeaders, values

if TYPE_CHECKING:
    from gateway.core.answers import Answer
    from gateway.core.problems import Problem
    from gateway.proxy.downstream import GatewayProtocol
    from gateway.proxy.ride import Begun

BODY_BUFFER = 64 * 1024
"""Bytes of a body that are held while nobody takes them; then the client is not read any more."""


class Exchange(Protocol):
    """Who takes a request's body and wants to know what becomes of its client."""

    def request_body(self, data: bytes) -> None:
        """The next bytes of the body."""

    def request_end(self, trailers: RawHeaders) -> None:
        """The body is complete."""

    def request_flush(self) -> None:
        """All that one read brought has been delivered."""

    def request_broken(self, problem: "Problem") -> None:
        """The rest of the body cannot be understood."""

    def client_writable(self) -> None:
        """The client has taken what was written; more may be."""

    def client_lost(self) -> None:
        """The client has left."""


class Request:
    """A request whose head is complete.

    ``method``: one that llhttp knows. ``raw_target``: as on the request line. ``minor``: of HTTP/1. ``headers``: as
    they came, without white space around values; ``keys``: their names as they are compared, in the same order.
    ``connection``: what ``Connection`` says. ``chunked``: how the body comes; ``length``: its ``Content-Length``,
    if any.
    ``host``: what ``Host`` says. ``takes_trailers``: what ``TE`` says. ``upgrade``: the client asks for a WebSocket.
    ``client_left``: nobody waits for the answer any more.
    ``head_sent``: an answer has begun, another one cannot be given. ``request_sent``: one byte of it may have been
    written to an upstream. ``broken``: why the rest of the body cannot be read. ``bytes_in``: of the body, so far.
    ``begun``: what the fast lane has done with it already.
    """

    __slots__ = (
        "_chunks",
        "_exchange",
        "_held",
        "begun",
        "broken",
        "bytes_in",
        "chunked",
        "client_left",
        "complete",
        "connection",
        "expects_continue",
        "head_sent",
        "headers",
        "host",
        "keep_alive",
        "keys",
        "length",
        "method",
        "minor",
        "protocol",
        "raw_target",
        "request_sent",
        "takes_trailers",
        "trailers",
        "upgrade",
    )

    def __init__(
        self,
        protocol: "GatewayProtocol",
        method: str,
        raw_target: bytes,
        minor: int,
        headers: RawHeaders,
        keys: list[bytes],
    ) -> None:
        self.protocol = protocol
        self.method = method
        self.raw_target = raw_target
        self.minor = minor
        self.headers = headers
        self.keys = keys
        self.connection = b""
        self.host: bytes | None = None
        self.chunked = False
        self.length: int | None = None
        self.keep_alive = True
        self.expects_continue = False
        self.upgrade = False
        self.takes_trailers = False
        self.complete = False
        self.trailers: RawHeaders = []
        self.client_left = False
        self.head_sent = False
        self.request_sent = False
        self.broken: Problem | None = None
        self.begun: Begun | None = None
        self.bytes_in = 0
        self._chunks: list[bytes] | None = None
        self._held = 0
        self._exchange: Exchange | None = None

    def values(self, name: bytes) -> list[bytes]:
        """Every value of the field ``name`` (in lower case), in order."""
        return values(self.headers, name)

    @property
    def peer(self) -> str:
        """The address of the TCP peer; empty on a Unix socket."""
        return self.protocol.peer

    @property
    def wanted(self) -> bool:
        """Whether it makes sense to go on: somebody waits, and what is sent is HTTP."""
        return not self.client_left and self.broken is None

    @property
    def has_body(self) -> bool:
        """Whether a body was announced, even an empty one."""
        return self.chunked or bool(self.length)

    def respond(self, answer: "Answer") -> None:
        """Answer it ourselves, whole. Nothing happens where an answer has begun or the client has left.

        Back-pressure is the connection's affair: the next request waits until the client has read.
        """
        self.protocol.respond(self, answer)

    def take_body(self, exchange: Exchange) -> bytes:
        """Let ``exchange`` have the body from here on; the bytes that have come already are returned."""
        self._exchange = exchange
        chunks, self._chunks, held, self._held = self._chunks, None, self._held, 0
        if held >= BODY_BUFFER:
            self.protocol.resume_reading()
        return b"".join(chunks) if chunks else b""

    def let_go(self) -> None:
        """It has been answered: nobody listens any more, and what is left of the body is read and forgotten."""
        self._exchange = None
        self._chunks, held, self._held = None, self._held, -1
        if held >= BODY_BUFFER:
            self.protocol.resume_reading()

    def feed(self, data: bytes) -> None:
        """More of the body has come."""
        self.bytes_in += len(data)
        if self._exchange is not None:
            self._exchange.request_body(data)
            return
        if self._held < 0:
            return
        if self._chunks is None:
            self._chunks = []
        self._chunks.append(data)
        before, self._held = self._held, self._held + len(data)
        if before < BODY_BUFFER <= self._held:
            self.protocol.pause_reading()

    def finish(self, trailers: RawHeaders) -> None:
        """The body has come whole."""
        self.complete = True
        self.trailers = trailers
        if self._exchange is not None:
            self._exchange.request_end(trailers)

    def flush(self) -> None:
        """One read has been parsed to its end."""
        if self._exchange is not None:
            self._exchange.request_flush()

    def break_off(self, problem: "Problem") -> None:
        """The body turned out not to be HTTP."""
        self.broken, self.keep_alive = problem, False
        if self._exchange is not None:
            self._exchange.request_broken(problem)

    def writable(self) -> None:
        """The client takes more of the answer."""
        if self._exchange is not None:
            self._exchange.client_writable()

    def lose_client(self) -> None:
        """The client has left. Said once."""
        if not self.client_left:
            self.client_left = True
            if self._exchange is not None:
                self._exchange.client_lost()
