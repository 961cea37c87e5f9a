"""The inbox: what a provider said unasked, kept as it came, until it was acted on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import uuid4

import sqlalchemy as sa

from gateway.core.problems import NotFound
from gateway.store.listing import Listing, listed
from gateway.store.mandate import Mandate
from gateway.store.sales_tables import signals
from gateway.store.store import Act, Store

SignalState = Literal["received", "done", "ignored", "failed"]
OPEN: tuple[SignalState, ...] = ("received", "failed")
KEPT_US = 90 * 86_400_000_000
"""How long what was acted on, or given up, is kept."""
STRANGERS_KEPT_US = 7 * 86_400_000_000
MOST_STRANGERS = 10_000
"""How long, and how many at most, what turned out to be about nothing of ours: an account may be shared with others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalRow:
    """``happened_us``: by the provider's clock. ``next_us``: when it is tried again; ``None``: not by itself."""

    id: str
    provider: str
    key: str
    kind: str
    subject: str
    subject_id: str
    state: SignalState
    subscription_id: str | None
    attempts: int
    next_us: int | None
    problem: str | None
    body: str
    happened_us: int
    created_us: int
    updated_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSignal:
    """What came."""

    provider: str
    key: str
    kind: str
    subject: str
    subject_id: str
    body: str
    happened_us: int


async def put(store: Store, new: NewSignal, next_us: int, by: Mandate) -> SignalRow | None:
    """Keep what came; ``None``: it is there already."""
    async with store.write(by) as act:
        known = sa.select(signals.c.id).where(signals.c.provider == new.provider, signals.c.key == new.key)
        if (await act.connection.execute(known)).first() is not None:
            return None
        row = SignalRow(
            id=str(uuid4()),
            provider=new.provider,
            key=new.key,
            kind=new.kind[:128],
            subject=new.subject,
            subject_id=new.subject_id[:255],
            state="received",
            subscription_id=None,
            attempts=0,
            next_us=next_us,
            problem=None,
            body=new.body,
            happened_us=new.happened_us,
            created_us=by.now_us,
            updated_us=by.now_us,
        )
        values = {column.name: getattr(row, column.name) for column in signals.c}
        await act.connection.execute(sa.insert(signals), values)
    return row


async def known(store: Store, provider: str, key: str) -> bool:
    """Whether it was put there."""
    query = sa.select(signals.c.id).where(signals.c.provider == provider, signals.c.key == key)
    async with store.read() as connection:
        return (await connection.execute(query)).first() is not None


async def mark(store: Store, id_: str, by: Mandate, **values: object) -> None:
    """What became of it."""
    async with store.write(by) as act:
        change = {**values, "updated_us": by.now_us}
        await act.connection.execute(sa.update(signals).where(signals.c.id == id_).values(**change))


async def get(store: Store, id_: str) -> SignalRow:
    """One of them. Raises ``NotFound``."""
    async with store.read() as connection:
        for row in await connection.execute(sa.select(signals).where(signals.c.id == id_)):
            return SignalRow(**row._asdict())
    raise NotFound("There is no such event.")


async def page(
    store: Store, listing: Listing, *, state: str | None = None, kind: str | None = None
) -> tuple[SignalRow, ...]:
    """A page of the inbox."""
    query = sa.select(signals)
    if state is not None:
        query = query.where(signals.c.state == state)
    if kind is not None:
        query = query.where(signals.c.kind == kind)
    async with store.read() as connection:
        return tuple(SignalRow(**row._asdict()) for row in await connection.execute(listed(query, signals, listing)))


async def due(store: Store, now_us: int, limit: int) -> Sequence[SignalRow]:
    """What is to be tried now, in the order in which it came."""
    query = sa.select(signals).where(signals.c.state.in_(OPEN), signals.c.next_us <= now_us)
    async with store.read() as connection:
        found = await connection.execute(query.order_by(signals.c.happened_us, signals.c.id).limit(limit))
        return [SignalRow(**row._asdict()) for row in found]


async def counts(store: Store) -> Mapping[str, int]:
    """How many there are in each state."""
    query = sa.select(signals.c.state, sa.func.count()).group_by(signals.c.state)
    async with store.read() as connection:
        return {row[0]: int(row[1]) for row in await connection.execute(query)}


async def oldest_open_us(store: Store) -> int | None:
    """When the oldest came that was not acted on yet."""
    query = sa.select(sa.func.min(signals.c.created_us)).where(signals.c.state.in_(OPEN))
    async with store.read() as connection:
        found: int | None = (await connection.execute(query)).scalar()
        return found


async def forget(act: Act) -> None:
    """Let go of what is over long ago, and of what is about nothing of ours sooner."""
    table = signals.c
    over = sa.or_(table.state == "done", sa.and_(table.state == "failed", table.next_us.is_(None)))
    strange = table.state == "ignored"
    nth = sa.select(table.created_us).where(strange).order_by(table.created_us.desc()).offset(MOST_STRANGERS).limit(1)
    for old in (
        sa.and_(over, table.created_us < act.now_us - KEPT_US),
        sa.and_(strange, table.created_us < act.now_us - STRANGERS_KEPT_US),
        sa.and_(strange, table.created_us <= nth.scalar_subquery()),
    ):
        await act.connection.execute(sa.delete(signals).where(old))
