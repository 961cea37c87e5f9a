"""What scopes have bought, in memory as far as they came by: fetched in batches, dropped when the store says so."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from itertools import islice

from gateway import log
from gateway.core.plan import Plan, Subscription
from gateway.core.problems import StoreUnavailable
from gateway.core.scope import Scope
from gateway.core.subscription import Holding, PlanVersion
from gateway.identity.cache import Kept
from gateway.store.store import Store
from gateway.store.subscribed import held_by
from gateway.tasks import Tasks

ENTRIES = 100_000
BATCH = 200
LOST = 1000
"""How many scopes whose plan is not known here are counted for readiness."""
COOLING_US = 1_000_000
"""How long a store that failed is not asked again: a dead one costs one time-out and not one per request."""

_log = log.get_logger(__name__)


class StoreHoldings:
    """The subscriptions of the store, by scope; that a scope has none is remembered as well.

    ``sold``: the terms of each version of a plan. ``catch_up``: hears of versions that this process does not know yet.
    """

    def __init__(self, store: Store, now_us: Callable[[], int], *, entries: int = ENTRIES) -> None:
        self.sold: Mapping[PlanVersion, Plan] = {}
        self.catch_up: Callable[[], Awaitable[None]] | None = None
        self._store = store
        self._now_us = now_us
        self._held: Kept[Scope, tuple[Holding, ...]] = Kept(entries)
        self._waiting: dict[Scope, asyncio.Future[bool]] = {}
        self._fetched: set[Scope] = set()
        self._fetching = False
        self._failed_us: int | None = None
        self._lost: set[Scope] = set()
        self._tasks = Tasks()

    def __len__(self) -> int:
        """How many scopes are in memory."""
        return len(self._held)

    def known(self, scope: Scope, plans: Mapping[str, Plan]) -> tuple[Subscription, ...] | None:
        """See ``Holdings``. Also ``None`` if a plan of theirs is not known here."""
        held = self._held.get(scope)
        if held is None:
            return None
        found = []
        for each in held:
            plan = plans.get(each.plan) if isinstance(each.plan, str) else self.sold.get(each.plan)
            if plan is None:
                return None
            bought = (each.starts_us, each.ends_us, each.override, each.anchor_us)
            found.append(Subscription(each.id, plan, scope, *bought))
        return tuple(found)

    async def load(self, scope: Scope, plans: Mapping[str, Plan]) -> None:
        """See ``Holdings``. Raises ``StoreUnavailable`` also if a plan of theirs is not known here (yet)."""
        if self._held.get(scope) is None:
            await self._fetch(scope)
            return
        if self.catch_up is not None:
            await self.catch_up()
        if self._held.get(scope) is not None and self.known(scope, plans) is None:
            # Its buyer is not a free user because this process has not heard of the plan.
            if scope not in self._lost:
                _log.error("a subscription is to a plan that is not known here", scope=str(scope))
            if len(self._lost) < LOST:
                self._lost.add(scope)
            raise _away()

    def lost(self, plans: Mapping[str, Plan]) -> int:
        """How many scopes were met that have a plan which is not known here, and still have it; at most ``LOST``."""
        self._lost = {
            scope for scope in self._lost if self._held.get(scope) is not None and self.known(scope, plans) is None
        }
        return len(self._lost)

    def drop(self, scopes: Iterable[Scope]) -> None:
        """Forget these: what is being fetched for them is old already."""
        for scope in scopes:
            self._held.drop(scope)
            self._fetched.discard(scope)

    def clear(self) -> None:
        """Forget all."""
        self._held.clear()
        self._fetched.clear()

    async def close(self) -> None:
        """Stop fetching."""
        await self._tasks.close()

    async def _fetch(self, scope: Scope) -> None:
        if self._failed_us is not None and 0 <= self._now_us() - self._failed_us < COOLING_US:
            raise _away()
        waiter = self._waiting.get(scope)
        if waiter is None:
            waiter = self._waiting[scope] = asyncio.get_running_loop().create_future()
        if not self._fetching:
            self._fetching = True
            self._tasks.start(self._fetch_waiting(), "fetch subscriptions")
        if not await asyncio.shield(waiter):
            raise _away()

    async def _fetch_waiting(self) -> None:
        """One query at a time, each for all who wait: a cold start is not a storm of queries."""
        try:
            while self._waiting:
                batch = dict(islice(self._waiting.items(), BATCH))
                for scope in batch:
                    del self._waiting[scope]
                found = False
                try:
                    found = await self._fetch_batch(batch.keys())
                finally:
                    for waiter in batch.values():
                        waiter.set_result(found)
        finally:
            self._fetching = False

    async def _fetch_batch(self, scopes: Collection[Scope]) -> bool:
        self._fetched = set(scopes)
        try:
            found = await held_by(self._store, scopes, self._now_us())
        except StoreUnavailable as error:
            self._failed_us = self._now_us()
            _log.error("subscriptions cannot be fetched", scopes=len(scopes), reason=str(error.__cause__))
            return False
        self._failed_us = None
        for scope in self._fetched:  # without those that were dropped meanwhile
            self._held.put(scope, found[scope])
        return True


def _away() -> StoreUnavailable:
    return StoreUnavailable(
        "What you have bought cannot be looked up at the moment. Try again shortly.", headers=((b"Retry-After", b"1"),)
    )
