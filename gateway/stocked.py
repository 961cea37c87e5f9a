"""A gateway with its store, or without one: a change is built beside the requests, then swapped in whole."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gateway import log
from gateway.catalog.merge import Configured, Merged, merge
from gateway.core.principal import Principal
from gateway.core.scope import Scope
from gateway.identity.api_keys import ApiKey
from gateway.identity.authenticate import Authenticator
from gateway.metering.snapshot import Snapshot
from gateway.metrics import Metrics
from gateway.proxy.running import Live
from gateway.store.rows import KeyRow, Stock

if TYPE_CHECKING:  # half of what a start without a store takes would be spent on this import
    from gateway.catalog.shop import Shop

_log = log.get_logger(__name__)


class Stocked:
    """What the configuration and the store say together. ``configured``: the former; a reload replaces it.

    ``shop`` is ``None`` where there is no store. Applies what the shop tells, once ``follow`` was called.
    """

    def __init__(self, configured: Configured, shop: "Shop | None" = None) -> None:
        self.configured = configured
        self.shop = shop
        self._live: Live | None = None
        self._reassemble: Callable[[], None] = lambda: None
        self._noted: tuple[str, ...] = ()

    def merged(self, configured: Configured) -> Merged:
        """Plans and rules as they count."""
        merged = merge(configured, Stock(), None) if self.shop is None else self.shop.merged(configured)
        self._say(merged.notes)
        return merged

    async def check(self, configured: Configured) -> None:
        """Raises ``ValueError`` if somebody has subscribed to a plan that is not there, ``StoreUnavailable``."""
        if self.shop is None:
            return
        if lost := await self.shop.lost_plans(frozenset(configured.plans)):
            named = ", ".join(f"'{slug}'" for slug in sorted(lost))
            raise ValueError(f"plans: there are subscriptions to {named}, which is not there any more; put it back")

    def follow(self, live: Live, reassemble: Callable[[], None]) -> None:
        """Apply changes to what is running. ``reassemble`` builds identity anew, with ``put_keys``."""
        self._live, self._reassemble = live, reassemble
        if self.shop is not None:
            self.shop.follow(self)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about what does not count."""
        return self._noted

    @property
    def has_keys(self) -> bool:
        """Whether the store has, or had, API keys: then they are a way to identify oneself."""
        return self.shop is not None and bool(self.shop.keys)

    def put_keys(self, authenticator: Authenticator) -> None:
        """Add all keys of the store."""
        if self.shop is not None:
            _put(authenticator, tuple(self.shop.keys.values()))

    @property
    def saw(self) -> Callable[[Principal, int], None] | None:
        """Whom to tell who came by; ``None``: nobody keeps it."""
        return None if self.shop is None else self.shop.sightings.saw

    @property
    def heard(self) -> Callable[[str, str], None] | None:
        """Whom to tell what a workspace is called; ``None``: nobody keeps it."""
        return None if self.shop is None else self.shop.sightings.heard

    @property
    def parts(self) -> Mapping[str, str]:
        """The store's part in readiness."""
        if self.shop is None:
            return {}
        if self.shop.failing_since_us is not None:
            return {"store": "degraded: what is known goes on"}
        lost = 0 if self._live is None else self.shop.holdings.lost(self._live.running.snapshot.catalog.plans)
        if lost:
            return {"store": f"degraded: {lost} callers have a plan that is not there any more; put it back"}
        return {"store": "ok"}

    def sample(self, metrics: Metrics) -> None:
        """Let the metrics tell how the store is."""
        if (shop := self.shop) is not None:
            metrics.sample("store_failing", lambda: {(): int(shop.failing_since_us is not None)})
            metrics.sample("store_revision", lambda: {(): shop.revision})
            metrics.sample("store_scopes", lambda: {(): len(shop.holdings)})

    async def close(self) -> None:
        """Let go of the store."""
        if self.shop is not None:
            await self.shop.close()

    async def restock(self, stock: Stock) -> None:
        """See ``Listener``. Compiling rules takes time, so that is done on a thread."""
        if self.shop is None or self._live is None:
            return
        while True:
            configured = self.configured
            merged = await asyncio.to_thread(self.shop.merged, configured, stock)
            if configured is self.configured:
                break  # else a reload came in between
        running = self._live.running
        self._live.running = replace(running, snapshot=_with_catalog(running.snapshot, merged))
        self._say(merged.notes)

    def rekey(self, changed: Sequence[KeyRow] | None) -> None:
        """See ``Listener``."""
        if self._live is None:
            return
        authenticator = self._live.running.authenticator
        if changed is None or not authenticator.takes_keys:
            self._reassemble()
        else:
            _put(authenticator, changed)

    def forget(self, scopes: frozenset[Scope] | None) -> None:
        """See ``Listener``."""
        if self._live is not None:
            self._live.running.snapshot.catalog.forget(scopes)

    def _say(self, notes: tuple[str, ...]) -> None:
        """Log what does not count, once."""
        for note in notes:
            if note not in self._noted:
                _log.warning("something does not count", note=note)
        self._noted = notes


async def open_stocked(url: str | None, configured: Configured, now_us: Callable[[], int]) -> Stocked:
    """With the store at ``url``, or without one. Raises ``StoreError``, and what ``check`` raises."""
    if url is None:
        return Stocked(configured)
    from gateway.catalog.shop import open_shop  # noqa: PLC0415  (see above)

    stocked = Stocked(configured, await open_shop(url, now_us))
    try:
        await stocked.check(configured)
    except BaseException:
        await stocked.close()
        raise
    return stocked


def _with_catalog(snapshot: Snapshot, merged: Merged) -> Snapshot:
    """The snapshot with other plans; what is remembered of request lines goes with the rules."""
    if merged.rules is snapshot.rules:
        return replace(snapshot, catalog=merged.catalog)
    return replace(snapshot, catalog=merged.catalog, rules=merged.rules, _read={})


def _put(authenticator: Authenticator, rows: Sequence[KeyRow]) -> None:
    """Let these keys count as they say. One that cannot be a key is logged and counts for nobody."""
    for row in rows:
        key = ApiKey(
            id=row.id,
            sha256=row.sha256,
            user=row.user_id,
            workspace=row.workspace_id,
            expires_us=row.expires_us,
            revoked=row.revoked_us is not None,
        )
        try:
            authenticator.put_key(key)
        except ValueError as error:
            _log.error("an API key of the store does not count", key=row.id, reason=str(error))
