import asyncio
from dataclasses import replace

import pytest
import sqlalchemy as sa

from gateway.core.problems import Conflict
from gateway.core.scope import Scope
from gateway.store import audit, directory, plans, prices, subscriptions
from gateway.store.audit import Changes, Sought
from gateway.store.directory import Wanted
from gateway.store.rows import PriceDraft
from gateway.store.store import Store
from gateway.store.tables import audit as table
from gateway.store.tables import catalog
from tests.store.samples import ACME, ALICE, BY, DAY, NOW, bought, pro


async def test_the_feed_tells_what_has_changed_since(store: Store) -> None:
    assert await audit.changes_since(store, 0) == Changes(0)
    plan = await plans.create(store, pro(), BY)
    first = await audit.changes_since(store, 0)
    assert first == Changes(1, frozenset({"plan"}))
    await subscriptions.create(store, bought(plan), BY)
    await subscriptions.create(store, bought(plan, ACME), BY)
    await prices.create(store, plan.id, PriceDraft(currency="usd", amount=1), BY)
    assert await audit.changes_since(store, 1) == Changes(
        4, frozenset({"subscription", "price"}), frozenset({ALICE, ACME})
    )
    assert await audit.changes_since(store, 4) == Changes(4)


async def test_what_cannot_be_told_is_everything(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = await plans.create(store, pro(), BY)
    assert await audit.changes_since(store, 9) == Changes(1, whole=True), "a backup took the database's place"
    for number in range(4):
        await subscriptions.create(store, bought(plan, Scope("workspace", f"w{number}")), BY)
    monkeypatch.setattr(audit, "LONGEST_FEED", 3)
    assert await audit.changes_since(store, 0) == Changes(5, whole=True)
    async with store.write(BY) as act:
        await act.connection.execute(sa.delete(table))
    assert await audit.changes_since(store, 4) == Changes(5, whole=True), "the log was cut"


async def test_revisions_have_no_gaps_and_no_twins_under_load(store: Store) -> None:
    plan = await plans.create(store, pro(), BY)
    acts = [subscriptions.create(store, bought(plan), BY) for _ in range(30)]
    acts += [plans.update(store, plan.id, lambda old: replace(old, name=old.name + "!"), BY) for _ in range(30)]  # type: ignore[misc]
    await asyncio.gather(*acts)
    async with store.read() as connection:
        found = list((await connection.execute(sa.select(table.c.revision).order_by(table.c.id))).scalars())
        now = (await connection.execute(sa.select(catalog.c.revision))).scalar_one()
    assert found == list(range(1, 62))
    assert now == 61


async def test_what_is_undone_leaves_no_entry_and_no_revision(store: Store) -> None:
    with pytest.raises(Conflict):
        async with store.write(BY) as act:
            act.note("plan.create", "x", None, pro())
            raise Conflict("Changed my mind.")
    with pytest.raises(TypeError):
        async with store.write(BY) as act:
            act.note("plan.create", "x", None, "text")
    assert await audit.changes_since(store, 0) == Changes(0)
    assert await audit.page(store, Sought()) == ()


async def test_the_gateway_hears_of_a_change_after_it_is_kept_and_before_its_maker_goes_on(store: Store) -> None:
    heard: list[tuple[int, int]] = []

    async def listen(revision: int) -> None:
        heard.append((revision, (await audit.changes_since(store, 0)).revision))

    store.on_change = listen
    plan = await plans.create(store, pro(), BY)
    assert heard == [(1, 1)]
    await plans.update(store, plan.id, lambda old: old, BY)
    with pytest.raises(Conflict):
        await plans.create(store, pro(), BY)
    await directory.note(store, {ALICE: NOW}, NOW)
    assert heard == [(1, 1)], "nothing changed"


async def test_entries_are_found_by_what_one_knows(store: Store) -> None:
    plan = await plans.create(store, pro(), BY)
    for number in range(3):
        await subscriptions.create(store, bought(plan), BY._replace(now_us=NOW + number * DAY))

    async def found(**sought: object) -> int:
        return len(await audit.page(store, Sought(**sought)))  # type: ignore[arg-type]

    assert await found() == 4
    assert await found(topic="subscription") == 3
    assert await found(action="plan.create") == 1
    assert await found(scope=ALICE) == 3
    assert await found(actor_id="nobody") == 0
    assert await found(from_us=NOW + DAY) == 2
    assert await found(until_us=NOW + DAY) == 3
    newest, *_ = await audit.page(store, Sought(), limit=1)
    assert await found(before_id=newest.id) == 3


async def test_who_was_seen_is_found_again(store: Store) -> None:
    await directory.note(store, {ALICE: NOW, ACME: NOW + 1, Scope("address", "192.0.2.1"): NOW}, NOW)
    await directory.note(store, {ALICE: NOW + 5, ACME: NOW - 5}, NOW)
    await directory.note(store, {}, NOW)
    await directory.name(store, {ACME: "Acme Ltd.", Scope("user", "stranger"): "X"}, NOW)
    alice, acme = await directory.search(store)
    assert (alice.id, alice.first_seen_us, alice.last_seen_us, alice.name) == (ALICE.id, NOW, NOW + 5, None)
    assert (acme.id, acme.first_seen_us, acme.last_seen_us, acme.name) == (ACME.id, NOW + 1, NOW + 1, "Acme Ltd.")
    assert await directory.search(store, Wanted(text="acme l")) == (acme,)
    assert await directory.search(store, Wanted(text=ALICE.id[:8].upper())) == (alice,)
    assert await directory.search(store, Wanted(kind="workspace")) == (acme,)
    assert await directory.search(store, Wanted(ids=(ACME.id, "nobody"))) == (acme,)
    assert await directory.search(store, limit=1, offset=1) == (acme,)


async def test_thousands_seen_at_once_are_kept(store: Store) -> None:
    await directory.note(store, {Scope("user", f"u{number}"): NOW + number for number in range(2500)}, NOW)
    (last,) = await directory.search(store, limit=1)
    assert last.id == "u2499"
    assert len(await directory.search(store, limit=5000)) == 2500
