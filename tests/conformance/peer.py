"""One side of a connection, as bytes: what came is kept until a test takes it, nothing is understood or mended."""

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

PATIENCE_S = 20.0
"""Far longer than anything here takes: a busy machine makes a test slow, and not wrong."""
_RESET = struct.pack("ii", 1, 0)
_PIECES = 600


class Torn(AssertionError):  # noqa: N818  (it completes: the message is …)
    """The other side has ended in the middle of something, or said nothing for too long."""


class Peer(asyncio.Protocol):
    """``buffer``: what came and was not taken. ``ended``: ``end`` or ``reset`` once the other side has.

    ``stirred`` is called whenever something has changed.
    """

    def __init__(self, stirred: Callable[[], None] = lambda: None) -> None:
        self._told = stirred
        self._change = asyncio.Event()
        self.buffer = bytearray()
        self.ended = ""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stir()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self._stir()

    def eof_received(self) -> bool:
        self.ended = self.ended or "end"
        self._stir()
        return True  # half-closed: what is to be sent can be

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = "reset" if exc is not None else self.ended or "end"
        self._stir()

    def _stir(self) -> None:
        self._change.set()
        self._told()

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for ``condition``. Raises ``Torn`` where it cannot come any more, or does not."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not condition():
                    if self.ended:
                        raise Torn(f"{what} does not come: {self.ended}, with {bytes(self.buffer[:400])!r} before it")
                    self._change.clear()
                    await self._change.wait()
        except TimeoutError:
            raise Torn(f"{what} does not come in {PATIENCE_S} s; there is {bytes(self.buffer[:400])!r}") from None

    async def line(self) -> bytes:
        """The next line, without its CRLF. A bare CR or LF in it is an error."""
        await self.until(lambda: b"\r\n" in self.buffer, "a line")
        line = self._take(self.buffer.index(b"\r\n") + 2)[:-2]
        assert b"\n" not in line, f"a bare LF in {line!r}"
        assert b"\r" not in line, f"a bare CR in {line!r}"
        return line

    async def exactly(self, size: int) -> bytes:
        await self.until(lambda: len(self.buffer) >= size, f"{size} bytes")
        return self._take(size)

    async def rest(self) -> bytes:
        """Everything until the other side ends in order."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not self.ended:
                    self._change.clear()
                    await self._change.wait()
        except TimeoutError:
            raise Torn(f"no end in {PATIENCE_S} s; there is {bytes(self.buffer[:400])!r}") from None
        return self._take(len(self.buffer))

    def _take(self, size: int) -> bytes:
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    async def send(self, data: bytes, *, piecewise: bool = False) -> None:
        """Write ``data``; ``piecewise``: the first bytes of it one by one, as a slow line would bring them."""
        if piecewise:
            data, begins = data[_PIECES:], data[:_PIECES]
            for at in range(len(begins)):
                self.transport.write(begins[at : at + 1])
                await asyncio.sleep(0)
        self.transport.write(data)

    def end(self) -> None:
        """Send no more."""
        if not self.transport.is_closing():
            with suppress(OSError):  # it was reset meanwhile
                self.transport.write_eof()

    def close(self) -> None:
        self.transport.close()

    def reset(self) -> None:
        """End with a reset: without the option an end looks orderly."""
        connected = self.transport.get_extra_info("socket")
        if connected is not None and connected.fileno() >= 0:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()


async def connect(url: str, stirred: Callable[[], None] = lambda: None) -> Peer:
    """A client of the gateway at ``url``."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    loop = asyncio.get_running_loop()
    return (await loop.create_connection(lambda: Peer(stirred), parts.hostname, parts.port))[1]
