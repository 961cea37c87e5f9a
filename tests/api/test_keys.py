"""API keys through HTTP: shown once, in force at once, gone at once."""

import asyncio
from pathlib import Path
from typing import Any

from gateway.clock import now_us
from gateway.core import rfc3339
from gateway.demo.data import ACME, ALICE, BETA
from tests.api.clients import YAML, Client, clients
from tests.e2e.world import World, world

HOUR = 3_600_000_000


async def make(admin: Client, **said: Any) -> Any:
    answer = await admin.post("/api-key", {"name": "batch", "user_id": ALICE.id, **said})
    assert answer.status == 201, answer
    return answer.body


async def status(here: World, key: str) -> int:
    return (await here.ask("/billing/me", headers={"X-API-Key": key})).status


async def test_a_key_is_shown_once_and_works_at_once(admin: Client, shop: World) -> None:
    made = await make(admin)
    assert made["key"].startswith(f"wb_{made['id']}_")
    read = (await admin.get(f"/api-key/{made['id']}")).body
    assert read == {name: value for name, value in made.items() if name != "key"}
    for text in (str((await admin.get("/api-key")).body), str((await admin.get("/audit?topic=key")).body)):
        assert made["id"] in text
        assert made["key"].rpartition("_")[2] not in text
        assert "sha256" not in text
    answer = await shop.ask("/billing/me", headers={"X-API-Key": made["key"]})
    assert await answer.json() == {"user_id": ALICE.id, "admin": False, "via": "api_key", "policies": []}


async def test_a_repeated_call_makes_one_key_and_tells_its_secret_to_nobody_again(admin: Client, shop: World) -> None:
    said = {"name": "nightly", "user_id": ALICE.id}
    answers = await asyncio.gather(*[admin.post("/api-key", said, Idempotency_Key="click-1") for _ in range(4)])
    (made,) = [each.body for each in answers if each.status == 201]
    secret = made["key"].rpartition("_")[2]
    late = await admin.post("/api-key", said, Idempotency_Key="click-1")
    for again in [each for each in answers if each.status != 201] + [late]:
        assert (again.status, again.body["content"]["made"]) == (409, made["id"])
        assert "rotate the key" in again.body["description"]
        assert "nightly" in again.body["description"]
        assert secret not in str(again.body)
    assert [key["id"] for key in (await admin.get("/api-key")).body] == [made["id"]]
    assert await status(shop, made["key"]) == 200, "it goes on as it was"

    other = await admin.post("/api-key", {**said, "name": "daily"}, Idempotency_Key="click-1")
    assert (other.status, other.body["content"]["other"]) == (409, made["id"])
    assert "made" not in other.body["content"]
    assert (await admin.post("/api-key", said, Idempotency_Key="click-2")).status == 201
    assert (await admin.post("/api-key", said, Idempotency_Key="é")).status == 400
    assert len((await admin.get("/api-key")).body) == 2


async def test_a_revoked_key_is_refused_from_the_next_request_on(admin: Client, shop: World) -> None:
    made = await make(admin)
    assert await status(shop, made["key"]) == 200
    assert (await admin.delete(f"/api-key?id={made['id']}")).status == 204
    assert await status(shop, made["key"]) == 401
    gone = (await admin.get(f"/api-key/{made['id']}")).body
    assert "revoked_at" in gone
    assert (await admin.delete(f"/api-key?id={made['id']}")).status == 409
    assert (await admin.delete("/api-key?id=nobody")).status == 404
    assert (await admin.get("/api-key?active=true")).body == []
    assert [key["id"] for key in (await admin.get("/api-key?active=false")).body] == [made["id"]]


async def test_a_rotated_key_counts_for_as_long_as_is_said(admin: Client, shop: World) -> None:
    old = await make(admin)
    answer = await admin.post(f"/api-key/{old['id']}/rotate", {"keep_old_for_seconds": 1})
    assert answer.status == 201
    new = answer.body
    assert (new["name"], new["user_id"]) == ("batch", ALICE.id)
    assert await status(shop, new["key"]) == 200
    assert (await admin.get(f"/api-key/{old['id']}")).body["replaced_by"] == new["id"]
    async with asyncio.timeout(20):
        while await status(shop, old["key"]) != 401:
            await asyncio.sleep(0.05)
    assert (await admin.post(f"/api-key/{old['id']}/rotate")).status == 409
    last = (await admin.post(f"/api-key/{new['id']}/rotate")).body
    assert [await status(shop, key["key"]) for key in (new, last)] == [401, 200]


async def test_a_workspaces_key_is_for_that_workspace_alone(admin: Client, shop: World) -> None:
    made = await make(admin, user_id="", workspace_id=ACME.id.upper())
    assert "user_id" not in made
    answer = await shop.ask("/billing/me", headers={"X-API-Key": made["key"]})
    assert (await answer.json())["workspace_id"] == ACME.id
    other = await shop.ask("/billing/me", headers={"X-API-Key": made["key"], "X-Workspace-ID": BETA.id})
    assert other.status == 403


async def test_what_cannot_be_a_key_is_refused(admin: Client) -> None:
    past, future = (rfc3339.written(now_us() + shift) for shift in (-HOUR, HOUR))
    assert list((await admin.post("/api-key", {"name": "x"})).problems) == [""]
    for said, field in (
        ({"name": "", "user_id": "u"}, "name"),
        ({"name": "x", "user_id": " u"}, "user_id"),
        ({"name": "x", "user_id": "u" * 256}, "user_id"),
        ({"name": "x", "user_id": 5}, "user_id"),
        ({"name": "x", "user_id": "u", "expires_at": past}, "expires_at"),
        ({"name": "x", "user_id": "u", "expires_at": "tomorrow"}, "expires_at"),
    ):
        assert list((await admin.post("/api-key", said)).problems) == [field], said
    made = (await admin.post("/api-key", {"name": "x", "user_id": "u", "expires_at": future})).body
    assert made["expires_at"] == future
    assert (
        "keep_old_for_seconds"
        in (await admin.post(f"/api-key/{made['id']}/rotate", {"keep_old_for_seconds": -1})).problems
    )


async def test_keys_are_found(admin: Client) -> None:
    one = await make(admin)
    two = await make(admin, name="nightly", user_id="somebody", workspace_id=ACME.id)
    for query, expected in (
        ("", [two, one]),
        (f"?user_id={ALICE.id}", [one]),
        (f"?workspace_id={ACME.id}", [two]),
        ("?text=NIGHT", [two]),
        (f"?text={one['id']}", [one]),
        ("?limit=1&offset=1", [one]),
    ):
        assert [key["id"] for key in (await admin.get(f"/api-key{query}")).body] == [key["id"] for key in expected]


async def test_keys_of_the_configuration_are_listed_and_not_changed(store_url: str, tmp_path: Path) -> None:
    hashed = "sha256:" + "ab" * 32
    identity = 'identity:\n  jwt: {secret: "${JWT_SECRET}"}\n  api_keys: [{id: k1, hash: "%s", user: u1}]\n'
    async with world(tmp_path, YAML.format(url=store_url) + identity % hashed) as here:
        admin = clients(here).admin
        made = await make(admin)
        assert [(key["id"], key["source"]) for key in (await admin.get("/api-key")).body] == [
            (made["id"], "database"),
            ("k1", "file"),
        ]
        assert (await admin.get("/api-key/k1")).body["user_id"] == "u1"
        assert (await admin.delete("/api-key?id=k1")).status == 409
        assert (await admin.post("/api-key/k1/rotate")).status == 409
        assert [key["id"] for key in (await admin.get("/api-key?user_id=u1")).body] == ["k1"]


async def test_only_admins_have_to_do_with_keys(shop: World) -> None:
    everybody = clients(shop)
    for client, expected in ((everybody.alice, 403), (everybody.stranger, 401)):
        for method, path in (("GET", "/api-key"), ("POST", "/api-key"), ("DELETE", "/api-key?id=k1")):
            assert (await client(method, path)).status == expected
