"""The API behind every subject, for machines without nginx: ``python -m bench.upstream PORT``.

Answers every request with the same small JSON body and keeps the connection.
"""

import asyncio
import sys
from typing import cast

import httptools
import uvloop

BODY = (  # 243 bytes
    b'{"id":"7d1f3c52-9c1e-4a57-8a55-2f6f0f3f9a10","name":"A contact","email":"person@example.com",'
    b'"tags":["customer","newsletter"],"phone":"+55 11 99999-0000","created_at":"2026-01-05T10:00:00Z",'
    b'"updated_at":"2026-02-01T09:30:00Z","archived":false}'
)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY


class Upstream(asyncio.Protocol):
    """Answers each request once it is complete."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._transport.write(ANSWER)


async def serve(port: int) -> None:
    """Listen on the loopback address until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
