"""The life of a subscription: its states, what is said about it, and what comes of that.

``TRANSITIONS`` is the one table by which admins, customers and payment providers move a subscription. A provider is
read, not believed: what it says is its subscription as it is now, so words may come late, twice or in any order.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal, NamedTuple


class Status(StrEnum):
    """Where a subscription stands. Expired is not one of them: it follows from the end and the time."""

    PENDING = "pending"
    """Ordered and not paid yet."""
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    """A renewal failed; it grants until its end, which is then the end of the grace."""
    UNPAID = "unpaid"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    """Over, for good."""


GRANTING = frozenset({Status.TRIALING, Status.ACTIVE, Status.PAST_DUE})
"""The states in which a subscription gives something, from its start to its end."""


class PlanVersion(NamedTuple):
    """One version of a plan of the store, as a subscription was bought at it."""

    plan_id: str
    version: int


class Holding(NamedTuple):
    """A granting subscription as it is kept. ``plan`` is a version of the store's, or the slug of a file's plan.

    Effective while starts_us <= now < ends_us; ``ends_us`` ``None``: no end. ``override`` replaces the amount of the
    plan's first limit on throughput (0 or less: unlimited). ``anchor_us``: from when its windows are counted, if not
    from its start.
    """

    id: str
    plan: PlanVersion | str
    starts_us: int
    ends_us: int | None
    override: int | None
    anchor_us: int | None = None


class Event(StrEnum):
    """What is said about a subscription."""

    TRIAL = "trial"
    """The provider: it is on trial until the period's end."""
    PAY = "pay"
    """The provider: it is paid until the period's end, for the first time or again."""
    FAIL = "fail"
    """The provider: a payment failed and will be tried again; it grants until ``ends_us`` (the grace)."""
    GIVE_UP = "give_up"
    """The provider: payments failed and are not tried any more."""
    PAUSE = "pause"
    """The provider: nothing is paid and nothing is due (a trial without means of payment, a dispute)."""
    ABANDON = "abandon"
    """The provider: the order can no longer be paid."""
    END = "end"
    """An admin, or the provider: over now, for good."""
    EXTEND = "extend"
    """An admin: it ends at ``ends_us``; ``None``: never."""
    STOP = "stop"
    """Its customer: do not renew it; an order that is not paid is dropped."""
    REACTIVATE = "reactivate"
    """Its customer: renew it after all."""


class Standing(NamedTuple):
    """What events change. ``renews``: it is renewed until somebody stops it, else it was bought once.

    ``period_end_us``: until when it is paid at the provider; ``None``: it never was. ``ends_us``: until when it grants;
    ``None``: no end.
    """

    status: Status
    starts_us: int
    ends_us: int | None
    cancelled_us: int | None = None
    period_end_us: int | None = None
    cancel_at_period_end: bool = False
    renews: bool = False


class Word(NamedTuple):
    """An event at ``at_us``, with what it says of ends. ``starts_us``: of what begins; ``None``: ``at_us``.

    ``stopping``: whether the provider will not renew it; ``None``: it says nothing about that.
    """

    event: Event
    at_us: int
    ends_us: int | None = None
    period_end_us: int | None = None
    stopping: bool | None = None
    starts_us: int | None = None


class Refused(NamedTuple):
    """Why an event changes nothing, in a sentence for who caused it. ``code``: for programs."""

    code: Literal["over", "not_ordered", "not_renewed", "not_stopping", "stopping", "not_paid", "ends_before_start"]
    message: str


class Move(NamedTuple):
    """``begins``: it starts, if it never was paid. ``ends``: the word says until when. ``flag``: what the flag becomes.

    ``ends`` holds for a new state or a new period only: who reads the same again leaves an admin's extension alone.
    """

    to: Status
    begins: bool = False
    ends: bool = False
    flag: Literal["keep", "word", "set", "clear"] = "keep"


_BEGUN = (Status.TRIALING, Status.ACTIVE, Status.PAST_DUE, Status.UNPAID, Status.PAUSED)
_IDLE = {Status.PENDING, Status.UNPAID, Status.PAUSED, Status.CANCELLED}
_READ = {Event.FAIL: Status.PAST_DUE, Event.GIVE_UP: Status.UNPAID, Event.PAUSE: Status.PAUSED}
_PAID = {Event.TRIAL: Status.TRIALING, Event.PAY: Status.ACTIVE}

TRANSITIONS: Mapping[tuple[Status, Event], Move] = {
    # What the provider reads as is what it is, whatever we thought; but an order is not begun by a failed payment.
    **{
        (old, event): Move(to, begins=old in _IDLE, ends=True, flag="word")
        for old in Status
        for event, to in _PAID.items()
    },
    **{(old, event): Move(to, ends=event is Event.FAIL, flag="word") for old in _BEGUN for event, to in _READ.items()},
    (Status.PENDING, Event.FAIL): Move(Status.PENDING),
    (Status.PENDING, Event.GIVE_UP): Move(Status.CANCELLED, flag="clear"),
    (Status.PENDING, Event.PAUSE): Move(Status.PENDING),
    (Status.PENDING, Event.ABANDON): Move(Status.CANCELLED, flag="clear"),
    (Status.CANCELLED, Event.ABANDON): Move(Status.CANCELLED),
    **{(old, Event.END): Move(Status.CANCELLED, flag="clear") for old in Status},
    **{(old, Event.EXTEND): Move(old, ends=True) for old in _BEGUN},
    (Status.PENDING, Event.STOP): Move(Status.CANCELLED, flag="clear"),
    **{(old, Event.STOP): Move(old, flag="set") for old in _BEGUN},
    **{(old, Event.REACTIVATE): Move(old, flag="clear") for old in _BEGUN},
}
"""(state, event) to what comes of it; what is not here is refused. A subscription that was paid and is over stays over:
``advance`` lets only an order that was dropped before its payment came begin after all."""

_OVER = Refused("over", "This subscription is cancelled, for good. Make or buy another.")
_NOT_ORDERED = Refused("not_ordered", "This is paid already: it is no order any more.")
_NOT_PAID = Refused("not_paid", "This is not paid yet.")
_BACKWARDS = Refused("ends_before_start", "A subscription ends after it starts.")


def advance(standing: Standing, word: Word) -> Standing | Refused:
    """What comes of a word. The same standing: it says nothing new."""
    move = TRANSITIONS.get((standing.status, word.event))
    if move is None:
        return _why_not(standing.status)
    if (refused := _objection(standing, word)) is not None:
        return refused
    over = move.to is Status.CANCELLED
    cancelled_us = (word.at_us if standing.cancelled_us is None else standing.cancelled_us) if over else None
    after = standing._replace(
        status=move.to, cancelled_us=cancelled_us, cancel_at_period_end=_flag(move, standing, word)
    )
    if move.begins and standing.period_end_us is None:
        after = after._replace(starts_us=word.at_us if word.starts_us is None else word.starts_us)
    if word.event is Event.EXTEND:
        after = after._replace(ends_us=word.ends_us)
    elif move.ends:
        paid_us = standing.period_end_us if word.period_end_us is None else word.period_end_us
        if (standing.status, standing.period_end_us) != (move.to, paid_us):
            after = after._replace(ends_us=word.ends_us, period_end_us=paid_us)
    if after.ends_us is not None and after.ends_us <= after.starts_us:
        return _BACKWARDS
    return after


def _objection(standing: Standing, word: Word) -> Refused | None:
    """Why an event that the state would allow changes nothing."""
    match word.event:
        case Event.TRIAL | Event.PAY if standing.status is Status.CANCELLED and standing.period_end_us is not None:
            return _OVER
        case Event.STOP if standing.status is not Status.PENDING:
            if not standing.renews:
                return Refused("not_renewed", "This was bought once: it ends by itself and is not renewed.")
            if standing.cancel_at_period_end:
                return Refused("stopping", "This subscription ends with its period already.")
        case Event.REACTIVATE if not standing.cancel_at_period_end:
            return Refused("not_stopping", "Nobody has cancelled this subscription: it goes on as it is.")
    return None


def _why_not(status: Status) -> Refused:
    match status:
        case Status.CANCELLED:
            return _OVER
        case Status.PENDING:
            return _NOT_PAID
        case _:
            return _NOT_ORDERED


def _flag(move: Move, standing: Standing, word: Word) -> bool:
    match move.flag:
        case "set":
            return True
        case "clear":
            return False
        case "word" if word.stopping is not None:
            return word.stopping and standing.renews
        case _:
            return standing.cancel_at_period_end
