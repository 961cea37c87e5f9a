"""Three gateways, one Redis, one PostgreSQL: exactly as many requests pass as there are units, and whatever dies while
another budget is spent, the totals add up."""

import asyncio
import os
import re
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bench.processes import allow_files
from gateway.clock import now_us
from gateway.ledger.bounds import largest_held
from tests.databases.fixtures import migrated_database, postgresql
from tests.e2e.books import Kill, check_journals
from tests.e2e.crowd import crowd
from tests.e2e.gateways import Asked, gateways, recorded, spent, storm, token, workers_of
from tests.e2e.plain_upstream import PlainUpstream, plain_upstream
from tests.e2e.served import PROGRAM, Served, environment, until
from tests.redis_server.server import RedisServer, own_redis

pytestmark = pytest.mark.slow

__all__ = ["migrated_database", "postgresql"]
BUDGET = 1_000
REQUESTS = 3 * BUDGET
AT_ONCE = 24
MORE = """\
on_store_failure: closed
upstream: {{url: "{upstream}", profile: fiber, connect_timeout: 60s}}
"""
WORKERS = (2, 1, 1)
"""Of the three gateways: the first has a worker that can be killed."""
ALL, ANOTHER = "550e8400-e29b-41d4-a716-446655440001", "550e8400-e29b-41d4-a716-446655440002"


@pytest.fixture
def durable() -> Iterator[RedisServer]:
    """A Redis that has written what it has answered."""
    with own_redis("--appendonly", "yes", "--appendfsync", "always") as server:
        yield server


@pytest.mark.parametrize("mode", ["exact", "leased"])
async def test_three_thousand_at_once_get_a_thousand_and_totals_add_up_whatever_dies(
    tmp_path: Path, durable: RedisServer, migrated_database: str, mode: str
) -> None:
    allow_files(16_384)
    async with (
        plain_upstream() as upstream,
        gateways(
            tmp_path,
            3,
            upstream.url,
            durable.url,
            budget=BUDGET,
            store=migrated_database,
            mode=mode,
            more=MORE.format(upstream=upstream.url),
            workers=WORKERS,
        ) as places,
    ):
        held = await promised(places[0]) if mode == "leased" else 0
        at_once = await all_at_once(places, upstream, held)
        seen, kills = await whatever_dies(places, durable)
        for place in places[:2]:
            await until_settled(place)
        await exhaust(places[:2], seen)
        in_redis = {user: spent(durable.client(), user=user) for user in (ALL, ANOTHER)}
        assert [await place.end() for place in places[:2]] == [0, 0]
    assert in_redis == {ALL: BUDGET, ANOTHER: BUDGET}
    assert recorded(*places, user=ALL)["charge"] == BUDGET
    forfeit = held * len(kills)
    for_nothing = sum(kill.in_hand(seen) for kill in kills) + forfeit
    answers = Counter(each.status for each in seen)
    assert BUDGET - for_nothing <= answers[200] <= BUDGET, (for_nothing, answers)
    check_journals(places, [*at_once, *seen], kills)
    books = recorded(*places, user=ANOTHER)
    unwritten = sum(kill.unwritten(seen) for kill in kills) + forfeit
    assert BUDGET - unwritten <= books["charge"] + books["refund"] <= BUDGET
    assert books["overrun"] == 0


async def all_at_once(places: Sequence[Served], upstream: PlainUpstream, held: int) -> list[Asked]:
    """So many ask before anybody is answered, and nobody is answered by the upstream before all were decided."""
    async with crowd(places, REQUESTS) as them:
        them.send("/held", token(ALL))
        await until(lambda: upstream.waiting + len(them.seen) >= REQUESTS, "a decision for everybody")
        upstream.release.set()
        await them.all_ended()
    answers = Counter(each.status for each in them.seen)
    assert answers[200] + answers[429] == REQUESTS, answers
    others = sum(WORKERS) - 1  # any of which may be too busy to give back in time what it holds
    assert BUDGET - others * held <= answers[200] <= BUDGET, answers
    while answers[200] < BUDGET:  # it comes back, since nobody has died
        answers += await storm(places, BUDGET - answers[200], user=ALL, seen=them.seen)
    assert answers[200] == BUDGET
    return them.seen


async def whatever_dies(places: Sequence[Served], durable: RedisServer) -> tuple[list[Asked], list[Kill]]:
    """A worker, Redis and a gateway are killed while another budget is spent."""
    seen: list[Asked] = []
    enough = asyncio.Event()
    running = asyncio.get_running_loop().create_task(keep_asking(places, seen, enough))
    await until_spent(durable, 150)
    kills = [await kill_a_worker(places[0])]
    await until_spent(durable, 300)
    durable.stop()
    await asyncio.sleep(0.3)
    durable.start()
    await until_spent(durable, 450)
    await until_settled(places[2])
    kills.append(Kill(places[2], now_us()))
    await places[2].end(signal.SIGKILL)
    enough.set()
    await running
    return seen, kills


async def kill_a_worker(place: Served) -> Kill:
    victim, at_us = workers_of(place)[0], now_us()
    os.kill(victim, signal.SIGKILL)
    died = await place.until_logged("a worker died and is started again")
    return Kill(place, at_us, f"ledger-worker{died['worker']}")


async def until_spent(durable: RedisServer, units: int) -> None:
    async with asyncio.timeout(120):
        while spent(durable.client(), user=ANOTHER) < units:
            await asyncio.sleep(0.01)


async def until_settled(place: Served) -> None:
    """Wait until nothing that was cut off when Redis died waits to be cleared up or given back."""
    async with asyncio.timeout(60):
        while "weighbridge_ledger_unsettled 0.0" not in await (await place.ask("/-/metrics")).text():
            await asyncio.sleep(0.01)


async def keep_asking(places: Sequence[Served], seen: list[Asked], enough: asyncio.Event) -> None:
    """Send requests until it is ``enough``."""
    while not enough.is_set():
        await storm(places, 50, at_once=AT_ONCE, user=ANOTHER, seen=seen)


async def exhaust(places: Sequence[Served], seen: list[Asked]) -> None:
    """Send requests until a hundred of them are all refused."""
    async with asyncio.timeout(240):
        while (await storm(places, 100, at_once=AT_ONCE, user=ANOTHER, seen=seen))[429] < 100:
            pass


async def promised(place: Served) -> int:
    """What ``weighbridge check`` says that a gateway which dies takes with it."""
    argv = [str(PROGRAM), "check", "--config", str(place.config)]
    process = await asyncio.create_subprocess_exec(*argv, env=environment(), stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    found = re.search(rf"takes at most (\d+) of {BUDGET} units", said.decode())
    assert found
    assert int(found[1]) == largest_held(BUDGET)
    return int(found[1])
