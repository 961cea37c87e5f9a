import asyncio
import hashlib

import pytest

from gateway.core.problems import Conflict, NotFound, Problem
from gateway.core.scope import Scope
from gateway.store import audit, keys
from gateway.store.audit import Sought
from gateway.store.listing import Listing
from gateway.store.rows import KeyDraft
from gateway.store.store import Store
from tests.store.samples import ACME, ALICE, BY, DAY, NOW


def key(id_: str, **changes: str | int | None) -> KeyDraft:
    given = {"id": id_, "sha256": hashlib.sha256(id_.encode()).hexdigest(), "name": f"Key {id_}", "user_id": ALICE.id}
    return KeyDraft(**{**given, **changes})  # type: ignore[arg-type]


async def test_a_key_is_made_listed_and_revoked(store: Store) -> None:
    made = await keys.create(store, key("k1"), BY)
    shared = await keys.create(store, key("k2", user_id=None, workspace_id=ACME.id, expires_us=NOW + DAY), BY)
    assert await keys.known(store) == (made, shared)
    assert await keys.known(store, {"k2", "k9"}) == (shared,)
    assert await keys.page(store, Listing(), keys.Wanted(user_id=ALICE.id)) == (made,)
    assert await keys.page(store, Listing(), keys.Wanted(workspace_id=ACME.id)) == (shared,)
    assert await keys.page(store, Listing(), keys.Wanted(text="KEY K2")) == (shared,)
    gone = await keys.revoke(store, "k1", BY._replace(now_us=NOW + 9))
    assert (gone.revoked_us, gone.revision) == (NOW + 9, 2)
    assert await keys.get(store, "k1") == gone
    with pytest.raises(Conflict, match="revoked already"):
        await keys.revoke(store, "k1", BY)
    with pytest.raises(NotFound):
        await keys.revoke(store, "k9", BY)


async def test_a_rotated_key_counts_a_little_longer(store: Store) -> None:
    await keys.create(store, key("k1"), BY)
    new = await keys.rotate(store, "k1", key("k2"), BY, until_us=NOW + DAY)
    old = await keys.get(store, "k1")
    assert (new.id, old.replaced_by, old.expires_us) == ("k2", "k2", NOW + DAY)
    with pytest.raises(Conflict, match="took its place"):
        await keys.rotate(store, "k1", key("k3"), BY, until_us=NOW)
    await keys.create(store, key("k4", expires_us=NOW + 1), BY)
    await keys.rotate(store, "k4", key("k5"), BY, until_us=NOW + DAY)
    assert (await keys.get(store, "k4")).expires_us == NOW + 1, "it never counts longer than it would have"
    await keys.create(store, key("k6", expires_us=NOW + 1), BY)
    with pytest.raises(Conflict, match="has expired"):
        await keys.rotate(store, "k6", key("k7"), BY._replace(now_us=NOW + 1), until_us=NOW + DAY)


async def test_a_key_is_rotated_once_however_many_try(store: Store) -> None:
    await keys.create(store, key("old"), BY)
    acts = [keys.rotate(store, "old", key(f"new{n}"), BY, until_us=NOW) for n in range(5)]
    done = await asyncio.gather(*acts, return_exceptions=True)
    assert sum(isinstance(each, Conflict) for each in done) == 4
    assert len(await keys.page(store, Listing())) == 2


async def test_ids_and_hashes_are_unique(store: Store) -> None:
    await keys.create(store, key("k1"), BY)
    with pytest.raises(Conflict, match="with this id"):
        await keys.create(store, key("k1", sha256="0" * 64), BY)
    with pytest.raises(Conflict, match="one like this"):
        await keys.create(store, key("k2", sha256=key("k1").sha256), BY)


@pytest.mark.parametrize(
    "broken", [{"user_id": None}, {"sha256": "0" * 63}, {"sha256": "A" * 64}], ids=["who", "short", "case"]
)
async def test_what_no_key_can_be(store: Store, broken: dict[str, str]) -> None:
    with pytest.raises(Problem) as refused:
        await keys.create(store, key("k1", **broken), BY)
    assert refused.value.status == 422


async def test_no_hash_enters_the_audit_log(store: Store) -> None:
    await keys.create(store, key("k1"), BY)
    await keys.rotate(store, "k1", key("k2"), BY, until_us=NOW)
    entries = await audit.page(store, Sought(scope=Scope("user", ALICE.id)))
    assert [entry.action for entry in entries] == ["key.rotate", "key.create", "key.create"]
    text = "".join(f"{entry.before}{entry.after}" for entry in entries)
    assert "k2" in text
    assert not any(key(id_).sha256 in text or "sha256" in text for id_ in ("k1", "k2"))
    assert (await audit.changes_since(store, 0)).keys == {"k1", "k2"}
