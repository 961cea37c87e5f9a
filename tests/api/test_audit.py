"""Who changed what, for admins."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.core.scope import Scope
from gateway.demo.data import ADMIN, BOB
from gateway.store import plans, subscriptions
from tests.api.billing_world import PASSWORD, got, selling
from tests.e2e.selling import by, draft, edited, sold, store_of
from tests.e2e.world import World


@pytest.fixture
async def here(store_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with selling(store_url, tmp_path) as running:
        yield running


async def test_changes_are_told_with_what_was_and_what_is(here: World) -> None:
    plan = await plans.create(store_of(here), draft(), by())
    await plans.update(store_of(here), plan.id, edited(7), by())
    held = await subscriptions.create(store_of(here), sold(plan, Scope("user", BOB.id)), by())
    newest, edit, create = await got(here, "/audit", ADMIN)
    assert [entry["action"] for entry in (newest, edit, create)] == [
        "subscription.create",
        "plan.update",
        "plan.create",
    ]
    assert "before" not in create
    limits = [entry["terms"]["limits"][0]["amount"] for entry in (edit["before"], edit["after"])]
    assert limits == [100, 7]
    assert (newest["scope"], newest["scope_id"], newest["object_id"]) == ("user", BOB.id, held.id)
    assert (create["actor_kind"], create["actor_id"]) == ("admin", "root")
    assert create["at"].endswith("Z")


async def test_entries_are_found_by_what_is_asked(here: World) -> None:
    plan = await plans.create(store_of(here), draft(), by())
    await subscriptions.create(store_of(here), sold(plan, Scope("user", BOB.id)), by())

    async def found(query: str) -> list[str]:
        return [entry["action"] for entry in await got(here, f"/audit?{query}", ADMIN)]

    assert await found("topic=plan") == ["plan.create"]
    assert await found(f"object_id={plan.id}") == ["plan.create"]
    assert await found("actor_id=root&limit=1") == ["subscription.create"]
    assert await found(f"scope=user&id={BOB.id}") == ["subscription.create"]
    assert await found("action=plan.delete") == []
    assert await found("to=2020-01-01T00:00:00Z") == []
    (newest, *_) = await got(here, "/audit", ADMIN)
    assert await found(f"before_id={newest['id']}") == ["plan.create"]
    await got(here, "/audit?scope=user", ADMIN, status=422)
    await got(here, "/audit", BOB, status=403)
    csv = await here.ask("/billing/audit", ADMIN, headers={"Accept": "text/csv"})
    assert (await csv.text()).startswith("id,at,actor_kind")


async def test_logins_are_told_with_where_they_came_from(here: World) -> None:
    for password, status in (("not this one", 401), (PASSWORD, 200)):
        await got(here, "/login", method="POST", json={"password": password}, status=status)
    good, bad = await got(here, "/audit?topic=login", ADMIN)
    assert (good["action"], good["actor_kind"], good["actor_id"]) == ("login.success", "admin", "login")
    assert (bad["action"], bad["actor_kind"], bad["after"]) == ("login.failure", "stranger", {"good": False})
    assert good["address"] == bad["address"] != ""
    assert good["actor_via"] == "admin_login"
    assert PASSWORD not in str([good, bad])


async def test_an_entry_tells_with_which_key_it_was_done(here: World) -> None:
    key = await got(here, "/api-key", ADMIN, method="POST", json={"name": "ci", "user_id": ADMIN.id}, status=201)
    said = {"path_pattern": "/contact", "method": "GET", "weight": 3}
    await got(here, "/endpoint-weight", method="POST", json=said, headers={"X-API-Key": key["key"]}, status=201)
    made, keyed = await got(here, "/audit", ADMIN)
    assert (made["actor_id"], made["actor_via"], made["actor_key"]) == (ADMIN.id, "api_key", key["id"])
    assert (keyed["actor_id"], keyed["actor_via"], "actor_key" in keyed) == (ADMIN.id, "jwt", False)
    assert key["key"] not in str(made)
