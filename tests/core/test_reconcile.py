"""What the provider has of a subscription, and what becomes of ours: any order of readings ends in the same."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.reconcile import Change, Terms, differences, heard, words
from gateway.core.sale import (
    Agreement,
    AgreementState,
    Dispute,
    Order,
    OrderState,
    PaymentState,
    Picture,
    Receipt,
)
from gateway.core.subscription import Standing, Status

NOW = 1_700_000_000_000_000
HOUR = 3_600_000_000
DAY = 24 * HOUR
ONCE = Terms("payment", 30 * DAY, 2 * HOUR, 3 * DAY)
RENEWED = Terms("subscription", 30 * DAY, 2 * HOUR, 3 * DAY)
ORDERED = Standing(Status.PENDING, NOW, None)
RENEWING = Standing(Status.PENDING, NOW, None, renews=True)


def order(state: OrderState, **more: Any) -> Order:
    return Order(id="o", state=state, mode="payment", **more)


def receipt(number: int = 0, **more: Any) -> Receipt:
    """The payment of the period with that number: periods begin where the last has ended."""
    start = NOW + number * 30 * DAY
    given: dict[str, Any] = {"state": PaymentState.PAID, "amount": 500, "currency": "usd", "created_us": start}
    given |= {"id": f"r{number}", "paid_us": start, "period_start_us": start, "period_end_us": start + 30 * DAY}
    return Receipt(**{**given, **more})


def agreement(state: AgreementState = AgreementState.ACTIVE, number: int = 0, **more: Any) -> Agreement:
    start = NOW + number * 30 * DAY
    period = {"period_start_us": start, "period_end_us": start + 30 * DAY}
    return Agreement(id="a", state=state, **{**period, **more})


def after(ours: Standing, terms: Terms, **seen: Any) -> Standing:
    picture = Picture(read_us=NOW + DAY, **seen)
    return heard(ours, words(picture, terms, ours))


def test_a_purchase_lasts_from_its_payment_and_not_from_when_we_heard_of_it() -> None:
    seen = after(ORDERED, ONCE, orders=(order(OrderState.PAID, payment="r0"),), receipts=(receipt(),))
    assert (seen.status, seen.starts_us, seen.ends_us) == (Status.ACTIVE, NOW, NOW + 30 * DAY)


def test_an_order_whose_money_is_on_its_way_gives_nothing_yet() -> None:
    assert after(ORDERED, ONCE, orders=(order(OrderState.PROCESSING),)) == ORDERED


def test_a_subscription_that_nobody_has_begun_yet_is_an_order() -> None:
    assert after(RENEWING, RENEWED, orders=(order(OrderState.OPEN),)) == RENEWING
    assert after(RENEWING, RENEWED, orders=(order(OrderState.EXPIRED),)).status is Status.CANCELLED


def test_what_costs_nothing_begins_when_it_is_read() -> None:
    seen = after(ORDERED, ONCE, orders=(order(OrderState.PAID),))
    assert (seen.status, seen.starts_us) == (Status.ACTIVE, NOW + DAY)
    later = Picture(read_us=NOW + 9 * DAY, orders=(order(OrderState.PAID),))
    assert heard(seen, words(later, ONCE, seen)) == seen, "and is not dated anew whenever it is read"


@pytest.mark.parametrize("state", [OrderState.EXPIRED, OrderState.FAILED])
def test_an_order_that_cannot_be_paid_any_more_is_dropped(state: OrderState) -> None:
    dropped = after(ORDERED, ONCE, orders=(order(state),))
    assert dropped.status is Status.CANCELLED
    assert after(ORDERED, ONCE, orders=(order(state), order(OrderState.OPEN))) == ORDERED, "another page can be paid"
    paid = after(dropped, ONCE, orders=(order(state),), receipts=(receipt(),))
    assert paid.status is Status.ACTIVE, "the money came after all"


def test_what_was_never_subscribed_to_is_dropped_with_its_last_page() -> None:
    assert after(RENEWING, RENEWED, orders=(order(OrderState.OPEN),)) == RENEWING
    assert after(RENEWING, RENEWED, orders=(order(OrderState.EXPIRED),)).status is Status.CANCELLED


@pytest.mark.parametrize("state", [AgreementState.ENDED, AgreementState.PAST_DUE, AgreementState.UNPAID])
def test_a_try_that_came_to_nothing_drops_no_order_that_can_still_be_paid(state: AgreementState) -> None:
    tried = {"agreement": agreement(state), "receipts": (receipt(state=PaymentState.VOID),)}
    own = order(OrderState.PROCESSING, agreement="a")
    for waiting in (order(OrderState.OPEN), order(OrderState.PROCESSING, agreement="b"), order(OrderState.PROCESSING)):
        assert after(RENEWING, RENEWED, **tried, orders=(own, waiting)) == RENEWING
    for over in (own, order(OrderState.EXPIRED), order(OrderState.PAID)):
        assert after(RENEWING, RENEWED, **tried, orders=(over,)).status is Status.CANCELLED
    bought = after(RENEWING, RENEWED, agreement=agreement(), receipts=(receipt(),))
    ended = {"agreement": agreement(AgreementState.ENDED), "receipts": (receipt(),)}
    assert after(bought, RENEWED, **ended, orders=(order(OrderState.OPEN),)).status is Status.CANCELLED, "it had begun"


def test_a_full_refund_takes_what_was_bought_and_a_part_of_it_nothing() -> None:
    bought = after(ORDERED, ONCE, receipts=(receipt(),))
    assert after(bought, ONCE, receipts=(receipt(refunded=499),)) == bought
    refunded = after(bought, ONCE, receipts=(receipt(refunded=500),))
    assert refunded.status is Status.UNPAID
    assert after(refunded, ONCE, receipts=(receipt(),)) == bought, "the refund has failed, so it is paid again"


def test_what_was_paid_twice_lasts_twice() -> None:
    bought = after(ORDERED, ONCE, receipts=(receipt(),))
    twice = after(bought, ONCE, receipts=(receipt(), receipt(1, created_us=NOW + HOUR, paid_us=NOW + HOUR)))
    assert (twice.starts_us, twice.ends_us) == (NOW, NOW + 60 * DAY)


def test_a_dispute_pauses_until_it_is_decided() -> None:
    bought = after(ORDERED, ONCE, receipts=(receipt(),))
    paused = after(bought, ONCE, receipts=(receipt(dispute=Dispute.OPEN),))
    assert paused.status is Status.PAUSED
    assert after(paused, ONCE, receipts=(receipt(dispute=Dispute.WON),)) == bought
    assert after(paused, ONCE, receipts=(receipt(dispute=Dispute.LOST),)).status is Status.CANCELLED


def test_a_renewal_may_be_late_by_the_slack_and_mended_within_the_grace() -> None:
    bought = after(RENEWING, RENEWED, agreement=agreement(), receipts=(receipt(),))
    assert (bought.status, bought.ends_us) == (Status.ACTIVE, NOW + 30 * DAY + 2 * HOUR)
    late = after(bought, RENEWED, agreement=agreement(number=1), receipts=(receipt(),))
    assert late == bought, "the new period is not paid yet"
    open_ = receipt(1, state=PaymentState.OPEN)
    failed = after(bought, RENEWED, agreement=agreement(AgreementState.PAST_DUE, 1), receipts=(receipt(), open_))
    assert (failed.status, failed.ends_us) == (Status.PAST_DUE, NOW + 33 * DAY)
    mended = after(failed, RENEWED, agreement=agreement(number=1), receipts=(receipt(), receipt(1)))
    assert (mended.status, mended.ends_us, mended.starts_us) == (Status.ACTIVE, NOW + 60 * DAY + 2 * HOUR, NOW)


def test_a_failed_renewal_is_understood_without_having_heard_of_any_payment_before() -> None:
    seen = {"agreement": agreement(AgreementState.PAST_DUE, 1), "receipts": (receipt(),)}
    first = after(RENEWING, RENEWED, **seen)
    assert (first.status, first.ends_us) == (Status.PAST_DUE, NOW + 33 * DAY)
    longer = first._replace(ends_us=NOW + 50 * DAY)
    assert after(longer, RENEWED, **seen) == longer, "an admin's extension stays while nothing new is said"


def test_the_refund_of_the_last_period_takes_it_and_of_an_earlier_one_nothing() -> None:
    running = {"agreement": agreement(number=1)}
    bought = after(RENEWING, RENEWED, **running, receipts=(receipt(), receipt(1)))
    assert after(bought, RENEWED, **running, receipts=(receipt(refunded=500), receipt(1))) == bought
    refunded = after(bought, RENEWED, **running, receipts=(receipt(), receipt(1, refunded=500)))
    assert refunded.status is Status.UNPAID


def changed(until: int, **more: Any) -> Receipt:
    """The payment for a change of plan on the third day, to a period of ``until`` days."""
    at = NOW + 3 * DAY
    times = {"created_us": at, "paid_us": at, "period_start_us": at, "period_end_us": at + until * DAY}
    return receipt(id="change", **{**times, **more})


YEAR = receipt(period_end_us=NOW + 365 * DAY, amount=4000)


def month(number: int = 0, **more: Any) -> Agreement:
    """The agreement once it is to the month that began on the third day."""
    start = NOW + (3 + 30 * number) * DAY
    return replace(agreement(), period_start_us=start, period_end_us=start + 30 * DAY, **more)


def test_a_change_to_a_shorter_plan_ends_with_the_shorter_period() -> None:
    year = after(RENEWING, RENEWED, agreement=agreement(period_end_us=NOW + 365 * DAY), receipts=(YEAR,))
    assert year.period_end_us == NOW + 365 * DAY
    for money in (changed(30), changed(30, amount=0, credited=True)):
        seen = after(year, RENEWED, agreement=month(), receipts=(YEAR, money))
        assert (seen.status, seen.period_end_us) == (Status.ACTIVE, NOW + 33 * DAY)
        waiting = after(seen, RENEWED, agreement=month(1), receipts=(YEAR, money))
        assert waiting == seen, "its renewal is not paid yet: the month counts, and not the year that was given up"
    assert year.starts_us == seen.starts_us


def test_a_payment_for_something_else_moves_no_period() -> None:
    beside = receipt(id="beside", created_us=NOW + DAY, period_start_us=None, period_end_us=None)
    paid = after(RENEWING, RENEWED, agreement=agreement(), receipts=(receipt(),))
    assert after(paid, RENEWED, agreement=agreement(), receipts=(receipt(), beside)) == paid


def test_a_period_that_the_agreement_does_not_know_is_that_of_the_newest_payment() -> None:
    cut = agreement(period_end_us=NOW + 20 * DAY)
    assert after(RENEWING, RENEWED, agreement=cut, receipts=(receipt(),)).period_end_us == NOW + 30 * DAY


def test_a_change_stands_and_falls_with_what_it_was_changed_from() -> None:
    change = changed(30, amount=100, changes=("r0",))
    seen = after(RENEWING, RENEWED, agreement=month(), receipts=(YEAR, change))
    for year, difference in (
        (replace(YEAR, refunded=4000), change),
        (replace(YEAR, dispute=Dispute.LOST), change),
        (YEAR, replace(change, refunded=100)),
        (YEAR, replace(change, dispute=Dispute.LOST)),
    ):
        assert after(seen, RENEWED, agreement=month(), receipts=(year, difference)).status is Status.UNPAID
    disputed = replace(YEAR, dispute=Dispute.OPEN)
    assert after(seen, RENEWED, agreement=month(), receipts=(disputed, change)).status is Status.PAUSED


def test_a_renewal_that_fails_after_a_change_in_its_draft_hour_has_its_grace_from_the_paid_period_on() -> None:
    bought = after(RENEWING, RENEWED, agreement=agreement(), receipts=(receipt(),))
    change = receipt(1, id="change", amount=0, changes=("r1",))
    waiting = after(bought, RENEWED, agreement=agreement(number=1), receipts=(receipt(), change))
    assert waiting == bought, "the draft is no payment, so the change has given nothing"
    owed = receipt(1, state=PaymentState.OPEN)
    past_due = agreement(AgreementState.PAST_DUE, 1)
    failed = after(waiting, RENEWED, agreement=past_due, receipts=(receipt(), owed, change))
    assert (failed.status, failed.ends_us) == (Status.PAST_DUE, NOW + 33 * DAY)
    mended = after(failed, RENEWED, agreement=agreement(number=1), receipts=(receipt(), receipt(1), change))
    assert (mended.status, mended.period_end_us) == (Status.ACTIVE, NOW + 60 * DAY)


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (AgreementState.INCOMPLETE, Status.PENDING),
        (AgreementState.UNPAID, Status.CANCELLED),
        (AgreementState.ENDED, Status.CANCELLED),
        (AgreementState.PAUSED, Status.PENDING),
        (AgreementState.TRIALING, Status.TRIALING),
    ],
)
def test_an_agreement_without_payments_is_what_its_state_says(state: AgreementState, status: Status) -> None:
    assert after(RENEWING, RENEWED, agreement=agreement(state)).status is status


def test_a_stop_is_seen_however_the_provider_says_it_and_the_end_ends_it() -> None:
    bought = after(RENEWING, RENEWED, agreement=agreement(), receipts=(receipt(),))
    stopped = after(bought, RENEWED, agreement=agreement(stopping=True), receipts=(receipt(),))
    assert stopped == bought._replace(cancel_at_period_end=True)
    ended = agreement(AgreementState.ENDED, ended_us=NOW + 30 * DAY)
    over = after(stopped, RENEWED, agreement=ended, receipts=(receipt(),))
    assert (over.status, over.cancelled_us) == (Status.CANCELLED, NOW + 30 * DAY)


def test_what_an_admin_has_ended_stays_ended_whatever_is_paid() -> None:
    bought = after(RENEWING, RENEWED, agreement=agreement(), receipts=(receipt(),))
    over = bought._replace(status=Status.CANCELLED, cancelled_us=NOW + DAY)
    assert after(over, RENEWED, agreement=agreement(number=1), receipts=(receipt(), receipt(1))) == over


def test_differences_name_the_fields() -> None:
    other = ORDERED._replace(status=Status.ACTIVE, ends_us=NOW + DAY)
    assert differences(ORDERED, other) == (
        Change("status", Status.PENDING, Status.ACTIVE),
        Change("ends_us", None, NOW + DAY),
    )


SEEN = st.builds(
    lambda state, receipts, stopping: {
        "agreement": replace(agreement(state, len(receipts)), stopping=stopping),
        "receipts": tuple(receipts),
    },
    st.sampled_from(AgreementState),
    st.lists(st.sampled_from(PaymentState), max_size=3).map(
        lambda states: [receipt(number, state=state) for number, state in enumerate(states)]
    ),
    st.booleans(),
)


@given(SEEN)
def test_reading_twice_is_reading_once(seen: dict[str, Any]) -> None:
    once = after(RENEWING, RENEWED, **seen)
    assert after(once, RENEWED, **seen) == once
