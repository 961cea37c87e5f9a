"""Weights: what requests cost, as admins decide. A set of them is judged as a whole before any is kept."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.core.problems import Conflict, NotFound
from gateway.store.edits import born, check_revision, draft_of, moved
from gateway.store.listing import Listing, bounded, contains, listed
from gateway.store.mandate import Mandate
from gateway.store.rows import WeightDraft, WeightRow
from gateway.store.store import Store
from gateway.store.tables import weights

Edit = Callable[[WeightDraft], WeightDraft]
"""Makes of a weight what it shall be."""
Check = Callable[[Sequence[WeightRow]], None]
"""Judges all weights as they would be; raises a ``Problem`` that says what is wrong."""


async def create(store: Store, draft: WeightDraft, check: Check, by: Mandate) -> WeightRow:
    """Add a weight. Raises ``Conflict`` if method and pattern have one, and what ``check`` raises."""
    async with store.write(by) as act:
        id_ = str(uuid4())
        await _check_free(act.connection, draft, id_)
        row = {"id": id_, **_columns(draft), **born(act)}
        await act.connection.execute(sa.insert(weights), row)
        check(await read_weights(act.connection))
        made = await _one(act.connection, id_)
        act.note("weight.create", id_, None, made)
    return made


async def update(store: Store, id_: str, edit: Edit, check: Check, by: Mandate) -> WeightRow:
    """Change a weight. Raises ``NotFound``, ``PreconditionFailed``, and what ``create`` does."""
    async with store.write(by) as act:
        before = await _one(act.connection, id_)
        check_revision(before.revision, by.if_revision, "weight")
        old = draft_of(WeightDraft, before)
        draft = edit(old)
        if draft == old:
            return before
        await _check_free(act.connection, draft, id_)
        values = {**_columns(draft), **moved(act, before.revision)}
        await act.connection.execute(sa.update(weights).where(weights.c.id == id_).values(values))
        check(await read_weights(act.connection))
        after = await _one(act.connection, id_)
        act.note("weight.update", id_, before, after)
    return after


async def delete(store: Store, id_: str, by: Mandate) -> None:
    """Remove a weight. Raises ``NotFound``, ``PreconditionFailed``."""
    async with store.write(by) as act:
        before = await _one(act.connection, id_)
        check_revision(before.revision, by.if_revision, "weight")
        await act.connection.execute(sa.delete(weights).where(weights.c.id == id_))
        act.note("weight.delete", id_, before, None)


async def get(store: Store, id_: str) -> WeightRow:
    """A weight. Raises ``NotFound``."""
    async with store.read() as connection:
        return await _one(connection, id_)


async def page(
    store: Store, listing: Listing, *, method: str | None = None, text: str | None = None
) -> tuple[WeightRow, ...]:
    """A page of the weights. ``text``: in method and pattern ("GET /a"), or in the description."""
    async with store.read() as connection:
        found = await connection.execute(listed(_narrowed(method, text), weights, listing))
        return tuple(WeightRow(**row._asdict()) for row in found)


async def count(store: Store, listing: Listing, *, method: str | None = None, text: str | None = None) -> int:
    """How many weights there are on all pages."""
    wanted = bounded(_narrowed(method, text), weights, listing).with_only_columns(sa.func.count(weights.c.id))
    async with store.read() as connection:
        return (await connection.execute(wanted)).scalar_one()


def _narrowed(method: str | None, text: str | None) -> sa.Select[Any]:
    query = sa.select(weights)
    if method is not None:
        query = query.where(weights.c.method == method)
    if text:
        query = query.where(contains(text, weights.c.method + " " + weights.c.pattern, weights.c.description))
    return query


async def read_weights(connection: AsyncConnection) -> tuple[WeightRow, ...]:
    """All weights, the oldest first."""
    found = await connection.execute(sa.select(weights).order_by(weights.c.created_us, weights.c.id))
    return tuple(WeightRow(**row._asdict()) for row in found)


async def _one(connection: AsyncConnection, id_: str) -> WeightRow:
    for row in await connection.execute(sa.select(weights).where(weights.c.id == id_)):
        return WeightRow(**row._asdict())
    raise NotFound("There is no such weight.")


async def _check_free(connection: AsyncConnection, draft: WeightDraft, own_id: str) -> None:
    alike = sa.select(weights.c.id).where(
        weights.c.method == draft.method, weights.c.pattern == draft.pattern, weights.c.id != own_id
    )
    if (other := (await connection.execute(alike)).scalar()) is not None:
        raise Conflict(f"{draft.method} {draft.pattern} has a weight already.", content={"weight": other})


def _columns(draft: WeightDraft) -> dict[str, object]:
    return {
        "method": draft.method,
        "pattern": draft.pattern,
        "weight": draft.weight,
        "description": draft.description,
    }
