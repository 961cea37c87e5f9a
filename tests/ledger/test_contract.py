"""What every ledger does. A new one joins ``LEDGERS``; the core is the oracle."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.allowance import THROUGHPUT, Allowance, Plan, resolve
from gateway.core.bucket import Bucket, LimitKey
from gateway.core.cascade import Bill, Charge, Refusal, charge, drain, standings_of
from gateway.core.refund import Settlement, refund, settle
from gateway.core.scope import Scope
from gateway.ledger.memory import MemoryLedger
from gateway.ledger.port import Ledger
from gateway.ledger.redis.open import open_redis
from tests.core.budgets import (
    DAY,
    HOUR,
    NOW,
    USER,
    WORKSPACE,
    Shop,
    allowance_of,
    bill,
    default_of,
    per,
    plan,
    plans,
    subscription,
)

USERS = default_of(plan(per(100)))
WORKSPACES = default_of(plan(per(30)), WORKSPACE)


async def nothing_kept(_scope: Scope) -> Mapping[LimitKey, Bucket]:
    await asyncio.sleep(0)
    return {}


async def in_memory(_redis: str) -> Ledger:
    return MemoryLedger()


async def restored(_redis: str) -> Ledger:
    return MemoryLedger(nothing_kept)


async def in_redis(redis: str) -> Ledger:
    return await open_redis(redis, prefix=f"contract-{os.getpid()}-{next(NUMBERS)}", now_us=None, gather_s=0)


async def leased(redis: str) -> Ledger:
    prefix = f"contract-{os.getpid()}-{next(NUMBERS)}"
    return await open_redis(redis, prefix=prefix, leased=True, now_us=None, gather_s=0)


NUMBERS = count()
EXACT: Mapping[str, Callable[[str], Awaitable[Ledger]]] = {
    "memory": in_memory,
    "restored": restored,
    "redis": in_redis,
}
LEDGERS = {**EXACT, "leased": leased}


@pytest.fixture(params=LEDGERS)
async def ledger(request: pytest.FixtureRequest, redis: str) -> AsyncIterator[Ledger]:
    made = await LEDGERS[request.param](redis)
    yield made
    await made.close()


async def left(ledger: Ledger, allowance: Allowance, now_us: int = NOW) -> list[int]:
    return [standing.left for standing in await ledger.standings(allowance, now_us)]


async def test_five_hundred_concurrent_requests_for_a_hundred_places_admit_a_hundred(ledger: Ledger) -> None:
    outcomes = await asyncio.gather(*(ledger.charge(bill(1, USERS, id_=str(n)), NOW) for n in range(500)))
    assert sum(isinstance(outcome, Charge) for outcome in outcomes) == 100
    assert await left(ledger, USERS) == [0]


async def test_concurrent_requests_fall_through_to_the_next_scope(ledger: Ledger) -> None:
    bills = [bill(1, WORKSPACES, USERS, id_=str(n)) for n in range(200)]
    outcomes = await asyncio.gather(*(ledger.charge(each, NOW) for each in bills))
    payers = [outcome.scope.kind for outcome in outcomes if isinstance(outcome, Charge)]
    assert (payers.count("workspace"), payers.count("user")) == (30, 100)


async def test_what_can_be_answered_without_waiting_is_the_same_answer(ledger: Ledger) -> None:
    await ledger.charge(bill(1, USERS), NOW)
    at_once = ledger.charge_now(bill(4, USERS), NOW)
    if at_once is not None:
        assert await left(ledger, USERS) == [95]


async def test_a_refused_request_costs_nothing_in_any_scope(ledger: Ledger) -> None:
    assert isinstance(await ledger.charge(bill(101, WORKSPACES, USERS), NOW), Refusal)
    assert (await left(ledger, WORKSPACES), await left(ledger, USERS)) == ([30], [100])


async def test_a_refund_goes_back_where_it_came_from(ledger: Ledger) -> None:
    charged = await ledger.charge(bill(40, WORKSPACES, USERS), NOW)
    assert isinstance(charged, Charge)
    postings = await ledger.refund(charged, {THROUGHPUT: 15}, NOW)
    assert [(posting.scope, posting.amount) for posting in postings] == [(USER, -15)]
    assert await left(ledger, USERS) == [75]
    assert await ledger.refund(charged, {THROUGHPUT: 15}, NOW + HOUR) == ()


async def test_what_was_delivered_is_debited_down_to_zero(ledger: Ledger) -> None:
    late = await ledger.drain(bill(130, WORKSPACES, USERS), NOW)
    assert (late.scope, late.overrun) == (WORKSPACE, {THROUGHPUT: 100})
    assert (await left(ledger, WORKSPACES), await left(ledger, USERS)) == ([0], [100])


async def hold(ledger: Ledger, cost: int, *, id_: str = "h") -> Charge:
    held = await ledger.hold(bill(cost, USERS, id_=id_), NOW, deadline_us=NOW + DAY, owner="me")
    assert isinstance(held, Charge)
    return held


async def test_a_hold_is_charged_at_once_and_settled_once(ledger: Ledger) -> None:
    held = await hold(ledger, 60)
    assert await left(ledger, USERS) == [40]
    assert [posting.amount for posting in (await ledger.settle(held, {THROUGHPUT: 25}, NOW)).postings] == [-35]
    assert (await ledger.settle(held, {THROUGHPUT: 5}, NOW)).postings == ()
    assert await ledger.release(held, NOW) == ()
    assert await left(ledger, USERS) == [75]


async def test_a_hold_settled_for_more_than_is_there_is_overrun(ledger: Ledger) -> None:
    final = await ledger.settle(await hold(ledger, 60), {THROUGHPUT: 130}, NOW)
    assert ([posting.amount for posting in final.postings], final.overrun) == ([40], {THROUGHPUT: 30})


async def test_a_hold_released_leaves_no_trace(ledger: Ledger) -> None:
    held = await hold(ledger, 60)
    assert [posting.amount for posting in await ledger.release(held, NOW)] == [-60]
    assert await ledger.release(held, NOW) == ()
    assert await left(ledger, USERS) == [100]


async def test_a_hold_that_cannot_be_paid_is_a_refusal(ledger: Ledger) -> None:
    outcome = await ledger.hold(bill(101, USERS), NOW, deadline_us=NOW + DAY, owner="me")
    assert isinstance(outcome, Refusal)
    assert await left(ledger, USERS) == [100]


async def test_concurrent_settlements_of_one_hold_settle_it_once(ledger: Ledger) -> None:
    held = await hold(ledger, 60)
    finals = await asyncio.gather(*(ledger.settle(held, {THROUGHPUT: 10}, NOW) for _ in range(10)))
    assert sum(len(final.postings) for final in finals) == 1
    assert await left(ledger, USERS) == [90]


async def test_a_plan_change_carries_over(ledger: Ledger) -> None:
    before = allowance_of(subscription("s", plan(per(10, DAY))))
    after = allowance_of(subscription("s", plan(per(50))))
    start = NOW - NOW % DAY
    await ledger.charge(bill(8, before), start)
    assert await left(ledger, after, start) == [42]
    await ledger.charge(bill(1, after), start)
    assert (await left(ledger, after, start), await left(ledger, before, start)) == ([41], [1])
    dropping = await ledger.charge(bill(1, after), start + DAY)
    assert isinstance(dropping, Charge)
    assert len(dropping.dropped) == 1
    assert await left(ledger, before, start + DAY) == [9]


Step = tuple[str, Plan, int, int]
steps: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(
        st.sampled_from(["charge", "charge", "charge", "drain", "refund", "hold", "settle", "release"]),
        st.shared(st.lists(plans(), min_size=1, max_size=2), key="sold").flatmap(st.sampled_from),
        st.integers(-70, 60),
        st.integers(0, 20),
    ),
    max_size=25,
)


@pytest.mark.parametrize("name", EXACT)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=steps)
def test_any_history_ends_as_the_core_says(name: str, redis: str, story: list[Step]) -> None:
    """Plans change, the clock steps both ways, and everything is done twice: by the ledger and by the core."""

    async def play() -> None:
        both = Both(await EXACT[name](redis))
        now = 1000
        try:
            for number, (act, sold, step, units) in enumerate(story):
                now += step
                await both.act(act, sold, units, now, str(number))
        finally:
            await both.ledger.close()

    asyncio.run(play())


class Both:
    """A ledger, and the core with a store of its own."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.oracle = Shop()
        self.charged: list[Charge] = []
        self.held: set[str] = set()

    async def act(self, act: str, sold: Plan, units: int, now: int, id_: str) -> None:
        mine, ours = resolve(USER, (subscription("s", sold),), None, now), default_of(sold, WORKSPACE)
        assert mine is not None
        asked = bill(units, ours, mine, id_=id_)
        if act in {"charge", "hold", "drain"}:
            await self.pay(act, asked, now)
        elif self.charged:
            last = self.charged[units % len(self.charged)]
            if act == "refund":
                await self.refund(last, {THROUGHPUT: units}, now)
            else:
                await self.finish(act, last, {THROUGHPUT: units}, now)
        for each in (ours, mine):
            assert await self.ledger.standings(each, now) == standings_of(each, self.oracle.buckets_of, now)

    async def pay(self, act: str, asked: Bill, now: int) -> None:
        outcome: Charge | Refusal
        if act == "drain":
            outcome, expected = await self.ledger.drain(asked, now), drain(asked, self.oracle.buckets_of, now)
            assert outcome == expected
        else:
            if act == "hold":
                outcome = await self.ledger.hold(asked, now, deadline_us=now + 10**6, owner="me")
            else:
                outcome = await self.ledger.charge(asked, now)
            assert outcome == charge(asked, self.oracle.buckets_of, now)
        if isinstance(outcome, Charge):
            self.oracle.keep(outcome.postings, outcome.dropped)
            self.charged.append(outcome)
            if act == "hold":
                self.held.add(outcome.id)

    async def refund(self, last: Charge, costs: Mapping[str, int], now: int) -> None:
        postings = await self.ledger.refund(last, costs, now)
        assert postings == refund(last, costs, self.oracle.buckets_of, now)
        self.oracle.keep(postings)

    async def finish(self, act: str, last: Charge, costs: Mapping[str, int], now: int) -> None:
        expected = Settlement((), {})
        if last.id in self.held:
            self.held.discard(last.id)
            expected = settle(last, costs if act == "settle" else {}, self.oracle.buckets_of, now)
        if act == "settle":
            assert await self.ledger.settle(last, costs, now) == expected
        else:
            assert await self.ledger.release(last, now) == expected.postings
        self.oracle.keep(expected.postings, expected.dropped)
