"""Many clients who have connected and wait, and then all ask in the same moment."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from yarl import URL

from gateway.clock import now_us
from tests.e2e.gateways import Asked
from tests.e2e.served import Served, until

CONNECTING = 100


class _Client(asyncio.Protocol):
    def __init__(self, place: Served, seen: list[Asked]) -> None:
        self._place, self._seen = place, seen
        self._sent_us, self._read = 0, b""
        self._waits = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def send(self, request: bytes) -> None:
        self._sent_us, self._waits = now_us(), True
        self._transport.write(request)

    def close(self) -> None:
        self._waits = False
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, end, _ = self._read.partition(b"\r\n\r\n")
        if end and self._waits:
            lines = head.decode().split("\r\n")
            fields = dict(line.lower().split(": ", 1) for line in lines[1:])
            self._ends(int(lines[0].split(" ")[1]), fields.get("x-request-id", ""))

    def connection_lost(self, _error: Exception | None) -> None:
        if self._waits:
            self._ends(0, "")

    def _ends(self, status: int, id_: str) -> None:
        self._waits = False
        self._seen.append(Asked(self._place, self._sent_us, now_us(), status, id_))


class Crowd:
    """``seen``: what became of each, in the order in which they ended."""

    def __init__(self) -> None:
        self.seen: list[Asked] = []
        self._clients: list[_Client] = []

    def __len__(self) -> int:
        return len(self._clients)

    async def join(self, place: Served) -> None:
        """One more connects."""
        url = URL(place.url)
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(lambda: _Client(place, self.seen), url.host or "", url.port or 80)
        self._clients.append(client)

    def send(self, path: str, token: str) -> None:
        """All ask, before anybody is answered."""
        request = f"GET {path} HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        for client in self._clients:
            client.send(request)

    async def all_ended(self) -> None:
        """Wait until each has an answer, or none any more."""
        await until(lambda: len(self.seen) == len(self._clients), "an answer for everybody")

    def leave(self) -> None:
        """All go."""
        for client in self._clients:
            client.close()


@asynccontextmanager
async def crowd(places: Sequence[Served], count: int) -> AsyncIterator[Crowd]:
    """``count`` clients, as many at each of ``places``, connected."""
    them = Crowd()
    try:
        for first in range(0, count, CONNECTING):
            numbers = range(first, min(count, first + CONNECTING))
            await asyncio.gather(*(them.join(places[number % len(places)]) for number in numbers))
        yield them
    finally:
        them.leave()
