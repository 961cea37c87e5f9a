import pytest
from structlog.testing import capture_logs

from gateway.catalog import sightings as module
from gateway.catalog.sightings import Sightings
from gateway.core.principal import Principal
from gateway.store import directory
from gateway.store.open import migrate, open_store
from gateway.store.store import Store
from tests.databases.postgresql import own_server
from tests.store.samples import NOW


async def test_the_last_sight_of_each_is_written_down(store: Store) -> None:
    seen = Sightings()
    for number in range(450):
        seen.saw(Principal("jwt", f"u{number}", "w"), NOW + number)
    seen.saw(Principal("jwt", "u0"), NOW + 1000)
    seen.saw(Principal("anonymous"), NOW)
    await seen.flush(store, NOW)
    found = await directory.search(store, limit=1000)
    assert len(found) == 451
    assert [(row.kind, row.id, row.last_seen_us) for row in found[:1]] == [("user", "u0", NOW + 1000)]
    await seen.flush(store, NOW)


async def test_what_workspaces_are_called_is_written_down_where_they_were_seen(store: Store) -> None:
    seen = Sightings()
    seen.saw(Principal("jwt", "u", "w"), NOW)
    seen.heard("w", "Acme")
    seen.heard("never seen", "Nobody")
    await seen.flush(store, NOW)
    assert [(row.kind, row.id) for row in await directory.search(store, directory.Wanted(text="acm"))] == [
        ("workspace", "w")
    ]
    seen.heard("w", "Acme Ltd")
    await seen.flush(store, NOW)
    assert {(row.id, row.name) for row in await directory.search(store)} == {("u", None), ("w", "Acme Ltd")}


async def test_a_flood_of_people_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 3)
    seen = Sightings()
    for number in range(10):
        seen.saw(Principal("jwt", f"u{number % 5}"), NOW + number)
        seen.saw(Principal("jwt", workspace=f"u{number % 3}"), NOW)
        seen.heard(f"u{number % 5}", f"name {number}")
    await seen.flush(store, NOW)
    assert {row.name for row in await directory.search(store, directory.Wanted(kind="workspace"))} == {
        "name 5",
        "name 6",
        "name 7",
    }
    assert {row.id: row.last_seen_us - NOW for row in await directory.search(store, directory.Wanted(kind="user"))} == {
        "u0": 5,
        "u1": 6,
        "u2": 7,
    }


async def test_what_cannot_be_written_is_let_go() -> None:
    with own_server() as running:
        url = running.database()
        await migrate(url)
        store = await open_store(url, patience_s=1)
    seen = Sightings()
    seen.saw(Principal("jwt", "u"), NOW)
    with capture_logs() as said:
        await seen.flush(store, NOW)
        await seen.flush(store, NOW)
    await store.close()
    assert [(line["event"], line["log_level"]) for line in said] == [
        ("who was seen could not be written down", "warning")
    ], "once: the second time there is nothing left to write"
