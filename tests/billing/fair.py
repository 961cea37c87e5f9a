"""Many shops, one after the other, each as it is on its first day: everything is for sale, and Stripe knows it.

What the first day costs, it costs once: the store and the books are copied. One event loop and one engine for all.
"""

import asyncio
import copy
import logging
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog

from gateway.demo.stripe.books import Books
from gateway.store import plans
from gateway.store.rows import PlanRow
from tests.billing.histories import TRIALS, for_sale
from tests.billing.near_store import NearStores
from tests.billing.shop import POLICY, Shop, near_shop


@dataclass
class Fair:
    """``run``: for what is done in a shop."""

    stores: NearStores
    runner: asyncio.Runner
    plans: tuple[PlanRow, ...]
    books: Books

    def run(self, doing: Coroutine[Any, Any, None]) -> None:
        self.runner.run(doing)

    async def shop(self) -> Shop:
        here = near_shop(await self.stores.fresh(), replace(POLICY, trials=TRIALS))
        _copy(self.books, here.fake.books)
        here.plan = self.plans[0]
        return here


def _copy(books: Books, into: Books) -> None:
    """All but the clock, whom it tells, and what has happened: of the first day everything is known."""
    into.kept.update(copy.deepcopy(books.kept))
    into._count = books._count


@contextmanager
def fair(migrated: Path) -> Iterator[Fair]:
    stores = NearStores(migrated)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with asyncio.Runner() as runner:

        async def first_day() -> tuple[tuple[PlanRow, ...], Books]:
            here = near_shop(await stores.fresh())
            made = [await plans.create(here.store, what, here.by(), prices=costs) for what, costs in for_sale()]
            await here.sync()
            await stores.keep()
            return tuple(made), here.fake.books

        made, books = runner.run(first_day())
        try:
            yield Fair(stores, runner, made, books)
        finally:
            runner.run(stores.close())
            structlog.reset_defaults()
