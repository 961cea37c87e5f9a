"""Many connections at once, each of them a client that asks once and then reads as slowly as it likes."""

import asyncio
import socket
from typing import cast

from bench.processes import allow_files

_BATCH = 200
_RECEIVE_BYTES = 16_384


class Reader(asyncio.Protocol):
    """Asks once. ``heard`` bytes so far; ``slow``: what has come is followed by nothing until ``resume``."""

    def __init__(self, wire: bytes, *, slow: bool) -> None:
        self._wire, self._slow = wire, slow
        self.heard, self.lost = 0, False
        self.answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if self._slow:
            sock: socket.socket = transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
        self.transport.write(self._wire)

    def data_received(self, data: bytes) -> None:
        self.heard += len(data)
        if not self.answered.done():
            self.answered.set_result(data[:15])
        if self._slow:
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read the next piece."""
        if not self.lost and self._slow:
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if not self.answered.done():
            self.answered.set_exception(exc or ConnectionResetError("it was closed without an answer"))


async def gather(port: int, wire: bytes, number: int, *, slow: bool = False) -> list[Reader]:
    """Connections on which each an answer of 200 has begun. Raises ``RuntimeError`` if one has not."""
    allow_files(number + 500)
    loop, readers = asyncio.get_running_loop(), list[Reader]()
    for start in range(0, number, _BATCH):
        opened = [
            loop.create_connection(lambda: Reader(wire, slow=slow), "127.0.0.1", port)
            for _ in range(min(_BATCH, number - start))
        ]
        new = [reader for _, reader in await asyncio.gather(*opened)]
        for said in await asyncio.wait_for(asyncio.gather(*(reader.answered for reader in new)), 60):
            if said[9:12] != b"200":
                raise RuntimeError(f"an answer began with {said!r}")
        readers += new
    return readers
