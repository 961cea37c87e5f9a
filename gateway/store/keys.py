"""API keys: hashes of secrets, and whom they act for. A key that was revoked stays, so that its carriers stay ours."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.core.problems import Conflict, NotFound
from gateway.core.scope import Scope
from gateway.store.edits import born, check_revision, moved
from gateway.store.listing import Listing, bounded, contains, listed
from gateway.store.mandate import Mandate
from gateway.store.once import Once
from gateway.store.rows import KeyDraft, KeyRow
from gateway.store.store import Act, Store
from gateway.store.tables import api_key_calls, api_keys


async def create(store: Store, draft: KeyDraft, by: Mandate, once: Once | None = None) -> KeyRow:
    """Add a key. Raises ``Conflict`` if the id is taken, or ``once`` has made a key before: it is named."""
    async with store.write(by) as act:
        if once is not None:
            await _check_first(act.connection, once)
        made = await _insert(act, draft)
        if once is not None:
            row = {"call": once.key, "digest": once.digest, "key_id": made.id}
            await act.connection.execute(sa.insert(api_key_calls), row)
        act.note("key.create", made.id, None, made, scope=_scope(made))
    return made


async def revoke(store: Store, id_: str, by: Mandate) -> KeyRow:
    """Let a key count no more, from now on.

    Raises ``NotFound``, ``PreconditionFailed``, ``Conflict`` if it does not count already.
    """
    async with store.write(by) as act:
        before = await _one(act.connection, id_)
        check_revision(before.revision, by.if_revision, "key")
        if before.revoked_us is not None:
            raise Conflict("This key is revoked already.")
        return await _change(act, before, "key.revoke", revoked_us=by.now_us)


async def rotate(store: Store, id_: str, draft: KeyDraft, by: Mandate, *, until_us: int) -> KeyRow:
    """Put a new key in the place of another, which counts until ``until_us`` at most. Returns the new one.

    Raises ``NotFound``, ``PreconditionFailed``, ``Conflict`` if the old one has expired or was revoked or rotated
    already, or the new id is taken.
    """
    async with store.write(by) as act:
        before = await _one(act.connection, id_)
        check_revision(before.revision, by.if_revision, "key")
        if before.revoked_us is not None or before.replaced_by is not None:
            raise Conflict("This key was revoked or rotated already. Rotate the one that took its place.")
        if before.expires_us is not None and before.expires_us <= by.now_us:
            raise Conflict("This key has expired. Make a new one.")
        made = await _insert(act, draft)
        act.note("key.create", made.id, None, made, scope=_scope(made))
        expires_us = until_us if before.expires_us is None else min(before.expires_us, until_us)
        await _change(act, before, "key.rotate", expires_us=expires_us, replaced_by=made.id)
    return made


async def get(store: Store, id_: str) -> KeyRow:
    """A key. Raises ``NotFound``."""
    async with store.read() as connection:
        return await _one(connection, id_)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which keys of a list; ``None``: any. ``text``: in id or name. ``active``: whether they count at ``at_us``."""

    user_id: str | None = None
    workspace_id: str | None = None
    text: str | None = None
    active: bool | None = None
    at_us: int = 0


ALL = Wanted()


async def page(store: Store, listing: Listing, wanted: Wanted = ALL) -> tuple[KeyRow, ...]:
    """A page of the keys."""
    async with store.read() as connection:
        found = await connection.execute(listed(_narrowed(wanted), api_keys, listing))
        return tuple(KeyRow(**row._asdict()) for row in found)


async def count(store: Store, listing: Listing, wanted: Wanted = ALL) -> int:
    """How many keys there are on all pages."""
    counted = bounded(_narrowed(wanted), api_keys, listing).with_only_columns(sa.func.count(api_keys.c.id))
    async with store.read() as connection:
        return (await connection.execute(counted)).scalar_one()


def _narrowed(wanted: Wanted) -> sa.Select[Any]:
    query = sa.select(api_keys)
    if wanted.user_id is not None:
        query = query.where(api_keys.c.user_id == wanted.user_id)
    if wanted.workspace_id is not None:
        query = query.where(api_keys.c.workspace_id == wanted.workspace_id)
    if wanted.text:
        query = query.where(contains(wanted.text, api_keys.c.id, api_keys.c.name))
    if wanted.active is not None:
        not_over = sa.or_(api_keys.c.expires_us.is_(None), api_keys.c.expires_us > wanted.at_us)
        counts = sa.and_(api_keys.c.revoked_us.is_(None), not_over)
        query = query.where(counts if wanted.active else sa.not_(counts))
    return query


async def known(store: Store, ids: Collection[str] | None = None) -> tuple[KeyRow, ...]:
    """These keys, or all, those that count no more as well."""
    query = sa.select(api_keys).order_by(api_keys.c.created_us, api_keys.c.id)
    if ids is not None:
        query = query.where(api_keys.c.id.in_(ids))
    async with store.read() as connection:
        return tuple(KeyRow(**row._asdict()) for row in await connection.execute(query))


async def _check_first(connection: AsyncConnection, once: Once) -> None:
    query = sa.select(api_key_calls.c.digest, api_keys.c.id, api_keys.c.name).join(api_keys)
    before = (await connection.execute(query.where(api_key_calls.c.call == once.key))).first()
    if before is None:
        return
    if before.digest != once.digest:
        raise Conflict("This idempotency key was used for another API key.", content={"other": before.id})
    raise Conflict(
        f"This call has made the key '{before.name}' ({before.id}) already. Its secret was in that answer, and is kept"
        " nowhere: if the answer was lost, rotate the key and use the new one.",
        content={"made": before.id},
    )


async def _insert(act: Act, draft: KeyDraft) -> KeyRow:
    if (await act.connection.execute(sa.select(api_keys.c.id).where(api_keys.c.id == draft.id))).first() is not None:
        raise Conflict("There is a key with this id already.")
    values = {field.name: getattr(draft, field.name) for field in fields(KeyDraft)}
    await act.connection.execute(sa.insert(api_keys), {**values, **born(act)})
    return await _one(act.connection, draft.id)


async def _change(act: Act, before: KeyRow, action: str, **values: object) -> KeyRow:
    values = {**values, **moved(act, before.revision)}
    await act.connection.execute(sa.update(api_keys).where(api_keys.c.id == before.id).values(values))
    after = await _one(act.connection, before.id)
    act.note(action, before.id, before, after, scope=_scope(after))
    return after


async def _one(connection: AsyncConnection, id_: str) -> KeyRow:
    for row in await connection.execute(sa.select(api_keys).where(api_keys.c.id == id_)):
        return KeyRow(**row._asdict())
    raise NotFound("There is no such key.")


def _scope(key: KeyRow) -> Scope:
    return Scope("workspace", key.workspace_id) if key.workspace_id is not None else Scope("user", key.user_id or "")
