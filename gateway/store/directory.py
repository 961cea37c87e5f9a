"""The users and workspaces that were seen, so that an admin finds them by name and need not type their ids."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.core.scope import Scope
from gateway.store.listing import contains
from gateway.store.mandate import Actor, Mandate
from gateway.store.rows import SeenRow
from gateway.store.store import Store
from gateway.store.tables import directory

_GATEWAY = Actor("gateway")
_GROUP = 1000
_MOST_CALLED = 500


async def note(store: Store, seen: Mapping[Scope, int], now_us: int) -> None:
    """Keep when users and workspaces were last seen (us). Scopes of other kinds are nobody's."""
    rows = [
        {"kind": scope.kind, "id": scope.id, "first_seen_us": at_us, "last_seen_us": at_us}
        for scope, at_us in seen.items()
        if scope.kind in ("user", "workspace")
    ]
    if not rows:
        return
    async with store.write(Mandate(_GATEWAY, now_us)) as act:
        for start in range(0, len(rows), _GROUP):
            await act.connection.execute(_upsert(act.connection), rows[start : start + _GROUP])


async def name(store: Store, names: Mapping[Scope, str], now_us: int) -> None:
    """Keep what the upstream calls them. Who was not seen is not added."""
    async with store.write(Mandate(_GATEWAY, now_us)) as act:
        for scope, called in names.items():
            of_scope = sa.update(directory).where(directory.c.kind == scope.kind, directory.c.id == scope.id)
            # Most have the name already: they are looked at and not written.
            await act.connection.execute(of_scope.where(directory.c.name.is_distinct_from(called)).values(name=called))


async def names_of(store: Store, scopes: Collection[Scope]) -> Mapping[Scope, str | None]:
    """What those of ``scopes`` are called that were seen."""
    ids = sorted({scope.id for scope in scopes})
    known: dict[Scope, str | None] = {}
    async with store.read() as connection:
        for start in range(0, len(ids), _GROUP):
            some = directory.c.id.in_(ids[start : start + _GROUP])
            found = await connection.execute(sa.select(directory.c.kind, directory.c.id, directory.c.name).where(some))
            known |= {Scope(row.kind, row.id): row.name for row in found}
    return {scope: known[scope] for scope in scopes if scope in known}


async def nameless(store: Store, since_us: int) -> tuple[Scope, ...]:
    """Those that were seen since then and have no name, the last ``_MOST_CALLED`` of them."""
    query = sa.select(directory.c.kind, directory.c.id).where(
        directory.c.last_seen_us >= since_us, directory.c.name.is_(None)
    )
    async with store.read() as connection:
        found = await connection.execute(query.order_by(directory.c.last_seen_us.desc()).limit(_MOST_CALLED))
        return tuple(Scope(row.kind, row.id) for row in found)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who is looked for. ``text``: in id or name. ``ids``: one of these."""

    text: str | None = None
    kind: str | None = None
    ids: tuple[str, ...] | None = None


async def search(store: Store, wanted: Wanted = Wanted(), *, limit: int = 50, offset: int = 0) -> tuple[SeenRow, ...]:
    """Who was seen, the last first."""
    query = sa.select(directory)
    if wanted.kind is not None:
        query = query.where(directory.c.kind == wanted.kind)
    if wanted.ids is not None:
        query = query.where(directory.c.id.in_(wanted.ids))
    if wanted.text:
        query = query.where(contains(wanted.text, directory.c.id, directory.c.name))
    ordered = query.order_by(directory.c.last_seen_us.desc(), directory.c.kind, directory.c.id)
    async with store.read() as connection:
        found: Sequence[Any] = (await connection.execute(ordered.limit(limit).offset(offset))).all()
        return tuple(SeenRow(**row._asdict()) for row in found)


async def called(store: Store, text: str) -> frozenset[str]:
    """The ids of those whose name contains ``text``, the last ``_MOST_CALLED`` that were seen."""
    query = sa.select(directory.c.id).where(contains(text, directory.c.name)).order_by(directory.c.last_seen_us.desc())
    async with store.read() as connection:
        return frozenset((await connection.execute(query.limit(_MOST_CALLED))).scalars())


def _upsert(connection: AsyncConnection) -> sa.Insert:
    """Insert, or move the last sight on; never back."""
    keys, last = ["kind", "id"], directory.c.last_seen_us
    if connection.dialect.name == "sqlite":
        light = sqlite.insert(directory)
        return light.on_conflict_do_update(keys, set_={"last_seen_us": _larger(last, light.excluded.last_seen_us)})
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415  (3 MB that a gateway with an SQLite file does without)

    full = postgresql.insert(directory)
    larger = _larger(last, full.excluded.last_seen_us)
    return full.on_conflict_do_update(index_elements=keys, set_={"last_seen_us": larger})


def _larger(old: sa.ColumnElement[int], new: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    return sa.case((new > old, new), else_=old)
