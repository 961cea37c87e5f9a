"""A ledger that was lost is made again from what several journals know: nothing that was spent is there again."""

import asyncio
import os
from itertools import count

import pytest
import redis as client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.allowance import Allowance
from gateway.core.bucket import Refill
from gateway.core.cascade import Charge
from tests.core.budgets import DAY, NOW, bill, default_of, per, plan
from tests.ledger.redis.world import Journal, ledger_at, left

NUMBERS = count()
HUGE = 1_000_000
WINDOWS = default_of(plan(per(HUGE, DAY)))
TOKENS = default_of(plan(per(HUGE, 10_000 * DAY, Refill.CONTINUOUS)))
SECOND = 1_000_000
Story = list[tuple[int, int, int, bool]]


def lose_memory(url: str, prefix: str) -> None:
    with client.Redis.from_url(url) as server:
        for name in server.scan_iter(f"{prefix}:*"):
            server.delete(name)


async def rebuilt(url: str, prefix: str, journals: list[Journal], allowance: Allowance) -> int:
    """Lose everything, let every gateway bring its journal; what is left then."""
    lose_memory(url, prefix)
    for kept in journals:
        async with ledger_at(url, prefix=prefix, kept=kept):
            pass
    async with ledger_at(url, prefix=prefix) as ledger:
        (units,) = await left(ledger, allowance, NOW + 60 * SECOND)
        return units


@pytest.mark.parametrize("behind_us", [1, 900_000, 20_000_000])
async def test_the_state_that_has_seen_more_counts_though_its_clock_was_behind(redis: str, behind_us: int) -> None:
    prefix = f"rebuilt-{os.getpid()}-{next(NUMBERS)}"
    first, second = Journal(), Journal()
    async with ledger_at(redis, prefix=prefix) as one, ledger_at(redis, prefix=prefix) as two:
        for ledger, kept, cost, at_us in ((one, first, 10, NOW + behind_us), (two, second, 25, NOW)):
            outcome = await ledger.charge(bill(cost, WINDOWS), at_us)
            assert isinstance(outcome, Charge)
            kept.record(outcome)
    assert await rebuilt(redis, prefix, [first, second], WINDOWS) == HUGE - 35
    assert await rebuilt(redis, prefix, [second, first], WINDOWS) == HUGE - 35


async def test_what_was_given_back_long_before_is_not_taken_again(redis: str) -> None:
    prefix = f"rebuilt-{os.getpid()}-{next(NUMBERS)}"
    first, second = Journal(), Journal()
    async with ledger_at(redis, prefix=prefix) as one, ledger_at(redis, prefix=prefix) as two:
        charged = await one.charge(bill(40, WINDOWS), NOW - 100 * SECOND)
        assert isinstance(charged, Charge)
        first.record(charged)
        await two.refund(charged, charged.costs, NOW - 99 * SECOND)
        later = await two.charge(bill(1, WINDOWS), NOW)
        assert isinstance(later, Charge)
        second.record(later)
    assert await rebuilt(redis, prefix, [first, second], WINDOWS) == HUGE - 1


steps = st.tuples(st.integers(0, 2), st.integers(1, 50), st.integers(-SECOND, SECOND), st.booleans())


@pytest.mark.parametrize("allowance", [WINDOWS, TOKENS], ids=["windows", "tokens"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps, min_size=2, max_size=12))
def test_never_less_than_was_spent_and_at_most_what_was_given_back_is_spent_too(
    redis: str, allowance: Allowance, story: Story
) -> None:
    asyncio.run(play(redis, allowance, story))


async def play(redis: str, allowance: Allowance, story: Story) -> None:
    """Three gateways, whose clocks are up to a second off."""
    prefix = f"rebuilt-{os.getpid()}-{next(NUMBERS)}"
    journals = [Journal() for _ in range(3)]
    given_back = 0
    async with (
        ledger_at(redis, prefix=prefix) as one,
        ledger_at(redis, prefix=prefix) as two,
        ledger_at(redis, prefix=prefix) as three,
    ):
        for number, (which, cost, off_us, goes_back) in enumerate(story):
            ledger, at_us = (one, two, three)[which], NOW + number * 100_000 + off_us
            outcome = await ledger.charge(bill(cost, allowance, id_=str(number)), at_us)
            assert isinstance(outcome, Charge)
            journals[which].record(outcome)
            if goes_back:
                for posting in await ledger.refund(outcome, outcome.costs, at_us):
                    journals[which].states[posting.scope][posting.limit] = posting.after
                given_back += cost
        (before,) = await left(one, allowance, NOW + 60 * SECOND)
    after = await rebuilt(redis, prefix, journals, allowance)
    assert before - given_back - 1 <= after <= before
