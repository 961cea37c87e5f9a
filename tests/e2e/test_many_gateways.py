"""Three gateways, one budget: exactly as many requests pass as there are units, whatever dies in between."""

import asyncio
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.ledger.bounds import largest_held
from tests.databases.fixtures import migrated_database, postgresql
from tests.e2e.gateways import gateways, recorded, spent, storm, token, workers_of
from tests.e2e.plain_upstream import plain_upstream
from tests.e2e.served import PROGRAM, Served, environment
from tests.redis_server.server import RedisServer, own_redis

pytestmark = pytest.mark.slow

__all__ = ["migrated_database", "postgresql"]
BUDGET = 1_000
REQUESTS = 3_000


@pytest.fixture
def durable() -> Iterator[RedisServer]:
    """A Redis that has written what it has answered."""
    with own_redis("--appendonly", "yes", "--appendfsync", "always") as server:
        yield server


async def test_three_thousand_requests_at_a_budget_of_a_thousand_admit_a_thousand(
    tmp_path: Path, durable: RedisServer, migrated_database: str
) -> None:
    async with (
        plain_upstream() as upstream,
        gateways(tmp_path, 3, upstream.url, durable.url, budget=BUDGET, store=migrated_database) as places,
    ):
        answers = await storm(places, REQUESTS, at_once=300)
        assert (answers[200], answers[429]) == (BUDGET, REQUESTS - BUDGET)
        assert spent(durable.client()) == BUDGET
        assert [await place.end() for place in places] == [0, 0, 0]
    books = [recorded(place) for place in places]
    assert sum(book["charge"] for book in books) == BUDGET
    assert all(book["charge"] > 0 for book in books), "each of them admitted some"


async def test_the_totals_add_up_though_a_gateway_and_redis_are_killed(tmp_path: Path, durable: RedisServer) -> None:
    closed = "on_store_failure: closed\n"
    async with (
        plain_upstream() as upstream,
        gateways(tmp_path, 3, upstream.url, durable.url, budget=BUDGET, more=closed) as places,
    ):
        running = asyncio.get_running_loop().create_task(storm(places, REQUESTS, at_once=30))
        while spent(durable.client()) < 100:
            await asyncio.sleep(0.02)
        durable.stop()
        await asyncio.sleep(0.3)
        durable.start()
        while spent(durable.client()) < 200:
            await asyncio.sleep(0.02)
        await places[0].end(signal.SIGKILL)
        answers = await running
        answers += await storm(places[1:], REQUESTS)
        while (now := spent(durable.client())) != BUDGET:
            assert now <= BUDGET
            answers += await storm(places[1:], BUDGET - now)
        assert answers[200] <= BUDGET
        # What the dead gateway had charged and not answered any more, at most all that it had in hand.
        assert BUDGET - answers[200] <= 30
        assert [await place.end() for place in places[1:]] == [0, 0]
    books = [recorded(place) for place in places]
    assert answers[200] <= sum(book["charge"] + book["refund"] for book in books) + 30
    assert sum(book["overrun"] for book in books) == 0


async def test_leased_budgets_are_never_exceeded_and_lose_no_more_than_check_says(
    tmp_path: Path, durable: RedisServer
) -> None:
    async with (
        plain_upstream() as upstream,
        gateways(tmp_path, 1, upstream.url, durable.url, budget=BUDGET, mode="leased", more="workers: 3\n") as places,
    ):
        printed = await check(places[0])
        assert printed == largest_held(BUDGET)
        running = asyncio.get_running_loop().create_task(storm(places, BUDGET, at_once=30))
        while spent(durable.client()) < 200:
            await asyncio.sleep(0.02)
        os.kill(workers_of(places[0])[0], signal.SIGKILL)
        answers = await running
        assert answers[200] <= BUDGET
        for _ in range(4):
            answers += await storm(places, BUDGET // 2, at_once=30)
        assert answers[429]
        in_hand = 30  # charged by the worker that was killed, and not answered any more
        assert BUDGET - printed - in_hand <= answers[200] <= BUDGET
        assert await places[0].end() == 0
    charged = sum(recorded(place)["charge"] for place in places)
    assert charged <= spent(durable.client()) == BUDGET


async def check(place: Served) -> int:
    """What ``weighbridge check`` says that a gateway which dies takes with it."""
    argv = [str(PROGRAM), "check", "--config", str(place.config)]
    process = await asyncio.create_subprocess_exec(*argv, env=environment(), stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    found = re.search(rf"takes at most (\d+) of {BUDGET} units", said.decode())
    assert found
    return int(found[1])


async def test_while_redis_is_away_requests_pass_and_are_debited_when_it_is_back(
    tmp_path: Path, durable: RedisServer
) -> None:
    async with (
        plain_upstream() as upstream,
        gateways(tmp_path, 2, upstream.url, durable.url, budget=50) as (one, two),
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
            while spent(durable.client()) < 50:
                await asyncio.sleep(0.05)
        assert (await storm([one, two], 4))[429] == 4
        assert [await place.end() for place in (one, two)] == [0, 0]
    books = [recorded(place) for place in (one, two)]
    assert sum(book["charge"] for book in books) == 10
    assert sum(book["drain"] for book in books) == 61
    assert sum(book["overrun"] for book in books) == 21, "what the budget did not have, and was let through"


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
