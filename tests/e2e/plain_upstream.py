"""The smallest upstream there is: answers heads without bodies, and remembers the ids of the requests that came."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

SLOW_S = 0.04
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_FAILED = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"


class PlainUpstream:
    """What came. Paths that start with ``/slow`` are answered late, those with ``/fails`` by 503, others by 200."""

    def __init__(self) -> None:
        self.arrived: list[str] = []
        self.url = ""
        self.waiting = 0
        self.release = asyncio.Event()
        """Paths that start with ``/held`` are answered once this is set."""


class _Connection(asyncio.Protocol):
    def __init__(self, upstream: PlainUpstream) -> None:
        self._upstream = upstream
        self._data = b""
        self._answers: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head, self._data = self._data[:end], self._data[end + 4 :]
            fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
            self._upstream.arrived.append(fields[b"x-request-id"].decode())
            self._answer(head.split(b" ", 2)[1])

    def _answer(self, path: bytes) -> None:
        loop = asyncio.get_running_loop()
        if path.startswith(b"/slow"):
            loop.call_later(SLOW_S, self._write, _OK)
        elif path.startswith(b"/held"):
            task = loop.create_task(self._answer_when_released())
            self._answers.add(task)
            task.add_done_callback(self._answers.discard)
        else:
            self._write(_FAILED if path.startswith(b"/fails") else _OK)

    async def _answer_when_released(self) -> None:
        self._upstream.waiting += 1
        await self._upstream.release.wait()
        self._upstream.waiting -= 1
        self._write(_OK)

    def _write(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


@asynccontextmanager
async def plain_upstream() -> AsyncIterator[PlainUpstream]:
    """An upstream on a free port of this machine."""
    upstream = PlainUpstream()
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(upstream), "127.0.0.1", 0)
    upstream.url = "http://{}:{}".format(*server.sockets[0].getsockname())
    try:
        yield upstream
    finally:
        server.close()
        upstream.release.set()
        await asyncio.sleep(0)
