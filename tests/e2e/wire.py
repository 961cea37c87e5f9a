"""Bytes on a socket, for what no well-behaved client sends."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer: ``head`` as it came. ``status`` 0: the connection ended without one."""

    status: int
    head: bytes
    body: bytes

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        fields = [line.partition(b":") for line in self.head.split(b"\r\n")[1:]]
        wanted = name.lower().encode()
        return [value.strip().decode("latin-1") for key, _, value in fields if key.lower() == wanted]

    def get(self, name: str) -> str | None:
        """The one value of a field."""
        found = self.all(name)
        assert len(found) < 2, f"{name} is there {len(found)} times"
        return found[0] if found else None


def request(target: bytes, fields: Iterable[tuple[str, str]] = (), method: str = "GET", body: bytes = b"") -> bytes:
    """A request that ends its connection."""
    lines = [b"%b %b HTTP/1.1" % (method.encode(), target), b"Host: api.example", b"Connection: close"]
    lines += [f"{name}: {value}".encode("latin-1") for name, value in fields]
    if body:
        lines += [b"Content-Type: application/json", b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*lines, b"", body])


async def send(url: str, wire: bytes) -> Answered:
    """Send ``wire`` on a connection of its own; everything until the other side ends it is the answer."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(wire)
        came = await asyncio.wait_for(reader.read(-1), 10)
    except ConnectionError:
        came = b""
    finally:
        writer.close()
    head, _, body = came.partition(b"\r\n\r\n")
    return Answered(int(head.split(b" ", 2)[1]) if head else 0, head, body)
