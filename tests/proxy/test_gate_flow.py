"""A weighed WebSocket over real sockets: who does not pay yet is not read, and an end waits for what was paid."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from gateway.core.frames import BINARY, CLOSE, PING, TEXT
from gateway.metering.visit import Visit
from gateway.proxy.gate import Gate
from gateway.proxy.tunnel import Tunnel
from gateway.proxy.way import Goodbye
from gateway.tasks import Tasks
from tests.core.test_frames import frame, reader, whole
from tests.fakes.upstream import Conversation, upstream
from tests.proxy.conftest import StartGateway
from tests.proxy.test_farewell import HANDSHAKE, SWITCH


class Payer:
    """Pays when it may."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.outcome: Visit | Goodbye = cast("Visit", "paid")
        self.passing, self.dropping = 0, 0

    async def pay(self) -> Visit | Goodbye:
        await self.may.wait()
        return self.outcome

    def passed(self, _visit: Visit) -> None:
        self.passing += 1

    async def dropped(self, _visit: Visit) -> None:
        self.dropping += 1


class Joined:
    def __init__(self, client: Conversation, server: Conversation, payer: Payer, gate: Gate, tunnel: Tunnel) -> None:
        self.client = client
        self.upstream = server
        self.payer = payer
        self.gate = gate
        self.tunnel = tunnel


Join = Callable[[], Any]


@pytest.fixture
def joined(start_gateway: StartGateway) -> Join:
    @asynccontextmanager
    async def join() -> AsyncIterator[Joined]:
        made: list[tuple[Tunnel, Gate]] = []
        payer, tasks = Payer(), Tasks()

        def make(_response: Any, ends: tuple[Any, Any], ended: Callable[[], None]) -> Tunnel:
            tunnel = Tunnel(*ends, ended)
            tunnel.gate = gate = Gate(tunnel, None, payer, tasks, extended=False)
            made.append((tunnel, gate))
            return tunnel

        async def script(talk: Conversation) -> None:
            await talk.head()
            await talk.send(SWITCH)
            await talk.lost.wait()

        async with upstream(script) as up:
            gateway = await start_gateway(up.url, join=make)
            client = await gateway.connect()
            await client.send(HANDSHAKE)
            await client.head()
            async with asyncio.timeout(30):
                yield Joined(client, up.conversations[0], payer, made[0][1], made[0][0])
            for talk in up.conversations:
                talk.lost.set()
            await tasks.close()

    return join


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


async def test_a_client_that_says_more_than_is_paid_has_to_wait(joined: Join) -> None:
    wire = frame(BINARY, bytes(64 * 1024)) * 400
    async with joined() as here:
        sending = asyncio.ensure_future(here.client.send(wire))
        await until(lambda: here.gate.full)
        assert not (await asyncio.wait({sending}, timeout=0.3))[0], "nobody reads what is not paid"
        assert here.tunnel.bytes_in < 2**20
        here.payer.may.set()
        assert await here.upstream.exactly(len(wire)) == wire
        await sending
        assert here.payer.passing == 400


async def test_a_client_that_says_nothing_very_often_while_it_pays_has_to_wait_too(joined: Join) -> None:
    flood = frame(PING) * 2_000_000
    async with joined() as here:
        await here.client.send(frame(TEXT, b"one"))
        await until(lambda: here.gate.busy)
        sending = asyncio.ensure_future(here.client.send(flood))
        await until(lambda: here.gate.full)
        assert not (await asyncio.wait({sending}, timeout=0.3))[0], "nobody reads what waits for a payment"
        assert here.tunnel.bytes_in < 2**20
        sending.cancel()


async def test_a_client_that_ends_while_it_pays_is_heard_to_its_end(joined: Join) -> None:
    async with joined() as here:
        await here.client.send(frame(TEXT, b"the last word"))
        here.client.writer.write_eof()
        await until(lambda: here.tunnel._client_eof)
        here.payer.may.set()
        assert await here.upstream.rest() == frame(TEXT, b"the last word")


async def test_what_is_paid_for_a_client_that_has_gone_is_given_back(joined: Join) -> None:
    async with joined() as here:
        await here.client.send(frame(TEXT, b"hello"))
        await until(lambda: here.gate.busy)
        here.client.reset()
        assert await here.upstream.rest() == b""
        here.payer.may.set()
        await until(lambda: here.payer.dropping == 1)
        assert here.payer.passing == 0


async def test_a_client_that_cannot_pay_is_told_though_it_has_ended(joined: Join) -> None:
    async with joined() as here:
        here.payer.outcome = Goodbye(4429, "empty")
        await here.client.send(frame(TEXT, b"hello"))
        here.client.writer.write_eof()
        await until(lambda: here.tunnel._client_eof)
        here.payer.may.set()
        ((found, payload, _),) = whole(reader(from_client=False).feed(await here.client.rest()))
        assert (found.opcode, payload) == (CLOSE, b"\x11\x4dempty")
        ((_, payload, _),) = whole(reader().feed(await here.upstream.rest()))
        assert payload == b"\x11\x4dempty"
