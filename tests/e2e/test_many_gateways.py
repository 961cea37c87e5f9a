"""Three gateways, one budget: exactly as many requests pass as there are units, whatever dies in between."""

import asyncio
import os
import re
import signal
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from gateway.clock import now_us
from gateway.journal import Kind
from gateway.ledger.bounds import FLUSH_MS, largest_held
from tests.databases.fixtures import migrated_database, postgresql
from tests.e2e.gateways import Asked, gateways, recorded, records_of, spent, storm, token, workers_of
from tests.e2e.plain_upstream import plain_upstream
from tests.e2e.served import PROGRAM, Served, environment
from tests.redis_server.server import RedisServer, own_redis

pytestmark = pytest.mark.slow

__all__ = ["migrated_database", "postgresql"]
BUDGET = 1_000
REQUESTS = 3_000
FLUSH_US = FLUSH_MS * 1_000
WRITE_US = 2_000_000
"""Far longer than a write takes, on a machine however busy."""
CLOCKS_US = 50_000
"""Records count in Redis's time as a gateway estimates it; answers in this process's."""


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
    closed, seen = "on_store_failure: closed\n", list[Asked]()
    async with (
        plain_upstream() as upstream,
        gateways(tmp_path, 3, upstream.url, durable.url, budget=BUDGET, more=closed) as places,
    ):
        running = asyncio.get_running_loop().create_task(storm(places, REQUESTS, at_once=30, seen=seen))
        while spent(durable.client()) < 100:
            await asyncio.sleep(0.02)
        durable.stop()
        await asyncio.sleep(0.3)
        durable.start()
        while spent(durable.client()) < 200:
            await asyncio.sleep(0.02)
        killed_us = now_us()
        await places[0].end(signal.SIGKILL)
        answers = await running
        answers += await storm(places[1:], REQUESTS, seen=seen)
        while (now := spent(durable.client())) != BUDGET:
            assert now <= BUDGET
            answers += await storm(places[1:], BUDGET - now, seen=seen)
        assert answers[200] <= BUDGET
        assert BUDGET - answers[200] <= waiting_in(places[0], seen, killed_us)
        assert [await place.end() for place in places[1:]] == [0, 0]
    check_journals(places, seen, killed={places[0]: killed_us})
    assert sum(recorded(place)["overrun"] for place in places) == 0


def waiting_in(killed: Served, seen: Sequence[Asked], killed_us: int) -> int:
    """What a gateway that was killed may have charged for nothing, by the printed bound: what it had in hand and what
    it had not given back yet, of requests that were told that Redis was away."""
    own = [asked for asked in seen if asked.place is killed]
    return sum(asked.status == 503 or (asked.status == 0 and asked.sent_us <= killed_us) for asked in own)


def check_journals(places: Sequence[Served], seen: Sequence[Asked], *, killed: Mapping[Served, int]) -> None:
    """Each answer is in its gateway's journal, once, but for the last moments before a kill, as the docs say."""
    for place in places:
        records = records_of(place)
        charges = Counter(record.id for record in records if record.kind is Kind.CHARGE)
        assert set(charges.values()) <= {1}
        last_us = max(record.at_us for record in records)
        for missing in (each for each in seen if each.place is place and each.status == 200 and each.id not in charges):
            assert place in killed, f"{missing.id} was answered and is not in the journal"
            assert missing.ended_us >= last_us - CLOCKS_US, "what was appended before the last record is written"
            assert missing.ended_us >= killed[place] - FLUSH_US - WRITE_US


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
