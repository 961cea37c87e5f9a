"""Conversations through the whole gateway over raw sockets: identity and metering change nothing of what flows."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.demo.data import BOB
from tests.e2e.world import PLANS, World, world
from tests.fakes.upstream import Conversation, Script, ScriptedUpstream, upstream

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
FRAMES = {
    "text": b"\x81\x85\x01\x02\x03\x04igoho",
    "binary": b"\x82\x7e\x01\x00" + bytes(256),
    "ping": b"\x89\x04ping",
    "pong": b"\x8a\x84\x00\x00\x00\x00ping",
    "deflated": b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00",
    "a piece of a message": b"\x01\x03abc",
    "a reserved opcode": b"\x83\x00",
    "close 1000": b"\x88\x82\x00\x00\x00\x00\x03\xe8",
    "close 4001 with a reason": b"\x88\x86\x00\x00\x00\x00\x0f\xa1gone",
}


class Client(Conversation):
    """Speaks to a gateway as ``BOB``."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, who: bytes) -> None:
        super().__init__(reader, writer)
        self._who = who

    async def ask(self, start: bytes, *fields: bytes) -> None:
        """Send a head."""
        lines = [start + b" HTTP/1.1", b"Host: a", b"Authorization: " + self._who, *fields]
        await self.send(b"\r\n".join([*lines, b"", b""]))


@asynccontextmanager
async def between(
    folder: Path, script: Script, yaml: str = PLANS
) -> AsyncIterator[tuple[World, Client, ScriptedUpstream]]:
    """A gateway with a client on one side and a scripted upstream on the other."""
    async with upstream(script) as up, world(folder, yaml, upstream=up.url) as here:
        parts = urlsplit(here.url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        client = Client(reader, writer, here.headers(BOB)["Authorization"].encode())
        async with asyncio.timeout(20):
            try:
                yield here, client, up
            finally:
                client.reset()


def spent(here: World) -> int:
    metrics = here.gateway.metrics
    return sum(metrics.units.values()) - sum(metrics.refunded_units.values())


async def test_heads_pass_byte_for_byte_but_for_what_is_ours_to_say(tmp_path: Path) -> None:
    seen: list[bytes] = []

    async def script(talk: Conversation) -> None:
        seen.append(await talk.head())
        await talk.send(b"HTTP/1.1 299 Odd \xe9\r\nx-LOWER: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX: \xff\r\n")
        await talk.send(b"X-RateLimit-Limit: 7\r\nContent-Length: 0\r\n\r\n")

    async with between(tmp_path, script) as (here, client, _):
        await client.ask(b"GET /a%2fB/%7e?x=%zz", b"x-b: 1", b"X-B: \xe9", b"Accept: a", b"Accept: b")
        head = await client.head()
        who = here.headers(BOB)["Authorization"].encode()
    request_id = seen[0].partition(b"X-Request-ID: ")[2][:26]
    assert seen[0] == (
        b"GET /a%2fB/%7e?x=%zz HTTP/1.1\r\nHost: a\r\nAuthorization: " + who + b"\r\nx-b: 1\r\nX-B: \xe9\r\n"
        b"Accept: a\r\nAccept: b\r\nX-Request-ID: " + request_id + b"\r\nX-Forwarded-For: 127.0.0.1\r\n"
        b"X-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\nVia: 1.1 weighbridge\r\n\r\n"
    )
    theirs = (
        b"HTTP/1.1 299 Odd \xe9\r\nx-LOWER: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX: \xff\r\nContent-Length: 0\r\n"
    )
    assert head.startswith(theirs)
    # The upstream's own limit gave way to the one that was charged; the id is the one the upstream was given.
    assert head.count(b"X-RateLimit-Limit: ") == 1
    assert b"X-RateLimit-Limit: 10\r\n" in head
    assert b"X-Request-ID: " + request_id + b"\r\n" in head


async def test_compressed_bodies_pass_unopened_in_both_directions(tmp_path: Path) -> None:
    packed = gzip.compress(b"word " * 5_000)
    framing = b"Content-Encoding: gzip\r\nContent-Length: %d" % len(packed)

    async def script(talk: Conversation) -> None:
        assert framing in await talk.head()
        assert await talk.exactly(len(packed)) == packed
        await talk.send(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + packed)

    async with between(tmp_path, script) as (_, client, _):
        await client.ask(b"POST /x", framing)
        await client.send(packed)
        assert framing in await client.head()
        assert await client.exactly(len(packed)) == packed


async def test_bodies_flow_both_ways_at_once(tmp_path: Path) -> None:
    async def echo(talk: Conversation) -> None:
        await talk.head()
        await talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while line := await talk.reader.readuntil(b"\r\n"):
            await talk.send(line + await talk.exactly(int(line, 16) + 2))
            if line == b"0\r\n":
                return

    async with between(tmp_path, echo) as (_, client, _):
        await client.ask(b"POST /x", b"Transfer-Encoding: chunked")
        assert b"X-Weighbridge-Cost: 1\r\n" in await client.head()
        for word in (b"3\r\none\r\n", b"3\r\ntwo\r\n", b"0\r\n\r\n"):
            await client.send(word)
            assert await client.exactly(len(word)) == word


async def test_events_arrive_one_by_one(tmp_path: Path) -> None:
    heard = asyncio.Event()

    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(3):
            await talk.send(b"9\r\ndata: %d\n\n\r\n" % number)
            await heard.wait()
            heard.clear()
        await talk.send(b"0\r\n\r\n")

    async with between(tmp_path, script) as (_, client, _):
        await client.ask(b"GET /events")
        await client.head()
        for number in range(3):
            # The next one is only sent after this one was read: nothing may wait for more.
            assert await client.exactly(14) == b"9\r\ndata: %d\n\n\r\n" % number
            heard.set()
        assert await client.exactly(5) == b"0\r\n\r\n"


async def test_interim_answers_and_trailers_pass(tmp_path: Path) -> None:
    async def script(talk: Conversation) -> None:
        await talk.head()
        assert await talk.chunked() == b"3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"
        await talk.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        await talk.send(b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n")
        await talk.send(b"2\r\nok\r\n0\r\nX-Sum: 2\r\n\r\n")

    async with between(tmp_path, script) as (_, client, _):
        await client.ask(b"POST /x", b"Trailer: X-Sum", b"TE: trailers", b"Transfer-Encoding: chunked")
        await client.send(b"3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n")
        # An interim answer is not metered, so it speaks of no budget.
        assert await client.head() == b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        assert b"X-Weighbridge-Cost: 1\r\n" in await client.head()
        assert await client.chunked() == b"2\r\nok\r\n0\r\nX-Sum: 2\r\n\r\n"


async def test_a_websocket_is_charged_once_and_its_frames_are_nobodys_affair(tmp_path: Path) -> None:
    async def script(talk: Conversation) -> None:
        assert b"Upgrade: websocket\r\n" in await talk.head()
        await talk.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        for frame in FRAMES.values():
            assert await talk.exactly(len(frame)) == frame
            await talk.send(frame)
        await talk.rest()

    async with between(tmp_path, script) as (here, client, up):
        await client.ask(b"GET /ws", b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13")
        head = await client.head()
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"X-Weighbridge-Cost: 1\r\n" in head
        for frame in FRAMES.values():
            await client.send(frame)
            assert await client.exactly(len(frame)) == frame
        client.reset()
        await up.conversations[0].lost.wait()
        assert spent(here) == 1


async def test_a_refusal_comes_before_the_body_is_asked_for(tmp_path: Path) -> None:
    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert await talk.exactly(4) == b"body"
        await talk.send(OK)

    async with between(tmp_path, script, PLANS.replace("limit: 10,", "limit: 1,")) as (_, client, up):
        await client.ask(b"POST /x", b"Content-Length: 4", b"Expect: 100-continue")
        assert await client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(b"body")
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")
        await client.exactly(2)
        await client.ask(b"POST /x", b"Content-Length: 4", b"Expect: 100-continue")
        refusal = await client.head()
        assert refusal.startswith(b"HTTP/1.1 429 ")
        assert b"Connection: close\r\n" in refusal
        assert len(up.conversations) == 1


@pytest.mark.parametrize("begun", [False, True], ids=["before the answer", "in the middle of it"])
async def test_a_client_that_leaves_ends_its_upstream_request(tmp_path: Path, *, begun: bool) -> None:
    arrived = asyncio.Event()

    async def script(talk: Conversation) -> None:
        await talk.head()
        if begun:
            await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
        arrived.set()
        await talk.until_lost()

    async with between(tmp_path, script) as (here, client, up):
        await client.ask(b"GET /x")
        await arrived.wait()
        if begun:
            await client.head()
        client.reset()
        await up.conversations[0].lost.wait()
        while here.gateway.metrics.in_flight:
            await asyncio.sleep(0.005)
        assert spent(here) == 1
