"""Until when something that renews is paid: a change of plan stands on what was paid before it, down to the ground."""

from typing import Any

import pytest

from gateway.core.paid import dearer, newest, runs_paid
from gateway.core.sale import Agreement, AgreementState, Dispute, PaymentState, Receipt

NOW = 1_700_000_000_000_000
DAY = 86_400_000_000


def receipt(name: str = "month", start: int = 0, end: int = 30, **more: Any) -> Receipt:
    """A payment on the day ``start`` for the time from then on."""
    at, until = NOW + start * DAY, NOW + end * DAY
    given: dict[str, Any] = {"state": PaymentState.PAID, "amount": 500, "currency": "usd", "created_us": at}
    given |= {"id": name, "paid_us": at, "period_start_us": at, "period_end_us": until}
    return Receipt(**{**given, **more})


def agreement(start: int = 0, end: int = 30, state: AgreementState = AgreementState.ACTIVE, **more: Any) -> Agreement:
    return Agreement(id="a", state=state, period_start_us=NOW + start * DAY, period_end_us=NOW + end * DAY, **more)


MONTH = receipt()
YEAR = receipt("year", 0, 365, amount=4000)


def upgrade(*of: str, **more: Any) -> Receipt:
    return receipt("upgrade", 3, 30, **{"amount": 900, "changes": of or ("month",), **more})


def names(behind: tuple[Receipt, ...]) -> set[str]:
    return {each.id for each in behind}


def test_nothing_is_paid_by_nothing() -> None:
    assert newest(agreement(), ()) == (0, (), None)
    assert not newest(agreement(), ()).kept


def test_a_change_stands_on_its_own_payment_and_on_what_it_changes() -> None:
    found = newest(agreement(), (upgrade(), MONTH))
    assert (found.until_us, names(found.behind), found.kept) == (NOW + 30 * DAY, {"month", "upgrade"}, True)
    assert found.starts_us == NOW


@pytest.mark.parametrize("gone", [{"refunded": 900}, {"dispute": Dispute.LOST}, {"dispute": Dispute.OPEN}])
def test_neither_half_of_what_was_paid_keeps_the_whole(gone: dict[str, Any]) -> None:
    assert not newest(agreement(), (upgrade(**gone), MONTH)).kept
    base = receipt(**gone)
    assert not newest(agreement(), (upgrade(), base)).kept
    another = receipt("another", 5, 30, changes=("upgrade",))
    assert not newest(agreement(), (another, upgrade(), base)).kept, "a change of what was changed"


@pytest.mark.parametrize("state", [None, PaymentState.OPEN, PaymentState.VOID, PaymentState.PROCESSING])
@pytest.mark.parametrize("amount", [0, 900])
def test_a_change_of_a_period_that_nobody_has_paid_for_makes_it_not_paid(
    state: PaymentState | None, amount: int
) -> None:
    renewal = [] if state is None else [receipt("renewal", 30, 60, state=state)]
    changed = receipt("change", 31, 60, amount=amount, changes=("renewal",))
    found = newest(agreement(30, 60), (changed, *renewal, MONTH))
    assert (found.until_us, names(found.behind)) == (NOW + 30 * DAY, {"month"})
    shorter = receipt("shorter", 31, 38, amount=0, changes=("renewal",))
    assert newest(agreement(31, 38), (shorter, *renewal, MONTH)).until_us == NOW + 30 * DAY


def test_what_was_left_of_a_period_that_nobody_has_paid_for_pays_nothing_later_either() -> None:
    unpaid = receipt("year", 30, 395, state=PaymentState.OPEN)
    change = receipt("week", 31, 38, amount=0, changes=("year",))
    next_ = receipt("next", 38, 45, amount=0, credited=True)
    assert newest(agreement(38, 45), (next_, change, unpaid, MONTH)).until_us == NOW + 30 * DAY


def test_a_period_that_was_paid_with_what_was_left_stands_on_what_was_given_up_for_it() -> None:
    change = receipt("change", 3, 33, amount=0, changes=("year",))
    next_ = receipt("next", 33, 63, amount=0, credited=True)
    found = newest(agreement(33, 63), (next_, change, YEAR))
    assert names(found.behind) == {"next", "change", "year"}
    own = receipt("next", 33, 63, amount=100, credited=True)
    assert names(newest(agreement(33, 63), (own, change, YEAR)).behind) == {"next"}, "it has money of its own"
    old = receipt("old", -60, -30)
    assert names(newest(agreement(33, 63), (next_, change, YEAR, old)).behind) == {"next", "change", "year"}
    from_elsewhere = newest(agreement(33, 63), (next_, YEAR))
    assert names(from_elsewhere.behind) == {"next"}, "what the house has given, or was left by another sale"


def test_a_change_that_does_not_say_what_it_changes_stands_on_what_ran_then() -> None:
    silent = upgrade("")
    assert names(newest(agreement(), (silent, MONTH, receipt("before", -30, 0))).behind) == {"month", "upgrade"}
    assert names(newest(agreement(30, 60), (receipt("late", 31, 60, changes=("",)), MONTH)).behind) == {"month"}
    endless = receipt("beside", period_start_us=None, period_end_us=None, paid_us=None)
    assert names(newest(agreement(), (silent, MONTH, endless)).behind) == {"month", "upgrade"}


def test_two_that_stand_on_each_other_are_read_and_not_followed_for_ever() -> None:
    one, other = receipt("one", changes=("other",)), receipt("other", changes=("one",))
    assert names(newest(agreement(), (one, other)).behind) == {"one", "other"}


def test_who_was_put_back_onto_the_plan_before_has_paid_for_that() -> None:
    base, dearer = receipt(plan_id="small"), upgrade(plan_id="big", refunded=900)
    assert not newest(agreement(plan_id="big"), (dearer, base)).kept
    assert newest(agreement(plan_id="small"), (dearer, base)).kept


def test_of_payments_of_one_second_the_one_that_stands_on_the_other_is_the_later() -> None:
    at_once = receipt("upgrade", 0, 30, changes=("month",), refunded=500)
    assert not newest(agreement(), (MONTH, at_once)).kept
    assert not newest(agreement(), (at_once, MONTH)).kept


def test_a_payment_that_does_not_say_when_it_begins_begins_with_its_payment() -> None:
    found = newest(agreement(), (receipt(period_start_us=None, paid_us=NOW + DAY),))
    assert found.starts_us == NOW + DAY
    assert newest(agreement(), (receipt(period_start_us=None, paid_us=None),)).starts_us == NOW


@pytest.mark.parametrize(
    ("state", "receipts", "paid"),
    [
        (AgreementState.ACTIVE, (MONTH,), True),
        (AgreementState.ACTIVE, (receipt(state=PaymentState.OPEN),), False),
        (AgreementState.ACTIVE, (), False),
        (AgreementState.ACTIVE, (receipt("before", -30, 0),), False),
        (AgreementState.ACTIVE, (receipt(dispute=Dispute.OPEN),), False),
        (AgreementState.PAST_DUE, (MONTH,), False),
        (AgreementState.TRIALING, (), True),
    ],
)
def test_only_what_is_paid_or_a_trial_can_be_given_for_another_plan(
    state: AgreementState, receipts: tuple[Receipt, ...], *, paid: bool
) -> None:
    assert runs_paid(agreement(state=state), receipts) == paid


@pytest.mark.parametrize(
    ("amount", "days", "more"),
    [(501, 30, True), (500, 30, False), (6084, 365, True), (6083, 365, False), (0, 1, False)],
)
def test_dearer_is_what_costs_more_a_day(amount: int, days: int, *, more: bool) -> None:
    assert dearer(agreement(amount=500, days=30), amount, days) == more
    assert not dearer(agreement(), amount, days), "nobody knows what it costs now"
