"""A worker, a whole gateway and Redis are killed while a budget is spent, and the totals still add up."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from gateway.ledger.bounds import largest_held
from tests.e2e.gateways import gateways, recorded, spent, storm, workers_of
from tests.e2e.plain_upstream import plain_upstream
from tests.e2e.served import Served
from tests.redis_server.server import RedisServer, own_redis

BUDGET = 1_000
AT_ONCE = 24
IN_HAND = 2 * AT_ONCE
"""What a worker and a gateway that are killed can have charged and not answered, or answered and not written down."""
DEAD = 3
"""Processes that die with slices in hand: a worker, and the two of a gateway."""


@pytest.fixture
def durable() -> Iterator[RedisServer]:
    """A Redis that has written what it has answered."""
    with own_redis("--appendonly", "yes", "--appendfsync", "always") as server:
        yield server


async def until_spent(durable: RedisServer, units: int) -> None:
    async with asyncio.timeout(120):
        while spent(durable.client()) < units:
            await asyncio.sleep(0.01)


async def keep_asking(places: Sequence[Served], enough: asyncio.Event) -> Counter[int]:
    """Send requests until it is ``enough``."""
    answers: Counter[int] = Counter()
    while not enough.is_set():
        answers += await storm(places, 50, at_once=AT_ONCE)
    return answers


async def exhaust(places: Sequence[Served]) -> Counter[int]:
    """Send requests until a hundred of them are all refused."""
    answers: Counter[int] = Counter()
    async with asyncio.timeout(240):
        while (last := await storm(places, 100, at_once=AT_ONCE))[429] < 100:
            answers += last
    return answers


@pytest.mark.parametrize("mode", ["exact", "leased"])
async def test_the_totals_add_up_though_a_worker_a_gateway_and_redis_die(
    tmp_path: Path, durable: RedisServer, mode: str
) -> None:
    more = "workers: 2\non_store_failure: closed\n"
    async with (
        plain_upstream() as upstream,
        gateways(tmp_path, 2, upstream.url, durable.url, budget=BUDGET, mode=mode, more=more) as (one, two),
    ):
        enough = asyncio.Event()
        running = asyncio.get_running_loop().create_task(keep_asking([one, two], enough))
        await until_spent(durable, 150)
        os.kill(workers_of(one)[0], signal.SIGKILL)
        await until_spent(durable, 300)
        durable.stop()
        await asyncio.sleep(0.3)
        durable.start()
        await until_spent(durable, 400)
        await two.end(signal.SIGKILL)
        enough.set()
        answers = await running
        answers += await exhaust([one])
        in_redis = spent(durable.client())
        assert await one.end() == 0
        in_redis = max(in_redis, spent(durable.client()))
    books = [recorded(place) for place in (one, two)]
    written = sum(book["charge"] + book["refund"] for book in books)
    lost = DEAD * largest_held(BUDGET) if mode == "leased" else 0
    assert BUDGET - lost - IN_HAND <= answers[200] <= BUDGET, (
        "never more than there was, and at least what was promised"
    )
    assert in_redis == BUDGET
    assert written <= in_redis
    assert answers[200] - IN_HAND <= written, "each of its requests is written down, but for what died in hand"
    assert in_redis - written <= lost + IN_HAND
    assert sum(book["overrun"] for book in books) == 0
