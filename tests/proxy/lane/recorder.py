"""An upstream that plays the answer a request names, byte by byte as it is told, and remembers what came."""

import asyncio
from dataclasses import dataclass, field

import httptools


@dataclass(frozen=True, slots=True)
class Play:
    """An answer: ``pieces`` are written one after the other, then the connection is closed if ``ends``."""

    pieces: tuple[bytes, ...]
    ends: bool = False


@dataclass(slots=True)
class Came:
    """A request as it arrived, less what differs from run to run."""

    method: bytes
    target: bytes = b""
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""


class _Connection(asyncio.Protocol):
    def __init__(self, recorder: "Recorder") -> None:
        self._recorder = recorder
        self._parser = httptools.HttpRequestParser(self)
        self._came = Came(b"")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._recorder.transports.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._recorder.transports.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._came = Came(b"")

    def on_url(self, url: bytes) -> None:
        self._came.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name != b"X-Request-ID":
            self._came.fields.append((name, value.rstrip(b" \t")))  # white space there means nothing (RFC 9110, 5.5)

    def on_body(self, body: bytes) -> None:
        self._came.body += body

    def on_message_complete(self) -> None:
        came = self._came
        came.method = self._parser.get_method()
        self._recorder.came.append(came)
        named = dict(came.fields).get(b"X-Play", b"0")
        self._recorder.play(self._transport, int(named))


class Recorder:
    """``came``: every request, in order. ``plays``: what answers, by the number in ``X-Play``."""

    def __init__(self, plays: list[Play]) -> None:
        self.came: list[Came] = []
        self.plays = plays
        self.transports: set[asyncio.Transport] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        self._server.close()
        for transport in tuple(self.transports):
            transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def play(self, transport: asyncio.Transport, number: int) -> None:
        play = self.plays[number]
        if len(play.pieces) == 1 and not play.ends:
            transport.write(play.pieces[0])
            return
        task = asyncio.get_running_loop().create_task(self._play(transport, play))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _play(self, transport: asyncio.Transport, play: Play) -> None:
        for piece in play.pieces:
            if transport.is_closing():
                return
            transport.write(piece)
            for _ in range(3):  # so that each comes as a read of its own, mostly
                await asyncio.sleep(0)
        if play.ends:
            transport.close()
