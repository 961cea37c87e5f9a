"""A Redis that goes away, comes back, forgets, refuses or is slow: each against a real server."""

import asyncio
import time

import pytest
import redis

from gateway.core.allowance import THROUGHPUT
from gateway.core.cascade import Charge, Refusal
from gateway.core.problems import StoreUnavailable
from gateway.ledger.port import Late
from gateway.ledger.redis.ledger import RedisLedger
from tests.core.budgets import HOUR, NOW, WORKSPACE, bill, default_of, per, plan
from tests.ledger.redis.world import USERS, Journal, ledger_at, left, paid
from tests.redis_server.relay import Relay
from tests.redis_server.server import RedisServer, own_redis

POOR = default_of(plan(per(1)), WORKSPACE)


def key_of(client: "redis.Redis") -> bytes:
    """The hash of the user's buckets."""
    names = [name if isinstance(name, bytes) else name.encode() for name in client.keys("t:*")]
    (key,) = [name for name in names if name.endswith(b"user:u1")]
    return key


async def until_back(ledger: RedisLedger) -> None:
    async with asyncio.timeout(30):
        while ledger.failure is not None:
            await asyncio.sleep(0.02)


async def until_away(ledger: RedisLedger) -> None:
    async with asyncio.timeout(30):
        while ledger.failure is None:
            await asyncio.sleep(0.02)


async def test_a_dead_redis_costs_no_time_and_comes_back_by_itself(mortal: RedisServer) -> None:
    async with ledger_at(mortal.url) as ledger:
        await paid(ledger, 1)
        mortal.stop()
        with pytest.raises(StoreUnavailable):
            await paid(ledger, 1)
        started = time.process_time()
        for _ in range(1000):
            with pytest.raises(StoreUnavailable):
                await paid(ledger, 1)
        assert time.process_time() - started < 5, "nobody tries to connect"
        mortal.start()
        await until_back(ledger)
        await paid(ledger, 1)


async def test_it_is_noticed_that_redis_is_away_when_nobody_asks(mortal: RedisServer) -> None:
    async with ledger_at(mortal.url) as ledger:
        mortal.stop()
        await until_away(ledger)


async def test_a_redis_that_lost_its_memory_is_filled_before_anything_is_admitted(mortal: RedisServer) -> None:
    journals = Journal(), Journal()
    async with ledger_at(mortal.url, kept=journals[0]) as one, ledger_at(mortal.url, kept=journals[1]) as two:
        journals[0].record(await paid(one, 10))
        journals[1].record(await paid(two, 25, now_us=NOW + 1))
        mortal.stop()
        mortal.start()
        refused = 0
        while True:
            try:
                assert await left(one, now_us=NOW + 2) in ([65], [90]), "never as if nothing had been spent"
                break
            except StoreUnavailable:
                refused += 1
                await asyncio.sleep(0.01)
        assert refused
        async with asyncio.timeout(30):
            while two.failure is not None or await left(one, now_us=NOW + 2) != [65]:
                await asyncio.sleep(0.01)


async def test_a_ledger_is_not_valid_before_everybody_had_time_to_bring_what_they_know(mortal: RedisServer) -> None:
    journals = Journal(), Journal()
    async with (
        ledger_at(mortal.url, kept=journals[0], gather_s=3) as one,
        ledger_at(mortal.url, kept=journals[1], gather_s=3) as two,
    ):
        journals[0].record(await paid(one, 10))
        journals[1].record(await paid(two, 25, now_us=NOW + 1))
        mortal.client().flushall()
        await asyncio.gather(until_away(one), until_away(two))
        await asyncio.gather(until_back(one), until_back(two))
        assert await left(one, now_us=NOW + 2) == [65]


async def test_a_gateway_that_was_stopped_brings_what_it_knows_when_it_starts(mortal: RedisServer) -> None:
    kept = Journal()
    async with ledger_at(mortal.url, kept=kept) as ledger:
        kept.record(await paid(ledger, 60))
    mortal.client().flushall()
    async with ledger_at(mortal.url) as other:
        assert await left(other) == [100], "nobody else knows"
        async with ledger_at(mortal.url, kept=kept) as again:
            assert await left(again) == [40]
            await paid(again, 1)
        async with ledger_at(mortal.url, kept=kept):
            assert await left(other) == [39], "what was told once is not told again"


async def test_scripts_that_were_forgotten_are_sent_again(mortal: RedisServer) -> None:
    async with ledger_at(mortal.url) as ledger:
        await paid(ledger, 1)
        mortal.client().script_flush()
        outcomes = await asyncio.gather(*(ledger.charge(bill(1, USERS, id_=str(n)), NOW) for n in range(20)))
        assert all(isinstance(outcome, Charge) for outcome in outcomes)
        assert await left(ledger) == [79]


async def test_an_answer_that_is_lost_is_asked_for_again_and_nobody_pays_twice(mortal: RedisServer) -> None:
    relay = Relay(mortal.port)
    async with ledger_at(await relay.start()) as ledger:
        await paid(ledger, 1)
        relay.deaf = True
        asked = asyncio.get_running_loop().create_task(ledger.charge(bill(1, POOR, USERS, id_="x"), NOW))
        while not relay.lost:
            await asyncio.sleep(0.001)
        relay.deaf = False
        outcome = await asked
        assert isinstance(outcome, Charge)
        assert outcome.scope == WORKSPACE
        assert (await left(ledger, POOR), await left(ledger)) == ([0], [99])
    await relay.stop()


async def test_what_stays_unknown_is_cleared_up_before_it_is_debited_late(mortal: RedisServer) -> None:
    relay = Relay(mortal.port)
    async with ledger_at(await relay.start()) as ledger:
        await paid(ledger, 1)
        relay.deaf = True
        with pytest.raises(StoreUnavailable):
            await ledger.charge(bill(7, USERS, id_="x"), NOW)
        assert (relay.lost >= 2, ledger.in_doubt) == (True, 1)
        relay.deaf = False
        await until_back(ledger)
        late = await ledger.drain(bill(7, USERS, id_="x"), NOW, late=Late())
        assert [posting.amount for posting in late.postings] == [7]
        assert (await left(ledger), ledger.in_doubt) == ([92], 0)
    await relay.stop()


async def test_what_nobody_wants_any_more_is_given_back(mortal: RedisServer) -> None:
    relay = Relay(mortal.port)
    async with ledger_at(await relay.start()) as ledger:
        await paid(ledger, 1)
        relay.deaf = True
        asked = bill(7, USERS, id_="x")
        with pytest.raises(StoreUnavailable):
            await ledger.charge(asked, NOW)
        ledger.call_off(asked)
        relay.deaf = False
        await until_back(ledger)
        ledger.tend(NOW, NOW)
        async with asyncio.timeout(20):
            while ledger.in_doubt:
                await asyncio.sleep(0.01)
        assert await left(ledger) == [99]
    await relay.stop()


async def test_a_caller_that_leaves_while_it_waits_has_not_paid(mortal: RedisServer) -> None:
    relay = Relay(mortal.port)
    async with ledger_at(await relay.start()) as ledger:
        await paid(ledger, 1)
        relay.open.clear()
        asked = asyncio.get_running_loop().create_task(ledger.charge(bill(7, USERS, id_="x"), NOW))
        async with asyncio.timeout(20):
            while int(mortal.client().info("commandstats")["cmdstat_evalsha"]["calls"]) < 2:
                await asyncio.sleep(0.01)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        relay.open.set()
        ledger.tend(NOW, NOW)
        async with asyncio.timeout(20):
            while ledger.in_doubt:
                await asyncio.sleep(0.01)
        assert await left(ledger) == [99]
    await relay.stop()


async def test_a_slow_redis_is_given_its_time_and_no_more(mortal: RedisServer) -> None:
    relay = Relay(mortal.port)
    async with ledger_at(await relay.start(), timeout_s=1.5) as ledger:
        await paid(ledger, 1)
        relay.open.clear()
        started = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await ledger.charge(bill(7, USERS, id_="x"), NOW)
        assert time.monotonic() - started < 20
        relay.open.set()
        await until_back(ledger)
        await ledger.drain(bill(7, USERS, id_="x"), NOW, late=Late())
        assert await left(ledger) == [92]
    await relay.stop()


async def test_a_full_redis_is_away_until_it_has_room(mortal: RedisServer) -> None:
    async with ledger_at(mortal.url) as ledger:
        await paid(ledger, 1)
        mortal.client().config_set("maxmemory", 1)
        with pytest.raises(StoreUnavailable):
            await paid(ledger, 1)
        assert ledger.failure == "OOM"
        mortal.client().config_set("maxmemory", 0)
        await until_back(ledger)
        assert await left(ledger) == [99]


async def test_a_replica_takes_no_charges(mortal: RedisServer) -> None:
    with own_redis() as other:
        async with ledger_at(mortal.url) as ledger:
            await paid(ledger, 1)
            client = mortal.client()
            client.config_set("replica-read-only", "yes")
            client.replicaof("127.0.0.1", other.port)
            with pytest.raises(StoreUnavailable):
                await paid(ledger, 1)
            client.replicaof("NO", "ONE")
            await until_back(ledger)


async def test_a_password_that_is_not_accepted_is_said_and_not_shown(mortal: RedisServer) -> None:
    async with ledger_at(mortal.url) as ledger:
        await paid(ledger, 1)
        mortal.client().config_set("requirepass", "geheim")
        async with ledger_at(mortal.url.replace("//", "//:falsch@")) as wrong:
            assert wrong.failure is not None
            assert "falsch" not in wrong.failure
        async with ledger_at(mortal.url.replace("//", "//:geheim@")) as right:
            assert await left(right) == [99]


async def test_one_scope_that_cannot_be_read_harms_nobody_else(mortal: RedisServer) -> None:
    async with ledger_at(mortal.url) as ledger:
        await paid(ledger, 1)
        client = mortal.client()
        key = key_of(client)
        ((field, _),) = client.hgetall(key).items()
        client.hset(key, field, "no bucket at all")
        broken, fine = await asyncio.gather(
            ledger.charge(bill(1, USERS), NOW), ledger.charge(bill(1, POOR), NOW), return_exceptions=True
        )
        assert isinstance(broken, StoreUnavailable)
        assert isinstance(fine, Charge)
        assert ledger.failure is None


async def test_a_hold_that_nobody_settles_is_given_back_whoever_asks_next(mortal: RedisServer) -> None:
    async with ledger_at(mortal.url) as one, ledger_at(mortal.url) as two:
        held = await one.hold(bill(60, USERS, id_="h"), NOW, deadline_us=NOW + 10, owner="one")
        assert isinstance(held, Charge)
        assert isinstance(await two.charge(bill(50, USERS), NOW + 9), Refusal)
        assert isinstance(await two.charge(bill(50, USERS), NOW + 10), Charge)
        assert (await one.settle(held, {THROUGHPUT: 5}, NOW + 11)).postings == ()
        assert await left(one, now_us=NOW + 11) == [50]


async def test_a_scope_is_forgotten_when_nothing_of_it_is_missing_any_more(mortal: RedisServer) -> None:
    async with ledger_at(mortal.url) as ledger:
        await paid(ledger, 1)
        client = mortal.client()
        key = key_of(client)
        assert 0 < client.pttl(key) <= (HOUR - NOW % HOUR) // 1000 + 60_000
        pack = default_of(plan(per(5), pack=True))
        await paid(ledger, 1, pack)
        assert client.pttl(key) == -1, "a pack is for ever"


async def test_a_connection_made_while_the_last_one_was_watched_is_watched_too(mortal: RedisServer) -> None:
    relay = Relay(mortal.port)
    loop = asyncio.get_running_loop()

    def begun(ledger: RedisLedger, id_: str) -> "asyncio.Future[object]":
        future: asyncio.Future[object] = loop.create_future()
        assert ledger.charge_soon(bill(1, USERS, id_=id_), NOW, future.set_result)
        return future

    async with ledger_at(await relay.start(), timeout_s=0.3) as ledger:
        await begun(ledger, "first")
        await asyncio.sleep(0.4)
        await begun(ledger, "this one is watched for 0.3 s")
        mortal.client().client_kill_filter(_type="normal", skipme=True)
        async with asyncio.timeout(5):
            while not ledger._quick._carrier.ready:
                await asyncio.sleep(0.01)
        relay.open.clear()
        waiting = [begun(ledger, f"waits {number}") for number in range(6)]
        async with asyncio.timeout(10):
            outcomes = await asyncio.gather(*waiting)
        assert all(isinstance(outcome, StoreUnavailable) for outcome in outcomes)
        relay.open.set()
        await until_back(ledger)
        assert isinstance(await begun(ledger, "afterwards"), Charge)
    await relay.stop()
