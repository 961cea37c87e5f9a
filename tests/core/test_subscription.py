"""The life of a subscription, as a table and as laws."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.subscription import GRANTING, TRANSITIONS, Event, Refused, Standing, Status, Word, advance

NOW, DAY = 1_700_000_000_000_000, 86_400_000_000
READINGS = (Event.TRIAL, Event.PAY, Event.FAIL, Event.GIVE_UP, Event.PAUSE)

# Rows: the state it is in; columns: what is said; "-": refused, "=": as it was.
TABLE = """
           trial     pay     fail      give_up    pause    abandon    end        extend stop       reactivate
pending    trialing  active  =         cancelled  =        cancelled  cancelled  -      cancelled  -
trialing   =         active  past_due  unpaid     paused   -          cancelled  =      =          =
active     trialing  =       past_due  unpaid     paused   -          cancelled  =      =          =
past_due   trialing  active  =         unpaid     paused   -          cancelled  =      =          =
unpaid     trialing  active  past_due  =          paused   -          cancelled  =      =          =
paused     trialing  active  past_due  unpaid     =        -          cancelled  =      =          =
cancelled  trialing  active  -         -          -        =          =          -      -          -
"""


def cells() -> list[tuple[Status, Event, str]]:
    header, *rows = (line.split() for line in TABLE.strip().splitlines())
    return [(Status(old), Event(event), cell) for old, *row in rows for event, cell in zip(header, row, strict=True)]


@pytest.mark.parametrize(("old", "event", "cell"), cells())
def test_the_table_says(old: Status, event: Event, cell: str) -> None:
    move = TRANSITIONS.get((old, event))
    assert (cell == "-") == (move is None)
    if move is not None:
        assert move.to == (old if cell == "=" else Status(cell))


def test_the_table_speaks_of_every_state_and_event() -> None:
    assert {(old, event) for old, event, _ in cells()} == {(old, event) for old in Status for event in Event}


ORDER = Standing(Status.PENDING, NOW, NOW + DAY, renews=True)
PAID = Word(Event.PAY, NOW + 5, ends_us=NOW + 31 * DAY, period_end_us=NOW + 30 * DAY)


def after(standing: Standing, *words: Word) -> Standing:
    for word in words:
        next_ = advance(standing, word)
        assert isinstance(next_, Standing), next_
        standing = next_
    return standing


def code(standing: Standing, word: Word) -> str:
    refused = advance(standing, word)
    assert isinstance(refused, Refused)
    return refused.code


def test_an_order_begins_when_it_is_paid() -> None:
    active = after(ORDER, PAID)
    assert active == Standing(Status.ACTIVE, NOW + 5, NOW + 31 * DAY, period_end_us=NOW + 30 * DAY, renews=True)
    assert after(ORDER, PAID._replace(starts_us=NOW + 2)).starts_us == NOW + 2


def test_a_renewal_moves_the_end_and_not_the_start() -> None:
    active = after(ORDER, PAID)
    renewed = after(active, PAID._replace(at_us=NOW + 30 * DAY, ends_us=NOW + 61 * DAY, period_end_us=NOW + 60 * DAY))
    assert (renewed.starts_us, renewed.ends_us) == (active.starts_us, NOW + 61 * DAY)


def test_reading_the_same_period_again_leaves_an_admins_extension_alone() -> None:
    extended = after(ORDER, PAID, Word(Event.EXTEND, NOW + 6, NOW + 90 * DAY))
    assert after(extended, PAID._replace(at_us=NOW + 7)) == extended
    assert after(extended, Word(Event.EXTEND, NOW + 8, None)).ends_us is None


def test_a_failed_renewal_grants_until_the_grace_is_over_and_is_healed_by_a_payment() -> None:
    failed = after(ORDER, PAID, Word(Event.FAIL, NOW + 30 * DAY, NOW + 33 * DAY, NOW + 30 * DAY))
    assert (failed.status, failed.ends_us) == (Status.PAST_DUE, NOW + 33 * DAY)
    again = Word(Event.FAIL, NOW + 31 * DAY, NOW + 34 * DAY)
    assert after(failed, again) == failed, "the grace is counted from the first failure"
    healed = after(failed, PAID._replace(at_us=NOW + 31 * DAY, ends_us=NOW + 61 * DAY, period_end_us=NOW + 60 * DAY))
    assert (healed.status, healed.ends_us, healed.starts_us) == (Status.ACTIVE, NOW + 61 * DAY, NOW + 5)


def test_money_that_comes_after_the_order_was_dropped_still_buys() -> None:
    dropped = after(ORDER, Word(Event.STOP, NOW + 1))
    assert (dropped.status, dropped.cancelled_us) == (Status.CANCELLED, NOW + 1)
    bought = after(dropped, PAID)
    assert (bought.status, bought.cancelled_us, bought.starts_us) == (Status.ACTIVE, None, NOW + 5)


def test_what_was_paid_and_is_over_stays_over() -> None:
    over = after(ORDER, PAID, Word(Event.END, NOW + 6))
    assert code(over, PAID) == "over"
    assert code(over, Word(Event.TRIAL, NOW + 7, NOW + 9 * DAY, NOW + 9 * DAY)) == "over"
    assert code(over, Word(Event.STOP, NOW + 7)) == "over"
    assert after(over, Word(Event.END, NOW + 9)) == over, "it was over since then"


def test_a_customer_stops_and_goes_on_with_what_is_renewed() -> None:
    active = after(ORDER, PAID)
    stopping = after(active, Word(Event.STOP, NOW + 6))
    assert (stopping.status, stopping.cancel_at_period_end, stopping.ends_us) == (Status.ACTIVE, True, active.ends_us)
    assert code(stopping, Word(Event.STOP, NOW + 7)) == "stopping"
    assert after(stopping, Word(Event.REACTIVATE, NOW + 8)) == active
    assert code(active, Word(Event.REACTIVATE, NOW + 8)) == "not_stopping"
    assert code(active._replace(renews=False), Word(Event.STOP, NOW + 6)) == "not_renewed"


def test_the_providers_word_about_stopping_counts() -> None:
    active = after(ORDER, PAID)
    assert after(active, PAID._replace(stopping=True)).cancel_at_period_end
    stopping = active._replace(cancel_at_period_end=True)
    assert after(stopping, PAID).cancel_at_period_end, "it says nothing about that"
    assert not after(stopping, PAID._replace(stopping=False)).cancel_at_period_end
    assert not after(active._replace(renews=False), PAID._replace(stopping=True)).cancel_at_period_end


def test_refusals_say_what_stands_in_the_way() -> None:
    assert code(ORDER, Word(Event.EXTEND, NOW, NOW + DAY)) == "not_paid"
    assert code(after(ORDER, PAID), Word(Event.ABANDON, NOW + 6)) == "not_ordered"
    assert code(after(ORDER, PAID), Word(Event.EXTEND, NOW + 6, NOW)) == "ends_before_start"


instants = st.integers(NOW - 3 * DAY, NOW + 90 * DAY)
words = st.builds(
    Word, st.sampled_from(Event), instants, st.none() | instants, st.none() | instants, st.none() | st.booleans()
)
orders = st.booleans().map(lambda renews: ORDER._replace(renews=renews))


def story(standing: Standing, told: list[Word]) -> list[Standing]:
    standings = [standing]
    for word in told:
        next_ = advance(standings[-1], word)
        standings.append(standings[-1] if isinstance(next_, Refused) else next_)
    return standings


@given(orders, st.lists(words, max_size=12))
def test_whatever_is_said_it_stays_a_subscription(order: Standing, told: list[Word]) -> None:
    for standing in story(order, told):
        assert (standing.status is Status.CANCELLED) == (standing.cancelled_us is not None)
        assert standing.ends_us is None or standing.ends_us > standing.starts_us
        assert standing.renews or not standing.cancel_at_period_end


@given(orders, st.lists(words, max_size=8), words)
def test_a_word_said_twice_is_a_word_said_once(order: Standing, told: list[Word], word: Word) -> None:
    *_, once = story(order, [*told, word])
    *_, twice = story(order, [*told, word, word])
    assert once == twice


@given(orders, st.lists(words, max_size=12))
def test_nothing_grants_that_nobody_has_paid_for_or_begun_a_trial_of(order: Standing, told: list[Word]) -> None:
    paid = any(word.event in (Event.PAY, Event.TRIAL) for word in told)
    granted = any(standing.status in GRANTING for standing in story(order, told))
    failed = any(word.event in READINGS for word in told)
    assert not granted or paid
    assert failed or {each.status for each in story(order, told)} <= {Status.PENDING, Status.CANCELLED}


@settings(max_examples=200)
@given(orders, st.lists(words, max_size=8), st.lists(words, max_size=8))
def test_what_was_paid_and_cancelled_never_grants_again(order: Standing, before: list[Word], later: list[Word]) -> None:
    *_, cancelled = story(order, [*before, Word(Event.END, NOW)])
    if cancelled.period_end_us is not None:
        assert {standing.status for standing in story(cancelled, later)} == {Status.CANCELLED}
