"""Changing plans resets nothing and charges nothing twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.allowance import THROUGHPUT, Allowance, Plan
from gateway.core.bucket import Refill
from gateway.core.cascade import Charge, Refusal
from gateway.core.refund import refund
from tests.core.budgets import DAY, HOUR, MINUTE, NOW, SECOND, Shop, allowance_of, default_of, per, plan, subscription

DAILY = plan(per(10, DAY), slug="daily")
HOURLY = plan(per(20), slug="hourly")
FLOW = plan(per(20, HOUR, Refill.CONTINUOUS), slug="flow")
PACED = plan(per(7, MINUTE), per(100, DAY), slug="paced")
START = NOW - NOW % DAY


def on(*plans: Plan, starts_us: int = START) -> Allowance:
    """What subscriptions ``s0``, ``s1``, … to these plans give."""
    return allowance_of(
        *(subscription(f"s{n}", each, starts_us=starts_us) for n, each in enumerate(plans)), now_us=START
    )


def test_a_plan_of_the_same_key_carries_by_itself() -> None:
    shop = Shop()
    shop.paid(10, on(HOURLY))
    assert shop.left(on(plan(per(12), slug="other"))) == [2]


@pytest.mark.parametrize(
    ("old", "new", "left"),
    [
        (DAILY, HOURLY, [14]),
        (HOURLY, DAILY, [4]),
        (HOURLY, FLOW, [14]),
        (FLOW, HOURLY, [14]),
        (HOURLY, PACED, [1, 94]),
        (PACED, HOURLY, [14]),
        (DAILY, plan(per(3), slug="small"), [0]),
    ],
)
def test_what_was_used_under_a_replaced_plan_is_charged_to_the_new_one_once(
    old: Plan, new: Plan, left: list[int]
) -> None:
    shop = Shop()
    for _ in range(2):
        shop.paid(3, on(old), now_us=START)
    assert shop.left(on(new), START) == left
    assert shop.left(on(new), START) == left
    if left[0]:
        shop.paid(1, on(new), now_us=START)
        assert shop.left(on(new), START) == [each - 1 for each in left]


def test_what_was_used_before_the_new_plan_s_window_began_is_not_charged_to_it() -> None:
    shop = Shop()
    shop.paid(6, on(DAILY), now_us=START)
    assert shop.left(on(HOURLY), START + HOUR) == [20]


def test_use_of_a_window_that_closed_counts_in_a_longer_one_that_has_not() -> None:
    shop = Shop()
    shop.paid(6, on(HOURLY), now_us=START)
    assert shop.left(on(DAILY), START + HOUR) == [4]


def test_a_token_bucket_refills_what_it_inherited_and_starts_empty_at_worst() -> None:
    shop = Shop()
    shop.paid(10, on(DAILY), now_us=START)
    small = plan(per(6, HOUR, Refill.CONTINUOUS), slug="small")
    assert [shop.left(on(small), START + minutes * MINUTE) for minutes in (0, 10, 60)] == [[0], [1], [6]]


def test_going_back_to_the_old_plan_finds_it_as_if_it_had_never_been_left() -> None:
    shop = Shop()
    shop.paid(4, on(DAILY), now_us=START)
    shop.paid(3, on(HOURLY), now_us=START)
    assert shop.left(on(DAILY), START) == [3]
    # Neither does waiting for the other plan's window to end bring anything back.
    shop.paid(2, on(HOURLY), now_us=START + HOUR)
    assert shop.left(on(DAILY), START + HOUR) == [1]
    assert shop.left(on(HOURLY), START + HOUR) == [18]


def test_a_detour_over_a_third_plan_forgets_nothing() -> None:
    shop = Shop()
    shop.paid(8, on(DAILY), now_us=START)
    shop.paid(1, on(HOURLY), now_us=START)
    shop.paid(1, on(HOURLY), now_us=START + HOUR)
    weekly = plan(per(10, 7 * DAY), slug="weekly")
    assert shop.left(on(weekly), START + 2 * HOUR) == [0]


def test_a_refund_reaches_the_replaced_bucket_that_counted_along() -> None:
    shop = Shop()
    shop.paid(4, on(DAILY), now_us=START)
    charged = shop.paid(3, on(HOURLY), now_us=START)
    assert [posting.amount for posting in charged.postings] == [3, 0]
    returned = refund(charged, {THROUGHPUT: 2}, shop.buckets_of, START)
    shop.keep(returned)
    assert [posting.amount for posting in returned] == [-2, 0]
    assert (shop.left(on(HOURLY), START), shop.left(on(DAILY), START)) == ([15], [5])


def test_a_replaced_bucket_is_dropped_when_it_has_nothing_more_to_say() -> None:
    shop = Shop()
    shop.paid(4, on(HOURLY), now_us=START)
    (old,) = shop.store[on(HOURLY).scope]
    assert shop.paid(1, on(DAILY), now_us=START + HOUR - 1).dropped == ()
    assert shop.paid(1, on(DAILY), now_us=START + HOUR).dropped == (old,)
    flow = Shop()
    flow.paid(4, on(FLOW), now_us=START)
    assert flow.paid(1, on(DAILY), now_us=START + 12 * MINUTE - 1).dropped == ()
    assert len(flow.paid(1, on(DAILY), now_us=START + 30 * MINUTE).dropped) == 1


def test_packs_inherit_nothing_and_leave_nothing() -> None:
    pack = plan(per(10, 0), slug="pack", pack=True)
    shop = Shop()
    shop.paid(6, on(pack), now_us=START)
    assert shop.left(on(HOURLY), START) == [20]
    shop.paid(5, on(HOURLY), now_us=START)
    assert shop.left(on(pack), START) == [4]


def test_another_subscription_or_meter_brings_nothing() -> None:
    shop = Shop()
    shop.paid(6, on(DAILY), now_us=START)
    assert shop.left(default_of(HOURLY), START) == [20]
    tokens = plan(per(20, HOUR, meter="tokens"), slug="tokens")
    assert shop.left(on(tokens), START) == [20]


def test_a_replaced_bucket_counts_along_only_with_its_own_meter() -> None:
    old = on(plan(per(10, DAY), per(50, DAY, meter="tokens"), slug="old"))
    new = on(plan(per(20), per(60, meter="tokens"), slug="new"))
    shop = Shop()
    shop.paid({THROUGHPUT: 1, "tokens": 5}, old, now_us=START)
    shop.paid(2, new, now_us=START)
    assert (shop.left(new, START), shop.left(old, START)) == ([17, 55], [7, 45])


def test_a_default_plan_edited_in_the_configuration_is_a_replaced_plan_too() -> None:
    shop = Shop()
    shop.paid(6, default_of(DAILY), now_us=START)
    assert shop.left(default_of(HOURLY), START) == [14]


def test_two_subscriptions_that_move_one_by_one_bring_what_each_has_used() -> None:
    shop = Shop()
    shop.paid(15, on(DAILY, DAILY), now_us=START)
    # The first moves: the daily bucket stays with the second, and keeps all that was used.
    assert shop.left(on(HOURLY, DAILY), START) == [20, 0]
    shop.paid(4, on(HOURLY, DAILY), now_us=START)
    # The second follows and brings it.
    assert shop.left(on(HOURLY, HOURLY), START) == [40 - 4 - 15]


def test_two_subscriptions_from_different_plans_bring_their_sum_and_limits_held_together_count_once() -> None:
    shop = Shop()
    shop.paid(10 + 7, on(DAILY, HOURLY), now_us=START)
    weekly = plan(per(30, 7 * DAY), slug="weekly")
    assert shop.left(on(weekly, weekly), START) == [60 - 17]
    paced = Shop()
    paced.paid(3, on(PACED), now_us=START)
    paced.paid(3, on(PACED), now_us=START + MINUTE)
    assert paced.left(on(weekly), START + MINUTE) == [24]


def test_what_a_refused_request_would_inherit_is_not_kept_and_not_lost() -> None:
    shop = Shop()
    shop.paid(10, on(DAILY), now_us=START)
    small = on(plan(per(3), slug="small"))
    before = {scope: dict(buckets) for scope, buckets in shop.store.items()}
    assert shop.refused(1, small, now_us=START + SECOND).ready_us == START + HOUR
    assert shop.store == before
    assert isinstance(shop.pay(1, small, now_us=START + HOUR - 1), Refusal)
    assert isinstance(shop.pay(1, small, now_us=START + HOUR), Charge)


PLANS = [DAILY, HOURLY, PACED, plan(per(7, 3 * HOUR), slug="three hours"), plan(per(4, 3 * DAY), slug="three days")]


@given(st.lists(st.tuples(st.sampled_from(PLANS), st.integers(0, 3 * 60), st.integers(1, 8)), min_size=1, max_size=30))
def test_switching_plans_at_will_never_gives_a_window_more_than_its_amount(story: list[tuple[Plan, int, int]]) -> None:
    """From its first debit on, each window of each plan counts all that is used: no detour empties it."""
    shop, now = Shop(), START
    paid: list[tuple[int, Plan, int]] = []
    for sold, minutes, cost in story:
        now += minutes * MINUTE
        allowance = on(sold)
        if isinstance(shop.pay(cost, allowance, now_us=now), Charge):
            paid.append((now, sold, cost))
        for limit, left in zip(allowance.purses[0].limits, shop.left(allowance, now), strict=True):
            window_start = now - (now - START) % limit.key.window_us
            began = min((at for at, on_plan, _ in paid if on_plan == sold and at >= window_start), default=now)
            used = sum(each for at, _, each in paid if at >= began)
            everything = sum(each for _, _, each in paid)
            assert left <= max(0, limit.amount - used)
            assert left >= limit.amount - everything
