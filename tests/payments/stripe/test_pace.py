"""How often Stripe is asked: by a clock that stands still while nobody sleeps."""

import asyncio
from bisect import bisect_right

import pytest

from gateway.demo.stripe.server import Fault
from gateway.payments.attended import unattended
from gateway.payments.port import Busy, ProviderError
from gateway.payments.stripe.client import Access
from gateway.payments.stripe.pace import Pace
from tests.payments.stripe.hours import Hours
from tests.payments.stripe.world import ALICE, sale

SECOND = 1_000_000
RATE = 20


class Street:
    """Who had a turn, and when."""

    def __init__(self, per_second: float = RATE) -> None:
        self.hours = Hours()
        self.pace = Pace(per_second, now_us=self.hours.read, sleep=self.hours.sleep)
        self.customers: list[int] = []
        self.others: list[int] = []

    async def nobody_waits(self) -> None:
        with unattended():
            await self.pace.turn()
        self.others.append(self.hours.now_us)

    async def somebody_waits(self) -> None:
        await self.pace.turn()
        self.customers.append(self.hours.now_us)

    async def checkout(self, at_s: float, calls: int = 6) -> int:
        """Someone who buys; how long all the turns for it took."""
        await self.hours.sleep(at_s)
        before_us = self.hours.now_us
        for _ in range(calls):
            await self.somebody_waits()
        return self.hours.now_us - before_us


async def test_however_many_webhooks_come_at_once_a_customer_is_served_meanwhile() -> None:
    street = Street()
    flood = [street.nobody_waits() for _ in range(600)]
    *_, took_us = await street.hours.pass_until_done(*flood, street.checkout(3.01))
    (alone_us,) = await (alone := Street()).hours.pass_until_done(alone.checkout(3.01))
    assert took_us == alone_us, "as long as if there were no flood"
    assert len(street.others) == 600, "and the flood is served in the end"
    assert street.others[-1] - street.others[0] <= 606 / RATE * SECOND, "as fast as Stripe bears"


async def test_in_no_second_more_is_asked_than_stripe_bears() -> None:
    street = Street()
    doing = [street.nobody_waits() for _ in range(300)] + [street.checkout(at_s / 4, 4) for at_s in range(40)]
    await street.hours.pass_until_done(*doing)
    turns = sorted(street.customers + street.others)
    assert len(turns) == 460
    most = max(bisect_right(turns, at_us + SECOND - 1) - number for number, at_us in enumerate(turns))
    assert most <= 25, "the sandbox's limit"


async def test_customers_leave_a_quarter_to_what_grants_them_what_they_have_paid_for() -> None:
    street = Street()
    begun_us = street.hours.now_us
    crowd = [street.checkout(second / 10, 10) for second in range(300)]
    await street.hours.pass_until_done(*crowd, *(street.nobody_waits() for _ in range(400)))
    in_time = bisect_right(street.others, begun_us + 30 * SECOND)
    assert 0.24 * RATE * 30 <= in_time < 0.4 * RATE * 30
    assert bisect_right(street.customers, begun_us + 30 * SECOND) >= 0.7 * RATE * 30


async def test_nobody_waits_for_long_and_who_would_is_told_at_once() -> None:
    street = Street()
    begun_us = street.hours.now_us
    outcomes = await street.hours.pass_until_done(*(street.somebody_waits() for _ in range(200)))
    told = [each for each in outcomes if isinstance(each, Busy)]
    assert len(told) + len(street.customers) == 200
    assert 70 <= len(street.customers) <= 80
    assert street.customers[-1] - begun_us <= 5 * SECOND
    outcomes = await street.hours.pass_until_done(*(street.nobody_waits() for _ in range(2000)))
    assert sum(isinstance(each, Busy) for each in outcomes) == pytest.approx(800, abs=5), (
        "a minute's turns, and no more, stand in line"
    )
    assert street.others[-1] - street.others[0] <= 60 * SECOND


async def test_when_stripe_has_enough_all_rest_and_go_on_at_half_the_rate() -> None:
    street = Street()
    for _ in range(3):  # all that was under way
        street.pace.slow_down()
    said_us = street.hours.now_us
    assert street.pace.per_second == RATE / 2
    await street.hours.pass_until_done(*(street.nobody_waits() for _ in range(30)), street.somebody_waits())
    assert min(street.others + street.customers) == said_us + 40 / RATE * SECOND
    assert street.others[-1] - street.others[0] >= 28 / (RATE / 2) * SECOND
    for _ in range(50):
        street.pace.went_well()
    assert street.pace.per_second == pytest.approx(RATE * 3 / 4)
    for _ in range(500):
        street.pace.went_well()
    assert street.pace.per_second == RATE


async def test_stripe_may_say_for_how_long_it_wants_to_be_left_alone() -> None:
    street = Street()
    street.pace.slow_down(4)
    said_us = street.hours.now_us
    await street.hours.pass_until_done(street.nobody_waits(), street.somebody_waits())
    assert min(street.others + street.customers) == said_us + 4 * SECOND
    street.pace.slow_down(1e9)
    said_us = street.hours.now_us
    both = await street.hours.pass_until_done(street.nobody_waits(), street.somebody_waits())
    assert [type(each) for each in both] == [Busy, Busy]
    assert street.hours.now_us == said_us, "and nobody has waited for that"
    street.hours.now_us += 301 * SECOND
    assert await street.hours.pass_until_done(street.nobody_waits(), street.somebody_waits()) == [None, None]


async def test_it_is_never_slowed_down_to_nothing() -> None:
    street = Street()
    for _ in range(100):
        street.pace.slow_down()
        street.hours.now_us += 10 * SECOND
    assert street.pace.per_second == RATE / 40


async def test_who_leaves_the_line_keeps_nobody_waiting() -> None:
    street = Street()
    line = [asyncio.ensure_future(street.nobody_waits()) for _ in range(40)]
    for _ in range(5):
        await asyncio.sleep(0)
    for each in line:
        each.cancel()
    await asyncio.gather(*line, return_exceptions=True)
    assert await street.hours.pass_until_done(street.nobody_waits()) == [None]
    assert street.pace._in_line == 0


async def test_what_stripe_was_too_busy_for_is_asked_again_and_done_once() -> None:
    hours = Hours()
    pace = Pace(RATE, now_us=hours.read, sleep=hours.jump)
    async with sale(pace=pace) as here:
        await here.provider.admitted()
        here.fake.faults += [Fault("customers", 429), Fault("customers", 429, retry_after=3)]
        before_us = hours.now_us
        customer = await here.provider.ensure_customer(None, ALICE, "alice", "c1")
        assert list(here.fake.books.kept["customers"]) == [customer]
        assert hours.now_us - before_us >= (2 + 3) * SECOND
        assert pace.per_second < RATE / 3


async def test_that_somebody_else_changes_an_object_slows_nothing_down() -> None:
    async with sale(retries=0) as here:
        await here.provider.admitted()
        pace = here.provider._client._pace
        before = pace.per_second
        here.fake.faults += [Fault("customers", 429, code="lock_timeout")]
        with pytest.raises(ProviderError, match="is changing this") as said:
            await here.provider.ensure_customer(None, ALICE, "alice", "c1")
        assert (said.value.retry, type(said.value) is Busy, pace.per_second) == (True, False, before)


def test_a_sandbox_is_asked_less_often_than_stripe_itself() -> None:
    live, sandbox = Access(api_key="sk_live_1"), Access(api_key="sk_test_1")
    assert sandbox.per_second < 25 < live.per_second < 100
