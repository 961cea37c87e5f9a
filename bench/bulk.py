"""Bodies and streams of any length, both ends of them: ``python -m bench.bulk PORT`` is the API behind.

``GET /bytes/N`` answers with N bytes, a body sent to it is counted, and ``GET /events`` never ends. It writes as fast
as whoever reads takes it, and no faster, so what is measured is what stands between.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import cast

import httptools
import uvloop

_PIECE = memoryview(bytes(262_144))
_EVENT = b"data: " + b"x" * 1_000 + b"\n\n"
_EVENTS = b"%x\r\n%b\r\n" % (len(_EVENT), _EVENT) * 8


class Upstream(asyncio.Protocol):
    """Answers one request after another on its connection."""

    def __init__(self) -> None:
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._writing: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._writing is not None:
            self._writing.cancel()

    def on_message_begin(self) -> None:
        self._path, self._counted = b"", 0

    def on_url(self, url: bytes) -> None:
        self._path += url

    def on_body(self, body: bytes) -> None:
        self._counted += len(body)

    def on_message_complete(self) -> None:
        _, what, *rest = self._path.split(b"/")
        if what == b"events":
            self._start(b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked", None)
        elif what == b"bytes" and self._parser.get_method() == b"GET":
            self._start(b"Content-Length: %d" % int(rest[0]), int(rest[0]))
        else:
            counted = b"%d" % self._counted
            self._start(b"Content-Length: %d" % len(counted), 0)
            self._transport.write(counted)

    def _start(self, field: bytes, length: int | None) -> None:
        self._transport.write(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % field)
        if length != 0:
            write = self._endless() if length is None else self._bytes(length)
            self._writing = asyncio.get_running_loop().create_task(write)

    async def _bytes(self, left: int) -> None:
        while left:
            await self._may_write.wait()
            piece = _PIECE[: min(left, len(_PIECE))]
            self._transport.write(piece)
            left -= len(piece)

    async def _endless(self) -> None:
        while True:
            await self._may_write.wait()
            self._transport.write(_EVENTS)
            await asyncio.sleep(0.5)


class Client(asyncio.Protocol):
    """One keep-alive connection that asks the same again and again; ``done`` is told of the body's length each time."""

    def __init__(self, head: bytes, body: int, done: Callable[["Client", int, int], None]) -> None:
        self._head, self._body, self._done = head, body, done
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._parser = httptools.HttpResponseParser(self)
        self._sending: asyncio.Task[None] | None = None
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.ask()

    def ask(self) -> None:
        """Send the request."""
        self._length = 0
        self.transport.write(self._head)
        if self._body:
            self._sending = asyncio.get_running_loop().create_task(self._send(self._body))

    async def _send(self, left: int) -> None:
        while left:
            await self._may_write.wait()
            piece = _PIECE[: min(left, len(_PIECE))]
            self.transport.write(piece)
            left -= len(piece)

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._length += len(body)

    def on_message_complete(self) -> None:
        self._done(self, self._parser.get_status_code(), self._length)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._sending is not None:
            self._sending.cancel()
        if not self.ended.done():
            self.ended.set_result(exc)


async def repeat(port: int, head: bytes, body: int, *, times: int, connections: int, expected: int) -> float:
    """Ask ``times`` over some connections; the seconds that took.

    Raises:
        RuntimeError: an answer was not a 200 of ``expected`` bytes (-1: of any), or a connection broke.
    """
    loop, left, busy = asyncio.get_running_loop(), times - connections, connections
    ended: asyncio.Future[None] = loop.create_future()

    def done(client: Client, status: int, length: int) -> None:
        nonlocal left, busy
        if status != 200 or expected not in (-1, length):
            fail(f"an answer of status {status} had {length} bytes")
        elif left > 0:
            left -= 1
            client.ask()
        else:
            busy -= 1
            if not busy and not ended.done():
                ended.set_result(None)

    def fail(why: str) -> None:
        if not ended.done():
            ended.set_exception(RuntimeError(why))

    started = loop.time()
    clients = []
    try:
        for _ in range(connections):
            _, client = await loop.create_connection(lambda: Client(head, body, done), "127.0.0.1", port)
            client.ended.add_done_callback(lambda _: fail("a connection broke"))
            clients.append(client)
        await asyncio.wait_for(ended, 120)
        return loop.time() - started
    finally:
        for client in clients:
            client.transport.close()
            await client.ended


async def serve(port: int) -> None:
    """Listen on the loopback address until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port, backlog=4096)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
