"""Several gateways while their Redis is away: what is let through, what is refused, and what is debited afterwards."""

import asyncio
import signal
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from yarl import URL

from tests.e2e.gateways import gateways, recorded, spent, storm, token
from tests.e2e.plain_upstream import plain_upstream
from tests.e2e.served import until
from tests.redis_server.relay import Relay
from tests.redis_server.server import RedisServer, own_redis

pytestmark = pytest.mark.slow


@pytest.fixture
def durable() -> Iterator[RedisServer]:
    """A Redis that has written what it has answered."""
    with own_redis("--appendonly", "yes", "--appendfsync", "always") as server:
        yield server


@pytest.mark.parametrize("debt", [0, 5])
async def test_while_redis_is_away_requests_pass_and_too_many_are_as_many_as_check_says(
    tmp_path: Path, durable: RedisServer, debt: int
) -> None:
    async with (
        plain_upstream() as upstream,
        gateways(tmp_path, 2, upstream.url, durable.url, budget=50, debt=debt) as (one, two),
    ):
        assert (await storm([one, two], 10))[200] == 10
        durable.stop()
        assert (await storm([one, two], 60))[200] == 60
        answer = await one.ask("/one", token())
        assert (answer.status, answer.headers["X-RateLimit-Limit"]) == (200, "50")
        ready = await one.ask("/-/health/ready")
        assert (ready.status, "on_store_failure applies" in await ready.text()) == (200, True)
        assert 'weighbridge_store_failures_total{policy="open"}' in await (await one.ask("/-/metrics")).text()
        durable.start()
        async with asyncio.timeout(30):
            while spent(durable.client()) < 50 + debt:
                await asyncio.sleep(0.05)
        assert (await storm([one, two], 4))[429] == 4
        assert [await place.end() for place in (one, two)] == [0, 0]
    books = [recorded(place) for place in (one, two)]
    assert sum(book["charge"] for book in books) == 10
    assert sum(book["drain"] for book in books) == 61
    too_much = sum(book["overrun"] for book in books)
    assert too_much == 61 - 40 - debt > 0, "of all that passed meanwhile, less what was left and may be owed"


async def test_closed_rules_wait_for_redis(tmp_path: Path, durable: RedisServer) -> None:
    closed = "on_store_failure: closed\nrules: [{method: GET, path: /two, on_store_failure: open}]\n"
    async with (
        plain_upstream() as upstream,
        gateways(tmp_path, 1, upstream.url, durable.url, budget=50, more=closed) as (one,),
    ):
        durable.stop()
        refused = await one.ask("/one", token())
        assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
        assert (await one.ask("/two", token())).status == 200
        durable.start()
        async with asyncio.timeout(30):
            while (await one.ask("/one", token())).status != 200:
                await asyncio.sleep(0.05)
        async with asyncio.timeout(30):
            while spent(durable.client()) != 2:
                await asyncio.sleep(0.05)


async def test_a_debit_that_is_on_its_way_when_the_gateway_stops_is_written_down_and_undone(
    tmp_path: Path, durable: RedisServer
) -> None:
    relay = Relay(durable.port)
    async with (
        plain_upstream() as upstream,
        gateways(tmp_path, 1, upstream.url, await relay.start(), budget=50) as (one,),
    ):
        assert (await storm([one], 1))[200] == 1
        url = URL(one.url)
        _, writer = await asyncio.open_connection(url.host, url.port)
        relay.open.clear()
        writer.write(f"GET /one HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token()}\r\n\r\n".encode())
        await until(lambda: spent(durable.client()) == 2, "a debit")
        reset = struct.pack("ii", 1, 0)  # who only ends his sending side may still wait for the answer
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        writer.transport.abort()
        await asyncio.sleep(0.2)  # it is seen that the client has left
        one.send(signal.SIGTERM)
        await one.until_logged("stopping")
        relay.open.set()
        assert await one.end() == 0
        assert spent(durable.client()) == 1, "the client had left before anything was sent on"
    await relay.stop()
    books = recorded(one)
    assert (books["charge"], books["refund"]) == (2, -1)
