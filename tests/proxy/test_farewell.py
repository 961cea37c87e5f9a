"""WebSockets that the gateway closes: both sides are told, each between two frames."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.core.frames import BINARY, CLOSE, TEXT, close_frame
from gateway.proxy import tunnel as tunnels
from gateway.proxy.tunnel import Tunnel
from gateway.proxy.way import Goodbye
from tests.core.test_frames import frame, reader, whole
from tests.fakes.upstream import Conversation, ScriptedUpstream, upstream
from tests.proxy.conftest import PassThrough, StartGateway

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
BYE = Goodbye(1008, "The credential has expired.")
TOLD = close_frame(*BYE)
ANSWER = frame(CLOSE, b"\x03\xf0")
HELLO = frame(TEXT, b"hello", mask=b"")


class Joined:
    """A client and an upstream with a tunnel between them."""

    def __init__(self, gateway: PassThrough, client: Conversation, up: ScriptedUpstream, tunnel: Tunnel) -> None:
        self.gateway = gateway
        self.client = client
        self.upstream = up.conversations[0]
        self.tunnel = tunnel

    async def upstream_told(self, behind: bytes = b"") -> None:
        """What came to the upstream to its end: ``behind``, then a masked close frame."""
        came = await asyncio.wait_for(self.upstream.rest(), 10)
        assert came.startswith(behind)
        ((found, payload, _),) = whole(reader().feed(came[len(behind) :]))
        assert (found.opcode, bool(found.mask), payload) == (CLOSE, True, TOLD[2:])

    async def ended(self) -> None:
        async with asyncio.timeout(10):
            while not self.gateway.outcomes:
                await asyncio.sleep(0)


Join = Callable[[], Any]


@pytest.fixture
def joined(start_gateway: StartGateway) -> Join:
    @asynccontextmanager
    async def join() -> AsyncIterator[Joined]:
        found: list[Tunnel] = []

        def make(_response: Any, ends: tuple[Any, Any], ended: Callable[[], None]) -> Tunnel:
            found.append(Tunnel(*ends, ended))
            return found[0]

        async def script(talk: Conversation) -> None:
            await talk.head()
            await talk.send(SWITCH)
            await talk.lost.wait()

        async with upstream(script) as up:
            gateway = await start_gateway(up.url, join=make)
            client = await gateway.connect()
            await client.send(HANDSHAKE)
            await client.head()
            yield Joined(gateway, client, up, found[0])
            for talk in up.conversations:
                talk.lost.set()

    return join


async def test_both_sides_are_told_with_a_frame_of_ours_each_as_it_reads_them(joined: Join) -> None:
    async with joined() as here:
        here.tunnel.say_goodbye(BYE)
        assert await here.client.exactly(len(TOLD)) == TOLD
        await here.client.send(ANSWER)
        assert await here.client.rest() == b""
        await here.upstream_told()
        await here.ended()
    assert here.gateway.outcomes[0].failure is None


async def test_a_frame_that_has_begun_ends_first_on_either_side(joined: Join) -> None:
    down, up = frame(BINARY, bytes(1_000), mask=b""), frame(BINARY, bytes(1_000))
    async with joined() as here:
        await here.upstream.send(HELLO + down[:500])
        assert await here.client.exactly(len(HELLO) + 500) == HELLO + down[:500]
        await here.client.send(up[:300])
        assert await here.upstream.exactly(300) == up[:300]
        here.tunnel.say_goodbye(BYE)
        await here.upstream.send(down[500:] + HELLO)
        assert await here.client.exactly(len(down) - 500 + len(TOLD)) == down[500:] + TOLD
        await here.client.send(up[300:] + frame(TEXT, b"too late") + ANSWER)
        await here.upstream_told(behind=up[300:])
        assert await here.client.rest() == b""


async def test_even_the_head_of_a_frame_that_has_begun_ends_first(joined: Join) -> None:
    async with joined() as here:
        await here.upstream.send(HELLO[:1])
        await here.client.exactly(1)
        here.tunnel.say_goodbye(BYE)
        await here.upstream.send(HELLO[1:] + HELLO)
        assert await here.client.exactly(len(HELLO) - 1 + len(TOLD)) == HELLO[1:] + TOLD


async def test_a_frame_that_never_ends_is_cut_and_looks_so(joined: Join, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tunnels, "FAREWELL", 0.2)
    async with joined() as here:
        await here.upstream.send(HELLO[:3])
        await here.client.exactly(3)
        here.tunnel.say_goodbye(BYE)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(here.client.reader.read(-1), 10)
        await here.ended()


async def test_a_client_that_does_not_answer_is_not_waited_for_long(
    joined: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunnels, "FAREWELL", 0.2)
    async with joined() as here:
        here.tunnel.say_goodbye(BYE)
        assert await asyncio.wait_for(here.client.rest(), 10) == TOLD
        await here.upstream_told()
        await here.ended()


async def test_what_the_client_says_after_our_goodbye_goes_nowhere(joined: Join) -> None:
    async with joined() as here:
        here.tunnel.say_goodbye(BYE)
        await here.client.send(frame(TEXT, b"one more") * 1_000 + ANSWER)
        assert await here.client.rest() == TOLD
        await here.upstream_told()


async def test_who_has_said_goodbye_first_is_not_told_another(joined: Join) -> None:
    first = close_frame(1000, "done")
    async with joined() as here:
        await here.upstream.send(first)
        assert await here.client.exactly(len(first)) == first
        here.tunnel.say_goodbye(BYE)
        await here.client.send(ANSWER)
        assert await here.client.rest() == b""
        await here.upstream_told()


async def test_a_goodbye_is_said_once(joined: Join) -> None:
    async with joined() as here:
        here.tunnel.say_goodbye(BYE)
        here.tunnel.say_goodbye(Goodbye(1001, "later"))
        await here.client.send(ANSWER)
        assert await here.client.rest() == TOLD
        await here.ended()
        here.tunnel.say_goodbye(BYE)
        assert here.tunnel.goodbye == BYE


async def test_a_client_that_only_listens_any_more_is_told_too(joined: Join) -> None:
    async with joined() as here:
        here.client.writer.write_eof()
        assert await here.upstream.rest() == b""
        here.tunnel.say_goodbye(BYE)
        assert await here.client.rest() == TOLD
        await here.ended()


async def test_an_upstream_that_goes_away_takes_nothing_of_the_goodbye(joined: Join) -> None:
    async with joined() as here:
        here.tunnel.say_goodbye(BYE)
        here.upstream.reset()
        assert await here.client.exactly(len(TOLD)) == TOLD
        await here.client.send(ANSWER)
        assert await here.client.rest() == b""
        await here.ended()


async def test_the_upstream_hears_no_blame_for_what_the_client_did(joined: Join) -> None:
    async with joined() as here:
        here.tunnel.say_goodbye(Goodbye(1002, "Opcode 3 is reserved."))
        await here.client.send(ANSWER)
        assert await here.client.rest() == close_frame(1002, "Opcode 3 is reserved.")
        ((_, payload, _),) = whole(reader().feed(await here.upstream.rest()))
        assert payload[:2] == b"\x03\xe9"
