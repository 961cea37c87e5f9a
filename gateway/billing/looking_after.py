"""Acts of several requests at the provider can fail or be cut off in the middle: what they have left is looked at."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from gateway.billing.sales import Sales
from gateway.billing.settle import settle
from gateway.core.problems import Problem
from gateway.payments.port import ProviderError
from gateway.store import orders
from gateway.store.rows import SubscriptionRow

_LOOK_US = 60_000_000


@dataclass(slots=True)
class After:
    """What an act that failed has left; ``None``: that could not be seen."""

    found: SubscriptionRow | None = None


@asynccontextmanager
async def looked_at_after(sales: Sales, row: SubscriptionRow) -> AsyncIterator[After]:
    """For an act of several requests, which can fail or be cut off in the middle: what it has left is looked at.

    At once if it fails, and by the next sync if not even that can be done.
    """
    after = After()
    async with sales.store.write(sales.mandate()) as act:
        await orders.set_order(act, row.id, due_us=act.now_us + _LOOK_US)
    try:
        yield after
    except (ProviderError, Problem):
        with suppress(ProviderError, Problem, TimeoutError):
            after.found = (await settle(sales, row.id)).subscription
        raise
