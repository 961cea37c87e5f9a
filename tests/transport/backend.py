"""A backend that says its name, on an address or a Unix socket, plain or with TLS, and that can be killed."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.fakes.upstream import Conversation


class Backend:
    """Answers every request with its name. ``heads``: what it has received. ``gate``: answers wait for it."""

    def __init__(self, name: str = "a", tls: ssl.SSLContext | None = None) -> None:
        self.name = name
        self.tls = tls
        self.heads: list[bytes] = []
        self.talks: list[Conversation] = []
        self.shown: list[object] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.status = b"200 OK"
        self.host, self.port = "127.0.0.1", 0
        self.path: Path | None = None
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return f"{'http' if self.tls is None else 'https'}://{self.host}:{self.port}"

    @property
    def requests(self) -> list[bytes]:
        """What was asked, health checks apart."""
        return [head for head in self.heads if b"/healthz" not in head.partition(b"\r\n")[0]]

    async def listen(self) -> None:
        """Start, or start again at the same place."""
        if self.path is not None:
            self._server = await asyncio.start_unix_server(self._talk, self.path, ssl=self.tls)
            return
        self._server = await asyncio.start_server(self._talk, self.host, self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def kill(self) -> None:
        """What SIGKILL does: no more listening, a reset for everybody."""
        assert self._server is not None
        self._server.close()
        while self.talks:
            self.talks.pop().reset()
        await self._server.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = Conversation(reader, writer)
        self.talks.append(talk)
        self.shown.append(writer.get_extra_info("peercert"))
        try:
            while True:
                head = await talk.head()
                self.heads.append(head)
                await self.gate.wait()
                body = self.name.encode()
                await talk.send(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (self.status, len(body), body))
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            talk.lost.set()
            writer.close()
            if talk in self.talks:
                self.talks.remove(talk)


@asynccontextmanager
async def backends(*names: str) -> AsyncIterator[list[Backend]]:
    """Running ones, for the length of a block."""
    made = [Backend(name) for name in names]
    for backend in made:
        await backend.listen()
    try:
        yield made
    finally:
        for backend in made:
            await backend.kill()
