"""The whole gateway with its billing database: what is bought is in force on the next request, here and elsewhere."""

import asyncio
import hashlib
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import now_us
from gateway.core.scope import Scope
from gateway.demo.data import ACME, ALICE, BOB
from gateway.settings.load import load
from gateway.store import directory, keys, plans, subscriptions, weights
from gateway.store.open import open_store
from gateway.store.rows import KeyDraft, WeightDraft
from tests.databases.fixtures import migrated_database, migrated_file, postgresql, store_url
from tests.e2e.selling import CONFIG, HOUR, by, draft, edited, left, sold, store_of
from tests.e2e.world import SECRET, World, world

__all__ = ["migrated_database", "migrated_file", "postgresql", "store_url"]


@pytest.fixture
async def here(store_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path, CONFIG.format(url=store_url)) as running:
        yield running


async def test_what_is_bought_is_in_force_on_the_next_request(here: World) -> None:
    assert await left(here) == ("10", "9")
    plan = await plans.create(store_of(here), draft(), by())
    held = await subscriptions.create(store_of(here), sold(plan), by())
    assert await left(here) == ("100", "98"), "the hour is the same, and what it has seen counts"
    await subscriptions.override(store_of(here), held.id, 500, by())
    assert await left(here) == ("500", "497")
    await subscriptions.cancel(store_of(here), held.id, by())
    assert await left(here) == ("10", "6")


async def test_a_workspace_pays_before_its_users(here: World) -> None:
    plan = await plans.create(store_of(here), draft(amount=2), by())
    await subscriptions.create(store_of(here), sold(plan, Scope("workspace", ACME.id)), by())
    seen = [await left(here, BOB, workspace=ACME.id) for _ in range(3)]
    assert seen == [("2", "1"), ("2", "0"), ("10", "9")]


async def test_an_edit_helps_at_once_and_mints_nothing(here: World) -> None:
    plan = await plans.create(store_of(here), draft(amount=10), by())
    await subscriptions.create(store_of(here), sold(plan), by())
    for _ in range(4):
        await left(here)
    await plans.update(store_of(here), plan.id, edited(20), by())
    assert await left(here) == ("20", "15")
    await plans.update(store_of(here), plan.id, edited(5), by())
    assert await left(here) == ("5", "0")
    assert (await here.ask("/user/me", ALICE)).status == 429
    await plans.update(store_of(here), plan.id, edited(10, 2 * HOUR), by())
    assert await left(here) == ("10", "4"), "what was used in this hour counts in a window of two as well"


async def test_new_terms_may_be_for_new_buyers_only(here: World) -> None:
    plan = await plans.create(store_of(here), draft(amount=10), by())
    await subscriptions.create(store_of(here), sold(plan), by())
    newer = await plans.update(store_of(here), plan.id, edited(20), by(), apply_to="new")
    await subscriptions.create(store_of(here), sold(newer, Scope("user", BOB.id)), by())
    assert await left(here) == ("10", "9")
    assert await left(here, BOB) == ("20", "19")


async def test_subscriptions_begin_and_end_by_themselves(here: World) -> None:
    plan = await plans.create(store_of(here), draft(amount=1_000_000), by())
    soon = now_us() + 500_000
    await subscriptions.create(store_of(here), sold(plan, starts_us=soon, ends_us=soon + 500_000), by())
    for limit in ("10", "1000000", "10"):
        async with asyncio.timeout(20):
            while (await left(here))[0] != limit:
                await asyncio.sleep(0.02)


async def test_an_admins_weight_counts_and_changes_the_cost_alone(here: World) -> None:
    message: dict[str, Any] = {"method": "POST", "json": {}}

    async def cost() -> str:
        return (await here.ask("/message/whatsapp", ALICE, workspace=ACME.id, **message)).headers["X-Weighbridge-Cost"]

    plan = await plans.create(store_of(here), draft(amount=1000), by())
    await subscriptions.create(store_of(here), sold(plan, Scope("workspace", ACME.id)), by())
    assert await cost() == "2"
    made = await weights.create(
        store_of(here), WeightDraft(method="POST", pattern="/message/whatsapp", weight=3), lambda _rows: None, by()
    )
    answer = await here.ask("/message/whatsapp", ALICE, workspace=ACME.id, **message)
    assert (answer.headers["X-Weighbridge-Cost"], answer.headers["X-RateLimit-Scope"]) == ("3", "user")
    await weights.delete(store_of(here), made.id, by())
    assert await cost() == "2"


ELSEWHERE = """
import asyncio, sys
from gateway.store import plans, subscriptions
from gateway.store.open import open_store
from tests.e2e.selling import by, draft, sold

async def main():
    store = await open_store(sys.argv[1])
    plan = await plans.create(store, draft(amount=77), by())
    await subscriptions.create(store, sold(plan), by())
    await store.close()

asyncio.run(main())
"""


async def test_what_another_process_changes_is_in_force_within_two_seconds(here: World, store_url: str) -> None:
    assert await left(here) == ("10", "9")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", ELSEWHERE, store_url, env=env)
    assert await other.wait() == 0
    changed_us = now_us()
    async with asyncio.timeout(20):
        while (await left(here))[0] != "77":
            await asyncio.sleep(0.02)
    assert now_us() - changed_us < 10_000_000, "a poll a second, on however slow a machine"


async def test_who_came_by_is_found_by_admins(here: World) -> None:
    await left(here, workspace=ACME.id)
    assert (await here.ask("/user/me")).status == 400, "a stranger"
    shop = here.gateway.stocked.shop
    assert shop is not None
    await shop.sightings.flush(shop.store, now_us())
    assert {(seen.kind, seen.id) for seen in await directory.search(shop.store)} == {
        ("user", ALICE.id),
        ("workspace", ACME.id),
    }


def secret(id_: str) -> tuple[KeyDraft, dict[str, str]]:
    """A key for Alice, and the header that shows it."""
    word = id_ * 20
    hashed = hashlib.sha256(word.encode()).hexdigest()
    return KeyDraft(id=id_, sha256=hashed, name=id_, user_id=ALICE.id), {"X-API-Key": f"wb_{id_}_{word}"}


def sent(here: World) -> set[str]:
    """The names of the fields of what arrived last."""
    return {name.lower() for name, _ in here.backend.requests[-1].headers}


async def test_keys_count_once_they_are_made_until_they_are_revoked(here: World) -> None:
    one, with_one = secret("k1")
    two, with_two = secret("k2")
    assert (await here.ask("/user/me", headers=with_one)).status != 200, "no carrier of ours yet: it goes on as it is"
    assert "x-api-key" in sent(here)
    await keys.create(store_of(here), one, by())
    authenticator = here.gateway.live.running.authenticator
    answer = await here.ask("/user/me", headers=with_one)
    assert answer.headers["X-RateLimit-Scope-ID"] == ALICE.id
    assert "x-api-key" not in sent(here)
    assert (await here.ask("/user/me", headers=with_two)).status == 401
    await keys.create(store_of(here), two, by())
    assert (await here.ask("/user/me", headers=with_two)).headers["X-RateLimit-Scope-ID"] == ALICE.id
    assert here.gateway.live.running.authenticator is authenticator, "verified tokens were not forgotten"
    await keys.revoke(store_of(here), "k1", by())
    assert (await here.ask("/user/me", headers=with_one)).status == 401
    assert (await here.ask("/user/me", headers=with_two)).status != 401


async def test_keys_are_there_after_a_restart_and_a_revoked_one_still_goes_nowhere(
    store_url: str, tmp_path: Path
) -> None:
    one, with_one = secret("k1")
    store = await open_store(store_url)
    await keys.create(store, one, by())
    await keys.revoke(store, "k1", by())
    await store.close()
    async with world(tmp_path, CONFIG.format(url=store_url)) as here:
        assert (await here.ask("/user/me", headers=with_one)).status == 401
        assert not here.backend.requests


async def test_the_stores_default_plan_is_for_users_where_the_configuration_is_silent(
    store_url: str, tmp_path: Path
) -> None:
    async with world(tmp_path, CONFIG.replace("user: free, ", "").format(url=store_url)) as here:
        assert (await here.ask("/user/me", ALICE)).status == 429
        plan = await plans.create(store_of(here), replace(draft(amount=33), is_default=True), by())
        assert await left(here) == ("33", "32")
        assert await left(here, workspace=ACME.id) == ("33", "31"), "a workspace has nothing of its own"
        await plans.update(store_of(here), plan.id, edited(44), by())
        assert await left(here) == ("44", "41")


async def test_a_reload_keeps_what_the_store_has(here: World) -> None:
    plan = await plans.create(store_of(here), draft(), by())
    await subscriptions.create(store_of(here), sold(plan), by())
    await left(here)
    here.config.write_text(here.config.read_text().replace("weight: 2", "weight: 4"))
    edits = [plans.update(store_of(here), plan.id, edited(100 + number), by()) for number in range(1, 6)]
    await asyncio.gather(here.gateway.reload(load(here.config, {"JWT_SECRET": SECRET})), *edits)
    answer = await here.ask("/message/whatsapp", ALICE, method="POST", workspace=ACME.id, json={})
    assert answer.headers["X-Weighbridge-Cost"] == "4"
    limits = {str((await plans.get(store_of(here), plan.id)).terms.limits[0].amount)}
    assert (await left(here))[0] in limits
