"""Who changed what, for admins."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.core.scope import Scope
from gateway.demo.data import ADMIN, BOB
from gateway.store import plans, subscriptions
from tests.api.billing_world import got, selling
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
