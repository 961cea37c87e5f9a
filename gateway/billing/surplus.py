"""A sale that was paid twice: two pages of one order, each of which began an agreement. One counts, the other is ended.

What it took stays with us until an operator gives it back; until then the sale is told as one that was paid twice.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from gateway import log
from gateway.billing.sales import Sales
from gateway.core.sale import Agreement, AgreementState, Receipt
from gateway.core.subscription import Status
from gateway.store.rows import SubscriptionRow

_NOT_BEGUN = (AgreementState.ENDED, AgreementState.INCOMPLETE)
_log = log.get_logger(__name__)


class Kept(NamedTuple):
    """What we have of an agreement for which nothing is granted, in minor units."""

    agreement: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class Extra:
    """The agreements of a sale that do not count. ``running``: will be charged again. ``receipts``: of all of them."""

    running: tuple[str, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    kept: tuple[Kept, ...] = ()


def counting(ours: SubscriptionRow, found: Sequence[Agreement]) -> Agreement | None:
    """The agreement that counts: the one we know, unless it has ended and ours has not; else the first that runs."""
    known = next((each for each in found if each.id == ours.external_id), None)
    if known is not None and (known.state not in _NOT_BEGUN or ours.status is Status.CANCELLED):
        return known
    return next((each for each in found if each.state not in _NOT_BEGUN), known or next(iter(found), None))


def of_this_sale(ours: SubscriptionRow, found: Sequence[Agreement], counts: Agreement | None) -> list[Agreement]:
    """Those that do not count. What does not say that it is of this sale is left alone."""
    return [each for each in found if each is not counts and each.tag is not None and each.tag.subscription == ours.id]


async def extra(sales: Sales, others: Sequence[Agreement]) -> Extra:
    """What is to be known of agreements that do not count. Raises ``ProviderError``."""
    receipts = {each.id: await sales.provider.receipts(agreement=each.id) for each in others}
    return Extra(
        running=tuple(each.id for each in others if each.state is not AgreementState.ENDED and not each.stopping),
        receipts=tuple(receipt for of_it in receipts.values() for receipt in of_it),
        kept=tuple(kept for id_, of_it in receipts.items() for kept in _kept(id_, of_it)),
    )


def _kept(agreement: str, receipts: Iterable[Receipt]) -> list[Kept]:
    sums: dict[str, int] = {}
    for receipt in receipts:
        if receipt.kept:
            sums[receipt.currency] = sums.get(receipt.currency, 0) + receipt.amount - receipt.refunded
    return [Kept(agreement, amount, currency) for currency, amount in sums.items() if amount > 0]


async def end(sales: Sales, id_: str, running: Sequence[str]) -> None:
    """Let them be charged no more. Raises ``ProviderError``."""
    for agreement in running:
        _log.error("a sale was paid twice: the second agreement is ended, give its money back", sale=id_, of=agreement)
        await sales.provider.end(agreement)


def written(kept: Sequence[Kept], before: str | None, others: Sequence[Agreement]) -> str | None:
    """As it is kept beside the order. What was not read this time stays as it was."""
    read = {each.id for each in others}
    lines = [*(each for each in read_back(before) if each.agreement not in read), *kept]
    return orjson.dumps([each._asdict() for each in lines]).decode() if lines else None


def read_back(text: str | None) -> tuple[Kept, ...]:
    """The same, read."""
    found: list[Mapping[str, object]] = orjson.loads(text or "[]")
    return tuple(Kept(**each) for each in found)  # type: ignore[arg-type]
