"""Money for which nothing is granted: a sale that was paid twice, or paid when it was over already.

Two pages of one order can each begin an agreement: one counts, the other is ended. What has ended can be paid no more;
who was quicker has paid for nothing. What was taken stays with us until an operator gives it back, and is told till
then.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from gateway import log
from gateway.billing.sales import Sales
from gateway.core.sale import Agreement, AgreementState, PaymentState, Receipt
from gateway.core.subscription import Status
from gateway.store.rows import SubscriptionRow

Receipts = Mapping[str, Sequence[Receipt]]
"""The payments of each agreement, by its name."""
_NOT_BEGUN = (AgreementState.ENDED, AgreementState.INCOMPLETE)
_log = log.get_logger(__name__)


class Kept(NamedTuple):
    """What we have of an agreement for which nothing is granted, in minor units. Or of a payment, where none renews."""

    agreement: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class Extra:
    """The agreements of a sale that do not count. ``running``: will be charged again. ``receipts``: of all of them.

    ``owing``: agreements that are over, of which something can still be paid.
    """

    running: tuple[str, ...] = ()
    owing: tuple[str, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    kept: tuple[Kept, ...] = ()


def counting(ours: SubscriptionRow, found: Sequence[Agreement], receipts: Receipts) -> Agreement | None:
    """The agreement that counts: one that runs, of those one that was paid, and else the one we know.

    Ours that was paid and is over is over for good: then it is the one that we know, whatever else is paid.
    """
    known = next((each for each in found if each.id == ours.external_id), None)
    if known is not None and ours.status is Status.CANCELLED and ours.period_end_us is not None:
        return known

    def merit(each: Agreement) -> tuple[bool, bool, bool, bool]:
        paid = any(receipt.kept and receipt.amount for receipt in _of_itself(receipts[each.id]))
        return each.state not in _NOT_BEGUN, paid, each.state is not AgreementState.ENDED, each is known

    return max(found, key=merit, default=None)


def of_this_sale(ours: SubscriptionRow, found: Sequence[Agreement], counts: Agreement | None) -> list[Agreement]:
    """Those that do not count. What does not say that it is of this sale is left alone."""
    return [each for each in found if each is not counts and each.tag is not None and each.tag.subscription == ours.id]


def extra(others: Sequence[Agreement], receipts: Receipts, counts: Agreement | None) -> Extra:
    """What is to be known of agreements that do not count, and of the one that does, if it is over."""
    begun = counts is not None and counts.state not in _NOT_BEGUN
    over = [each for each in (*others, counts) if each is not None and each.state is AgreementState.ENDED]
    return Extra(
        running=tuple(each.id for each in others if _to_be_ended(each, begun=begun)),
        owing=tuple(each.id for each in over if _due(receipts[each.id])),
        receipts=tuple(receipt for each in others for receipt in receipts[each.id]),
        kept=tuple(kept for each in others for kept in _kept(each.id, _of_itself(receipts[each.id]))),
    )


def _of_itself(receipts: Iterable[Receipt]) -> list[Receipt]:
    """Those that buy an agreement's periods. What is sold beside it is owed, and paid, whatever becomes of it."""
    return [each for each in receipts if each.period_end_us is not None]


def _due(receipts: Iterable[Receipt]) -> list[Receipt]:
    return [each for each in _of_itself(receipts) if each.state is PaymentState.OPEN]


def _to_be_ended(other: Agreement, *, begun: bool) -> bool:
    """What waits for its first payment can be what an open page is paid with, until something else has ``begun``."""
    if other.state is AgreementState.INCOMPLETE:
        return begun
    return other.state is not AgreementState.ENDED and not other.stopping


def late(ours: SubscriptionRow, counts: Agreement | None, receipts: Iterable[Receipt]) -> list[Kept]:
    """What was paid after what it was for had ended: after the agreement, or, bought once, after ours."""
    if counts is not None:
        over_us, name = counts.ended_us if counts.state is AgreementState.ENDED else None, counts.id
        after = [each for each in _of_itself(receipts) if over_us is not None and (each.paid_us or 0) > over_us]
        return _kept(name, after)
    if ours.status is not Status.CANCELLED or ours.period_end_us is None:
        return []
    after = [each for each in receipts if (each.paid_us or 0) > (ours.cancelled_us or 0)]
    return [kept for each in after for kept in _kept(each.id, [each])]


def _kept(agreement: str, receipts: Iterable[Receipt]) -> list[Kept]:
    sums: dict[str, int] = {}
    for receipt in receipts:
        if receipt.kept:
            sums[receipt.currency] = sums.get(receipt.currency, 0) + receipt.amount - receipt.refunded
    return [Kept(agreement, amount, currency) for currency, amount in sums.items() if amount > 0]


async def end(sales: Sales, id_: str, running: Sequence[str]) -> None:
    """Let them be charged no more. Raises ``ProviderError``."""
    for agreement in running:
        _log.error(
            "a sale was begun twice: the second agreement is ended, give back what it took", sale=id_, of=agreement
        )
        await sales.provider.end(agreement)


def written(kept: Sequence[Kept], before: str | None, read: Container[str]) -> str | None:
    """As it is kept beside the order. What was not ``read`` this time stays as it was."""
    lines = [*(each for each in read_back(before) if each.agreement not in read), *kept]
    return orjson.dumps([each._asdict() for each in lines]).decode() if lines else None


def read_back(text: str | None) -> tuple[Kept, ...]:
    """The same, read."""
    found: list[Mapping[str, object]] = orjson.loads(text or "[]")
    return tuple(Kept(**each) for each in found)  # type: ignore[arg-type]
