"""After 101: bytes both ways, as they come. Extensions, pings and close codes are not looked at.

It is known where frames end, so that the gateway can close a tunnel with a frame of its own. Where a rule weighs what
the client says, a ``Gate`` stands in its way.
"""

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from gateway.core.frames import close_frame
from gateway.proxy.way import Goodbye, Way

if TYPE_CHECKING:
    import asyncio

    from gateway.proxy.client_connection import ClientConnection
    from gateway.proxy.upstream import UpstreamConnection

HALF_OPEN = 30.0
"""Seconds that one direction may go on after the other has ended."""
FAREWELL = 5.0
"""Seconds for a client to answer our close frame, and for a frame that has begun to end before it."""
PROTOCOL_ERROR, GOING_AWAY = 1002, 1001


class ClientGate(Protocol):
    """Lets the client's bytes through, or not yet."""

    @property
    def full(self) -> bool:
        """So much waits here that the client is not to be read."""

    @property
    def busy(self) -> bool:
        """Something of the client's is on its way through."""

    @property
    def closed(self) -> bool:
        """The client has sent a close frame."""

    def take(self, data: bytes) -> None:
        """Bytes from the client."""

    def close(self) -> None:
        """Let nothing more through."""


class Tunnel:
    """Joins a client's connection and an upstream's. ``ended`` is called once, when both are done with.

    At most one read and one write buffer are held in each direction: who does not keep up stops the other's sending.
    ``up``: to the upstream. ``down``: to the client. ``bytes_in``: from the client. ``bytes_out``: to it. ``gate``:
    what the client's bytes go through, set before ``start``. ``close`` ends it from our side. ``goodbye``: why we did.
    """

    __slots__ = (
        "_client",
        "_client_eof",
        "_ended",
        "_timer",
        "_upstream",
        "_upstream_eof",
        "bytes_in",
        "bytes_out",
        "down",
        "gate",
        "goodbye",
        "up",
    )

    def __init__(self, client: "ClientConnection", upstream: "UpstreamConnection", ended: Callable[[], None]) -> None:
        self._client = client
        self._upstream = upstream
        self._ended: Callable[[], None] | None = ended
        self._client_eof = self._upstream_eof = False
        self._timer: asyncio.TimerHandle | None = None
        self.up, self.down = Way(upstream.write), Way(client.write)
        self.gate: ClientGate | None = None
        self.goodbye: Goodbye | None = None
        self.bytes_in = self.bytes_out = 0

    def start(self, from_client: bytes, from_upstream: bytes) -> None:
        """Join them; the bytes are those that came behind the two heads."""
        self._client.start_tunnel(self)
        self._upstream.start_tunnel(self)
        if from_upstream:
            self.from_upstream(from_upstream)
        if from_client:
            self.from_client(from_client)

    def from_client(self, data: bytes) -> None:
        """Bytes from the client."""
        self.bytes_in += len(data)
        if self.gate is None:
            self.up.pass_on(data)
        else:
            self.gate.take(data)
        if self.goodbye is not None:
            self._part()
        elif self._upstream.write_paused or (self.gate is not None and self.gate.full):
            self._client.pause_reading()

    def from_upstream(self, data: bytes) -> None:
        """Bytes from the upstream."""
        self.bytes_out += len(data)
        self.down.pass_on(data)
        if self._client.writing_paused:
            self._upstream.pause_reading()

    def client_writable(self) -> None:
        """The client has caught up."""
        self._upstream.resume_reading()

    def upstream_writable(self) -> None:
        """The upstream has caught up."""
        if self.gate is None or not self.gate.full:
            self._client.resume_reading()

    def gate_open(self) -> None:
        """The gate has dealt with what waited there."""
        if self._ended is None:
            return
        if self._client_eof:
            self._half_closed(self._upstream.transport, self.up)
        elif not self._upstream.write_paused:
            self._client.resume_reading()

    def client_eof(self) -> bool:
        """The client sends no more; it may still listen."""
        self._client_eof = True
        if self.gate is not None and self.gate.busy:
            return True
        return self._half_closed(self._upstream.transport, self.up)

    def upstream_eof(self) -> bool:
        """The upstream sends no more; it may still listen."""
        self._upstream_eof = True
        return self._half_closed(self._client.transport, self.down)

    def _half_closed(self, other: "asyncio.Transport | None", way: Way) -> bool:
        """Pass the end of one direction on; whether the other goes on."""
        if self.goodbye is not None:
            return self._part()
        if (self._client_eof and self._upstream_eof) or other is None or not other.can_write_eof():
            self.close()
            return False
        way.shut()
        if not other.is_closing():
            other.write_eof()
        if self._timer is None:
            self._timer = self._upstream.call_later(HALF_OPEN, self.close)
        return True

    def client_lost(self) -> None:
        """The client's connection is gone."""
        if self._upstream.write_paused:
            self._upstream.abort()
        self.close()

    def upstream_lost(self) -> None:
        """The upstream's connection is gone."""
        self.up.shut()
        if self.goodbye is None:
            self.close()
        else:
            self._part()

    def say_goodbye(self, goodbye: Goodbye) -> None:
        """Tell both sides that it is over, each when a frame is; then the client has a moment to answer."""
        if self._ended is None or self.goodbye is not None:
            return
        self.goodbye = goodbye
        if self.gate is not None:
            self.gate.close()
        self.down.end(close_frame(*goodbye))
        # That the client broke the protocol is no fault of the upstream's.
        code = GOING_AWAY if goodbye.code == PROTOCOL_ERROR else goodbye.code
        self.up.end(close_frame(code, goodbye.reason, secrets.token_bytes(4)))
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._upstream.call_later(FAREWELL, self._give_up)
        self._client.resume_reading()
        self._part()

    def _part(self) -> bool:
        """After our goodbye: close when both have been told and the client has answered; whether that is to come."""
        answered = self._client_eof or (self.up.closed if self.gate is None else self.gate.closed)
        if self.down.over and self.up.over and answered:
            self.close()
        return self._ended is not None

    def _give_up(self) -> None:
        """A side that could not be told in time sees a connection that breaks, not one that ends."""
        if not self.up.over:
            self._upstream.abort()
        if not self.down.over:
            self._client.abort()
        self.close()

    def close(self) -> None:
        """Let what was written go out and close both."""
        ended, self._ended = self._ended, None
        if ended is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        if self.gate is not None:
            self.gate.close()
        self._upstream.close()
        self._client.end_tunnel()
        ended()
