"""What passes while Redis is away is debited once when it is back, also if every gateway was killed meanwhile."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.gateways import gateways, recorded, spent, storm
from tests.e2e.plain_upstream import plain_upstream
from tests.e2e.served import Served, served
from tests.redis_server.server import RedisServer, own_redis

BUDGET = 50


@pytest.fixture
def durable() -> Iterator[RedisServer]:
    """A Redis that has written what it has answered."""
    with own_redis("--appendonly", "yes", "--appendfsync", "always") as server:
        yield server


async def until_debited(durable: RedisServer, units: int) -> None:
    async with asyncio.timeout(60):
        while spent(durable.client()) < units:
            await asyncio.sleep(0.05)


async def until_noticed(here: Served) -> None:
    """Wait until nobody asks Redis any more: what was asked and not answered is in doubt for 25 s, then it is free."""
    async with asyncio.timeout(60):
        while "on_store_failure applies" not in await (await here.ask("/-/health/ready")).text():
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(("mode", "debt"), [("exact", 0), ("leased", 0), ("exact", 7)])
async def test_a_gateway_that_is_killed_while_redis_is_away_owes_what_it_let_through(
    tmp_path: Path, durable: RedisServer, mode: str, debt: int
) -> None:
    async with plain_upstream() as upstream:
        async with gateways(tmp_path, 1, upstream.url, durable.url, budget=BUDGET, mode=mode, debt=debt) as (here,):
            assert (await storm([here], 10))[200] == 10
            durable.stop()
            await until_noticed(here)
            assert (await storm([here], 60))[200] == 60
            await asyncio.sleep(0.5)  # what it let through is on disk
            await here.end(signal.SIGKILL)
        durable.start()
        async with served(here.folder) as again:
            await until_debited(durable, BUDGET + debt)
            refused = await storm([again], 3)
            assert refused[429] == 3
            assert await again.end() == 0
        book = recorded(again)
        assert spent(durable.client()) == BUDGET + debt
        assert book["charge"] + book["drain"] == 70
        assert book["overrun"] == 70 - BUDGET - debt
        async with served(here.folder) as once_more:
            assert (await storm([once_more], 1))[429] == 1
            assert await once_more.end() == 0
        assert book["drain"] == recorded(once_more)["drain"], "once"
