"""When a cost can be paid out of several purses, each of which grows in its own way."""

from datetime import UTC

import pytest

from gateway.core.bucket import Calendar, Refill
from gateway.core.plan import THROUGHPUT, Plan, PlanLimit
from tests.core.budgets import DAY, HOUR, MINUTE, NOW, SECOND, Shop, allowance_of, per, plan, subscription

FLOW = plan(per(60, MINUTE, Refill.CONTINUOUS), slug="flow")
"""One unit each second."""
STEPS = plan(per(10, HOUR), slug="steps")
PACK = plan(per(10, 0), pack=True, slug="pack")
HOUR_ENDS = NOW - NOW % HOUR + HOUR


def ready(cost: int, *sold: Plan, spend: int) -> int | None:
    """When ``cost`` can be paid, after ``spend`` has been."""
    allowance = allowance_of(*(subscription(each.slug, each) for each in sold))
    shop = Shop()
    shop.paid(spend, allowance)
    found = shop.refused(cost, allowance).ready_us
    if found is not None:
        shop.refused(cost, allowance, now_us=found - 1)
        shop.paid(cost, allowance, now_us=found)
    return found


@pytest.mark.parametrize("cost", [1, 2, 7, 30, 59, 60])
def test_an_even_refill_beside_a_pack_is_waited_for_unit_by_unit(cost: int) -> None:
    assert ready(cost, FLOW, PACK, spend=70) == NOW + cost * SECOND


def test_an_even_refill_and_a_window_pay_together() -> None:
    assert ready(61, FLOW, STEPS, spend=70) == HOUR_ENDS
    assert ready(60, FLOW, STEPS, spend=70) == NOW + MINUTE


def test_windows_pay_at_their_ends_and_not_between() -> None:
    minutely = plan(per(5, MINUTE), slug="minutely")
    assert ready(5, minutely, STEPS, spend=15) == NOW - NOW % MINUTE + MINUTE
    assert ready(6, minutely, STEPS, spend=15) == HOUR_ENDS


def test_more_than_all_purses_hold_is_never_payable() -> None:
    assert ready(71, FLOW, STEPS, spend=70) is None
    assert ready(61, FLOW, PACK, spend=70) is None


def test_only_the_meters_that_are_counted_are_waited_for() -> None:
    tokens = plan(per(9, MINUTE, meter="tokens"), per(0), slug="tokens")
    allowance = allowance_of(subscription("a", tokens), subscription("b", plan(per(9, HOUR, meter="images"))))
    shop = Shop()
    shop.paid({"tokens": 9, "images": 1}, allowance)
    refusal = shop.refused({"throughput": 100, "images": 0, "tokens": 1}, allowance)
    assert refusal.ready_us == NOW - NOW % MINUTE + MINUTE


def test_nobody_waits_for_what_no_calendar_knows() -> None:
    daily = plan(PlanLimit(THROUGHPUT, 5, DAY, anchor=Calendar("day", UTC)), slug="daily")
    trickle = plan(per(1, 31 * DAY, Refill.CONTINUOUS, burst=10**7), slug="trickle")
    allowance = allowance_of(subscription("a", daily), subscription("b", trickle))
    shop = Shop()
    shop.paid(10**7 + 5, allowance)
    assert shop.refused(10**7, allowance).ready_us is None, "that would be 800,000 years"
    assert shop.refused(6, allowance).ready_us == NOW + 31 * DAY
