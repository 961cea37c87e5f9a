"""Prices: what a plan costs, one per currency. The currency of a price never changes."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.core.problems import Conflict, NotFound, Unprocessable
from gateway.store.edits import check_revision, draft_of, moved
from gateway.store.listing import Listing, listed
from gateway.store.mandate import Mandate
from gateway.store.rows import PriceDraft, PriceRow
from gateway.store.store import Act, Store
from gateway.store.tables import plan_prices, plans

Edit = Callable[[PriceDraft], PriceDraft]
"""Makes of a price what it shall be."""


async def create(store: Store, plan_id: str, draft: PriceDraft, by: Mandate) -> PriceRow:
    """Add a price. A default takes the place of the former. Raises ``NotFound`` (plan), ``Conflict`` (currency)."""
    async with store.write(by) as act:
        await _check_plan(act.connection, plan_id)
        price = await add_price(act, plan_id, draft)
        await _move_plan(act, plan_id)
        act.note("price.create", price.id, None, price)
    return price


async def update(store: Store, plan_id: str, id_: str, edit: Edit, by: Mandate) -> PriceRow:
    """Change a price of this plan. Raises ``NotFound``, ``PreconditionFailed``, ``Unprocessable`` (its currency)."""
    async with store.write(by) as act:
        before = await _one(act.connection, plan_id, id_)
        check_revision(before.revision, by.if_revision, "price")
        old = draft_of(PriceDraft, before)
        draft = edit(old)
        if draft == old:
            return before
        if draft.currency != old.currency:
            raise Unprocessable("The currency of a price does not change. Add a price in the other one.")
        await _make_room(act, plan_id, draft, id_)
        values = {
            "amount": draft.amount,
            "is_default": draft.is_default,
            **moved(act, before.revision),
        }
        await act.connection.execute(sa.update(plan_prices).where(plan_prices.c.id == id_).values(values))
        after = await _one(act.connection, plan_id, id_)
        await _move_plan(act, plan_id)
        act.note("price.update", id_, before, after)
    return after


async def delete(store: Store, plan_id: str, id_: str, by: Mandate) -> None:
    """Remove a price of this plan. Raises ``NotFound``, ``PreconditionFailed``."""
    async with store.write(by) as act:
        before = await _one(act.connection, plan_id, id_)
        check_revision(before.revision, by.if_revision, "price")
        await act.connection.execute(sa.delete(plan_prices).where(plan_prices.c.id == id_))
        await _move_plan(act, plan_id)
        act.note("price.delete", id_, before, None)


async def get(store: Store, plan_id: str, id_: str) -> PriceRow:
    """A price of this plan. Raises ``NotFound``."""
    async with store.read() as connection:
        return await _one(connection, plan_id, id_)


async def page(store: Store, plan_id: str, listing: Listing) -> tuple[PriceRow, ...]:
    """A page of the prices of a plan. Raises ``NotFound`` if there is no such plan."""
    query = sa.select(plan_prices).where(plan_prices.c.plan_id == plan_id)
    async with store.read() as connection:
        await _check_plan(connection, plan_id)
        found = await connection.execute(listed(query, plan_prices, listing))
        return tuple(PriceRow(**row._asdict()) for row in found)


async def read_prices(connection: AsyncConnection, plan_ids: Collection[str]) -> Mapping[str, tuple[PriceRow, ...]]:
    """The prices of these plans: the default first, then by currency."""
    query = sa.select(plan_prices).where(plan_prices.c.plan_id.in_(plan_ids))
    found: dict[str, list[PriceRow]] = defaultdict(list)
    for row in await connection.execute(query.order_by(plan_prices.c.is_default.desc(), plan_prices.c.currency)):
        found[row.plan_id].append(PriceRow(**row._asdict()))
    return {plan_id: tuple(prices) for plan_id, prices in found.items()}


async def add_price(act: Act, plan_id: str, draft: PriceDraft) -> PriceRow:
    """Add a price within a transaction that notes it. Raises ``Conflict``."""
    in_currency = sa.select(plan_prices.c.id).where(
        plan_prices.c.plan_id == plan_id, plan_prices.c.currency == draft.currency
    )
    if (await act.connection.execute(in_currency)).first() is not None:
        raise Conflict(f"This plan has a price in {draft.currency} already.")
    await _make_room(act, plan_id, draft)
    price = PriceRow(
        id=str(uuid4()),
        plan_id=plan_id,
        currency=draft.currency,
        amount=draft.amount,
        is_default=draft.is_default,
        revision=1,
        created_us=act.now_us,
        updated_us=act.now_us,
    )
    values = {column.name: getattr(price, column.name) for column in plan_prices.c}
    await act.connection.execute(sa.insert(plan_prices), values)
    return price


async def _make_room(act: Act, plan_id: str, draft: PriceDraft, id_: str | None = None) -> None:
    """A plan has one default price: the former one stops being it."""
    if not draft.is_default:
        return
    former = sa.select(plan_prices).where(plan_prices.c.plan_id == plan_id, plan_prices.c.is_default)
    for row in (await act.connection.execute(former)).all():
        if row.id != id_:
            before = PriceRow(**row._asdict())
            change = {"is_default": False, **moved(act, before.revision)}
            await act.connection.execute(sa.update(plan_prices).where(plan_prices.c.id == row.id).values(change))
            act.note("price.update", row.id, before, await _one(act.connection, plan_id, row.id))


async def _move_plan(act: Act, plan_id: str) -> None:
    """A plan is another one with other prices: an edit that is based on the former is refused."""
    change = {"revision": plans.c.revision + 1, "updated_us": act.now_us}
    await act.connection.execute(sa.update(plans).where(plans.c.id == plan_id).values(change))


async def _one(connection: AsyncConnection, plan_id: str, id_: str) -> PriceRow:
    query = sa.select(plan_prices).where(plan_prices.c.id == id_, plan_prices.c.plan_id == plan_id)
    for row in await connection.execute(query):
        return PriceRow(**row._asdict())
    raise NotFound("This plan has no such price.")


async def _check_plan(connection: AsyncConnection, plan_id: str) -> None:
    if (await connection.execute(sa.select(plans.c.id).where(plans.c.id == plan_id))).first() is None:
        raise NotFound("There is no such plan.")
