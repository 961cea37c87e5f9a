"""Parts of a message on their way out, gathered so that one read becomes one write."""

from gateway.core.hop_by_hop import RawHeaders


def last_chunk(trailers: RawHeaders) -> bytes:
    """The end of a chunked body."""
    return b"0\r\n%b\r\n" % b"".join([b"%b: %b\r\n" % field for field in trailers])


class Outbox:
    """What one read brought for the other side: a head, parts of a body, its end. Taken as one piece of bytes."""

    __slots__ = ("_before", "_parts", "_size", "_tail", "chunked")
    measures = False
    """Whether it says itself how long the body is."""

    def __init__(self) -> None:
        self._before = b""
        self._parts: list[bytes] = []
        self._size = 0
        self._tail = b""
        self.chunked = False

    def head(self, wire: bytes) -> None:
        """The message begins with ``wire``."""
        self._before = wire

    def body(self, data: bytes) -> None:
        """The body goes on."""
        self._parts.append(data)
        self._size += len(data)

    def end(self, trailers: RawHeaders) -> None:
        """The body is whole."""
        if self.chunked:
            self._tail = last_chunk(trailers)

    def take(self) -> bytes:
        """All of it, the parts of the body as one chunk where it is chunked (RFC 9112, 7.1)."""
        before, parts, tail = self._before, self._parts, self._tail
        if parts and self.chunked:
            parts = [b"%x\r\n" % self._size, *parts, b"\r\n"]
        if before or tail:
            self._before = self._tail = b""
            parts = [before, *parts, tail]
        self._parts, self._size = [], 0
        return parts[0] if len(parts) == 1 else b"".join(parts)
