"""Late debits are made once, whoever asks for them and however often."""

import pytest

from gateway.core.cascade import Charge
from gateway.core.problems import StoreUnavailable
from gateway.core.scope import Scope
from gateway.ledger.port import Late
from tests.core.budgets import NOW, WORKSPACE, bill, default_of, per, plan
from tests.ledger.redis.test_away import until_back
from tests.ledger.redis.world import USERS, ledger_at, left, paid
from tests.redis_server.relay import Relay
from tests.redis_server.server import RedisServer

POOR = default_of(plan(per(3)), WORKSPACE)


async def test_a_late_debit_is_made_once_though_its_gateway_was_killed_before_it_wrote_that_down(
    mortal: RedisServer,
) -> None:
    asked = bill(7, POOR, USERS, id_="x")
    async with ledger_at(mortal.url) as killed:
        await paid(killed, 1)
        first = await killed.drain(asked, NOW, late=Late())
        assert first.scope == USERS.scope
    async with ledger_at(mortal.url) as next_one:
        await paid(next_one, 2, id_="between")
        assert await next_one.drain(asked, NOW, late=Late()) == first, "told as it was, and not done again"
        assert await left(next_one) == [90]
        assert await left(next_one, POOR) == [3]


async def test_what_is_written_down_need_not_be_remembered(mortal: RedisServer) -> None:
    async with ledger_at(mortal.url) as ledger:
        charges = [await ledger.drain(bill(1, USERS, id_=str(number)), NOW, late=Late()) for number in range(5)]
        kept = [key for key in mortal.client().scan_iter() if str(key).endswith("late'")]
        assert [mortal.client().hlen(key) for key in kept] == [5]
        await ledger.confirm(charges)
        assert not mortal.client().exists(*kept)
        assert await left(ledger) == [95]


async def test_what_is_kept_beside_a_scope_is_no_scope_whatever_ids_there_are(mortal: RedisServer) -> None:
    """Names of one shard differ by their ends only; of two of them one is the other's with what is kept beside it."""
    budget = plan(per(100))
    async with ledger_at(mortal.url) as ledger:
        names = ledger._quick._around.names
        await ledger.drain(bill(1, USERS), NOW, late=Late())
        await ledger.hold(bill(1, USERS, id_="hold"), NOW, deadline_us=NOW + 1, owner="me")
        beside = [key for key in mortal.client().scan_iter() if names.scope(USERS.scope) in key and b"epoch" not in key]
        assert len(beside) == 3, "the scope, what is kept of late debits, and what was answered just now"
        for key in set(beside) - {names.scope(USERS.scope)}:
            with pytest.raises(UnicodeDecodeError):
                key.decode("utf-8", "surrogatepass")
        for end in (":late", "\u00fflate", "late"):
            other = default_of(budget, Scope("user", f"{USERS.scope.id}{end}"))
            await paid(ledger, 1, other, id_=end)
            assert await left(ledger, other) == [99]


async def test_a_debt_is_written_to_redis_and_refuses_until_it_is_paid(mortal: RedisServer) -> None:
    async with ledger_at(mortal.url) as ledger:
        drained = await ledger.drain(bill(150, USERS), NOW, late=Late(debt=20))
        assert (drained.postings[0].amount, drained.overrun) == (120, {"throughput": 30})
        assert await left(ledger) == [0]
        await ledger.refund(drained, {"throughput": 15}, NOW)
        assert await left(ledger) == [0], "of twenty below zero"
        await ledger.refund(drained, {"throughput": 10}, NOW)
        assert (await ledger.refund(drained, {"throughput": 0}, NOW), await left(ledger)) == ((), [5])


async def test_a_charge_of_a_killed_gateway_whose_answer_was_lost_is_not_debited_again(mortal: RedisServer) -> None:
    relay = Relay(mortal.port)
    asked = bill(7, USERS, id_="x")
    async with ledger_at(await relay.start()) as killed:
        await paid(killed, 1)
        relay.deaf = True
        with pytest.raises(StoreUnavailable):
            await killed.charge(asked, NOW)
        doubt = killed.doubt(asked)
        assert doubt
        relay.deaf = False
        await until_back(killed)
    async with ledger_at(mortal.url) as next_one:
        assert await left(next_one) == [92]
        drained = await next_one.drain(asked, NOW, late=Late(doubt=doubt))
        assert isinstance(drained, Charge)
        assert (drained.costs, drained.overrun, await left(next_one)) == ({"throughput": 7}, {}, [92])
    await relay.stop()
