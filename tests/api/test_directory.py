"""Who came by, found by name, which the upstream tells to the admin's own credential."""

from pathlib import Path
from urllib.parse import quote

from gateway.demo.data import ACME, ADMIN, ALICE, BOB
from tests.api.billing_world import got, selling
from tests.api.clients import Client
from tests.e2e.world import World


async def test_who_came_by_is_found_by_name(shop: World, admin: Client) -> None:
    assert [each["id"] for each in (await admin.get("/directory")).body] == [ADMIN.id]
    await shop.ask("/user/me", BOB)
    await shop.ask("/contact", ALICE, workspace=ACME.id)
    found = {(each["kind"], each["id"]): each for each in (await admin.get("/directory")).body}
    assert found.keys() == {("user", ADMIN.id), ("user", BOB.id), ("user", ALICE.id), ("workspace", ACME.id)}
    assert all(each["first_seen_at"] <= each["last_seen_at"] for each in found.values())


async def test_names_come_from_the_upstream_with_the_admins_own_token(store_url: str, tmp_path: Path) -> None:
    async with selling(store_url, tmp_path) as here:
        await here.ask("/user/me", BOB)
        await here.ask("/user/me", ALICE)
        before = len(here.arrived)
        named = {each["id"]: each.get("name") for each in await got(here, "/directory", ADMIN)}
        assert named == {BOB.id: "Bob", ALICE.id: "Alice", ADMIN.id: ADMIN.name}, "and who administers"
        asked = here.arrived[before:]
        assert set(asked) == {"GET /workspace", "GET /user"}
        for _ in range(3):
            (only,) = await got(here, "/directory?text=ali&kind=user", ADMIN)
        assert (only["id"], only["name"]) == (ALICE.id, "Alice")
        assert len(here.arrived) == before + len(asked), "at most once a minute"
        assert await got(here, "/directory?kind=workspace", ADMIN) == []
        assert len(await got(here, "/directory?limit=1&offset=2", ADMIN)) == 1
        await got(here, "/directory", BOB, status=403)
        csv = await here.ask("/billing/directory", ADMIN, headers={"Accept": "text/csv"})
        text = await csv.text()
        assert text.startswith("kind,id,name,")
        assert "password" not in text


async def test_who_comes_by_after_names_were_told_has_one_at_once(store_url: str, tmp_path: Path) -> None:
    async with selling(store_url, tmp_path) as here:
        await got(here, "/directory", ADMIN)
        await here.ask("/user/me", BOB)
        asked = len(here.arrived)
        (found,) = await got(here, "/directory?text=bob", ADMIN)
        assert (found["id"], found["name"]) == (BOB.id, "Bob")
        assert len(here.arrived) == asked, "the upstream was asked a moment ago"


async def test_people_are_looked_up_by_their_ids(shop: World, admin: Client) -> None:
    await shop.ask("/user/me", BOB)
    await shop.ask("/contact", ALICE, workspace=ACME.id)
    wanted = quote(f"{BOB.id}\n{ACME.id}\nno, nobody")
    found = (await admin.get(f"/directory?ids={wanted}")).body
    assert {(each["kind"], each["id"]) for each in found} == {("user", BOB.id), ("workspace", ACME.id)}
    assert [each["id"] for each in (await admin.get(f"/directory?ids={wanted}&kind=user")).body] == [BOB.id]
    for wrong in ("", quote("\n"), quote(f"{BOB.id}\n\x07"), quote("\n".join(map(str, range(101))))):
        refused = await admin.get(f"/directory?ids={wrong}")
        assert (refused.status, "one a line, 100 at most" in str(refused.body)) == (422, True)


async def test_people_are_told_what_they_are_called(store_url: str, tmp_path: Path) -> None:
    async with selling(store_url, tmp_path) as here:
        await here.ask("/user/me", BOB)
        assert "name" not in await got(here, "/me", BOB), "nobody has told the gateway yet"
        await got(here, "/directory", ADMIN)
        assert (await got(here, "/me", BOB))["name"] == "Bob"


async def test_a_workspace_that_the_admin_is_no_member_of_is_found_by_its_name(store_url: str, tmp_path: Path) -> None:
    async with selling(store_url, tmp_path) as here:
        await here.ask("/contact", ALICE, workspace=ACME.id)
        (found,) = await got(here, "/directory?kind=workspace&text=acm", ADMIN)
        assert (found["id"], found["name"]) == (ACME.id, ACME.name)


async def test_an_upstream_that_tells_nothing_leaves_them_without_names(store_url: str, tmp_path: Path) -> None:
    async with selling(store_url, tmp_path) as here:
        await here.ask("/user/me", BOB)
        await here.backend.close()
        (seen,) = await got(here, "/directory", ADMIN)
        assert seen["id"] == BOB.id
        assert "name" not in seen
