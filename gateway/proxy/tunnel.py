"""After 101: bytes both ways, as they come. Frames, extensions, pings and close codes are not looked at."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from gateway.proxy.client_connection import ClientConnection
    from gateway.proxy.upstream import UpstreamConnection

HALF_OPEN = 30.0
"""Seconds that one direction may go on after the other has ended."""


class Tunnel:
    """Joins a client's connection and an upstream's. ``ended`` is called once, when both are done with.

    At most one read and one write buffer are held in each direction: who does not keep up stops the other's sending.
    ``bytes_in``: from the client. ``bytes_out``: to it. ``close`` ends it from our side.
    """

    __slots__ = ("_client", "_client_eof", "_ended", "_timer", "_upstream", "_upstream_eof", "bytes_in", "bytes_out")

    def __init__(self, client: "ClientConnection", upstream: "UpstreamConnection", ended: Callable[[], None]) -> None:
        self._client = client
        self._upstream = upstream
        self._ended: Callable[[], None] | None = ended
        self._client_eof = self._upstream_eof = False
        self._timer: asyncio.TimerHandle | None = None
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
        self._upstream.write(data)
        if self._upstream.write_paused:
            self._client.pause_reading()

    def from_upstream(self, data: bytes) -> None:
        """Bytes from the upstream."""
        self.bytes_out += len(data)
        self._client.write(data)
        if self._client.writing_paused:
            self._upstream.pause_reading()

    def client_writable(self) -> None:
        """The client has caught up."""
        self._upstream.resume_reading()

    def upstream_writable(self) -> None:
        """The upstream has caught up."""
        self._client.resume_reading()

    def client_eof(self) -> bool:
        """The client sends no more; it may still listen."""
        self._client_eof = True
        return self._half_closed(self._upstream.transport)

    def upstream_eof(self) -> bool:
        """The upstream sends no more; it may still listen."""
        self._upstream_eof = True
        return self._half_closed(self._client.transport)

    def _half_closed(self, other: "asyncio.Transport | None") -> bool:
        """Pass the end of one direction on; whether the other goes on."""
        if (self._client_eof and self._upstream_eof) or other is None or not other.can_write_eof():
            self.close()
            return False
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
        self.close()

    def close(self) -> None:
        """Let what was written go out and close both."""
        ended, self._ended = self._ended, None
        if ended is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._upstream.close()
        self._client.end_tunnel()
        ended()
