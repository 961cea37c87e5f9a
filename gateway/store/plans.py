"""Plans: what is sold. Each edit of the terms is a new version; older ones stay for those who bought them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, Literal
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.core.problems import Conflict, NotFound
from gateway.core.subscription import PlanVersion
from gateway.store.edits import born, check_revision, draft_of, moved
from gateway.store.holders import check_never_had, check_stands_in_for_nothing
from gateway.store.listing import Listing, bounded, contains, listed
from gateway.store.mandate import Mandate
from gateway.store.prices import add_price, read_prices
from gateway.store.rows import PlanDraft, PlanRow, PriceDraft
from gateway.store.store import Act, Store
from gateway.store.tables import plan_versions, plans
from gateway.store.terms import read_versions, write_version

Edit = Callable[[PlanDraft], PlanDraft]
"""Makes of a plan what it shall be."""
ApplyTo = Literal["current", "existing", "new"]
"""Whom new terms are for: who has the newest terms, everybody who has the plan, or only those who will buy it.

So who was left their terms by ``new`` keeps them until somebody says ``existing``; decisions/0039.
"""


async def create(
    store: Store,
    draft: PlanDraft,
    by: Mandate,
    *,
    prices: Sequence[PriceDraft] = (),
    reserved: Collection[str] = (),
) -> PlanRow:
    """Add a plan with its prices, whole or not at all. ``reserved``: slugs of the configuration.

    Raises ``Conflict`` if the slug is taken or a default plan would be inactive.
    """
    async with store.write(by) as act:
        _check_default(draft)
        await _check_slug(act.connection, draft.slug, reserved)
        await _make_room(act, draft)
        id_ = str(uuid4())
        await act.connection.execute(
            sa.insert(plans),
            {"id": id_, **_columns(draft), **born(act)},
        )
        await write_version(act.connection, PlanVersion(id_, 1), draft.terms, by.now_us)
        for price in prices:
            await add_price(act, id_, price)
        plan = await one(act.connection, id_)
        act.note("plan.create", id_, None, plan)
    return plan


async def update(
    store: Store,
    id_: str,
    edit: Edit,
    by: Mandate,
    *,
    apply_to: ApplyTo = "current",
    reserved: Collection[str] = (),
) -> PlanRow:
    """Change a plan to what ``edit`` makes of it as it is now; new terms are a new version.

    Raises ``NotFound``, ``PreconditionFailed`` if it is not at ``by.if_revision`` any more, ``Conflict`` for a slug
    that is taken or a default plan that would be inactive.
    """
    async with store.write(by) as act:
        before = await one(act.connection, id_)
        check_revision(before.revision, by.if_revision, "plan")
        old = draft_of(PlanDraft, before)
        draft = edit(old)
        lagging = apply_to == "existing" and await _some_lag(act.connection, before)
        if draft == old and not lagging:
            return before
        _check_default(draft)
        if draft.slug != before.slug:
            await _check_slug(act.connection, draft.slug, reserved)
            await check_stands_in_for_nothing(act.connection, before.slug, reserved, by.now_us)
        await _make_room(act, draft, id_)
        if draft.terms != before.terms or lagging:
            await _new_version(act, before, draft, apply_to)
        values = {**_columns(draft), **moved(act, before.revision)}
        await act.connection.execute(sa.update(plans).where(plans.c.id == id_).values(values))
        after = await one(act.connection, id_)
        act.note("plan.update", id_, before, after)
    return after


async def delete(store: Store, id_: str, by: Mandate, *, reserved: Collection[str] = ()) -> None:
    """Remove a plan that nobody has or had, with its prices. ``reserved``: slugs of the configuration.

    Raises ``NotFound``, ``PreconditionFailed``, and ``Conflict`` naming its subscriptions, or if it is the default.
    """
    async with store.write(by) as act:
        before = await one(act.connection, id_)
        check_revision(before.revision, by.if_revision, "plan")
        if before.is_default:
            raise Conflict("This is the default plan. Make another plan the default first.")
        await check_never_had(act.connection, id_)
        await check_stands_in_for_nothing(act.connection, before.slug, reserved, by.now_us)
        await act.connection.execute(sa.delete(plans).where(plans.c.id == id_))
        act.note("plan.delete", id_, before, None)


async def get(store: Store, id_: str) -> PlanRow:
    """A plan. Raises ``NotFound``."""
    async with store.read() as connection:
        return await one(connection, id_)


async def page(
    store: Store,
    listing: Listing,
    *,
    active: bool | None = None,
    custom: bool | None = None,
    text: str | None = None,
) -> tuple[PlanRow, ...]:
    """A page of the plans. ``text``: in slug or name."""
    async with store.read() as connection:
        return await _rows(connection, listed(_narrowed(active, custom, text), plans, listing))


async def count(
    store: Store,
    listing: Listing,
    *,
    active: bool | None = None,
    custom: bool | None = None,
    text: str | None = None,
) -> int:
    """How many plans there are on all pages."""
    wanted = bounded(_narrowed(active, custom, text), plans, listing).with_only_columns(sa.func.count(plans.c.id))
    async with store.read() as connection:
        return (await connection.execute(wanted)).scalar_one()


def _narrowed(active: bool | None, custom: bool | None, text: str | None) -> sa.Select[Any]:  # noqa: FBT001
    query = sa.select(plans)
    if active is not None:
        query = query.where(plans.c.active.is_(active))
    if custom is not None:
        query = query.where(plans.c.is_custom.is_(custom))
    if text:
        query = query.where(contains(text, plans.c.slug, plans.c.name))
    return query


async def all_plans(connection: AsyncConnection) -> tuple[PlanRow, ...]:
    """All plans, read within a transaction."""
    return await _rows(connection, sa.select(plans).order_by(plans.c.slug))


async def one(connection: AsyncConnection, id_: str) -> PlanRow:
    """A plan, read within a transaction. Raises ``NotFound``."""
    for found in await _rows(connection, sa.select(plans).where(plans.c.id == id_)):
        return found
    raise NotFound("There is no such plan.")


async def find(connection: AsyncConnection, id_: str | None) -> PlanRow | None:
    """A plan if it is there, read within a transaction."""
    found = await _rows(connection, sa.select(plans).where(plans.c.id == id_))
    return found[0] if found else None


async def of_slugs(store: Store, slugs: Collection[str]) -> Mapping[str, PlanRow]:
    """The plans of these slugs, as far as there are any."""
    if not slugs:
        return {}
    async with store.read() as connection:
        return {row.slug: row for row in await _rows(connection, sa.select(plans).where(plans.c.slug.in_(slugs)))}


async def as_held(store: Store, held: Collection[PlanVersion]) -> Mapping[PlanVersion, PlanRow]:
    """These plans with the terms that the holders of these versions have, and the version whose terms those are."""
    async with store.read() as connection:
        return await read_as_held(connection, held)


async def read_as_held(connection: AsyncConnection, held: Collection[PlanVersion]) -> Mapping[PlanVersion, PlanRow]:
    """The same within a transaction."""
    query = sa.select(plans).where(plans.c.id.in_({version.plan_id for version in held}))
    rows = {row.id: row for row in await _rows(connection, query)}
    versions = await read_versions(connection, rows.keys())
    found = {}
    for version in held:
        if version.plan_id in rows:
            in_force = versions[version.plan_id][version.version].in_force
            terms = versions[version.plan_id][in_force].terms
            found[version] = replace(rows[version.plan_id], terms=terms, version=in_force)
    return found


async def _rows(connection: AsyncConnection, query: sa.Select[Any]) -> tuple[PlanRow, ...]:
    found = (await connection.execute(query)).all()
    ids = [row.id for row in found]
    versions, prices = await read_versions(connection, ids), await read_prices(connection, ids)
    made = []
    for row in found:
        newest = max(versions[row.id])
        terms = versions[row.id][newest].terms
        made.append(PlanRow(**row._asdict(), terms=terms, version=newest, prices=prices.get(row.id, ())))
    return tuple(made)


async def _new_version(act: Act, before: PlanRow, draft: PlanDraft, apply_to: ApplyTo) -> None:
    number = before.version + 1
    await write_version(act.connection, PlanVersion(before.id, number), draft.terms, act.now_us)
    if apply_to == "new":
        return
    # One row per version and not one per customer: a plan with a million of them changes as fast as any.
    of_plan = sa.update(plan_versions).where(plan_versions.c.plan_id == before.id)
    if apply_to == "current":
        of_plan = of_plan.where(plan_versions.c.in_force == before.version)
    await act.connection.execute(of_plan.values(in_force=number))


async def _some_lag(connection: AsyncConnection, plan: PlanRow) -> bool:
    """Whether a version has other terms than the newest."""
    lagging = sa.select(plan_versions.c.version).where(
        plan_versions.c.plan_id == plan.id, plan_versions.c.in_force != plan.version
    )
    return (await connection.execute(lagging.limit(1))).first() is not None


def _check_default(draft: PlanDraft) -> None:
    if draft.is_default and not draft.active:
        raise Conflict("The default plan cannot be inactive. Make another plan the default first.")


async def _check_slug(connection: AsyncConnection, slug: str, reserved: Collection[str]) -> None:
    if slug in reserved:
        raise Conflict(f"The configuration has a plan '{slug}'. Choose another slug, or change it there.")
    if (await connection.execute(sa.select(plans.c.id).where(plans.c.slug == slug))).first() is not None:
        raise Conflict(f"There is a plan '{slug}' already.")


async def _make_room(act: Act, draft: PlanDraft, id_: str | None = None) -> None:
    """There is one default plan: the former one stops being it."""
    if not draft.is_default:
        return
    former = sa.select(plans.c.id).where(plans.c.is_default)
    for other in (await act.connection.execute(former)).scalars().all():
        if other == id_:
            continue
        before = await one(act.connection, other)
        change = {"is_default": False, **moved(act, before.revision)}
        await act.connection.execute(sa.update(plans).where(plans.c.id == other).values(change))
        act.note("plan.update", other, before, await one(act.connection, other))


def _columns(draft: PlanDraft) -> dict[str, object]:
    return {field.name: getattr(draft, field.name) for field in fields(PlanDraft) if field.name != "terms"}
