"""Subscriptions: which scope gets which plan, from when to when. For reading see ``subscribed``."""

from collections.abc import Callable
from dataclasses import fields, replace
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.core.problems import Conflict, Unprocessable
from gateway.core.subscription import Event, PlanVersion, Refused, Standing, Status, Word, advance
from gateway.store.edits import born, check_revision, draft_of, moved
from gateway.store.mandate import Mandate
from gateway.store.once import Once
from gateway.store.rows import SubscriptionDraft, SubscriptionRow
from gateway.store.store import Act, Store
from gateway.store.subscribed import by_provider, one, row_of, rows
from gateway.store.tables import plan_versions, subscriptions

Edit = Callable[[SubscriptionDraft], SubscriptionDraft]
"""Makes of a subscription what it shall be; may raise to refuse."""


async def create(store: Store, draft: SubscriptionDraft, by: Mandate) -> SubscriptionRow:
    """Add a subscription.

    Raises ``Conflict`` if the plan's version, or the provider's order or subscription, is not free to take.
    """
    async with store.write(by) as act:
        return await add(act, draft)


async def create_once(store: Store, draft: SubscriptionDraft, by: Mandate, once: Once) -> tuple[SubscriptionRow, bool]:
    """Add a subscription, or find what the same call has made before (``True``).

    Raises ``Conflict`` as ``create``, or if the key was used for something else.
    """
    async with store.write(by) as act:
        if (known := await _same(act.connection, once)) is not None:
            return known, True
        return await add(act, draft, once), False


async def made_by(store: Store, once: Once) -> SubscriptionRow | None:
    """What the same call has made before. Raises ``Conflict`` if the key was used for something else."""
    async with store.read() as connection:
        return await _same(connection, once)


async def add(act: Act, draft: SubscriptionDraft, once: Once | None = None) -> SubscriptionRow:
    """``create`` within a transaction."""
    await _check_plan(act.connection, draft)
    await _check_provider(act.connection, draft)
    id_ = str(uuid4())
    key, digest = once or (None, None)
    row = {"id": id_, **_columns(draft), "idempotency_key": key, "idempotency_digest": digest, **born(act)}
    await act.connection.execute(sa.insert(subscriptions), row)
    made = await one(act.connection, id_)
    act.note("subscription.create", id_, None, made, scope=made.scope)
    return made


async def update(
    store: Store,
    id_: str,
    edit: Edit,
    by: Mandate,
    *,
    action: str = "update",
) -> SubscriptionRow:
    """Change a subscription to what ``edit`` makes of it as it is now; ``edit`` may raise to refuse.

    ``action``: what the audit log calls it. Raises ``NotFound``, ``PreconditionFailed``, ``Conflict`` as ``create``,
    ``Unprocessable`` for another scope.
    """
    async with store.write(by) as act:
        before = await one(act.connection, id_)
        check_revision(before.revision, by.if_revision, "subscription")
        return await change(act, before, edit, action)


async def change(act: Act, before: SubscriptionRow, edit: Edit, action: str) -> SubscriptionRow:
    """``update`` within a transaction that has read the row."""
    old = draft_of(SubscriptionDraft, before)
    draft = edit(old)
    if draft == old:
        return before
    if draft.scope != old.scope:
        raise Unprocessable("A subscription stays with its scope. Cancel it and make another.")
    if draft.plan != old.plan:
        await _check_plan(act.connection, draft)
    await _check_provider(act.connection, draft, before.id)
    values = {**_columns(draft), **moved(act, before.revision)}
    await act.connection.execute(sa.update(subscriptions).where(subscriptions.c.id == before.id).values(values))
    after = await one(act.connection, before.id)
    act.note(f"subscription.{action}", before.id, before, after, scope=after.scope)
    return after


async def cancel(store: Store, id_: str, by: Mandate, *, or_over: bool = False) -> SubscriptionRow:
    """End a subscription now, for good. Raises ``NotFound``, ``PreconditionFailed``, ``Conflict`` if it is over.

    ``or_over``: not then, it stays as it is.
    """

    def edit(old: SubscriptionDraft) -> SubscriptionDraft:
        if old.status is Status.CANCELLED:
            if or_over:
                return old
            raise Conflict("This subscription is cancelled already.")
        return advanced(old, Word(Event.END, by.now_us))

    return await update(store, id_, edit, by, action="cancel")


async def extend(store: Store, id_: str, ends_us: int | None, by: Mandate) -> SubscriptionRow:
    """Let a subscription end at another time, or never. Raises as ``update``, ``Conflict`` if it is cancelled."""
    word = Word(Event.EXTEND, by.now_us, ends_us)
    return await update(store, id_, lambda old: advanced(old, word), by, action="extend")


async def override(store: Store, id_: str, amount: int | None, by: Mandate) -> SubscriptionRow:
    """Replace the plan's throughput for this subscription; ``None``: the plan's again.

    Raises as ``update``, ``Conflict`` if it is over.
    """

    def edit(old: SubscriptionDraft) -> SubscriptionDraft:
        if is_over(old, by.now_us):
            raise Conflict("This subscription is over: it gives nothing any more.")
        return replace(old, throughput_override=amount)

    return await update(store, id_, edit, by, action="override")


def is_over(draft: SubscriptionDraft, now_us: int) -> bool:
    """Whether a subscription gives nothing any more."""
    return draft.status is Status.CANCELLED or (draft.ends_us is not None and draft.ends_us <= now_us)


def standing_of(draft: SubscriptionDraft) -> Standing:
    """What events change of a subscription."""
    names = (name for name in Standing._fields if name != "renews")
    return Standing(**{name: getattr(draft, name) for name in names}, renews=draft.mode == "subscription")


def advanced(draft: SubscriptionDraft, word: Word) -> SubscriptionDraft:
    """A subscription after a word, by the one table of transitions; the same if it says nothing new.

    Raises ``Conflict`` with the table's reason if it is refused, ``Unprocessable`` for an end before the start.
    """
    after = advance(standing_of(draft), word)
    if isinstance(after, Refused):
        kind = Unprocessable if after.code == "ends_before_start" else Conflict
        raise kind(after.message, content={"reason": after.code})
    changed = after._asdict()
    del changed["renews"]
    return replace(draft, **changed)


def renamed(draft: SubscriptionDraft, checkout_id: str) -> SubscriptionDraft:
    """The same, ordered under another name at the provider."""
    return replace(draft, checkout_id=checkout_id)


def _columns(draft: SubscriptionDraft) -> dict[str, object]:
    values = {field.name: getattr(draft, field.name) for field in fields(SubscriptionDraft)}
    plan, scope = values.pop("plan"), values.pop("scope")
    of_store = plan if isinstance(plan, PlanVersion) else None
    return {
        **values,
        "plan_id": None if of_store is None else of_store.plan_id,
        "plan_version": None if of_store is None else of_store.version,
        "file_plan": plan if of_store is None else None,
        "scope_kind": scope.kind,
        "scope_id": scope.id,
        "status": draft.status.value,
    }


async def _same(connection: AsyncConnection, once: Once) -> SubscriptionRow | None:
    """What was made with this key, whatever has become of it since."""
    found = (await connection.execute(rows().where(subscriptions.c.idempotency_key == once.key))).first()
    if found is None:
        return None
    if found.idempotency_digest != once.digest:
        raise Conflict("This idempotency key was used for another subscription.", content={"subscription": found.id})
    return row_of(found)


async def _check_plan(connection: AsyncConnection, draft: SubscriptionDraft) -> None:
    if isinstance(draft.plan, PlanVersion):
        known = sa.select(plan_versions.c.version).where(
            plan_versions.c.plan_id == draft.plan.plan_id, plan_versions.c.version == draft.plan.version
        )
        if (await connection.execute(known)).first() is None:
            raise Conflict("There is no such plan any more.")


async def _check_provider(connection: AsyncConnection, draft: SubscriptionDraft, own_id: str | None = None) -> None:
    for name in ("checkout_id", "external_id"):
        value = getattr(draft, name)
        if value is None:
            continue
        found = await by_provider(connection, draft.provider, **{name: value})
        if found is not None and found.id != own_id:
            raise Conflict(
                f"{draft.provider} has sold this already: it is another subscription.",
                content={"subscription": found.id},
            )
