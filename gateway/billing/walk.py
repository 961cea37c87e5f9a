"""Comparing everything, in slices: how far it has come is kept, so that it goes on after a restart.

First all that the provider has of ours, then all of ours that it may have, last the catalog.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from gateway.billing import catalog_push
from gateway.billing.compare import Comparer
from gateway.billing.run import Progress, Run
from gateway.billing.sales import DAY_US, Sales
from gateway.payments.port import Drift, Gone, Owner
from gateway.store import orders

SLICE = 50
"""So many sales are compared before something else has its turn."""
_SEEN_PER_SALE = 20
"""What is only looked past costs so much less."""
_REACH_US = 29 * DAY_US
"""How old a page may be that still is of interest."""
_REMEMBERED_US = 180 * DAY_US
"""So long after it has run out what was bought once is compared: money goes back, and banks dispute, for months."""
_BATCH = 100
_THEIRS, _OURS, _DONE = "theirs", "ours", "done"


@dataclass(slots=True)
class Walk:
    """``phase`` and ``place``: how far it has come. ``run``: what it did so far. ``seen``: compared by this process."""

    run: Run
    phase: str = _THEIRS
    place: str | None = None
    drift: tuple[Drift, ...] = ()
    seen: set[str] = field(default_factory=set)

    @property
    def over(self) -> bool:
        """Whether everything was compared."""
        return self.phase == _DONE

    def kept(self) -> dict[str, Any]:
        """As JSON."""
        return {"phase": self.phase, "place": self.place, "run": self.run.kept()}


def taken_up(kept: Mapping[str, object]) -> Walk:
    """A walk as it was kept."""
    run, place = Run(**cast("dict[str, Any]", kept["run"])), kept["place"]
    return Walk(run, str(kept["phase"]), None if place is None else str(place))


class Walker:
    """Goes on with walks."""

    def __init__(self, sales: Sales, comparer: Comparer) -> None:
        self._sales, self._comparer = sales, comparer

    async def go_on(self, walk: Walk, said: Progress, slice_: int | None = None) -> None:
        """Compare the next ``slice_`` sales, or all that are left. Raises ``ProviderError``, and stays where it is."""
        left = None if slice_ is None else slice_ * _SEEN_PER_SALE
        async for cost in self._ways(walk, said):
            if left is not None and (left := left - cost) <= 0:
                return
        walk.drift = await catalog_push.push(self._sales, dry_run=walk.run.dry_run)
        walk.run.drift = catalog_push.named(walk.drift)
        walk.phase, walk.place = _DONE, None

    async def _ways(self, walk: Walk, said: Progress) -> AsyncIterator[int]:
        """Each thing that is looked at or compared, and what that cost. By then its place is noted."""
        if walk.phase == _THEIRS:
            try:
                async for owner, place in self._sales.provider.everything(walk.run.started_us - _REACH_US, walk.place):
                    cost = await self._one_of_theirs(owner, walk, said)
                    walk.place = place
                    yield cost
            except Gone:
                walk.place = None  # what we stopped at is not there any more
                raise
            walk.phase, walk.place = _OURS, None
        store, name, since_us = self._sales.store, self._sales.provider.name, walk.run.started_us - _REMEMBERED_US
        while ids := await orders.all_of(store, name, walk.place or "", _BATCH, since_us=since_us):
            for id_ in ids:
                cost = 1 if await self._was_compared(id_, walk) else _SEEN_PER_SALE
                if cost > 1:
                    await self._comparer.compare(id_, None, walk.run, said)
                walk.place = id_
                yield cost

    async def _one_of_theirs(self, owner: Owner, walk: Walk, said: Progress) -> int:
        """Compare what it is about, unless that was done since the walk began. What it cost, in looks."""
        if owner == Owner():
            return 1
        sales = self._sales
        named = {"subscription": owner.subscription, "order": owner.order, "agreement": owner.agreement}
        id_ = await orders.find(sales.store, sales.provider.name, **named)
        if id_ is None:
            walk.run.problems.append(f"the provider has sold {owner.subscription}, which is not here")
            sales.counts.unmatched += 1
            return 1
        if await self._was_compared(id_, walk) and not await self._is_new(owner):
            return 1
        walk.seen.add(id_)
        await self._comparer.compare(id_, owner, walk.run, said)
        return _SEEN_PER_SALE

    async def _was_compared(self, id_: str, walk: Walk) -> bool:
        """By this process, or by any since the walk began."""
        return id_ in walk.seen or await orders.read_since(self._sales.store, id_, walk.run.started_us)

    async def _is_new(self, owner: Owner) -> bool:
        """Whether it names an order that we do not know: a page whose name got lost on the way to us."""
        if owner.order is None:
            return False
        return await orders.by_checkout(self._sales.store, self._sales.provider.name, owner.order) is None
