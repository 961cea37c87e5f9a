"""Who cancels and buys again: whose windows go on, and that nobody gets more full refills than were paid for."""

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.bucket import Calendar, Refill
from gateway.core.plan import Plan, PlanLimit, Subscription, grant_of, own_window_us
from gateway.core.scope import Scope
from gateway.core.succession import Forerunner, anchor_after

DAY = 86_400_000_000
NOW = 20_000 * DAY
NEVER = 10**6 * DAY


def bought(*, window: int = 30, paid: int = 30, over: int = NEVER, at: int = 0) -> Forerunner:
    """All in days since ``NOW``."""
    return Forerunner(NOW + at * DAY, window * DAY, NOW + paid * DAY, NOW + over * DAY)


def anchored(day: int, *forerunners: Forerunner) -> int | None:
    found = anchor_after(forerunners, NOW + day * DAY)
    return None if found is None else (found - NOW) // DAY


def test_a_window_that_was_cut_short_goes_on_with_the_next_purchase() -> None:
    assert anchored(12, bought(over=10)) == 0
    assert anchored(29, bought(over=10)) == 0
    assert anchored(30, bought(over=10)) is None, "it is over"
    assert anchored(45, bought(paid=60, over=40)) == 0, "its second window, which was paid for too"
    assert anchored(12, bought(over=NEVER)) == 0, "taken back, or waiting: nobody has written down since when"


def test_what_was_used_to_its_paid_end_binds_nobody() -> None:
    assert anchored(30, bought(over=30)) is None
    assert anchored(8, bought(window=30, paid=7, over=7)) is None, "a week's pass each week is a full one each time"
    assert anchored(31, bought(window=7, over=30)) is None


def test_a_window_that_began_without_being_paid_for_goes_on() -> None:
    assert anchored(34, bought(over=33)) == 0, "the grace has opened it"
    assert anchored(31, bought(over=33)) == 0, "and runs still"
    assert anchored(9, bought(window=30, paid=7, over=10)) is None, "this one was begun in paid time"
    assert anchored(60, bought(over=33)) is None


def test_the_last_of_several_is_gone_on_with_and_what_has_no_windows_with_none() -> None:
    assert anchored(20, bought(over=5), bought(at=6, paid=36, over=15)) == 6
    assert anchored(12, bought(window=0, over=10)) is None
    assert anchored(12, bought(at=5, paid=35, over=4)) is None, "it was over before it began"
    assert anchored(12) is None


@given(
    st.integers(1, 40),
    st.lists(st.tuples(st.integers(1, 40), st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=8),
)
def test_a_chain_of_purchases_opens_no_more_windows_than_its_days_have(
    window: int, bought_: list[tuple[int, int, int]]
) -> None:
    """Each lasts so many days, is cut short after some of them, and is followed by the next after a while."""
    day, opened, allowed = 0, set[tuple[int, int]](), 0
    before: list[Forerunner] = []
    for lasts, cut, pause in bought_:
        had = min(lasts, max(cut, 1))
        anchor = anchored(day, *before)
        from_day = day if anchor is None else anchor
        opened |= {(from_day, (each - from_day) // window) for each in range(day, day + had)}
        allowed += -(-had // window)
        before.append(bought(window=window, at=from_day, paid=day + lasts, over=day + had))
        day += had + pause
    assert len(opened) <= allowed


@pytest.mark.parametrize(
    ("limits", "days"),
    [
        ((PlanLimit("t", 5, 3_600_000_000),), 0),
        ((PlanLimit("t", 5, 3_600_000_000), PlanLimit("t", 9, 30 * DAY), PlanLimit("t", 2, DAY)), 30),
        ((PlanLimit("t", 5, 30 * DAY, anchor="epoch"),), 0),
        ((PlanLimit("t", 5, 3_600_000_000, anchor="subscription"), PlanLimit("t", 5, DAY)), 1),
        ((PlanLimit("t", 5, 30 * DAY, Refill.CONTINUOUS),), 0),
        ((PlanLimit("t", 5, 0, Refill.NEVER),), 0),
    ],
)
def test_only_windows_that_begin_with_the_subscription_are_its_own(limits: tuple[PlanLimit, ...], days: int) -> None:
    assert own_window_us(Plan("p", "P", limits)) == days * DAY


def test_a_calendars_windows_are_everybodys() -> None:
    assert own_window_us(Plan("p", "P", (PlanLimit("t", 5, 0, anchor=Calendar("month", UTC)),))) == 0


def test_who_goes_on_with_a_window_has_the_same_bucket() -> None:
    plan = Plan("p", "P", (PlanLimit("throughput", 5, 30 * DAY),))
    first = Subscription("s1", plan, Scope("user", "a"), NOW, NOW + 10 * DAY)
    again = Subscription("s2", plan, Scope("user", "a"), NOW + 12 * DAY, NOW + 42 * DAY, anchor_us=NOW)
    fresh = Subscription("s3", plan, Scope("user", "a"), NOW + 12 * DAY, NOW + 42 * DAY)
    assert grant_of(first).keys == grant_of(again).keys != grant_of(fresh).keys
