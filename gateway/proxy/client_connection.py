"""The byte side of a client's connection: reading, writing, how long to wait, and how it ends.

aiohttp's ``RequestHandler`` gives the place in its server (runner, sites, shutdown); its parsing and its answers are
not used. What a request is, is added in ``downstream``.
"""

import asyncio
import socket
import struct
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from aiohttp.web_protocol import RequestHandler

from gateway.core.forwarding import Forwarding
from gateway.proxy.client_ends import Current, TunnelEnd
from gateway.proxy.request_parser import HeadLimits

if TYPE_CHECKING:
    from aiohttp import web

NEVER = float("inf")
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER on, zero seconds: closing sends a reset instead of an end that looks orderly."""


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """How long a client may take, in seconds, and how much it may say at once; ``body``: the bytes of a body.

    ``head_timeout``: for a whole head, from its first byte. ``keepalive_timeout``: between requests. ``body_timeout``:
    between two parts of a body, and for taking what was written. ``body_rate``: bytes of body a second, on average
    after the first ``body_timeout``, not counting the time in which nobody took them; 0: any. ``linger``: for the rest
    of a body that nobody wants. ``half_close``: how long a client that has shut down its sending side is waited on
    before it counts as gone. ``requests``, ``age``: how many requests a connection may bring, and for how long.
    """

    head: HeadLimits = field(default_factory=HeadLimits)
    body: int = sys.maxsize
    head_timeout: float = 30.0
    keepalive_timeout: float = 75.0
    body_timeout: float = 60.0
    body_rate: int = 0
    linger: float = 5.0
    half_close: float = 60.0
    requests: int = sys.maxsize
    age: float = NEVER


class Told(NamedTuple):
    """What the upstream was last told of this client (``wire``), and for which ``Host`` and version."""

    host: bytes
    minor: int
    forwarding: Forwarding
    wire: bytes


class ClientConnection(RequestHandler):
    """One accepted connection. ``told``: see ``request_head``, which keeps it here.

    ``whence``: what all its requests have in common. ``announced``: the client's address, where a load balancer in
    front has said it (see ``acceptor``). ``last_use``: the loop's time from which on no further request is taken.
    """

    __slots__ = (
        "_body_since",
        "_current",
        "_eof",
        "_lingering",
        "_paused_at",
        "_tunnel",
        "_written",
        "announced",
        "last_use",
        "limits",
        "peer",
        "peer_bytes",
        "read_deadline",
        "scheme",
        "told",
        "whence",
        "write_deadline",
    )

    def __init__(self, manager: "web.Server", *, loop: asyncio.AbstractEventLoop, limits: ClientLimits) -> None:
        # keepalive_timeout=0: our own deadlines, which also bound heads and bodies, replace aiohttp's timer.
        super().__init__(manager, loop=loop, keepalive_timeout=0, access_log=cast("Any", None))
        self._parser = None
        self.limits = limits
        self.announced: str | None = None
        self.peer = ""
        self.peer_bytes = b"unknown"
        self.scheme = b"http"
        self.whence = b""
        self.told: Told | None = None
        self.read_deadline = self.write_deadline = self.last_use = NEVER
        self._body_since = self._paused_at = 0.0
        self._current: Current | None = None
        self._tunnel: TunnelEnd | None = None
        self._eof = False
        self._lingering = False
        self._written = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        peer, now = transport.get_extra_info("peername"), self._loop.time()
        if self.announced is not None:
            self.peer = self.announced
        elif isinstance(peer, tuple):
            self.peer = str(peer[0]).partition("%")[0]
        if self.peer:
            self.peer_bytes = self.peer.encode()
        if transport.get_extra_info("sslcontext") is not None:
            self.scheme = b"https"
        self.whence = b"%b %b" % (self.scheme, self.peer_bytes)
        self.read_deadline = now + self.limits.head_timeout
        self.last_use = now + self.limits.age
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection is gone, whoever ended it."""
        self.read_deadline = self.write_deadline = NEVER
        super().connection_lost(exc)
        if self._tunnel is not None:
            tunnel, self._tunnel = self._tunnel, None
            tunnel.client_lost()
        self.lose_client()

    def lose_client(self) -> None:
        """Tell the request that is being answered that nobody waits any more."""
        if self._current is not None:
            self._current.lose_client()

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client sends no more. One that waits for an answer keeps its connection for it, if it can be told apart.

        A client that has left looks the same until something is written to it; so it is waited on for
        ``half_close`` seconds, and after something was written, which the other kind answers with a reset.
        """
        self._eof = True
        # TLS knows no half-closed connection: asyncio ends it whatever is said here, and warns if it is "go on".
        whole = self.transport is not None and self.transport.can_write_eof()
        if self._tunnel is not None:
            return self._tunnel.client_eof() and whole
        if not whole or self._lingering or not self._owes_an_answer():
            return False
        self._loop.call_later(self.limits.half_close, self._still_there, self._written)
        return True

    def _owes_an_answer(self) -> bool:
        """Whether a request has come whole and is not answered yet."""
        return self._current is not None and self._current.complete

    def _still_there(self, written: int) -> None:
        """Whether it was told something since, or is still told it: who only reads slowly has not left."""
        if self._current is not None and self._written == written and not self._unsent():
            self.abort()

    def write(self, data: bytes) -> None:
        """Write to the client; into nothing once it has left."""
        transport = self.transport
        if transport is not None and not transport.is_closing():
            self._written += len(data)
            transport.write(data)

    def abort(self) -> None:
        """End the connection with a reset, so that a message cut short cannot be taken for a whole one."""
        self._force_close = True
        transport = self.transport
        if transport is not None:
            connected = transport.get_extra_info("socket")
            if connected is not None:
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            transport.abort()

    def start_tunnel(self, tunnel: TunnelEnd) -> None:
        """Give the connection's bytes to ``tunnel`` from now on."""
        self.read_deadline = NEVER
        self._tunnel = tunnel

    def end_tunnel(self) -> None:
        """Close the connection after what was written has gone out."""
        self._tunnel = None
        self._end()

    def pause_reading(self) -> None:
        """Do not read from the client until ``resume_reading``."""
        if not self._reading_paused:
            self._paused_at = self._loop.time()
        self._reading_paused = True
        self.read_deadline = NEVER
        self._pause_transport_reading()

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002  (aiohttp's signature)
        """Read again."""
        if self._reading_paused:
            self._body_since += self._loop.time() - self._paused_at
        self._reading_paused = False
        if self._current is not None and not self._current.complete:
            self.read_deadline = self._loop.time() + self.limits.body_timeout
        if not self._buffer_paused:
            self._resume_transport_reading()

    def pause_writing(self) -> None:
        """The client does not keep up."""
        super().pause_writing()
        self.write_deadline = self._loop.time() + self.limits.body_timeout

    def resume_writing(self) -> None:
        """The client has caught up."""
        super().resume_writing()
        self.write_deadline = NEVER
        if self._tunnel is not None:
            self._tunnel.client_writable()
        elif self._current is not None:
            self._current.writable()

    def expire(self, now: float) -> None:
        """End the connection if it was waited on for too long. ``now`` is the loop's time."""
        if now >= self.last_use:
            self._close = True  # it goes on until an answer has told the client so
        if now < self.read_deadline and now < self.write_deadline:
            return
        if now >= self.write_deadline or self._current is not None or self._unsent():
            self.abort()
        else:
            self.force_close()

    def _end(self) -> None:
        """Close the connection when the client has taken what was written, for which it has its time."""
        if self.transport is not None:
            if self._unsent():
                self.write_deadline = self._loop.time() + self.limits.body_timeout
            self.transport.close()

    def _unsent(self) -> bool:
        """Whether the client has not taken all that was written: closing would wait for it for ever."""
        return self.transport is not None and self.transport.get_write_buffer_size() > 0
