"""An upstream that plays a script over a raw socket: what it receives and sends is bytes, nothing is mended."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager


class Conversation:
    """One connection: read what came, write what comes back."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.lost = asyncio.Event()

    async def head(self) -> bytes:
        """The next head, its empty line included."""
        return await self.reader.readuntil(b"\r\n\r\n")

    async def exactly(self, size: int) -> bytes:
        return await self.reader.readexactly(size)

    async def chunked(self) -> bytes:
        """A whole chunked body as it is on the wire, trailers included."""
        wire = b""
        while True:
            line = await self.reader.readuntil(b"\r\n")
            wire += line
            size = int(line.partition(b";")[0], 16)
            if size:
                wire += await self.reader.readexactly(size + 2)
                continue
            while (line := await self.reader.readuntil(b"\r\n")) != b"\r\n":
                wire += line
            return wire + b"\r\n"

    async def rest(self) -> bytes:
        """Everything until the other side ends."""
        try:
            return await self.reader.read(-1)
        except ConnectionError:
            return b""

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()

    def reset(self) -> None:
        """End with a reset: without the option an end looks orderly, and the other side may go on for a while."""
        connected = self.writer.get_extra_info("socket")
        if connected is not None and connected.fileno() >= 0:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def until_lost(self) -> None:
        """Wait until the other side is gone."""
        await self.rest()
        self.lost.set()


Script = Callable[[Conversation], Awaitable[None]]


class ScriptedUpstream:
    """``url``; ``conversations`` in the order they were begun; ``failures`` of the script itself."""

    def __init__(self, script: Script, *, limit: int = 2**16) -> None:
        self._script = script
        self._limit = limit
        self._server: asyncio.Server | None = None
        self.conversations: list[Conversation] = []
        self.failures: list[BaseException] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", port, limit=self._limit)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for conversation in self.conversations:
            conversation.reset()
        await self._server.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = Conversation(reader, writer)
        self.conversations.append(conversation)
        try:
            await self._script(conversation)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the gateway ended the connection: tests look at what it sent before
        except AssertionError as error:
            self.failures.append(error)
        finally:
            conversation.lost.set()
            writer.close()


@asynccontextmanager
async def upstream(script: Script, *, limit: int = 2**16) -> AsyncIterator[ScriptedUpstream]:
    """A scripted upstream for the length of a block; a failed assertion in the script fails the test."""
    scripted = ScriptedUpstream(script, limit=limit)
    await scripted.start()
    try:
        yield scripted
    finally:
        await scripted.stop()
        for failure in scripted.failures:
            raise failure


def answers(*wires: bytes) -> Script:
    """Answer each request that has no body with the next of ``wires``, over one connection."""

    async def script(conversation: Conversation) -> None:
        for wire in wires:
            await conversation.head()
            await conversation.send(wire)
        await conversation.rest()

    return script
