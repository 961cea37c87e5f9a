"""What budgets are off by when Redis forgets something, measured, against what ``weighbridge check`` prints.

Each test makes happen what a bound names, counts what was admitted too much or refused too early, and compares it with
the formula of that bound. None is zero: a test that measured nothing would prove nothing.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from gateway.core.allowance import Allowance
from gateway.core.cascade import Charge
from gateway.core.problems import StoreUnavailable
from gateway.ledger.bounds import Bound, bounds
from gateway.ledger.redis.ledger import RedisLedger
from tests.core.budgets import DAY, NOW, bill, default_of, per, plan
from tests.ledger.redis.test_away import until_back
from tests.ledger.redis.world import Journal, ledger_at
from tests.redis_server.relay import Relay
from tests.redis_server.server import RedisServer, own_redis
from tests.redis_server.topologies import until

BUDGET = 100
USERS: Allowance = default_of(plan(per(BUDGET, DAY)))


def printed(event: str) -> Bound:
    """The bound of an event."""
    (found,) = [each for each in bounds(leased=False, policies=[]) if each.event == event]
    return found


class Spending:
    """Somebody who spends a budget, a unit at a time, and counts."""

    def __init__(self) -> None:
        self.admitted = 0

    async def spend(self, ledger: RedisLedger, units: int, kept: Journal | None = None) -> int:
        """Charge so often; how many were admitted."""
        before = self.admitted
        for _ in range(units):
            outcome = await ledger.charge(bill(1, USERS, id_=str(self.admitted)), NOW)
            if isinstance(outcome, Charge):
                self.admitted += 1
                if kept is not None:
                    kept.record(outcome)
        return self.admitted - before

    async def spend_all(self, ledger: RedisLedger) -> None:
        """Charge until nothing is left."""
        while await self.spend(ledger, 1):
            pass

    @property
    def too_much(self) -> int:
        """What was admitted beyond the budget; below 0: refused too early."""
        return self.admitted - BUDGET


async def until_answered(ledger: RedisLedger) -> None:
    """Wait until Redis is asked again."""
    await until_back(ledger)
    async with asyncio.timeout(30):
        while True:
            try:
                await ledger.standings(USERS, NOW)
            except StoreUnavailable:
                await asyncio.sleep(0.01)
            else:
                return


@asynccontextmanager
async def lagging(primary: RedisServer, replica: RedisServer) -> AsyncIterator[Relay]:
    """A replica that hears its primary through a relay, which can hold back what it says."""
    relay = Relay(primary.port)
    await relay.start()
    replica.client().replicaof("127.0.0.1", relay.port)
    await asyncio.to_thread(until, lambda: replica.client().info("replication")["master_link_status"] == "up")
    try:
        yield relay
    finally:
        await relay.stop()


async def test_a_fail_over_forgets_what_was_charged_within_the_replication_lag_and_no_more() -> None:
    assert printed("Redis fails over to a replica")[1:] == ("0", "what was charged within the replication lag")
    spending = Spending()
    with own_redis() as primary, own_redis() as replica:
        front = Relay(primary.port)
        async with lagging(primary, replica) as lag, ledger_at(await front.start()) as ledger:
            await spending.spend(ledger, 30)
            await asyncio.to_thread(primary.client().wait, 1, 30_000)
            lag.open.clear()
            within_the_lag = await spending.spend(ledger, 25)
            primary.stop()
            replica.client().replicaof("NO", "ONE")
            front.leads_to(replica.port)
            await until_answered(ledger)
            await spending.spend_all(ledger)
        await front.stop()
    assert spending.too_much == within_the_lag == 25


@pytest.fixture
def durable() -> Iterator[RedisServer]:
    """A Redis that writes what it has answered, and syncs it each second."""
    with own_redis("--appendonly", "yes", "--appendfsync", "everysec") as server:
        yield server


@pytest.mark.parametrize("comes_back", [True, False])
async def test_a_power_cut_forgets_what_the_disk_did_not_have_yet_and_no_journal_brings(
    durable: RedisServer, *, comes_back: bool
) -> None:
    event = "Redis restarts with appendfsync everysec, and a gateway never comes back"
    assert printed(event).admitted_too_much == "what only that gateway charged in the last second of Redis"
    spending, kept = Spending(), Journal()
    async with ledger_at(durable.url, kept=kept) as ledger:
        await spending.spend(ledger, 30, kept)
        log = durable.home / "appendonly.aof"
        synced = shutil.copy(log, durable.home / "synced")  # what a sync just now leaves on the disk
        in_the_last_second = await spending.spend(ledger, 20, kept if comes_back else None)
        durable.stop()
        shutil.copy(synced, log)
        durable.start()
        await until_answered(ledger)
        await spending.spend_all(ledger)
    assert in_the_last_second == 20
    assert spending.too_much == (0 if comes_back else 20)


@pytest.mark.parametrize("comes_back", [True, False])
async def test_a_snapshot_forgets_what_was_charged_since_and_no_journal_brings(*, comes_back: bool) -> None:
    event = "Redis restarts from a snapshot (RDB) without AOF, and a gateway never comes back"
    assert printed(event).admitted_too_much == "what only that gateway charged since that snapshot"
    spending, kept = Spending(), Journal()
    with own_redis() as server:
        async with ledger_at(server.url, kept=kept) as ledger:
            await spending.spend(ledger, 30, kept)
            server.client().save()
            since = await spending.spend(ledger, 25, kept if comes_back else None)
            server.stop()
            server.start()
            await until_answered(ledger)
            await spending.spend_all(ledger)
    assert since == 25
    assert spending.too_much == (0 if comes_back else 25)


async def test_an_empty_redis_forgets_what_killed_gateways_had_not_written_and_no_more(mortal: RedisServer) -> None:
    event = "Redis comes back empty, and every gateway brings its journal"
    assert printed(event).admitted_too_much == "what was charged in the last 100 ms of gateways that were killed"
    spending, first, second = Spending(), Journal(), Journal()
    async with ledger_at(mortal.url, kept=first) as one, ledger_at(mortal.url, kept=second) as two:
        await spending.spend(one, 20, first)
        await spending.spend(two, 20, second)
        unwritten = await spending.spend(two, 15)
    mortal.client().flushall()
    async with ledger_at(mortal.url, kept=first) as one, ledger_at(mortal.url, kept=second):
        await spending.spend_all(one)
    assert spending.too_much == unwritten == 15


async def test_without_one_gateways_journal_what_only_that_one_charged_is_forgotten(mortal: RedisServer) -> None:
    event = "Redis comes back empty, and a gateway never comes back"
    assert printed(event)[1:] == ("0", "what only that gateway charged since anybody else charged the scope")
    spending, kept = Spending(), Journal()
    async with ledger_at(mortal.url, kept=kept) as one, ledger_at(mortal.url, kept=Journal()) as never_back:
        await spending.spend(never_back, 10)
        await spending.spend(one, 20, kept)
        since = await spending.spend(never_back, 12)
    mortal.client().flushall()
    async with ledger_at(mortal.url, kept=kept) as one:
        await spending.spend_all(one)
    assert spending.too_much == since == 12


async def test_what_was_given_back_just_before_is_refused_too_early_after_a_rebuilding(mortal: RedisServer) -> None:
    event = "Redis comes back empty, and every gateway brings its journal"
    assert printed(event).refused_early == "what was given back within 30 s of a budget's last charge, or since"
    spending, first, second = Spending(), Journal(), Journal()
    async with ledger_at(mortal.url, kept=first) as one, ledger_at(mortal.url, kept=second) as two:
        charged = await one.charge(bill(8, USERS, id_="goes back"), NOW)
        assert isinstance(charged, Charge)
        first.record(charged)
        for posting in await two.refund(charged, charged.costs, NOW):
            second.states.setdefault(posting.scope, {})[posting.limit] = posting.after
    mortal.client().flushall()
    async with ledger_at(mortal.url, kept=first) as one, ledger_at(mortal.url, kept=second):
        await spending.spend_all(one)
    assert spending.too_much == -8
