"""Late debits go on whatever happens, and what has begun is finished before anybody begins again."""

import asyncio
import contextlib

import pytest

from gateway.core.principal import Principal
from gateway.core.problems import StoreUnavailable
from gateway.core.profile import PROFILES
from gateway.core.rules import Rule, RuleTable
from gateway.metering.catalog import Catalog
from gateway.metering.meter import Meter
from gateway.metering.recorder import NoJournal, Recorder
from gateway.metering.snapshot import Snapshot
from gateway.metering.turns import Turns, debit_once, keep_debiting
from gateway.metering.visit import Visit
from gateway.metrics import Metrics
from tests.core.budgets import NOW
from tests.ledger.redis.world import ledger_at, left, paid
from tests.redis_server.fixtures import redis
from tests.redis_server.relay import Relay

__all__ = ["redis"]
RULE = Rule("GET", "/page", pays=("user",))
SNAPSHOT = Snapshot(NOW, PROFILES["strict"], RuleTable.compile([RULE], PROFILES["strict"]), Catalog({}, {}), ("user",))


async def cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_refund_that_is_under_way_when_the_gateway_stops_is_made_once(redis: str) -> None:
    relay = Relay(int(redis.rpartition(":")[2].partition("/")[0]))
    url = await relay.start()
    async with ledger_at(redis, prefix="turns") as other, ledger_at(url, prefix="turns") as ledger:
        charge = await paid(ledger, 10, id_="one")
        await paid(ledger, 50, id_="two")
        meter = Meter(ledger, Recorder(NoJournal(), Metrics()), lambda: False)
        visit = Visit("one", RULE, Principal("jwt", "u1", None, "192.0.2.7"), SNAPSHOT, NOW)
        meter._owed.append((visit, charge, NOW))  # Redis was away when it was to be given back
        await asyncio.gather(*(left(ledger) for _ in range(4)))  # connections enough: no new one is answered
        relay.open.clear()
        under_way = asyncio.create_task(meter.debit_late())
        async with asyncio.timeout(20):
            while await left(other) != [50]:
                await asyncio.sleep(0.01)
        await cancelled(under_way)
        relay.open.set()
        await meter.debit_late()
        assert await left(other) == [50]
        assert (visit.refunded, meter.unsettled) == (True, 0)
        await meter.stop()
    await relay.stop()


async def test_a_turn_is_finished_before_the_next_begins_and_ends_with_its_owner() -> None:
    begun, go_on, log = asyncio.Event(), asyncio.Event(), list[str]()

    async def act() -> None:
        log.append("begins")
        begun.set()
        await go_on.wait()
        log.append("ends")

    turns = Turns(act)
    first = asyncio.create_task(turns.take())
    await begun.wait()
    await cancelled(first)
    second = asyncio.create_task(turns.take())
    await asyncio.sleep(0)
    go_on.set()
    await second
    assert log == ["begins", "ends"] * 2
    go_on.clear()
    begun.clear()
    third = asyncio.create_task(turns.take())
    await begun.wait()
    await turns.close()
    with pytest.raises(asyncio.CancelledError):
        await third
    assert log[4:] == ["begins"]


async def test_whoever_takes_a_turn_is_told_how_it_failed() -> None:
    async def act() -> None:
        raise StoreUnavailable("away")

    with pytest.raises(StoreUnavailable, match="away"):
        await Turns(act).take()


async def test_late_debits_go_on_after_any_failure() -> None:
    failures, tried, well = [OSError("disk I/O error"), StoreUnavailable("away"), KeyError("odd")], 0, asyncio.Event()

    async def debit() -> None:
        nonlocal tried
        tried += 1
        if failures:
            raise failures.pop(0)
        well.set()

    await debit_once(debit)
    keeping = asyncio.create_task(keep_debiting(debit, 0))
    async with asyncio.timeout(20):
        await well.wait()
    await cancelled(keeping)
    assert tried >= 4
