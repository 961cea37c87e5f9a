"""Requests behind an answer that its client takes slowly: one at a time, in order, and none is lost or let run on."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from gateway.proxy.downstream import GatewayProtocol
from tests.conformance import messages
from tests.conformance.books import Books
from tests.conformance.peer import PATIENCE_S, Peer
from tests.conformance.stage import Stage, staged
from tests.conformance.test_corpus import LANES

GET = b"GET /x/%d HTTP/1.1\r\nHost: api.example\r\n%b\r\n\r\n"
HALF = 30_000
"""Bytes of half the answer: more than small buffers hold, less than a kernel keeps of what is not read."""
SMALL = 4096
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond"
CHARGED = "charge 3 ANY /x/** 200"

pytestmark = pytest.mark.parametrize("lane", LANES)


class Dawdling:
    """A client whose first answer is over for the gateway, while most of it has not been taken."""

    def __init__(self, stage: Stage, client: Peer, at_gateway: GatewayProtocol) -> None:
        self.stage = stage
        self.client = client
        self.at_gateway = at_gateway

    async def ask(self, number: int) -> None:
        await self.client.send(GET % (number, self.stage.words["who"].encode()))

    async def reaches_upstream(self, number: int) -> Peer:
        upstream = await self.stage.next()
        message = await messages.request(upstream)
        self.stage.arrived.append(message)
        assert message.start == b"GET /x/%d HTTP/1.1" % number
        return upstream

    async def nothing_reaches_upstream(self) -> None:
        await asyncio.sleep(0.05)
        assert not [bytes(peer.buffer) for peer in self.stage.peers if peer.buffer]

    async def takes_the_first(self) -> None:
        self.client.transport.resume_reading()
        assert (await messages.answer(self.client)).body == b"b" * HALF * 2


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0)


@asynccontextmanager
async def dawdling(folder: Path, lane: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Dawdling]:
    """Buffers are made small, so that it takes little to fill them."""
    made: list[GatewayProtocol] = []
    connection_made = GatewayProtocol.connection_made

    def small(self: GatewayProtocol, transport: asyncio.BaseTransport) -> None:
        connection_made(self, transport)
        cast("asyncio.Transport", transport).set_write_buffer_limits(high=SMALL // 2)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        made.append(self)

    monkeypatch.setattr(GatewayProtocol, "connection_made", small)
    async with staged(folder, f"{lane}\nlog: {{access: {folder}/access.log}}") as stage:
        await until(lambda: not stage.gateway.metrics.in_flight)
        at = len(made)
        client = await _client(stage)
        await until(lambda: len(made) > at)
        yield await _begun(Dawdling(stage, client, made[-1]))


async def _client(stage: Stage) -> Peer:
    address, port = stage.url.removeprefix("http://").split(":")
    connected = socket.socket()
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    connected.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(connected, (address, int(port)))
    client = (await loop.create_connection(lambda: Peer(stage._stirred.set), sock=connected))[1]
    stage.clients.append(client)
    return client


async def _begun(it: Dawdling) -> Dawdling:
    """The first answer fills all buffers, then ends; the client reads until the gateway has got rid of the end."""
    await it.ask(1)
    it.client.transport.pause_reading()
    upstream = await it.reaches_upstream(1)
    half = b"b" * HALF
    await upstream.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % (HALF * 2) + half)
    await until(lambda: it.at_gateway.writing_paused)
    await upstream.send(half + b"\r\n0\r\n\r\n")
    await until(lambda: not upstream.transport.get_write_buffer_size())
    it.client.transport.resume_reading()
    await until(lambda: not it.stage.gateway.metrics.in_flight)
    it.client.transport.pause_reading()
    assert it.at_gateway.writing_paused
    return it


async def test_requests_behind_it_are_answered_one_at_a_time(
    tmp_path: Path, lane: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with dawdling(tmp_path, lane, monkeypatch) as it:
        await it.ask(2)
        await it.nothing_reaches_upstream()
        await it.takes_the_first()
        second = await it.reaches_upstream(2)
        await it.ask(3)
        await it.nothing_reaches_upstream()
        await second.send(OK)
        assert (await messages.answer(it.client)).body == b"second"
        third = await it.reaches_upstream(3)
        await third.send(OK.replace(b"second", b"third!"))
        assert (await messages.answer(it.client)).body == b"third!"
    await Books(tmp_path / "ledger.db").compare([CHARGED] * 3, it.stage.arrived)


async def test_a_client_that_says_no_more_gets_them_all(
    tmp_path: Path, lane: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with dawdling(tmp_path, lane, monkeypatch) as it:
        await it.ask(2)
        await it.ask(3)
        it.client.end()
        await it.nothing_reaches_upstream()
        await it.takes_the_first()
        for number, body in ((2, b"second"), (3, b"third!")):
            upstream = await it.reaches_upstream(number)
            await upstream.send(OK.replace(b"second", body))
            assert (await messages.answer(it.client)).body == body
        assert await it.client.rest() == b""
        assert it.client.ended == "end"
    await Books(tmp_path / "ledger.db").compare([CHARGED] * 3, it.stage.arrived)


async def test_a_client_that_says_no_more_while_it_reads_is_not_cut_off(
    tmp_path: Path, lane: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with dawdling(tmp_path, lane, monkeypatch) as it:
        it.client.end()
        await until(lambda: it.at_gateway._eof)
        it.at_gateway._still_there(it.at_gateway._written)
        await it.takes_the_first()
        assert await it.client.rest() == b""
        assert it.client.ended == "end"
    await Books(tmp_path / "ledger.db").compare([CHARGED], it.stage.arrived)


async def test_a_client_that_leaves_takes_the_next_one_along(
    tmp_path: Path, lane: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with dawdling(tmp_path, lane, monkeypatch) as it:
        await it.ask(2)
        await it.nothing_reaches_upstream()
        await it.takes_the_first()
        second = await it.reaches_upstream(2)
        it.client.reset()
        assert await second.rest() == b""
        assert second.ended
        await until(lambda: not it.stage.gateway.metrics.in_flight)
    lines = [json.loads(line) for line in (tmp_path / "access.log").read_bytes().splitlines()]
    assert [(line["path"], line["status"]) for line in lines[1:]] == [("/x/1", 200), ("/x/2", 499)]
    await Books(tmp_path / "ledger.db").compare([CHARGED, "charge 3 ANY /x/** 499"], it.stage.arrived)


async def test_a_client_that_leaves_before_it_has_taken_it_is_not_charged_for_the_next(
    tmp_path: Path, lane: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with dawdling(tmp_path, lane, monkeypatch) as it:
        await it.ask(2)
        await it.nothing_reaches_upstream()
        it.client.reset()
        await until(lambda: it.at_gateway.transport is None)
        await it.nothing_reaches_upstream()
    await Books(tmp_path / "ledger.db").compare([CHARGED], it.stage.arrived)


async def test_a_client_that_says_no_more_is_waited_for_as_long_as_its_upstream(tmp_path: Path, lane: str) -> None:
    async with staged(tmp_path, lane) as stage:
        await stage.client.send(GET % (1, stage.words["who"].encode()))
        stage.client.end()
        upstream = await stage.next()
        stage.arrived.append(await messages.request(upstream))
        await asyncio.sleep(1.5)  # longer than clients are commonly given
        await upstream.send(OK)
        assert (await messages.answer(stage.client)).body == b"second"
        assert await stage.client.rest() == b""
    await Books(tmp_path / "ledger.db").compare([CHARGED], stage.arrived)


async def test_a_client_that_says_no_more_is_gone_after_the_time_that_is_set(tmp_path: Path, lane: str) -> None:
    async with staged(tmp_path, f"{lane}\nlimits: {{half_close: 50ms}}") as stage:
        await stage.client.send(GET % (1, stage.words["who"].encode()))
        stage.client.end()
        upstream = await stage.next()
        stage.arrived.append(await messages.request(upstream))
        assert await upstream.rest() == b""
        await stage.client.rest()
        assert stage.client.ended == "reset"
        await until(lambda: not stage.gateway.metrics.in_flight)
    await Books(tmp_path / "ledger.db").compare(["charge 3 ANY /x/** 499"], stage.arrived)
