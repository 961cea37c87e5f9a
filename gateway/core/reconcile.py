"""What the provider has of a subscription → what is to be said about ours: the brain of webhook and sync loop.

One reading for all who ask (webhook, success page, sync loop), computed whole from what is there and never added
up from what was told: so order, repetition and loss of messages make no difference. When money goes back:

- A payment that was given back in full, or lost to a dispute, has bought nothing. In part: it has bought all of it.
- While a dispute is open, what it is about is paused.
- What a change of plan was paid with, and what it was changed from, stand and fall together (``core/paid``).
- Units that were spent stay spent; nobody is charged for them.
"""

from collections.abc import Sequence
from typing import NamedTuple

from gateway.core.paid import newest
from gateway.core.sale import (
    Agreement,
    AgreementState,
    Dispute,
    Mode,
    OrderState,
    PaymentState,
    Picture,
    Receipt,
)
from gateway.core.subscription import Event, Refused, Standing, Status, Word, advance

_GONE = (OrderState.FAILED, OrderState.EXPIRED)


class Terms(NamedTuple):
    """What was sold. A purchase lasts ``duration_us`` from its payment.

    A renewal may be charged ``slack_us`` after its period begins; once it failed there are ``grace_us`` to mend it.
    """

    mode: Mode
    duration_us: int
    slack_us: int
    grace_us: int


class Change(NamedTuple):
    """One thing about our subscription that is not as the provider has it."""

    field: str
    ours: object
    theirs: object


def words(picture: Picture, terms: Terms, ours: Standing) -> tuple[Word, ...]:
    """What the picture says to ours, in the order in which it is to be heard. Nothing: it says nothing yet."""
    if terms.mode == "payment":
        return _bought_once(picture, terms, ours)
    agreement = picture.agreement
    if agreement is None:
        return _of_orders(picture)
    return _renewed(picture, agreement, terms, ours)


def heard(standing: Standing, said: tuple[Word, ...]) -> Standing:
    """The standing after these words. One that the table refuses changes nothing: ours is over, whatever is paid."""
    for word in said:
        after = advance(standing, word)
        if not isinstance(after, Refused):
            standing = after
    return standing


def differences(ours: Standing, theirs: Standing) -> tuple[Change, ...]:
    """Each field in which they differ."""
    pairs = zip(Standing._fields, ours, theirs, strict=True)
    return tuple(Change(name, before, after) for name, before, after in pairs if before != after)


def _bought_once(picture: Picture, terms: Terms, ours: Standing) -> tuple[Word, ...]:
    paid = [receipt for receipt in picture.receipts if receipt.state is PaymentState.PAID]
    kept = [receipt for receipt in paid if receipt.kept]
    if kept:
        return (_pay(min(map(_paid_us, kept)), terms, picture, times=len(kept)),)  # paid twice lasts twice
    if paid:
        return (_taken_back(paid, picture, for_good=True),)
    if any(order.state is OrderState.PAID and order.payment is None for order in picture.orders):
        # Nothing was due, so there is no payment to date it by: the first reading does, once and for all.
        return (_pay(picture.read_us if ours.period_end_us is None else ours.starts_us, terms, picture),)
    return _of_orders(picture)


def _of_orders(picture: Picture) -> tuple[Word, ...]:
    """An order is dropped when none of its pages can be paid any more and no money is on its way."""
    if picture.orders and all(order.state in _GONE for order in picture.orders):
        return (Word(Event.ABANDON, picture.read_us),)
    return ()


def _renewed(picture: Picture, agreement: Agreement, terms: Terms, ours: Standing) -> tuple[Word, ...]:
    paid = newest(agreement, picture.receipts)
    until_us, kept = paid.until_us, paid.kept
    state = _of_state(picture, agreement, terms, until_us if kept else None)
    if not paid.behind and ours.period_end_us is None and _payable_beside(picture, agreement):
        state = ()  # a try that came to nothing: the order is not over before its other pages are
    if paid.behind and not kept:
        return (_taken_back(paid.behind, picture, for_good=False), *state)
    if state and (not kept or (ours.status is not Status.PENDING and ours.period_end_us == until_us)):
        return state  # what was paid is known already
    if not paid.behind and agreement.state is AgreementState.TRIALING:
        until_us, kept = agreement.period_end_us, True
    if not kept:
        return ()
    starts_us = agreement.period_start_us if paid.starts_us is None else paid.starts_us
    event = Event.TRIAL if agreement.state is AgreementState.TRIALING else Event.PAY
    word = Word(event, picture.read_us, until_us + terms.slack_us, until_us, agreement.stopping, starts_us)
    return (word, *state)


def _payable_beside(picture: Picture, agreement: Agreement) -> bool:
    """Whether a page can still be paid, or money of another one is on its way. Its own has begun this agreement."""
    return any(
        order.state is OrderState.OPEN or (order.state is OrderState.PROCESSING and order.agreement != agreement.id)
        for order in picture.orders
    )


def _of_state(picture: Picture, agreement: Agreement, terms: Terms, kept_until_us: int | None) -> tuple[Word, ...]:
    """What the state of an agreement says beside what was paid."""
    at_us, stopping = picture.read_us, agreement.stopping
    match agreement.state:
        case AgreementState.ENDED:
            return (Word(Event.END, at_us if agreement.ended_us is None else agreement.ended_us),)
        case AgreementState.PAST_DUE if kept_until_us is not None:
            return (Word(Event.FAIL, at_us, kept_until_us + terms.grace_us, kept_until_us, stopping),)
        case AgreementState.PAST_DUE | AgreementState.UNPAID:
            return (Word(Event.GIVE_UP, at_us, stopping=stopping),)
        case AgreementState.PAUSED:
            return (Word(Event.PAUSE, at_us, stopping=stopping),)
        case _:
            return ()


def _taken_back(paid: Sequence[Receipt], picture: Picture, *, for_good: bool) -> Word:
    """What was paid has gone back, or may: an open dispute pauses, a lost one ends what was bought once."""
    if any(receipt.dispute is Dispute.OPEN for receipt in paid):
        return Word(Event.PAUSE, picture.read_us)
    if for_good and all(receipt.dispute is Dispute.LOST for receipt in paid):
        return Word(Event.END, picture.read_us)
    return Word(Event.GIVE_UP, picture.read_us)  # not the end: a refund can fail, and then it is paid again


def _pay(starts_us: int, terms: Terms, picture: Picture, times: int = 1) -> Word:
    ends_us = starts_us + times * terms.duration_us
    return Word(Event.PAY, picture.read_us, ends_us, ends_us, None, starts_us)


def _paid_us(receipt: Receipt) -> int:
    return receipt.created_us if receipt.paid_us is None else receipt.paid_us
