"""Bodies of any size go through in constant memory, at the pace of the slower side."""

import asyncio

import pytest

from gateway.proxy.client_connection import ClientConnection
from gateway.proxy.downstream import GatewayProtocol
from gateway.proxy.upstream import UpstreamConnection
from tests.fakes.upstream import Conversation, upstream
from tests.proxy.conftest import StartGateway

PIECE = bytes(range(256)) * 256
PIECES = 2048
PATTERN = PIECE * 9
SIZE = len(PIECE) * PIECES
BOUND = 512 * 1024
"""One read of the event loop's (256 KiB), a write buffer's high-water mark (64 KiB), and room for framing."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Peaks:
    """The most that was ever held in write buffers, by side."""

    def __init__(self) -> None:
        self.client = 0
        self.upstream = 0


@pytest.fixture
def peaks(monkeypatch: pytest.MonkeyPatch) -> Peaks:
    seen = Peaks()
    to_client, to_upstream = ClientConnection.write, UpstreamConnection.write

    def write_client(self: ClientConnection, data: bytes) -> None:
        to_client(self, data)
        if self.transport is not None:
            seen.client = max(seen.client, self.transport.get_write_buffer_size())

    def write_upstream(self: UpstreamConnection, data: bytes) -> None:
        to_upstream(self, data)
        if self.transport is not None:
            seen.upstream = max(seen.upstream, self.transport.get_write_buffer_size())

    monkeypatch.setattr(ClientConnection, "write", write_client)
    monkeypatch.setattr(UpstreamConnection, "write", write_upstream)
    return seen


async def pour(talk: Conversation, *, chunked: bool, stuck: asyncio.Event) -> None:
    """Send ``PIECES`` pieces; ``stuck`` is set when the other side has not taken one for a while."""
    piece = b"%x\r\n%b\r\n" % (len(PIECE), PIECE) if chunked else PIECE
    for _ in range(PIECES):
        talk.writer.write(piece)
        drained = asyncio.ensure_future(talk.writer.drain())
        if not (await asyncio.wait({drained}, timeout=0.3))[0]:
            stuck.set()
        await drained
    if chunked:
        await talk.send(b"0\r\n\r\n")


async def drink(talk: Conversation, *, chunked: bool) -> int:
    """Read ``SIZE`` bytes, each piece compared; the number of bytes."""
    total = 0
    while chunked and (size := int(await talk.reader.readuntil(b"\r\n"), 16)):
        data = (await talk.exactly(size + 2))[:-2]
        assert data == PATTERN[total % len(PIECE) :][: len(data)]
        total += len(data)
    while not chunked and total < SIZE:
        assert await talk.exactly(len(PIECE)) == PIECE
        total += len(PIECE)
    return total


@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "chunked"])
async def test_a_large_download_waits_for_a_slow_reader(
    start_gateway: StartGateway, peaks: Peaks, *, chunked: bool
) -> None:
    stuck = asyncio.Event()

    async def script(talk: Conversation) -> None:
        await talk.head()
        framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % SIZE
        await talk.send(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % framing)
        await pour(talk, chunked=chunked, stuck=stuck)
        await talk.rest()

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        client = await gateway.connect(limit=2**18)
        await client.send(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.wait_for(stuck.wait(), 10)
        assert 0 < peaks.client < BOUND
        await client.head()
        assert await drink(client, chunked=chunked) == SIZE
    assert peaks.client < BOUND
    assert gateway.outcomes[0].bytes_out == SIZE
    assert gateway.outcomes[0].failure is None


@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "chunked"])
async def test_a_large_upload_waits_for_a_slow_upstream(
    start_gateway: StartGateway, peaks: Peaks, *, chunked: bool
) -> None:
    stuck = asyncio.Event()
    received: list[int] = []

    async def script(talk: Conversation) -> None:
        await talk.head()
        await stuck.wait()
        assert 0 < peaks.upstream < BOUND
        received.append(await drink(talk, chunked=chunked))
        await talk.send(OK)

    async with upstream(script, limit=2**18) as up:
        gateway = await start_gateway(up.url)
        client = await gateway.connect()
        framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % SIZE
        await client.send(b"PUT /large HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n" % framing)
        await pour(client, chunked=chunked, stuck=stuck)
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")
    assert received == [SIZE]
    assert peaks.upstream < BOUND
    assert gateway.outcomes[0].bytes_in == SIZE


async def test_a_body_that_nobody_takes_yet_stops_the_client(start_gateway: StartGateway) -> None:
    stuck = asyncio.Event()

    async with upstream(Conversation.until_lost) as up:
        gateway = await start_gateway(up.url, handler=lambda _request: stuck.wait())
        client = await gateway.connect()
        await client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % SIZE)
        pouring = asyncio.ensure_future(pour(client, chunked=False, stuck=stuck))
        await asyncio.wait_for(stuck.wait(), 10)
        connection = next(iter(gateway.server.connections))
        assert isinstance(connection, GatewayProtocol)
        assert connection._latest is not None
        held = sum(len(piece) for piece in connection._latest._chunks or [])
        assert held < BOUND
        pouring.cancel()


async def test_both_directions_flow_at_once(start_gateway: StartGateway) -> None:
    async def echo(talk: Conversation) -> None:
        await talk.head()
        await talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while size := int(await talk.reader.readuntil(b"\r\n"), 16):
            data = await talk.exactly(size + 2)
            await talk.send(b"%x\r\n" % size + data)
        await talk.exactly(2)
        await talk.send(b"0\r\n\r\n")

    async with upstream(echo) as up:
        gateway = await start_gateway(up.url)
        client = await gateway.connect()
        await client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        await client.head()
        for word in (b"one", b"two", b"three"):
            await client.send(b"%x\r\n%b\r\n" % (len(word), word))
            assert await client.exactly(len(word) + 5) == b"%x\r\n%b\r\n" % (len(word), word)
        await client.send(b"0\r\n\r\n")
        assert await client.exactly(5) == b"0\r\n\r\n"
