"""The audit log, and the feed of changes that it is: each change of the catalog is in it, under its revision."""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from gateway.core.scope import Scope
from gateway.store.rows import AuditRow
from gateway.store.store import Store
from gateway.store.tables import audit, catalog

LONGEST_FEED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Which entries; ``None``: any. Bounds are inclusive. ``before_id``: those older than an entry, for paging."""

    topic: str | None = None
    action: str | None = None
    object_id: str | None = None
    actor_id: str | None = None
    scope: Scope | None = None
    from_us: int | None = None
    until_us: int | None = None
    before_id: int | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed up to ``revision``. ``whole``: too much to tell, or unknown: read everything anew.

    ``topics``: of rows (``plan``, ``price``, ``weight``, ``key``, ``subscription``). ``scopes``: whose subscriptions;
    ``keys``: ids of API keys.
    """

    revision: int
    topics: frozenset[str] = frozenset()
    scopes: frozenset[Scope] = frozenset()
    keys: frozenset[str] = frozenset()
    whole: bool = False


async def page(store: Store, sought: Sought, *, limit: int = 50) -> tuple[AuditRow, ...]:
    """Entries, the newest first."""
    query = sa.select(audit)
    scope = sought.scope or (None, None)
    equal: Mapping[str, object] = {
        "topic": sought.topic,
        "action": sought.action,
        "object_id": sought.object_id,
        "actor_id": sought.actor_id,
        "scope_kind": scope[0],
        "scope_id": scope[1],
    }
    for name, value in equal.items():
        if value is not None:
            query = query.where(audit.c[name] == value)
    if sought.from_us is not None:
        query = query.where(audit.c.at_us >= sought.from_us)
    if sought.until_us is not None:
        query = query.where(audit.c.at_us <= sought.until_us)
    if sought.before_id is not None:
        query = query.where(audit.c.id < sought.before_id)
    async with store.read() as connection:
        found = await connection.execute(query.order_by(audit.c.id.desc()).limit(limit))
        return tuple(AuditRow(**row._asdict()) for row in found)


async def changes_since(store: Store, revision: int) -> Changes:
    """What has changed since ``revision``."""
    async with store.read() as connection:
        now = (await connection.execute(sa.select(catalog.c.revision))).scalar_one()
        if now == revision:
            return Changes(now)
        if now < revision:  # another database is in its place: a backup, or a replica that was behind
            return Changes(now, whole=True)
        feed = (
            sa.select(audit.c.topic, audit.c.object_id, audit.c.scope_kind, audit.c.scope_id)
            .where(audit.c.revision > revision)
            .distinct()
            .limit(LONGEST_FEED + 1)
        )
        found = (await connection.execute(feed)).all()
    if not found or len(found) > LONGEST_FEED:
        return Changes(now, whole=True)
    scopes = frozenset(Scope(row.scope_kind, row.scope_id) for row in found if row.topic == "subscription")
    keys = frozenset(row.object_id for row in found if row.topic == "key")
    return Changes(now, frozenset(row.topic for row in found), scopes, keys)
