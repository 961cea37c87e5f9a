"""Random histories, in Redis and in the core, with numbers as large as a plan may have them."""

import asyncio
import os
from collections.abc import Mapping
from datetime import UTC, timedelta, timezone
from itertools import count
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.allowance import THROUGHPUT, Allowance, Plan, PlanLimit, Subscription, resolve
from gateway.core.bucket import Anchor, Calendar, Refill
from gateway.core.cascade import Charge, charge, drain, standings_of
from gateway.core.late import drain_late
from gateway.core.refund import refund
from gateway.ledger.port import Late
from tests.core.budgets import USER, WORKSPACE, Shop, bill, default_of, plans, subscriptions
from tests.ledger.redis.world import ledger_at

METERS = (THROUGHPUT, "tokens")
DAY = 86_400_000_000
NOW = 1_700_000_000_000_000
NUMBERS = count()
large = st.integers(1, 10**12) | st.integers(1, 50) | st.just(10**12)
zones = st.sampled_from([UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("America/Sao_Paulo"), timezone(timedelta(hours=5))])
anchors: st.SearchStrategy[Anchor | str | None] = st.one_of(
    st.none(), st.just("subscription"), st.builds(Calendar, st.sampled_from(["day", "month"]), zones)
)


@st.composite
def large_limits(draw: st.DrawFn) -> PlanLimit:
    return PlanLimit(
        draw(st.sampled_from(METERS)),
        draw(large),
        draw(st.sampled_from([1_000_000, 60_000_000, 3_600_000_000, DAY, 31 * DAY])),
        draw(st.sampled_from([Refill.INTERVAL, Refill.CONTINUOUS])),
        draw(anchors),
        draw(st.just(0) | large),
    )


@st.composite
def large_plans(draw: st.DrawFn) -> Plan:
    written = draw(st.lists(large_limits(), min_size=1, max_size=3))
    return Plan("p", "P", tuple(written), pack=draw(st.sampled_from([False, False, True])))


@st.composite
def bought(draw: st.DrawFn) -> tuple[Subscription, ...]:
    made = []
    for number in range(draw(st.integers(1, 3))):
        ends = draw(st.none() | st.integers(NOW + 1, NOW + 40 * DAY))
        made.append(
            Subscription(f"s'{number}\"", draw(large_plans()), USER, NOW - draw(st.integers(0, 40 * DAY)), ends)
        )
    return tuple(made)


waits = st.integers(-2_000_000, 10_000_000) | st.integers(0, 3 * DAY) | st.just(0)
acts = st.sampled_from(["charge", "charge", "charge", "drain", "late", "refund"])
large_story = st.lists(
    st.tuples(acts, waits, st.dictionaries(st.sampled_from(METERS), st.just(0) | large, min_size=1)), max_size=12
)
small_story = st.lists(
    st.tuples(acts, st.integers(-20, 40), st.dictionaries(st.sampled_from(METERS), st.integers(0, 30), min_size=1)),
    max_size=20,
)
Story = list[tuple[str, int, dict[str, int]]]


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bought(), st.none() | large_plans(), large_story)
def test_large_numbers_and_calendars_end_as_the_core_says(
    redis: str, held: tuple[Subscription, ...], workspace: Plan | None, story: Story
) -> None:
    asyncio.run(play(redis, held, workspace, story, NOW))


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(subscriptions(METERS), st.none() | plans(METERS), small_story)
def test_many_purses_burn_as_the_core_says(
    redis: str, held: tuple[Subscription, ...], workspace: Plan | None, story: Story
) -> None:
    asyncio.run(play(redis, held, workspace, story, 100))


async def play(redis: str, held: tuple[Subscription, ...], workspace: Plan | None, story: Story, now: int) -> None:
    """Do everything twice; what was told and what is left must be the same."""
    shop, charged = Shop(), list[Charge]()
    async with ledger_at(redis, prefix=f"laws-{os.getpid()}-{next(NUMBERS)}") as ledger:
        for number, (act, wait, costs) in enumerate(story):
            now += wait
            asked = bill(costs, *allowances(held, workspace, now), id_=str(number))
            outcome: object
            expected: object
            if act == "refund":
                if charged:
                    last = charged[number % len(charged)]
                    returned = await ledger.refund(last, less(costs, last.costs), now)
                    assert returned == refund(last, less(costs, last.costs), shop.buckets_of, now)
                    shop.keep(returned)
                continue
            if act == "charge":
                outcome, expected = await ledger.charge(asked, now), charge(asked, shop.buckets_of, now)
            else:
                late = Late(number % 3) if act == "late" else None
                at = now - 5_000_000 if late and now > 10**9 else now
                outcome = await ledger.drain(asked, at, late=late)
                if late is None:
                    expected = drain(asked, shop.buckets_of, at)
                else:
                    expected = drain_late(asked, shop.buckets_of, at, late.debt)
            assert outcome == expected
            if isinstance(outcome, Charge):
                shop.keep(outcome.postings, outcome.dropped)
                charged.append(outcome)
            for each in asked.allowances:
                assert await ledger.standings(each, now) == standings_of(each, shop.buckets_of, now)


def allowances(held: tuple[Subscription, ...], workspace: Plan | None, now: int) -> tuple[Allowance, ...]:
    mine = resolve(USER, held, None, now)
    ours = None if workspace is None else default_of(workspace, WORKSPACE)
    return tuple(each for each in (ours, mine) if each is not None)


def less(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {meter: min(units, other.get(meter, 0)) for meter, units in one.items()}
