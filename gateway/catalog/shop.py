"""The store of a running gateway, kept up with.

A change made here is in force before its maker goes on; one made elsewhere is noticed within a second, by the
catalog's revision, and on PostgreSQL at once, by its notice.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Protocol

from gateway import log
from gateway.catalog.holdings import StoreHoldings
from gateway.catalog.merge import Configured, Merged, merged_plans, merged_rules
from gateway.catalog.sightings import Sightings
from gateway.core.problems import StoreUnavailable
from gateway.core.rules import RuleTable
from gateway.core.scope import Scope
from gateway.store import keys
from gateway.store.audit import Changes, changes_since
from gateway.store.notices import hear
from gateway.store.open import open_store
from gateway.store.rows import KeyRow, Stock, WeightRow
from gateway.store.stock import read_stock
from gateway.store.store import Store
from gateway.store.subscribed import file_plans_held
from gateway.tasks import Tasks

INTERVAL_S = 1.0
ANSWERS_S = 1.0
"""So long a server may take to say what has changed; then its connections are thought dead."""
SEEN_S = 30.0
_RESTOCKS = frozenset({"plan", "weight"})

_log = log.get_logger(__name__)


class Listener(Protocol):
    """Whom changes are told, in the order of revisions, one after the other."""

    async def restock(self, stock: Stock) -> None:
        """Plans or weights have changed."""
        ...

    def rekey(self, changed: Sequence[KeyRow] | None) -> None:
        """These API keys are new, or are not what they were; ``None``: whichever."""
        ...

    def forget(self, scopes: frozenset[Scope] | None) -> None:
        """What these scopes have bought has changed; ``None``: of whoever."""
        ...


class Shop:
    """What the store has. ``stock`` and ``keys`` are of ``revision``. Made by ``open_shop``."""

    def __init__(self, store: Store, now_us: Callable[[], int]) -> None:
        self.store = store
        self.holdings = StoreHoldings(store, now_us)
        self.sightings = Sightings()
        self.stock = Stock()
        self.keys: dict[str, KeyRow] = {}
        self.revision = 0
        self.failing_since_us: int | None = None
        self._now_us = now_us
        self._listener: Listener | None = None
        self._weighed: tuple[Configured, tuple[WeightRow, ...], RuleTable, tuple[str, ...]] | None = None
        self._turn = asyncio.Lock()
        self._woken = asyncio.Event()
        self._tasks = Tasks()

    async def read(self) -> None:
        """Read plans, weights and keys. Raises ``StoreUnavailable``."""
        self.stock = await read_stock(self.store)
        self.keys = {key.id: key for key in await keys.known(self.store)}
        self.revision = self.stock.revision
        self.holdings.sold = self.stock.sold

    def follow(self, listener: Listener) -> None:
        """Tell ``listener`` of each change from now on."""
        self._listener = listener
        self.store.on_change = self._changed
        self.holdings.catch_up = self.catch_up
        self._tasks.start(self._watch(), "watch the store")
        if (dsn := self.store.place.dsn) is not None:
            self._tasks.start(hear(dsn, self._woken.set), "hear of changes")
        self._tasks.start(self._write_down(), "write down who was seen")

    def merged(self, configured: Configured, stock: Stock | None = None) -> Merged:
        """The configuration with the store's plans and weights; rules are compiled only if they have changed."""
        stock = stock or self.stock
        known = self._weighed
        if known is None or known[0] is not configured or known[1] != stock.weights:
            known = self._weighed = (configured, stock.weights, *merged_rules(configured, stock.weights))
        catalog, notes = merged_plans(configured, stock, self.holdings)
        return Merged(catalog, known[2], (*notes, *known[3]))

    async def lost_plans(self, plans: frozenset[str]) -> frozenset[str]:
        """Slugs that somebody has subscribed to and that are in neither ``plans`` nor the store.

        Raises ``StoreUnavailable``.
        """
        held = await file_plans_held(self.store, self._now_us())
        return held - plans - self.stock.plans.keys()

    async def catch_up(self) -> None:
        """Apply what has changed since. Never raises: what could not be applied now is tried again in a second."""
        async with self._turn:
            try:
                changes = await self._changes()
                if changes.revision != self.revision or changes.whole:
                    await self._apply(changes)
            except StoreUnavailable as error:
                self._failed("the store cannot be reached, what is known goes on", error.__cause__)
            except Exception as error:  # noqa: BLE001  (a change that was kept must not look as if it had failed)
                self._failed("a change of the store could not be applied, what was known goes on", error)
            else:
                if self.failing_since_us is not None:
                    self.failing_since_us = None
                    _log.info("the store can be followed again", revision=self.revision)

    async def _changes(self) -> Changes:
        """What has changed since. Connections to a server that vanished without a word are not waited for."""
        if self.store.place.dsn is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ANSWERS_S):
                    return await changes_since(self.store, self.revision)
            _log.warning("the store does not answer on its connections; they are made anew", after_s=ANSWERS_S)
            await self.store.reconnect()
        return await changes_since(self.store, self.revision)

    async def close(self) -> None:
        """Stop watching, and let go of the store."""
        await self._tasks.close()
        await self.sightings.flush(self.store, self._now_us())
        await self.holdings.close()
        await self.store.close()

    def _failed(self, what: str, reason: BaseException | None) -> None:
        if self.failing_since_us is None:
            self.failing_since_us = self._now_us()
            _log.error(what, reason=repr(reason))

    async def _changed(self, revision: int) -> None:
        while self.revision < revision:
            await self.catch_up()
            if self.failing_since_us is not None:
                return

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(INTERVAL_S):
                    await self._woken.wait()
            self._woken.clear()
            await self.catch_up()

    async def _write_down(self) -> None:
        while True:
            await asyncio.sleep(SEEN_S)
            await self.sightings.flush(self.store, self._now_us())

    async def _apply(self, changes: Changes) -> None:
        listener = self._listener
        if listener is None:
            return
        if changes.whole or changes.topics & _RESTOCKS:
            stock = await read_stock(self.store)
            await listener.restock(stock)
            self.stock, self.holdings.sold = stock, stock.sold
        if changes.whole or changes.keys:
            changed = await keys.known(self.store, None if changes.whole else changes.keys)
            self.keys = {} if changes.whole else self.keys
            self.keys.update({key.id: key for key in changed})
            listener.rekey(None if changes.whole else changed)
        if changes.whole:
            self.holdings.clear()
            listener.forget(None)
        elif changes.scopes:
            self.holdings.drop(changes.scopes)
            listener.forget(changes.scopes)
        self.revision = changes.revision


async def open_shop(url: str, now_us: Callable[[], int]) -> Shop:
    """Open the store at ``url`` and read it. Raises ``StoreError``, ``StoreUnavailable``."""
    shop = Shop(await open_store(url), now_us)
    try:
        await shop.read()
    except BaseException:
        await shop.close()
        raise
    return shop
