"""Until when something that renews is paid, and on which payments that stands.

A change of plan is paid by less than its plan costs: the rest is what is given back of an earlier payment. So it
stands on that payment as well, and on what that one stands on, down to the ground: it counts if all of them are paid,
and is kept if all of them are. A change by itself never makes a period paid that nobody has paid for.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gateway.core.sale import Agreement, AgreementState, PaymentState, Receipt


class Paid(NamedTuple):
    """The newest period that is paid. ``until_us`` 0: none is. ``behind``: the payments that it stands on."""

    until_us: int = 0
    behind: tuple[Receipt, ...] = ()
    starts_us: int | None = None
    """When the first period that was paid began."""

    @property
    def kept(self) -> bool:
        """Whether all of its money has stayed with us: a part that is gone would make the rest buy the whole."""
        return bool(self.behind) and all(receipt.kept for receipt in self.behind)


def newest(agreement: Agreement, receipts: Sequence[Receipt]) -> Paid:
    """The newest period that is paid, by payments that are all paid.

    The payments that count are those behind the newest one for the plan that it is to now: who was put back onto the
    plan before, and got the difference back, has paid for that plan.
    """
    whole = {receipt.id: behind for receipt in receipts if (behind := _behind(receipt, receipts))}
    paid = [receipt for receipt in receipts if receipt.id in whole and receipt.period_end_us]
    if not paid:
        return Paid()
    until_us = _until(paid, agreement)
    covering = [receipt for receipt in paid if receipt.period_end_us == until_us]
    fitting = [receipt for receipt in covering if receipt.plan_id == agreement.plan_id] or covering
    last = max(fitting, key=lambda receipt: (receipt.created_us, len(whole[receipt.id])))
    starts_us = min(_start(receipt) for receipt in paid)
    return Paid(until_us, whole[last.id], starts_us)


def runs_paid(agreement: Agreement, receipts: Sequence[Receipt]) -> bool:
    """Whether the period that runs is paid, or a trial: only then is there something to give back for a change."""
    if agreement.state is AgreementState.TRIALING:
        return True
    found = newest(agreement, receipts)
    return agreement.state is AgreementState.ACTIVE and found.kept and found.until_us == agreement.period_end_us


def dearer(agreement: Agreement, amount: int, days: int) -> bool:
    """Whether ``amount`` for so many ``days`` costs more a day than it costs now, as far as that is known."""
    return agreement.amount is not None and amount * agreement.days > agreement.amount * days


def _until(paid: Sequence[Receipt], agreement: Agreement) -> int:
    """The end of the newest period that is paid.

    Not the latest end: who changed from a year to a month has given the rest of the year back. Which period it is now,
    the agreement says. While that one is not paid yet, the one before it counts.
    """
    ends_us = {receipt.period_end_us or 0 for receipt in paid}
    if agreement.period_end_us in ends_us:
        return agreement.period_end_us
    before_us = [end_us for end_us in ends_us if end_us <= agreement.period_start_us]
    if before_us:
        return max(before_us)
    return max((receipt.created_us, receipt.period_end_us or 0) for receipt in paid)[1]


def _behind(receipt: Receipt, receipts: Sequence[Receipt]) -> tuple[Receipt, ...]:
    """A payment and all that it stands on, if all of them are paid; else nothing. A draft is not among them yet."""
    by_id = {each.id: each for each in receipts}
    found, waiting = dict[str, Receipt](), [receipt.id]
    while waiting:
        each = by_id.get(name := waiting.pop())
        if each is None or each.state is not PaymentState.PAID:
            return ()
        if name not in found:
            found[name] = each
            waiting += _grounds(each, receipts)
    return tuple(found.values())


def _grounds(receipt: Receipt, receipts: Sequence[Receipt]) -> Iterable[str]:
    """The ids of what a payment stands on directly. One that nobody has: that is not known, so it is not paid."""
    if receipt.changes:
        named = [name for name in receipt.changes if name]
        return named or _running(receipt, receipts) or [""]
    if receipt.amount or not receipt.credited:
        return ()
    # Paid whole by what the customer had left: by the last change that has left something.
    left = [each for each in receipts if each.changes and not each.amount and each.created_us <= receipt.created_us]
    return [max(left, key=lambda each: each.created_us).id] if left else ()


def _running(change: Receipt, receipts: Sequence[Receipt]) -> list[str]:
    """The ids of what ran when a change was made that does not say what it changes."""
    return [
        each.id
        for each in receipts
        if not each.changes and _start(each) <= change.created_us < (each.period_end_us or 0)
    ]


def _start(receipt: Receipt) -> int:
    """When what it is for begins."""
    if receipt.period_start_us is not None:
        return receipt.period_start_us
    return receipt.created_us if receipt.paid_us is None else receipt.paid_us
