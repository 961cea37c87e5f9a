"""A whole gateway from its YAML, and a client that speaks bytes to wherever it listens."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent

from gateway.app import Gateway
from gateway.server import start
from gateway.settings.load import load
from tests.e2e.wire import Answered
from tests.fakes.upstream import Conversation

FREE = """\
ledger: "memory:"
log: {access: false}
workspace: {membership: trust_clients}
rules: [{method: ANY, path: /**, weight: 0, public: true}]
"""
GET = b"GET / HTTP/1.1\r\nHost: api.example\r\n\r\n"
LAST_GET = b"GET / HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\r\n"
PATIENCE_S = 30.0


def configure(folder: Path, yaml: str) -> Path:
    """Write ``gateway.yaml``: everything is free, on any free port unless ``yaml`` says otherwise."""
    said = dedent(yaml)
    listen = "" if said.startswith("listen:") or "\nlisten:" in said else "listen: 127.0.0.1:0\n"
    path = folder / "gateway.yaml"
    path.write_text(listen + FREE + said)
    return path


@asynccontextmanager
async def running(folder: Path, yaml: str) -> AsyncIterator[Gateway]:
    """A gateway for the length of a block."""
    gateway = await start(load(configure(folder, yaml), {}))
    try:
        yield gateway
    finally:
        await gateway.stop()


async def connect(url: str, tls: ssl.SSLContext | None = None, name: str | None = None) -> Conversation:
    """Connect to where a gateway says that it listens."""
    if url.startswith("unix:"):
        path = url.removeprefix("unix:")
        return Conversation(*await asyncio.open_unix_connection(path, ssl=tls, server_hostname=name))
    host, _, port = url.partition("://")[2].rpartition(":")
    shown = None if tls is None else name or host
    return Conversation(*await asyncio.open_connection(host.strip("[]"), int(port), ssl=tls, server_hostname=shown))


async def answer(talk: Conversation, wire: bytes = GET) -> Answered:
    """Send one request and read its answer, whose length is known."""
    await talk.send(wire)
    head = await asyncio.wait_for(talk.head(), PATIENCE_S)
    status, length = int(head.split(b" ", 2)[1]), 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    return Answered(status, head, await asyncio.wait_for(talk.exactly(length), PATIENCE_S))


async def ask(url: str, wire: bytes = LAST_GET, tls: ssl.SSLContext | None = None, name: str | None = None) -> Answered:
    """One request on a connection of its own."""
    talk = await connect(url, tls, name)
    try:
        return await answer(talk, wire)
    finally:
        talk.writer.close()


async def until(true: Callable[[], bool] | Callable[[], Awaitable[bool]], patience_s: float = PATIENCE_S) -> None:
    """Poll until it is so."""
    async with asyncio.timeout(patience_s):
        while True:
            found = true()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.01)


async def ended(talk: Conversation) -> bytes:
    """What comes until the other side ends the connection."""
    try:
        return await asyncio.wait_for(talk.rest(), PATIENCE_S)
    finally:
        talk.writer.close()


def trusting(ca: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca)
