"""What was ordered: the subscription that waits for its payment, and the pages on which it can be paid."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.core.problems import NotFound
from gateway.core.sale import Mode
from gateway.core.scope import Scope
from gateway.core.subscription import PlanVersion, Status
from gateway.store.rows import SubscriptionDraft, SubscriptionRow
from gateway.store.sales_tables import checkouts, orders, syncs
from gateway.store.store import Act, Store
from gateway.store.subscribed import one, row_of, rows
from gateway.store.subscriptions import add
from gateway.store.tables import subscriptions

CheckoutState = Literal["opening", "open", "processing", "paid", "failed", "expired"]
_MOST = 1000
PAYABLE: tuple[CheckoutState, ...] = ("opening", "open")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """``due_us``: when to compare it with the provider's; ``None``: not by itself. ``reads``: how often it was.

    ``account``: whose it is at the provider. ``surplus``: agreements there that nothing is granted for, as JSON.
    """

    subscription_id: str
    provider: str
    currency: str
    amount: int
    due_us: int | None
    reads: int
    read_us: int | None
    problem: str | None
    account: str | None = None
    surplus: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutRow:
    """A page. ``external_id``: the provider's name of it, once that is known. ``trial_days``: once that is decided."""

    id: str
    subscription_id: str
    provider: str
    external_id: str | None
    state: CheckoutState
    url: str | None
    success_url: str
    cancel_url: str
    expires_us: int
    created_us: int
    trial_days: int | None = None


@dataclass(frozen=True, slots=True)
class Ordered:
    """All that we have of one sale."""

    subscription: SubscriptionRow
    order: OrderRow
    checkouts: tuple[CheckoutRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """What somebody orders."""

    plan: PlanVersion
    scope: Scope
    user_id: str
    mode: Mode
    provider: str
    currency: str
    amount: int
    account: str | None = None


async def place(act: Act, placed: Placed) -> SubscriptionRow:
    """An order: a subscription that waits for its payment."""
    draft = SubscriptionDraft(
        plan=placed.plan,
        scope=placed.scope,
        user_id=placed.user_id,
        status=Status.PENDING,
        starts_us=act.now_us,
        ends_us=None,
        provider=placed.provider,
        mode=placed.mode,
    )
    made = await add(act, draft)
    row = OrderRow(
        subscription_id=made.id,
        provider=placed.provider,
        currency=placed.currency,
        amount=placed.amount,
        due_us=act.now_us,
        reads=0,
        read_us=None,
        problem=None,
        account=placed.account,
    )
    await act.connection.execute(sa.insert(orders), _values(row))
    return made


async def add_checkout(
    act: Act, subscription_id: str, provider: str, pages: tuple[str, str], expires_us: int
) -> CheckoutRow:
    """A page that is about to be opened. ``pages``: where it leads to, paid or not."""
    row = CheckoutRow(
        id=str(uuid4()),
        subscription_id=subscription_id,
        provider=provider,
        external_id=None,
        state="opening",
        url=None,
        success_url=pages[0],
        cancel_url=pages[1],
        expires_us=expires_us,
        created_us=act.now_us,
    )
    await act.connection.execute(sa.insert(checkouts), _values(row))
    return row


async def set_checkout(act: Act, id_: str, **values: object) -> None:
    """Change a page: its state, its url, its name at the provider."""
    await act.connection.execute(sa.update(checkouts).where(checkouts.c.id == id_).values(**values))


async def set_order(act: Act, subscription_id: str, **values: object) -> None:
    """Change an order: when it is due, what is wrong."""
    await act.connection.execute(sa.update(orders).where(orders.c.subscription_id == subscription_id).values(**values))


async def get(store: Store, subscription_id: str) -> Ordered:
    """A sale. Raises ``NotFound`` for a subscription that was not sold through a provider."""
    async with store.read() as connection:
        return await read(connection, subscription_id)


async def read(connection: AsyncConnection, subscription_id: str) -> Ordered:
    """The same within a transaction."""
    found = (await connection.execute(sa.select(orders).where(orders.c.subscription_id == subscription_id))).first()
    if found is None:
        raise NotFound("This subscription was not sold through a payment provider.")
    subscription = await one(connection, subscription_id)
    pages = await _checkouts(connection, checkouts.c.subscription_id == subscription_id)
    return Ordered(subscription, OrderRow(**found._asdict()), pages)


async def renewing_in(connection: AsyncConnection, scope: Scope, provider: str) -> frozenset[str]:
    """The currencies in which something of a scope renews at the account that sells now."""
    query = (
        sa.select(orders.c.currency)
        .join(subscriptions, subscriptions.c.id == orders.c.subscription_id)
        .where(
            subscriptions.c.scope_kind == scope.kind,
            subscriptions.c.scope_id == scope.id,
            subscriptions.c.mode == "subscription",
            subscriptions.c.status.not_in((Status.PENDING, Status.CANCELLED)),
            *_in_step(provider),
        )
    )
    return frozenset((await connection.execute(query)).scalars())


async def waiting(
    connection: AsyncConnection, scope: Scope, user_id: str, provider: str, account: str
) -> tuple[Ordered, ...]:
    """The orders of a buyer for a scope that were not paid yet, at this account of the provider's."""
    query = rows().where(
        subscriptions.c.scope_kind == scope.kind,
        subscriptions.c.scope_id == scope.id,
        subscriptions.c.user_id == user_id,
        subscriptions.c.provider == provider,
        subscriptions.c.status == Status.PENDING,
    )
    found = [row_of(row) for row in await connection.execute(query)]
    held = [await read(connection, row.id) for row in found]
    return tuple(each for each in held if each.order.account in (None, account))


def _in_step(provider: str) -> tuple[sa.ColumnElement[bool], ...]:
    """Sales through a provider that are kept in step: not those of an account that was left."""
    current = sa.select(syncs.c.account).where(syncs.c.provider == provider).scalar_subquery()
    return orders.c.provider == provider, sa.or_(orders.c.account.is_(None), orders.c.account == current)


async def due(
    store: Store, provider: str, now_us: int, limit: int, *, after: tuple[int, str] | None = None
) -> list[tuple[int, str]]:
    """The sales that are to be compared by now and since when, longest due first. ``after``: the last one before."""
    query = sa.select(orders.c.due_us, orders.c.subscription_id).where(*_in_step(provider), orders.c.due_us <= now_us)
    if after is not None:
        query = query.where(sa.tuple_(orders.c.due_us, orders.c.subscription_id) > sa.tuple_(*after))
    async with store.read() as connection:
        found = await connection.execute(query.order_by(orders.c.due_us, orders.c.subscription_id).limit(limit))
        return [(row.due_us, row.subscription_id) for row in found]


async def all_of(
    store: Store, provider: str, after: str = "", limit: int = 1000, *, since_us: int = 0
) -> Sequence[str]:
    """Sales through a provider that are not over, by their subscriptions, in the order of their ids ``after`` one.

    ``since_us``: without what was bought once and had run out by then.
    """
    once, ends_us = subscriptions.c.mode == "payment", subscriptions.c.ends_us
    query = (
        sa.select(orders.c.subscription_id)
        .join(subscriptions, subscriptions.c.id == orders.c.subscription_id)
        .where(
            *_in_step(provider),
            subscriptions.c.status != Status.CANCELLED,
            sa.or_(~once, ends_us.is_(None), ends_us >= since_us),
            orders.c.subscription_id > after,
        )
    )
    async with store.read() as connection:
        return (await connection.execute(query.order_by(orders.c.subscription_id).limit(limit))).scalars().all()


async def find(
    store: Store, provider: str, *, subscription: str | None, order: str | None, agreement: str | None
) -> str | None:
    """The subscription that any of these names leads to."""
    ways = (
        (subscription, sa.select(orders.c.subscription_id).where(orders.c.subscription_id == subscription)),
        (
            agreement,
            sa.select(subscriptions.c.id).where(
                subscriptions.c.provider == provider, subscriptions.c.external_id == agreement
            ),
        ),
        (
            order,
            sa.select(checkouts.c.subscription_id).where(
                checkouts.c.provider == provider, checkouts.c.external_id == order
            ),
        ),
    )
    async with store.read() as connection:
        for named, query in ways:
            if named is not None and (found := (await connection.execute(query)).scalar()) is not None:
                return str(found)
    return None


async def by_checkout(store: Store, provider: str, external_id: str) -> str | None:
    """The subscription that a page belongs to."""
    return await find(store, provider, subscription=None, order=external_id, agreement=None)


async def paid_twice(store: Store, provider: str) -> Sequence[OrderRow]:
    """The sales of which we have money for which nothing is granted."""
    query = sa.select(orders).where(orders.c.provider == provider, orders.c.surplus.is_not(None))
    async with store.read() as connection:
        found = await connection.execute(query.order_by(orders.c.subscription_id).limit(_MOST))
        return [OrderRow(**row._asdict()) for row in found]


async def read_since(store: Store, subscription_id: str, since_us: int) -> bool:
    """Whether a sale was compared after ``since_us``."""
    query = sa.select(orders.c.read_us).where(orders.c.subscription_id == subscription_id)
    async with store.read() as connection:
        found: int | None = (await connection.execute(query)).scalar()
        return found is not None and found > since_us


async def any_of(store: Store, provider: str) -> bool:
    """Whether anything was ever ordered through a provider."""
    query = sa.select(orders.c.subscription_id).where(orders.c.provider == provider).limit(1)
    async with store.read() as connection:
        return (await connection.execute(query)).first() is not None


async def count(store: Store, provider: str) -> int:
    """How many sales are kept in step."""
    query = sa.select(sa.func.count()).select_from(orders).where(*_in_step(provider))
    async with store.read() as connection:
        return int((await connection.execute(query)).scalar_one())


async def count_overdue(store: Store, provider: str, now_us: int) -> int:
    """How many sales should have been compared by now."""
    query = sa.select(sa.func.count()).where(*_in_step(provider), orders.c.due_us <= now_us)
    async with store.read() as connection:
        return int((await connection.execute(query)).scalar_one())


async def _checkouts(connection: AsyncConnection, where: sa.ColumnElement[bool]) -> tuple[CheckoutRow, ...]:
    query = sa.select(checkouts).where(where).order_by(checkouts.c.created_us, checkouts.c.id)
    return tuple(CheckoutRow(**row._asdict()) for row in await connection.execute(query))


def _values(row: Any) -> dict[str, object]:  # noqa: ANN401  (one of the rows above)
    return {field.name: getattr(row, field.name) for field in fields(row)}
