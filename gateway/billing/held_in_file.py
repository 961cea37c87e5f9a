"""The configuration's fixed subscriptions as rows: listed with the store's, seen by the same people, never edited."""

from collections.abc import Sequence
from typing import Literal

from gateway.billing import both
from gateway.catalog.merge import Configured
from gateway.core.plan import Subscription
from gateway.core.scope import Scope
from gateway.core.subscription import Status
from gateway.store import subscribed
from gateway.store.listing import Listing
from gateway.store.rows import SubscriptionRow
from gateway.store.standings import State
from gateway.store.store import Store
from gateway.store.subscribed import Wanted

_NEVER_EDITED = 0
"""The revision of what is no row; rows begin at 1."""


def source(row: SubscriptionRow) -> Literal["database", "file"]:
    """Where a subscription is kept."""
    return "file" if row.revision == _NEVER_EDITED else "database"


def rows(configured: Configured) -> list[SubscriptionRow]:
    """All of them."""
    return [_row(each) for held in configured.subscriptions.values() for each in held]


def find(configured: Configured, id_: str) -> SubscriptionRow | None:
    """The one of this id."""
    return next((row for row in rows(configured) if row.id == id_), None)


async def page(store: Store, configured: Configured, listing: Listing, wanted: Wanted) -> list[SubscriptionRow]:
    """A page of the store's and the configuration's; these count as the oldest."""

    async def fetch(part: Listing) -> Sequence[SubscriptionRow]:
        return await subscribed.page(store, part, wanted)

    async def count() -> int:
        return await subscribed.count(store, listing, wanted)

    return await both.page(listing, [row for row in rows(configured) if _is_wanted(row, wanted)], fetch, count)


def _row(held: Subscription) -> SubscriptionRow:
    return SubscriptionRow(
        plan=held.plan.slug,
        scope=held.scope,
        user_id=held.scope.id if held.scope.kind == "user" else None,
        status=Status.ACTIVE,
        starts_us=held.starts_us,
        ends_us=held.ends_us,
        throughput_override=held.throughput_override,
        id=both.id_in_file("subscription", held.id),
        in_force=None,
        idempotency_key=None,
        revision=_NEVER_EDITED,
        created_us=both.SINCE_US,
        updated_us=both.SINCE_US,
    )


def _is_wanted(row: SubscriptionRow, wanted: Wanted) -> bool:
    """As the store's query would say."""
    workspace = None if wanted.workspace_id is None else Scope("workspace", wanted.workspace_id)
    texts = (row.id, row.scope.id, row.user_id or "", row.plan if isinstance(row.plan, str) else "")
    return (
        wanted.plan_id is None
        and wanted.scope in (None, row.scope)
        and workspace in (None, row.scope)
        and wanted.kind in (None, row.scope.kind)
        and wanted.user_id in (None, row.user_id)
        and wanted.file_plan in (None, row.plan)
        and wanted.status in (None, row.status)
        and (wanted.granting_at_us is None or _grants(row, wanted.granting_at_us))
        and (wanted.idle_at_us is None or not _grants(row, wanted.idle_at_us))
        and (wanted.state is None or wanted.state[0] == _state(row, wanted.state[1]))
        and (row.scope.id in wanted.called or any((wanted.text or "").casefold() in text.casefold() for text in texts))
    )


def _state(row: SubscriptionRow, now_us: int) -> State:
    """These are never stopped, and nobody owes anything for them."""
    if row.ends_us is not None and row.ends_us <= now_us:
        return "expired"
    return "active" if row.starts_us <= now_us else "scheduled"


def _grants(row: SubscriptionRow, now_us: int) -> bool:
    return row.starts_us <= now_us and (row.ends_us is None or now_us < row.ends_us)
