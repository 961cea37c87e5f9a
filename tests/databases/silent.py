"""A way to PostgreSQL on which connections can die without a word, as when a server is replaced or a route is lost."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit


class Way:
    """Passes bytes on. ``dies``: what is connected now hears nothing any more; new connections work."""

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._lives = 0
        self._serving: set[asyncio.Task[None]] = set()

    def dies(self) -> None:
        self._lives += 1

    async def serve(self, near: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        task, life = asyncio.current_task(), self._lives
        assert task is not None
        self._serving.add(task)
        far, far_out = await asyncio.open_unix_connection(self._socket)

        async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                if life == self._lives:
                    sink.write(data)
            if life == self._lives:
                sink.close()

        back = asyncio.create_task(carry(far, near_out))
        try:
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await carry(near, far_out)
        finally:
            back.cancel()
            for each in (far_out, near_out):
                each.close()
            self._serving.discard(task)

    async def stop(self) -> None:
        serving = list(self._serving)
        for each in serving:
            each.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


@asynccontextmanager
async def way_to(url: str) -> AsyncIterator[tuple[Way, str]]:
    """A way to the database at ``url``, which is on a Unix socket, and its URL on that way."""
    parts = urlsplit(url)
    way = Way(f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432")
    server = await asyncio.start_server(way.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield way, f"postgresql://postgres@127.0.0.1:{port}{parts.path}?sslmode=disable"
    finally:
        server.close()
        await way.stop()
