"""Subscriptions as they are: one, a list, and what a scope holds."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.core.problems import NotFound
from gateway.core.scope import Scope
from gateway.core.subscription import GRANTING, Holding, PlanVersion, Status
from gateway.store.listing import Listing, bounded, contains, listed
from gateway.store.rows import SubscriptionRow
from gateway.store.standings import State, in_state
from gateway.store.store import Store
from gateway.store.tables import plan_versions, subscriptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which subscriptions of a list; ``None``: any. ``text``: in an id of the row, its scope, buyer or provider.

    ``called``: ids of scopes and buyers that fit ``text`` by their names.
    ``granting_at_us``: those that give something at that instant; ``idle_at_us``: those that do not. ``state``: with
    the instant at which they are in it.
    """

    scope: Scope | None = None
    kind: str | None = None
    user_id: str | None = None
    workspace_id: str | None = None
    plan_id: str | None = None
    file_plan: str | None = None
    status: Status | None = None
    granting_at_us: int | None = None
    idle_at_us: int | None = None
    state: tuple[State, int] | None = None
    text: str | None = None
    called: frozenset[str] = frozenset()


async def get(store: Store, id_: str) -> SubscriptionRow:
    """A subscription. Raises ``NotFound``."""
    async with store.read() as connection:
        return await one(connection, id_)


async def page(store: Store, listing: Listing, wanted: Wanted | None = None) -> tuple[SubscriptionRow, ...]:
    """A page of the subscriptions."""
    query = listed(_narrowed(rows(), wanted or Wanted()), subscriptions, listing)
    async with store.read() as connection:
        return tuple(row_of(found) for found in await connection.execute(query))


async def count(store: Store, listing: Listing, wanted: Wanted | None = None) -> int:
    """How many there are, on all pages of a list."""
    query = bounded(_narrowed(sa.select(subscriptions.c.id), wanted or Wanted()), subscriptions, listing)
    async with store.read() as connection:
        return int((await connection.execute(sa.select(sa.func.count()).select_from(query.subquery()))).scalar_one())


async def held(store: Store, scope: Scope, now_us: int) -> tuple[Holding, ...]:
    """What ``scope`` has bought and that grants something now or later."""
    return (await held_by(store, {scope}, now_us))[scope]


async def held_by(store: Store, scopes: Collection[Scope], now_us: int) -> Mapping[Scope, tuple[Holding, ...]]:
    """The same for several scopes: one query, by the index of scopes."""
    found: dict[Scope, tuple[Holding, ...]] = dict.fromkeys(scopes, ())
    async with store.read() as connection:
        for row in await connection.execute(held_query(scopes, now_us)):
            scope = Scope(row.scope_kind, row.scope_id)
            if scope in found:
                plan = _plan(row.plan_id, row.plan_version, row.file_plan)
                bought = (row.starts_us, row.ends_us, row.throughput_override, row.anchor_us)
                found[scope] += (Holding(row.id, plan, *bought),)
    return found


def held_query(scopes: Iterable[Scope], now_us: int) -> sa.Select[Any]:
    """What ``held_by`` asks. By id alone: one id of two kinds is rare, and left out after."""
    table = subscriptions.c
    return sa.select(
        table.id,
        table.scope_kind,
        table.scope_id,
        table.plan_id,
        table.plan_version,
        table.file_plan,
        table.starts_us,
        table.ends_us,
        table.throughput_override,
        table.anchor_us,
    ).where(table.scope_id.in_({scope.id for scope in scopes}), granting(), not_over(now_us))


async def file_plans_held(store: Store, now_us: int) -> frozenset[str]:
    """The slugs of the configuration's plans that somebody has, or is about to have."""
    query = (
        sa.select(subscriptions.c.file_plan)
        .distinct()
        .where(
            subscriptions.c.file_plan.is_not(None),
            subscriptions.c.status != Status.CANCELLED,
            not_over(now_us),
        )
    )
    async with store.read() as connection:
        return frozenset((await connection.execute(query)).scalars())


async def one(connection: AsyncConnection, id_: str) -> SubscriptionRow:
    """A subscription, read within a transaction. Raises ``NotFound``."""
    for found in await connection.execute(rows().where(subscriptions.c.id == id_)):
        return row_of(found)
    raise NotFound("There is no such subscription.")


async def by_provider(
    connection: AsyncConnection, provider: str, *, checkout_id: str | None = None, external_id: str | None = None
) -> SubscriptionRow | None:
    """The subscription that a provider's order or subscription is, read within a transaction."""
    query = rows().where(subscriptions.c.provider == provider)
    if checkout_id is not None:
        query = query.where(subscriptions.c.checkout_id == checkout_id)
    if external_id is not None:
        query = query.where(subscriptions.c.external_id == external_id)
    if checkout_id is None and external_id is None:
        return None
    found = (await connection.execute(query)).first()
    return None if found is None else row_of(found)


async def began(connection: AsyncConnection, plan_id: str, scope: Scope, user_id: str | None, but: str) -> bool:
    """Whether ``scope`` ever had this plan through a provider, or the user bought it for anybody. ``but``: not this."""
    table = subscriptions.c
    theirs = sa.and_(table.scope_kind == scope.kind, table.scope_id == scope.id)
    query = sa.select(table.id).where(
        sa.or_(theirs, table.user_id == user_id) if user_id is not None else theirs,
        table.plan_id == plan_id,
        table.period_end_us.is_not(None),
        table.id != but,
    )
    return (await connection.execute(query.limit(1))).first() is not None


async def sold_to(connection: AsyncConnection, scope: Scope, but: str, limit: int) -> tuple[SubscriptionRow, ...]:
    """What ``scope`` has bought through providers and had, the last begun first. ``but``: not this."""
    query = rows().where(
        subscriptions.c.scope_kind == scope.kind,
        subscriptions.c.scope_id == scope.id,
        subscriptions.c.period_end_us.is_not(None),
        subscriptions.c.id != but,
    )
    query = query.order_by(subscriptions.c.starts_us.desc(), subscriptions.c.id).limit(limit)
    return tuple(row_of(found) for found in await connection.execute(query))


async def companions(connection: AsyncConnection, provider: str, of: str) -> tuple[SubscriptionRow, ...]:
    """The subscriptions that hang on the one ``of`` and are not over: their order is named after it."""
    query = rows().where(
        subscriptions.c.provider == provider,
        subscriptions.c.checkout_id.startswith(f"{of}:", autoescape=True),
        subscriptions.c.status != Status.CANCELLED,
    )
    return tuple(row_of(found) for found in await connection.execute(query))


def rows() -> sa.Select[Any]:
    """Each subscription with the version of its plan that is in force."""
    bought = sa.and_(
        plan_versions.c.plan_id == subscriptions.c.plan_id, plan_versions.c.version == subscriptions.c.plan_version
    )
    return sa.select(subscriptions, plan_versions.c.in_force).outerjoin(plan_versions, bought)


def row_of(found: sa.Row[Any]) -> SubscriptionRow:
    """A result of ``rows``."""
    values = found._asdict()
    plan = _plan(found.plan_id, found.plan_version, found.file_plan)
    scope = Scope(values.pop("scope_kind"), values.pop("scope_id"))
    for name in ("plan_id", "plan_version", "file_plan", "idempotency_digest"):
        del values[name]
    return SubscriptionRow(plan=plan, scope=scope, status=Status(values.pop("status")), **values)


def _plan(plan_id: str | None, version: int, slug: str) -> PlanVersion | str:
    return slug if plan_id is None else PlanVersion(plan_id, version)


def granting() -> sa.ColumnElement[bool]:
    """In a state that gives something."""
    return subscriptions.c.status.in_(sorted(GRANTING))


def not_over(now_us: int) -> sa.ColumnElement[bool]:
    """Not at its end yet."""
    return sa.or_(subscriptions.c.ends_us.is_(None), subscriptions.c.ends_us > now_us)


def _grants(now_us: int) -> sa.ColumnElement[bool]:
    return sa.and_(granting(), subscriptions.c.starts_us <= now_us, not_over(now_us))


def _narrowed(query: sa.Select[Any], wanted: Wanted) -> sa.Select[Any]:
    table = subscriptions.c
    workspace = None if wanted.workspace_id is None else Scope("workspace", wanted.workspace_id)
    for scope in (wanted.scope, workspace):
        if scope is not None:
            query = query.where(table.scope_id == scope.id, table.scope_kind == scope.kind)
    equal = (
        (table.scope_kind, wanted.kind),
        (table.user_id, wanted.user_id),
        (table.plan_id, wanted.plan_id),
        (table.file_plan, wanted.file_plan),
        (table.status, wanted.status),
    )
    for column, value in equal:
        if value is not None:
            query = query.where(column == value)
    if (now_us := wanted.granting_at_us) is not None:
        query = query.where(_grants(now_us))
    if wanted.idle_at_us is not None:
        query = query.where(sa.not_(_grants(wanted.idle_at_us)))
    if wanted.state is not None:
        query = query.where(in_state(*wanted.state))
    if wanted.text:
        searched = (table.id, table.scope_id, table.user_id, table.checkout_id, table.external_id, table.file_plan)
        by_name = [column.in_(wanted.called) for column in (table.scope_id, table.user_id) if wanted.called]
        query = query.where(sa.or_(contains(wanted.text, *searched), *by_name))
    return query
