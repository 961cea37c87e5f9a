"""What is sold, for the provider's catalog."""

from gateway.billing.checkout import item_of
from gateway.billing.sales import Sales
from gateway.core.sale import Mode
from gateway.payments.port import Drift, Item
from gateway.store import plans
from gateway.store.listing import Listing
from gateway.store.rows import PlanRow

_LARGEST = 1000
_WAYS: tuple[tuple[Mode, ...], tuple[Mode, ...]] = (("payment",), ("payment", "subscription"))


async def items(sales: Sales) -> list[Item]:
    """Every price of every plan that can be bought, in both ways of buying. A pack is bought once."""
    found: list[PlanRow] = []
    while page := await plans.page(sales.store, Listing(limit=_LARGEST, offset=len(found)), active=True):
        found += page
    once, both = _WAYS
    return [
        item_of(plan, price, mode)
        for plan in found
        if not plan.is_custom
        for price in plan.prices
        for mode in (once if plan.terms.pack else both)
    ]


async def push(sales: Sales, *, dry_run: bool = False) -> tuple[Drift, ...]:
    """Make the provider's catalog ours. Raises ``ProviderError``."""
    good, drift = [], []
    for item in await items(sales):
        objection = sales.provider.objection(item)
        if objection is None:
            good.append(item)
        else:
            drift.append(Drift(f"{item.slug} ({item.mode}, {item.currency})", f"cannot be sold: {objection}"))
    return (*await sales.provider.push(good, dry_run=dry_run), *drift)
