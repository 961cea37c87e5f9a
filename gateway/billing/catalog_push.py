"""What is sold, for the provider's catalog."""

from collections.abc import Sequence

from gateway.billing.checkout import item_of
from gateway.billing.sales import Sales
from gateway.core.sale import Mode
from gateway.payments.port import Drift, Item
from gateway.store import plans, syncs
from gateway.store.listing import Listing
from gateway.store.rows import PlanRow
from gateway.store.store import Act

_LARGEST = 1000
_MOST_KEPT = 200
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


def named(drift: Sequence[Drift]) -> list[str]:
    """In words."""
    return [f"{each.object}: {each.problem}" for each in drift]


async def keep(act: Act, provider: str, drift: Sequence[Drift]) -> None:
    """Remember what is not there as it is here; what was put right is."""
    found = named([each for each in drift if not each.mended])
    await syncs.change(act, provider, drift=found[:_MOST_KEPT], drift_us=act.now_us)


class Watch:
    """Pushes what was edited here, and looks at what was edited there."""

    def __init__(self, sales: Sales) -> None:
        self._sales = sales
        self._sold: int | None = None

    async def look(self, *, due: bool, dry_run: bool = False) -> tuple[Drift, ...] | None:
        """What is not there as it is here; ``None``: nobody has edited anything. Raises ``ProviderError``.

        What was edited here since the last look is put there; before a first look that is left to the full sync.
        """
        sold = hash(tuple(await items(self._sales)))
        edited = self._sold is not None and sold != self._sold
        drift = await push(self._sales, dry_run=dry_run or not edited) if edited or due else None
        if not dry_run:
            self._sold = sold
        return drift
