"""What a payment provider knows of something it sold for us, in our words: the order, the agreement, the payments.

Amounts are minor units of their currency (ISO 4217), instants microseconds. All of it is read from the provider,
never from what it told us unasked.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple

from gateway.core.scope import Scope

Mode = Literal["payment", "subscription"]


class Tag(NamedTuple):
    """What we wrote on an object at the provider: for which subscription of ours it is, and what that was when made."""

    subscription: str
    plan_id: str
    scope: Scope
    user_id: str | None = None


class OrderState(StrEnum):
    """Where a checkout stands."""

    OPEN = "open"
    """Its page can still be paid."""
    PROCESSING = "processing"
    """The customer is done, the money is on its way (bank debits, vouchers)."""
    PAID = "paid"
    """Paid, or nothing was due."""
    FAILED = "failed"
    """The money did not come."""
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A checkout. ``url``: its page while it is open. ``agreement``: what it began, if it renews."""

    id: str
    state: OrderState
    mode: Mode
    tag: Tag | None = None
    url: str | None = None
    agreement: str | None = None
    payment: str | None = None


class AgreementState(StrEnum):
    """Where something that renews stands."""

    INCOMPLETE = "incomplete"
    """Its first payment has not come."""
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    UNPAID = "unpaid"
    PAUSED = "paused"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What renews until somebody ends it. ``stopping``: it will end with its period. ``plan_id``: what it is to now.

    ``next_plan_id``: what it is to from its next period on, where that was agreed. ``amount``: what it costs for so
    many ``days``, where that is known; a calendar's months and years by their usual length. ``scheduled``: somebody
    else has arranged at the provider what it will be, which no customer undoes.
    """

    id: str
    state: AgreementState
    tag: Tag | None = None
    plan_id: str | None = None
    period_start_us: int
    period_end_us: int
    stopping: bool = False
    next_plan_id: str | None = None
    scheduled: bool = False
    amount: int | None = None
    days: int = 0
    ended_us: int | None = None


class PaymentState(StrEnum):
    """Where a payment stands."""

    OPEN = "open"
    """Due: not paid yet, or a try has failed."""
    PROCESSING = "processing"
    PAID = "paid"
    VOID = "void"
    """Not due any more."""


class Dispute(StrEnum):
    """What the customer's bank says of a payment. An inquiry that takes no money is no dispute."""

    NONE = "none"
    OPEN = "open"
    WON = "won"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One payment. ``refunded``: all refunds of it together. ``period``: what it is for, where that was agreed.

    ``pay_url``: where it can be paid while it is open. ``created_us``: when it was made; ``paid_us``: when it was paid.
    ``credited``: a part of what it is for was paid before, with what the customer had left.
    ``changes``: the payments of which it gives back what is left, by their ids, if it is a change to another plan; an
    empty name for one that is not told. ``plan_id``: what it bought, where that is said.
    """

    id: str
    state: PaymentState
    amount: int
    currency: str
    created_us: int
    refunded: int = 0
    dispute: Dispute = Dispute.NONE
    paid_us: int | None = None
    period_start_us: int | None = None
    period_end_us: int | None = None
    method: str | None = None
    description: str | None = None
    receipt_url: str | None = None
    pay_url: str | None = None
    credited: bool = False
    changes: tuple[str, ...] = ()
    plan_id: str | None = None

    @property
    def kept(self) -> bool:
        """Whether it is paid, and the money has stayed with us. A part that was given back changes nothing."""
        given_back = self.refunded >= self.amount > 0
        return self.state is PaymentState.PAID and not given_back and self.dispute in (Dispute.NONE, Dispute.WON)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """All that the provider has of one subscription of ours, read at ``read_us``. ``orders``: all of its checkouts."""

    read_us: int
    orders: tuple[Order, ...] = ()
    agreement: Agreement | None = None
    receipts: tuple[Receipt, ...] = ()
