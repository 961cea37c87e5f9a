"""Reading all that the provider has of one sale."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.billing.sales import Sales
from gateway.billing.surplus import Extra, Kept, counting, extra, late, of_this_sale, read_back
from gateway.core.sale import Agreement, Order, OrderState, Picture, Receipt
from gateway.payments.port import Gone, Owner, ProviderError
from gateway.store.orders import CheckoutRow, Ordered


@dataclass(frozen=True, slots=True)
class Read:
    """A picture, and what the reading of it taught about names. ``others``: agreements that do not count.

    ``late``: what was paid when it was over. ``names``: of all agreements and payments that were read.
    """

    picture: Picture
    orders: tuple[tuple[CheckoutRow, Order], ...]
    agreement: Agreement | None
    others: tuple[Agreement, ...]
    extra: Extra
    late: tuple[Kept, ...]
    names: frozenset[str]


async def read_sale(sales: Sales, held: Ordered, owner: Owner | None) -> Read:
    """Everything that the provider has of a sale. Raises ``ProviderError``."""
    found = await _pages(sales, held)
    known = [held.subscription.external_id, *(order.agreement for _, order in found)]
    payments = {order.payment for _, order in found if order.payment is not None}
    told = {each.agreement for each in read_back(held.order.surplus)} - payments
    known += [None if owner is None else owner.agreement, *sorted(told)]
    names = dict.fromkeys(each for each in known if each is not None)
    agreements = [await _agreement(sales, name) for name in names]
    paid = {each.id: await sales.provider.receipts(agreement=each.id) for each in agreements}
    counts = counting(held.subscription, agreements, paid)
    receipts = await _receipts(sales, () if counts is None else paid[counts.id], [order for _, order in found])
    shown = (*(order for _, order in found), *_unopened(held, sales.now_us()))
    others = of_this_sale(held.subscription, agreements, counts)
    return Read(
        Picture(read_us=sales.now_us(), orders=shown, agreement=counts, receipts=tuple(receipts)),
        tuple(found),
        counts,
        tuple(others),
        extra(others, paid, counts),
        (*late(held.subscription, counts, receipts),),
        frozenset(payments | paid.keys()),
    )


async def _receipts(sales: Sales, agreed: Sequence[Receipt], found: list[Order]) -> list[Receipt]:
    """The payments of the agreement, and of what was bought once."""
    receipts = list(agreed)
    for order in found:
        if order.payment is not None:
            receipts += await sales.provider.receipts(payment=order.payment)
    return receipts


async def _pages(sales: Sales, held: Ordered) -> list[tuple[CheckoutRow, Order]]:
    """The pages of an order as they are now. What the provider has forgotten is no order any more."""
    found: list[tuple[CheckoutRow, Order]] = []
    for page in held.checkouts:
        if page.external_id is None:
            continue
        try:
            found.append((page, await sales.provider.order(page.external_id)))
        except Gone:
            lost = Order(id=page.external_id, state=OrderState.EXPIRED, mode=held.subscription.mode)
            found.append((page, lost))
    return found


def _unopened(held: Ordered, now_us: int) -> list[Order]:
    """Pages of which we do not know whether they were opened: until they would have closed they may be paid."""
    pages = [page for page in held.checkouts if page.external_id is None]
    states = [OrderState.OPEN if now_us < page.expires_us else OrderState.EXPIRED for page in pages]
    return [Order(id="", state=state, mode=held.subscription.mode) for state in states]


async def _agreement(sales: Sales, name: str) -> Agreement:
    try:
        return await sales.provider.agreement(name)
    except Gone as error:
        # Providers keep what has ended. What they do not know at all was sold by another account, or in another mode:
        # a wrong key must not end what people go on paying for.
        raise ProviderError(
            f"The provider does not know {name}. Is this the key of the account and mode that sold it? "
            "Nothing was changed.",
            code=error.code,
        ) from error
