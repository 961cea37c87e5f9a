"""Plain debits go together: what waits when the event loop turns is one call, and everybody hears his own outcome."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from gateway.core.bucket import Refill
from gateway.core.cascade import Bill, Charge, Refusal
from gateway.core.problems import StoreUnavailable
from gateway.core.scope import Scope
from gateway.ledger.redis.ledger import RedisLedger
from tests.core.budgets import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    WORKSPACE,
    allowance_of,
    bill,
    default_of,
    per,
    plan,
    subscription,
)
from tests.ledger.redis.test_away import until_back
from tests.ledger.redis.world import USERS, ledger_at, left, paid
from tests.redis_server.relay import Relay
from tests.redis_server.server import RedisServer

POOR = default_of(plan(per(3)), WORKSPACE)
TWO = default_of(plan(per(5, MINUTE), per(40, DAY)), Scope("user", "two"))
FLOWING = default_of(plan(per(4, HOUR, Refill.CONTINUOUS, burst=6)), Scope("user", "flowing"))
Outcome = Charge | Refusal | StoreUnavailable


async def all_told(ledger: RedisLedger, bills: Sequence[Bill]) -> list[Outcome]:
    """Begin them in one turn of the loop; what each was told, in their order."""
    loop = asyncio.get_running_loop()
    futures: list[asyncio.Future[Outcome]] = [loop.create_future() for _ in bills]
    for each, future in zip(bills, futures, strict=True):
        assert ledger.charge_soon(each, NOW, future.set_result)
        assert not future.done(), "never before the call has returned"
    return await asyncio.gather(*futures)


def payers(outcomes: Sequence[Outcome]) -> list[str]:
    return [outcome.scope.kind if isinstance(outcome, Charge) else type(outcome).__name__ for outcome in outcomes]


async def test_what_waits_when_the_loop_turns_is_one_call_and_a_cascade_is_in_it(redis: str) -> None:
    async with ledger_at(redis, prefix="quick-one") as ledger:
        await paid(ledger, 1, id_="warm")
        before = ledger._quick.calls
        outcomes = await all_told(ledger, [bill(1, POOR, USERS, id_=str(number)) for number in range(110)])
        assert payers(outcomes) == ["workspace"] * 3 + ["user"] * 99 + ["Refusal"] * 8
        assert ledger._quick.calls == before + 1


async def test_several_limits_and_token_buckets_are_plain_too(redis: str) -> None:
    async with ledger_at(redis, prefix="quick-two") as ledger:
        await paid(ledger, 1, id_="warm")
        bills = [bill(2, each, id_=f"{each.scope.id}{number}") for each in (TWO, FLOWING) for number in range(4)]
        outcomes = await all_told(ledger, bills)
        assert payers(outcomes) == [*["user"] * 2, *["Refusal"] * 2, *["user"] * 3, "Refusal"]
        assert (ledger._quick.calls, ledger._quick.debits) == (2, 9)
        assert await left(ledger, TWO) == [1, 36]
        assert await left(ledger, FLOWING) == [0]


async def test_what_is_not_plain_is_asked_for_in_another_way(redis: str) -> None:
    old = allowance_of(subscription("s", plan(per(10), slug="old")))
    new = allowance_of(subscription("s", plan(per(20, DAY), slug="new")))
    async with ledger_at(redis, prefix="quick-odd") as ledger:
        await paid(ledger, 4, old, id_="old")
        replaced, packs = await all_told(
            ledger, [bill(1, new, id_="new"), bill({"throughput": 1, "tokens": 1}, USERS, id_="two meters")]
        )
        assert isinstance(replaced, Charge)
        assert replaced.standings[0].left == 15, "what was used of the replaced plan counts"
        assert isinstance(packs, Refusal)
        await ledger.hold(bill(5, USERS, id_="h"), NOW, deadline_us=NOW + MINUTE, owner="me")
        (beside,) = await all_told(ledger, [bill(1, USERS, id_="beside")])
        assert isinstance(beside, Charge)
        assert await left(ledger) == [100 - 5 - 5 - 1], "the old plan's hour, what is held, and what came beside it"


async def test_an_answer_to_many_that_is_lost_is_asked_for_again(mortal: RedisServer) -> None:
    relay = Relay(mortal.port)
    async with ledger_at(await relay.start()) as ledger:
        await paid(ledger, 1, id_="warm")
        relay.deaf = True
        going = asyncio.get_running_loop().create_task(
            all_told(ledger, [bill(1, USERS, id_=str(number)) for number in range(20)])
        )
        while not relay.lost:
            await asyncio.sleep(0.001)
        relay.deaf = False
        assert payers(await going) == ["user"] * 20
        assert await left(ledger) == [79], "and nobody has paid twice"
    await relay.stop()


async def test_many_in_doubt_are_cleared_up_by_one_question(mortal: RedisServer) -> None:
    relay = Relay(mortal.port)
    async with ledger_at(await relay.start()) as ledger:
        await paid(ledger, 1, id_="warm")
        relay.deaf = True
        bills = [bill(1, USERS, id_=str(number)) for number in range(20)]
        assert payers(await all_told(ledger, bills)) == ["StoreUnavailable"] * 20
        assert ledger.in_doubt == 20
        relay.deaf = False
        await until_back(ledger)
        outcomes = [await ledger.charge(each, NOW) for each in bills]
        assert payers(outcomes) == ["user"] * 20
        assert (await left(ledger), ledger.in_doubt) == ([79], 0)
        batches = {bytes(key) for key in mortal.client().scan_iter("t:epoch:*") if isinstance(key, bytes)}
        assert len(batches) == 2, "the first debit, and all others"
    await relay.stop()


async def test_a_gateway_that_stops_tells_those_who_wait(redis: str) -> None:
    told: list[Outcome] = []
    async with ledger_at(redis, prefix="quick-stop") as ledger:
        await paid(ledger, 1, id_="warm")
        ledger.charge_soon(bill(1, USERS, id_="late"), NOW, told.append)
    assert payers(told) == ["StoreUnavailable"]


@pytest.mark.parametrize("gone", ["SCRIPT FLUSH", "CLIENT KILL TYPE normal"])
async def test_a_connection_or_a_script_that_is_gone_is_brought_back(mortal: RedisServer, gone: str) -> None:
    async with ledger_at(mortal.url) as ledger:
        await paid(ledger, 1, id_="warm")
        server: Any = mortal.client()
        server.execute_command(*gone.split())
        for number in range(5):
            await paid(ledger, 1, id_=str(number))
        async with asyncio.timeout(30):
            while not ledger._quick._carrier.ready:
                await asyncio.sleep(0.01)
        assert await left(ledger) == [94]
