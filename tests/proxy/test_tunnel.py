"""WebSockets: after 101 the gateway is a pipe."""

import asyncio

import pytest

from gateway.proxy.relay import Edit
from gateway.proxy.response_parser import ResponseHead
from tests.fakes.upstream import Conversation, upstream
from tests.proxy.conftest import StartGateway

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
)
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: chat\r\n"
)
UPGRADED = SWITCH + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
TEXT = b"\x81\x85\x01\x02\x03\x04igoho"
BINARY = b"\x82\x7e\x01\x00" + bytes(256)
PING, PONG = b"\x89\x04ping", b"\x8a\x84\x00\x00\x00\x00ping"
DEFLATED = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"
CLOSE_4001 = b"\x88\x86\x00\x00\x00\x00\x0f\xa1gone"


async def test_frames_of_every_kind_pass_untouched(start_gateway: StartGateway) -> None:
    seen: list[bytes] = []

    async def script(talk: Conversation) -> None:
        seen.append(await talk.head())
        await talk.send(SWITCH, b"Upgrade: websocket\r\nConnection: upgrade\r\n\r\n")
        for frame, reply in ((TEXT, BINARY), (PONG, PING), (DEFLATED, DEFLATED), (CLOSE_4001, CLOSE_4001)):
            assert await talk.exactly(len(frame)) == frame
            await talk.send(reply)
        talk.writer.write_eof()
        assert await talk.rest() == b""

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        client = await gateway.connect()
        await client.send(HANDSHAKE)
        assert await client.head() == UPGRADED
        for frame, reply in ((TEXT, BINARY), (PONG, PING), (DEFLATED, DEFLATED), (CLOSE_4001, CLOSE_4001)):
            await client.send(frame)
            assert await client.exactly(len(reply)) == reply
        assert await client.rest() == b""
        client.writer.write_eof()
        await asyncio.wait_for(up.conversations[0].lost.wait(), 5)
        while not gateway.outcomes:
            await asyncio.sleep(0)
    assert b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n" in seen[0]
    assert b"Sec-WebSocket-Extensions: permessage-deflate\r\n" in seen[0]
    outcome = gateway.outcomes[0]
    assert (outcome.status, outcome.failure) == (101, None)
    assert outcome.bytes_in == len(TEXT + PONG + DEFLATED + CLOSE_4001)
    assert outcome.bytes_out == len(BINARY + PING + DEFLATED + CLOSE_4001)


async def test_bytes_that_came_with_the_handshakes_are_not_lost(start_gateway: StartGateway) -> None:
    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.send(SWITCH + b"Upgrade: websocket\r\nConnection: upgrade\r\n\r\n" + PING)
        assert await talk.exactly(len(TEXT)) == TEXT
        await talk.send(b"bye")

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        client = await gateway.connect()
        await client.send(HANDSHAKE + TEXT)
        assert await client.rest() == UPGRADED + PING + b"bye"


async def test_the_hook_sees_101_and_may_add_fields(start_gateway: StartGateway) -> None:
    def on_head(head: ResponseHead) -> Edit:
        return Edit(frozenset(), b"X-Status: %d\r\n" % head.status)

    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.send(SWITCH + b"Upgrade: websocket\r\nConnection: upgrade\r\n\r\n")

    async with upstream(script) as up:
        gateway = await start_gateway(up.url, on_head=on_head)
        client = await gateway.connect()
        await client.send(HANDSHAKE)
        assert b"X-Status: 101\r\n" in await client.head()


async def test_a_handshake_that_is_refused_leaves_an_ordinary_connection(start_gateway: StartGateway) -> None:
    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        assert (await talk.head()).startswith(b"GET /after ")
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        client = await gateway.connect()
        await client.send(HANDSHAKE + b"GET /after HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await client.head()).startswith(b"HTTP/1.1 403 ")
        assert await client.exactly(2) == b"no"
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")
        assert await client.exactly(2) == b"ok"


@pytest.mark.parametrize(
    "head",
    [
        b"POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\n",
    ],
    ids=["h2c", "POST", "with a body"],
)
async def test_other_upgrades_are_ordinary_requests(start_gateway: StartGateway, head: bytes) -> None:
    seen: list[bytes] = []

    async def script(talk: Conversation) -> None:
        for _ in range(2):
            seen.append(await talk.head())
            if b"Content-Length" in seen[-1]:
                seen.append(await talk.exactly(3))
            await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        answer = await gateway.exchange(head + b"abcGET /next HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"pgrade" not in seen[0]
    assert seen[1] == b"abc"
    assert seen[2].startswith(b"GET /next ")
    assert answer.count(b"HTTP/1.1 200 OK") == 2


async def test_a_chunked_body_behind_an_upgrade_that_is_not_passed_on_is_read(start_gateway: StartGateway) -> None:
    seen: list[bytes] = []

    async def script(talk: Conversation) -> None:
        await talk.head()
        seen.append(await talk.chunked())
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        head = (
            b"POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        answer = await gateway.exchange(head + b"3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n")
    assert seen == [b"3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n"]
    assert answer.endswith(b"ok")


async def test_an_upstream_cannot_switch_protocols_unasked(start_gateway: StartGateway) -> None:
    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.send(b"HTTP/1.1 101 Odd\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")
        await talk.rest()

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        answer = await gateway.exchange(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 502 ")


@pytest.mark.parametrize("leaver", ["client", "upstream"])
async def test_when_one_side_is_reset_the_other_ends(start_gateway: StartGateway, leaver: str) -> None:
    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.send(SWITCH + b"Upgrade: websocket\r\nConnection: upgrade\r\n\r\n")
        if leaver == "upstream":
            await talk.exactly(1)
            talk.reset()
        await talk.until_lost()

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        client = await gateway.connect()
        await client.send(HANDSHAKE)
        await client.head()
        await client.send(b"x")
        if leaver == "client":
            client.reset()
        else:
            assert await asyncio.wait_for(client.rest(), 5) == b""
        await asyncio.wait_for(up.conversations[0].lost.wait(), 5)


async def test_a_tunnel_waits_for_the_slower_side_in_both_directions(start_gateway: StartGateway) -> None:
    flood = b"\x82\x7e\xff\xfc" + bytes(0xFFFC)
    stuck = [asyncio.Event(), asyncio.Event()]

    async def pour(talk: Conversation, full: asyncio.Event) -> None:
        for _ in range(400):
            talk.writer.write(flood)
            drained = asyncio.ensure_future(talk.writer.drain())
            if not (await asyncio.wait({drained}, timeout=0.3))[0]:
                full.set()
            await drained

    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.send(SWITCH + b"Upgrade: websocket\r\nConnection: upgrade\r\n\r\n")
        pouring = asyncio.ensure_future(pour(talk, stuck[0]))
        await stuck[1].wait()
        await talk.exactly(400 * len(flood))
        await pouring

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        client = await gateway.connect()
        await client.send(HANDSHAKE)
        await client.head()
        pouring = asyncio.ensure_future(pour(client, stuck[1]))
        await asyncio.wait_for(asyncio.gather(*(event.wait() for event in stuck)), 10)
        connection = next(iter(gateway.server.connections))
        assert connection.transport is not None
        assert connection.transport.get_write_buffer_size() < 512 * 1024
        await client.exactly(400 * len(flood))
        await pouring
