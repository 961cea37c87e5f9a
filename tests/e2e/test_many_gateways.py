"""Several gateways while their Redis is away: what is let through, what is refused, and what is debited afterwards."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.ledger.bounds import let_through_too_much
from tests.e2e.gateways import gateways, recorded, spent, storm, token
from tests.e2e.plain_upstream import plain_upstream
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
    assert too_much == let_through_too_much(meanwhile=61, left=40, late_debt=debt) > 0


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
