"""Bytes on a socket: for what a well-behaved client will not send."""

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answered:
    """One response as it came."""

    status: int
    headers: dict[str, str]
    body: bytes
    closed: bool


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    now_us: int = 1_800_000_000_000_000

    def __call__(self) -> int:
        return self.now_us

    def pass_seconds(self, seconds: int) -> None:
        self.now_us += seconds * 1_000_000


async def send(url: str, request: bytes) -> Answered:
    """Send ``request`` on a connection of its own and read the first response."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(request)
        await writer.drain()
        return await asyncio.wait_for(read(reader, bodiless=request.startswith(b"HEAD ")), timeout=5)
    finally:
        writer.close()


async def read(reader: asyncio.StreamReader, *, bodiless: bool = False) -> Answered:
    """One response with a Content-Length; ``closed`` when the server announced or did close."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in head[1:] if line)
    body = await reader.readexactly(0 if bodiless else int(headers.get("Content-Length", "0")))
    closed = headers.get("Connection", "").lower() == "close"
    return Answered(int(head[0].split()[1]), headers, body, closed)


def head(method: str, target: str, **headers: str) -> bytes:
    """A request without a body; ``X_Y`` names the header ``X-Y``."""
    lines = [f"{method} {target} HTTP/1.1", "Host: backend"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")
