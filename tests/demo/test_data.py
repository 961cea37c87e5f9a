import uuid

from gateway.demo.data import ACME, ALICE, MEMBERS, PHONES, USERS, WORKSPACES, Media, World, fixed_id


def test_every_start_gives_the_same_rows_under_the_same_ids() -> None:
    first, second = World(), World()
    assert first.contacts == second.contacts
    assert first.messages == second.messages
    assert (ALICE.id, ACME.id) == ("0b3f6f9e-1111-4a11-8a11-a11ce0000001", "aa0e8400-e29b-41d4-a716-446655440005")
    assert fixed_id("contact/Ana Souza") == "9e80fafa-18a9-55e8-8195-4c78663e3376"


def test_ids_are_canonical_uuids_and_used_once() -> None:
    ids = [*(u.id for u in USERS), *(w.id for w in WORKSPACES), *(m.id for m in MEMBERS), *(p.id for p in PHONES)]
    assert all(str(uuid.UUID(row_id)) == row_id for row_id in ids)
    assert len(set(ids)) == len(ids)


def test_a_user_is_found_by_id_address_and_name() -> None:
    assert {World().user(name) for name in (ALICE.id, "ALICE@example.com", "alice")} == {ALICE}
    assert World().user("nobody") is None


def test_only_the_newest_uploads_are_kept() -> None:
    world = World()
    seeded = set(world.media)
    for number in range(150):
        world.store(Media(f"m{number}", "text/plain", "txt", b""))
    assert set(world.media) == seeded | {f"m{number}" for number in range(50, 150)}
