"""A Redis that was started again may have come back older, and nothing in it says so but the run that it is in."""

import asyncio
import shutil
from collections.abc import AsyncIterator

import pytest

from gateway.core.cascade import Charge
from gateway.ledger.port import Page
from gateway.ledger.redis.ledger import RedisLedger
from tests.core.budgets import NOW, bill
from tests.ledger.redis.test_away import until_back
from tests.ledger.redis.test_bounds import until_answered
from tests.ledger.redis.world import USERS, Journal, ledger_at, left, paid
from tests.redis_server.relay import Relay
from tests.redis_server.server import RedisServer, own_redis

ALWAYS = ("--appendonly", "yes", "--appendfsync", "always")
EVERYSEC = ("--appendonly", "yes", "--appendfsync", "everysec")


def epoch(server: RedisServer) -> object:
    return server.client().get("t:epoch")


async def until_left(ledger: RedisLedger, units: int) -> None:
    async with asyncio.timeout(30):
        while ledger.failure is not None or await left(ledger) != [units]:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("options", [ALWAYS, EVERYSEC], ids=["always", "everysec"])
async def test_what_goes_back_stays_given_back_where_redis_writes_all_that_it_answers(options: tuple[str, ...]) -> None:
    """The journal of a gateway that saw more spent would take it again."""
    kept = Journal()
    with own_redis(*options) as server:
        async with ledger_at(server.url, kept=kept) as one, ledger_at(server.url) as two:
            charged = await paid(one, 40)
            kept.record(charged)
            await two.refund(charged, charged.costs, NOW)
            before = epoch(server)
            server.stop()
            server.start()
            await until_answered(one)
            exact = options == ALWAYS
            assert (epoch(server) == before, await left(one)) == (exact, [100 if exact else 60])


@pytest.mark.parametrize("long_there", [True, False])
async def test_a_replica_that_was_there_all_the_time_is_believed_when_it_takes_over(
    monkeypatch: pytest.MonkeyPatch, *, long_there: bool
) -> None:
    monkeypatch.setattr("gateway.ledger.redis.home._MARGIN_S", -3_600 if long_there else 3_600)
    kept = Journal()
    with own_redis() as primary, own_redis() as replica:
        front = Relay(primary.port)
        async with ledger_at(await front.start(), kept=kept) as ledger:
            kept.record(await paid(ledger, 40))
            replica.client().replicaof("127.0.0.1", primary.port)
            async with asyncio.timeout(30):
                while epoch(replica) is None or replica.client().info("replication")["master_link_status"] != "up":
                    await asyncio.sleep(0.01)
            before = epoch(primary)
            primary.stop()
            replica.client().replicaof("NO", "ONE")
            front.leads_to(replica.port)
            await until_answered(ledger)
            assert await left(ledger) == [60]
            assert (epoch(replica) == before) is long_there
        await front.stop()


async def test_nothing_is_charged_upon_an_old_memory_before_anybody_has_looked_at_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not even by whoever has not noticed that Redis was away: each call says in which run it was believed."""
    monkeypatch.setattr("gateway.ledger.redis.presence.WATCH_S", 3_600)
    kept = Journal()
    with own_redis() as server:
        async with ledger_at(server.url, kept=kept, gather_s=0.5) as ledger:
            kept.record(await paid(ledger, 10))
            server.client().save()
            kept.record(await paid(ledger, 90, id_="the rest"))
            server.stop()
            server.start()
            admitted = 0
            async with asyncio.timeout(30):
                while not ledger._presence.losses:
                    admitted += await is_paid(ledger)
                while ledger.failure is not None:
                    admitted += await is_paid(ledger)
                    await asyncio.sleep(0.01)
            assert (admitted, await is_paid(ledger), await left(ledger)) == (0, False, [0])


async def is_paid(ledger: RedisLedger) -> bool:
    outcomes = await asyncio.gather(ledger.charge(bill(1, USERS, id_="more"), NOW), return_exceptions=True)
    return isinstance(outcomes[0], Charge)


class Slow(Journal):
    """A journal that is brought when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.go = asyncio.Event(), asyncio.Event()

    async def pages(self) -> AsyncIterator[Page]:
        self.asked.set()
        await self.go.wait()
        yield list(self.states.items())


@pytest.mark.parametrize("options", [ALWAYS, EVERYSEC], ids=["always", "everysec"])
async def test_what_was_brought_in_the_last_second_of_a_redis_is_brought_again(options: tuple[str, ...]) -> None:
    """The marker of what is being filled was on the disk already, what was filled was not."""
    kept = Slow()
    kept.go.set()
    with own_redis(*options) as server:
        async with ledger_at(server.url, kept=kept) as ledger:
            kept.record(await paid(ledger, 100))
            kept.go.clear()
            kept.asked.clear()
            server.client().flushall()
        opening = asyncio.create_task(opened(server, kept))
        await kept.asked.wait()
        log = server.home / "appendonly.aof"
        if options == EVERYSEC:
            synced = shutil.copy(log, server.home / "synced")
        kept.go.set()
        async with asyncio.timeout(30):
            while not kept.epochs or not server.client().keys("t:*user*"):
                await asyncio.sleep(0.01)
        assert str(epoch(server)).startswith("b'!"), "it is not valid yet"
        server.stop()
        if options == EVERYSEC:
            shutil.copy(synced, log)
        server.start()
        await opening


async def opened(server: RedisServer, kept: Journal) -> None:
    async with ledger_at(server.url, kept=kept, gather_s=2.0) as ledger:
        await until_back(ledger)
        await until_left(ledger, 0)


async def test_a_connection_on_which_the_run_was_confirmed_is_not_asked_for_it_again(mortal: RedisServer) -> None:
    async with ledger_at(mortal.url) as ledger:
        await paid(ledger, 1)

        def looks() -> int:
            return int(mortal.client().info("commandstats")["cmdstat_info"]["calls"])

        looks()
        before = looks()
        for number in range(50):
            await paid(ledger, 1, id_=str(number))
        assert (looks() - before, ledger._quick.calls) == (1, 51), "but for this test's own"


async def test_an_old_backup_is_filled_once_its_marker_is_deleted() -> None:
    kept = Journal()
    with own_redis(*ALWAYS) as server:
        async with ledger_at(server.url, kept=kept) as ledger:
            kept.record(await paid(ledger, 10))
            old = shutil.copy(server.home / "appendonly.aof", server.home / "backup")
            kept.record(await paid(ledger, 90, id_="the rest"))
        server.stop()
        shutil.copy(old, server.home / "appendonly.aof")
        server.start()
        server.client().delete("t:epoch")
        async with ledger_at(server.url, kept=kept) as ledger:
            await until_left(ledger, 0)
