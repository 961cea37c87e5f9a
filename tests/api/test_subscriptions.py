"""Subscriptions through the API: given by hand, seen by whom they belong to, in force with the next request."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.billing.plans import file_plan_id
from gateway.core.rfc3339 import parsed
from gateway.core.scope import Scope
from gateway.core.subscription import Status
from gateway.demo.data import ACME, ADMIN, ALICE, BETA, BOB
from gateway.store import directory, plans, subscriptions
from tests.api.clients import PRO, YAML, Client, clients
from tests.e2e.selling import by, draft, sold, store_of
from tests.e2e.world import World, world

DAY = 86_400_000_000


@pytest.fixture
async def plan(admin: Client) -> dict[str, Any]:
    made: dict[str, Any] = (await admin.post("/plan", PRO)).body
    return made


async def given(admin: Client, plan: dict[str, Any], **changes: Any) -> dict[str, Any]:
    said = {"plan_id": plan["id"], "scope": "user", "user_id": BOB.id, **changes}
    made = await admin.post("/subscription/manual", said)
    assert made.status == 201, made
    return dict(made.body)


def ids(said: Any) -> list[str]:
    assert said.status == 200, said
    return [each["id"] for each in said.body]


async def test_what_is_given_by_hand_is_in_force_with_the_next_request(
    shop: World, admin: Client, plan: dict[str, Any]
) -> None:
    made = await given(admin, plan)
    created = parsed(made["created_at"])
    assert created is not None
    begin, end = parsed(made.pop("starts_at")), parsed(made.pop("expires_at"))
    assert begin is not None
    assert (begin, end) == (created, begin + 30 * DAY)
    held = made.pop("plan")
    assert (held["slug"], held["throughput_limit"], "prices" in held) == ("pro", 5000, False)
    for name in ("id", "created_at", "updated_at"):
        del made[name]
    assert made == {
        "plan_id": plan["id"],
        "scope": "user",
        "scope_id": BOB.id,
        "user_id": BOB.id,
        "payment_provider": "manual",
        "payment_mode": "payment",
        "cancel_at_period_end": False,
        "status": "active",
        "plan_version": 1,
        "in_force_version": 1,
        "source": "database",
    }
    answer = await shop.ask("/user/me", BOB)
    assert answer.headers["X-RateLimit-Limit"] == "5000"


async def test_a_workspace_is_given_a_plan_under_its_name(shop: World, admin: Client, plan: dict[str, Any]) -> None:
    made = await given(admin, plan, scope="workspace", workspace_id=ACME.id.upper(), throughput_override=7)
    assert (made["workspace_id"], made["throughput_override"]) == (ACME.id, 7)
    answer = await shop.ask("/contact", BOB, workspace=ACME.id)
    assert (answer.headers["X-RateLimit-Limit"], answer.headers["X-RateLimit-Scope-ID"]) == ("7", ACME.id)


async def test_starts_and_ends_are_as_they_are_said(shop: World, admin: Client, plan: dict[str, Any]) -> None:
    await given(admin, plan, starts_at="2999-01-01T00:00:00Z", expires_at="2999-02-01T00:00:00+01:00")
    (made,) = (await clients(shop).bob.get("/subscription")).body
    assert (made["starts_at"], made["expires_at"]) == ("2999-01-01T00:00:00.000000Z", "2999-01-31T23:00:00.000000Z")
    assert (await shop.ask("/user/me", BOB)).headers["X-RateLimit-Limit"] == "10", "not yet"


async def test_a_plan_of_the_configuration_can_be_given(shop: World, admin: Client) -> None:
    made = await given(admin, {"id": file_plan_id("team")}, workspace_id="")
    assert (made["plan"]["slug"], made["plan"]["source"], "plan_version" in made) == ("team", "file", False)
    assert (await shop.ask("/user/me", BOB)).headers["X-RateLimit-Limit"] == "50"
    found = await admin.get(f"/subscription/all?plan_id={file_plan_id('team')}")
    assert ids(found) == [made["id"]]


async def test_what_stands_in_for_a_plan_of_the_configuration_is_what_is_shown(shop: World, admin: Client) -> None:
    made = await given(admin, {"id": file_plan_id("team")})
    counts = await plans.create(store_of(shop), draft("team", amount=77), by())
    shown = (await admin.get(f"/subscription/{made['id']}")).body
    assert (shown["plan_id"], shown["plan"]["id"]) == (file_plan_id("team"), counts.id)
    (usage,) = (await clients(shop).bob.get("/usage")).body
    assert shown["plan"]["throughput_limit"] == usage["throughput_limit"] == 77
    said = {"plan_id": file_plan_id("team"), "scope": "user", "user_id": BOB.id}
    refused = await admin.post("/subscription/manual", said)
    assert (refused.status, refused.body["content"]["plan"]) == (409, counts.id)


async def test_an_override_that_would_change_nothing_is_refused_and_named(admin: Client) -> None:
    free = {"name": "All", "slug": "all", "duration_days": 30, "unlimited": True}
    plan = (await admin.post("/plan", free)).body
    said = {"plan_id": plan["id"], "scope": "user", "user_id": BOB.id}
    assert (
        "throughput_override" in (await admin.post("/subscription/manual", {**said, "throughput_override": 5})).problems
    )
    made = await given(admin, plan)
    assert (
        "throughput_override"
        in (await admin.post(f"/subscription/{made['id']}/override", {"throughput_override": 5})).problems
    )


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"scope": "workspace"}, "workspace_id"),
        ({"scope": "address"}, "scope"),
        ({"user_id": ""}, "user_id"),
        ({"plan_id": "pro"}, "plan_id"),
        ({"throughput_override": 10**15 + 1}, "throughput_override"),
        ({"starts_at": "tomorrow"}, "starts_at"),
        ({"plan": "x"}, "plan"),
    ],
)
async def test_what_cannot_be_given_is_named(admin: Client, plan: dict[str, Any], changes: Any, field: str) -> None:
    said = {"plan_id": plan["id"], "scope": "user", "user_id": BOB.id, **changes}
    assert field in (await admin.post("/subscription/manual", said)).problems


async def test_what_is_refused_is_refused_whole(shop: World, admin: Client, plan: dict[str, Any]) -> None:
    said = {"plan_id": plan["id"], "scope": "user", "user_id": BOB.id}
    wrong = {**said, "starts_at": "2026-01-02T00:00:00Z", "expires_at": "2026-01-01T00:00:00Z"}
    assert (await admin.post("/subscription/manual", wrong)).status == 422
    assert (await admin.post("/subscription/manual", {**said, "plan_id": ACME.id})).status == 404
    for nobody in (clients(shop).alice, clients(shop).stranger):
        assert (await nobody.post("/subscription/manual", said)).status in (401, 403)
    assert ids(await admin.get("/subscription/all")) == []


async def test_a_double_click_gives_once(admin: Client, plan: dict[str, Any]) -> None:
    said = {"plan_id": plan["id"], "scope": "user", "user_id": BOB.id}
    clicks = [admin.post("/subscription/manual", said, Idempotency_Key="click-1") for _ in range(4)]
    made = {each.body["id"] for each in await asyncio.gather(*clicks)}
    assert len(made) == 1
    other = await admin.post("/subscription/manual", {**said, "user_id": ALICE.id}, Idempotency_Key="click-1")
    assert other.status == 409, "the key was used for something else"
    more = {**said, "throughput_override": 999}
    assert (await admin.post("/subscription/manual", more, Idempotency_Key="click-1")).status == 409
    await admin.put(f"/plan?id={plan['id']}", {"throughput_limit": 31})
    late = await admin.post("/subscription/manual", said, Idempotency_Key="click-1")
    assert (late.status, {late.body["id"]}, late.headers["Idempotent-Replayed"]) == (201, made, "true")
    again = await admin.post("/subscription/manual", said, Idempotency_Key="click-2")
    assert "Idempotent-Replayed" not in again.headers
    assert set(ids(await admin.get("/subscription/all"))) == made | {again.body["id"]}
    assert (await admin.post("/subscription/manual", said, Idempotency_Key="x" * 200)).status == 400


async def test_nobody_sees_what_is_anothers(shop: World, admin: Client, plan: dict[str, Any]) -> None:
    mine = await given(admin, plan)
    ours = await given(admin, plan, scope="workspace", workspace_id=ACME.id, user_id=ADMIN.id)
    theirs = await given(admin, plan, scope="workspace", workspace_id=BETA.id, user_id=BOB.id)
    bob, alice = clients(shop).bob, clients(shop).alice
    assert ids(await bob.get("/subscription")) == [theirs["id"], mine["id"]], "what he has bought for a workspace too"
    assert ids(await bob.get("/subscription", workspace=ACME.id)) == [ours["id"]]
    assert ids(await alice.get("/subscription")) == []
    assert (await alice.get("/subscription", workspace=BETA.id)).status == 403
    assert (await alice.get("/subscription/all")).status == 403
    for id_, seen in ((mine["id"], 404), (theirs["id"], 404), (ours["id"], 404), (ACME.id, 404), ("x", 404)):
        assert (await alice.get(f"/subscription/{id_}")).status == seen
    assert (await alice.get(f"/subscription/{ours['id']}", workspace=ACME.id)).status == 200
    assert (await alice.get(f"/subscription/{mine['id']}", workspace=ACME.id)).status == 404
    assert (await admin.get(f"/subscription/{mine['id']}")).body["id"] == mine["id"]
    for method, path in (("DELETE", "/subscription"), ("POST", "/subscription/reactivate")):
        assert (await alice(method, f"{path}?id={mine['id']}")).status == 404


async def test_lists_are_filtered_and_paged(shop: World, admin: Client, plan: dict[str, Any]) -> None:
    made = [await given(admin, plan) for _ in range(3)]
    over = made[1]["id"]
    assert (await admin.post(f"/subscription/{over}/cancel")).body["status"] == "cancelled"
    ours = await given(admin, plan, scope="workspace", workspace_id=ACME.id, user_id=ALICE.id)

    async def found(query: str) -> set[str]:
        return set(ids(await admin.get(f"/subscription/all?{query}")))

    everything = {each["id"] for each in [*made, ours]}
    assert await found("") == everything
    assert await found("active=true") == everything - {over}
    assert await found("active=false") == {over}
    assert await found("status=cancelled") == {over}
    assert await found("scope=workspace") == {ours["id"]}
    assert await found(f"workspace_id={ACME.id}") == {ours["id"]}
    assert await found(f"user_id={ALICE.id}") == {ours["id"]}
    assert await found(f"text={ALICE.id[:9]}") == everything, "who all begin alike"
    assert await found(f"text={ACME.id[-6:]}") == {ours["id"]}
    assert await found(f"plan_id={plan['id']}&limit=1&offset=3&created_at=asc") == {ours["id"]}
    assert (await admin.get("/subscription/all?status=gone")).problems.keys() == {"status"}
    bob = clients(shop).bob
    assert set(ids(await bob.get("/subscription?active=true"))) == everything - {over, ours["id"]}
    csv = await admin.get("/subscription/all", Accept="text/csv")
    assert len(csv.body.splitlines()) == 5


async def test_an_admin_cancels_extends_and_overrides_what_nobody_has_changed_meanwhile(
    shop: World, admin: Client, plan: dict[str, Any]
) -> None:
    made = await given(admin, plan)
    path = f"/subscription/{made['id']}"
    tag = (await admin.get(path)).headers["ETag"]
    longer = await admin.post(f"{path}/extend", {"expires_at": "2999-01-01T00:00:00Z"}, If_Match=tag)
    assert longer.body["expires_at"] == "2999-01-01T00:00:00.000000Z"
    assert (await admin.post(f"{path}/override", {"throughput_override": 3}, If_Match=tag)).status == 412
    changed = await admin.post(f"{path}/override", {"throughput_override": 3})
    assert changed.body["throughput_override"] == 3
    assert (await shop.ask("/user/me", BOB)).headers["X-RateLimit-Limit"] == "3"
    assert "expires_at" not in (await admin.post(f"{path}/extend", {"expires_at": None})).body
    assert "throughput_override" not in (await admin.post(f"{path}/override", {"throughput_override": None})).body
    assert "expires_at" in (await admin.post(f"{path}/extend", {})).problems
    over = await admin.post(f"{path}/cancel", If_Match=changed.headers["ETag"])
    assert over.status == 412
    assert (await admin.post(f"{path}/cancel")).body["status"] == "cancelled"
    assert (await admin.post(f"{path}/cancel")).status == 409
    assert (await admin.post(f"{path}/extend", {"expires_at": None})).status == 409
    assert (await admin.post(f"{path}/override", {"throughput_override": 3})).status == 409
    assert (await shop.ask("/user/me", BOB)).headers["X-RateLimit-Limit"] == "10"
    for act in ("cancel", "extend", "override"):
        body = None if act == "cancel" else {"expires_at": None} if act == "extend" else {"throughput_override": 1}
        assert (await clients(shop).bob.post(f"{path}/{act}", body)).status == 403
        assert (await admin.post(f"/subscription/{ACME.id}/{act}", body)).status == 404


async def test_a_customer_stops_what_renews_and_goes_on(shop: World, admin: Client, plan: dict[str, Any]) -> None:
    once = await given(admin, plan)
    bob = clients(shop).bob
    refused = await bob.delete(f"/subscription?id={once['id']}")
    assert (refused.status, refused.body["content"]["reason"]) == (409, "not_renewed")
    row = await subscriptions.create(store_of(shop), sold("team", mode="subscription"), by())
    alice = clients(shop).alice
    assert (await alice.post(f"/subscription/reactivate?id={row.id}")).status == 409
    assert (await alice.delete(f"/subscription?id={row.id}")).status == 204
    assert (await alice.get(f"/subscription/{row.id}")).body["cancel_at_period_end"] is True
    assert (await alice.delete(f"/subscription?id={row.id}")).status == 409
    assert (await alice.post(f"/subscription/reactivate?id={row.id}")).status == 204
    assert (await alice.get(f"/subscription/{row.id}")).body["cancel_at_period_end"] is False
    assert (await alice.delete("/subscription")).problems == {"id": "is required"}
    entries = (await admin.get(f"/audit?object_id={row.id}&actor_id={ALICE.id}")).body
    assert [(entry["action"], entry["actor_kind"]) for entry in entries] == [
        ("subscription.reactivate", "user"),
        ("subscription.stop", "user"),
    ]


async def test_a_workspaces_subscription_is_stopped_by_whom_it_lets(
    shop: World, admin: Client, plan: dict[str, Any]
) -> None:
    made = await given(admin, plan, scope="workspace", workspace_id=ACME.id, user_id=ADMIN.id)
    path = f"/subscription?id={made['id']}"
    assert (await clients(shop).bob.delete(path, workspace=ACME.id)).status == 403, "he may read, not manage"
    assert (await clients(shop).alice.delete(path, workspace=ACME.id)).status == 409, "she may, and it does not renew"
    assert (await clients(shop).alice.delete(path)).status == 404


async def test_who_has_bought_for_a_workspace_and_may_not_act_for_it_any_more_only_looks(shop: World) -> None:
    async def renewing(workspace: str, buyer: str) -> str:
        draft = sold("team", Scope("workspace", workspace), user_id=buyer, mode="subscription")
        return (await subscriptions.create(store_of(shop), draft, by())).id

    alice, bob = clients(shop).alice, clients(shop).bob
    left, kept, read = (
        await renewing(BETA.id, ALICE.id),
        await renewing(ACME.id, ALICE.id),
        await renewing(ACME.id, BOB.id),
    )
    for headers in ({}, {"workspace": ACME.id}):
        assert (await alice.delete(f"/subscription?id={left}", **headers)).status in (403, 404)
        assert (await alice.post(f"/subscription/reactivate?id={left}", **headers)).status in (403, 404)
    assert (await alice.delete(f"/subscription?id={left}", workspace=BETA.id)).status == 403
    said = await alice.get(f"/subscription/{left}")
    assert (said.status, said.body["cancel_at_period_end"]) == (200, False), "she sees what she has paid for"
    refused = await bob.delete(f"/subscription?id={read}")
    assert (refused.status, "billing.manage" in refused.body["description"]) == (403, True), refused
    assert (await alice.delete(f"/subscription?id={kept}")).status == 204, "the client need not name the workspace"
    assert (await alice.post(f"/subscription/reactivate?id={kept}")).status == 204


async def test_an_edit_for_new_buyers_leaves_a_subscription_its_terms(
    shop: World, admin: Client, plan: dict[str, Any]
) -> None:
    old = await given(admin, plan)
    edit = {"throughput_limit": 9, "apply_to": "new"}
    assert (await admin.put(f"/plan?id={plan['id']}", edit)).body["version"] == 2
    kept = (await admin.get(f"/subscription/{old['id']}")).body
    new = await given(admin, plan)
    assert [(s["plan_version"], s["in_force_version"], s["plan"]["throughput_limit"]) for s in (kept, new)] == [
        (1, 1, 5000),
        (2, 2, 9),
    ]
    await admin.put(f"/plan?id={plan['id']}", {"throughput_limit": 11, "apply_to": "existing"})
    (kept, new) = reversed((await clients(shop).bob.get("/subscription")).body)
    assert [(s["plan_version"], s["in_force_version"], s["plan"]["throughput_limit"]) for s in (kept, new)] == [
        (1, 3, 11),
        (2, 3, 11),
    ]


FIXED = f"""
subscriptions:
  - {{{{plan: team, scope: user, id: "{BOB.id}"}}}}
  - {{{{plan: team, scope: workspace, id: "{ACME.id}", ends: 2999-01-01}}}}
"""


@pytest.fixture
async def fixed(store_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path, (YAML + FIXED).format(url=store_url)) as running:
        yield running


async def test_subscriptions_of_the_configuration_are_shown_and_cannot_be_changed(fixed: World) -> None:
    everybody = clients(fixed)
    admin, bob = everybody.admin, everybody.bob
    (mine,) = (await bob.get("/subscription")).body
    assert (mine["source"], mine["plan"]["slug"], mine["status"]) == ("file", "team", "active")
    assert "expires_at" not in mine
    (ours,) = (await everybody.alice.get("/subscription", workspace=ACME.id)).body
    assert ours["expires_at"] == "2999-01-01T00:00:00.000000Z"
    assert (await bob.get(f"/subscription/{mine['id']}")).body == mine
    assert (await everybody.alice.get(f"/subscription/{mine['id']}")).status == 404
    made = await given(admin, {"id": file_plan_id("team")})
    assert ids(await admin.get("/subscription/all")) == [
        made["id"],
        *ids(await admin.get("/subscription/all?offset=1")),
    ]
    assert set(ids(await admin.get("/subscription/all?active=true"))) == {made["id"], mine["id"], ours["id"]}
    assert ids(await admin.get("/subscription/all?scope=workspace")) == [ours["id"]]
    assert ids(await admin.get(f"/subscription/all?status={Status.CANCELLED}")) == []
    assert set(ids(await admin.get("/subscription/all?state=active"))) == {made["id"], mine["id"], ours["id"]}
    await admin.post(f"/subscription/{made['id']}/cancel")
    for state in ("expired", "scheduled", "past_due", "pending"):
        assert ids(await admin.get(f"/subscription/all?state={state}")) == []
    assert ids(await admin.get("/subscription/all?state=cancelled")) == [made["id"]]
    for act, body in (("cancel", None), ("extend", {"expires_at": None}), ("override", {"throughput_override": 1})):
        assert (await admin.post(f"/subscription/{mine['id']}/{act}", body)).status == 409
    assert (await bob.delete(f"/subscription?id={mine['id']}")).status == 409


async def test_admins_find_subscriptions_by_the_names_of_who_has_them(fixed: World) -> None:
    admin = clients(fixed).admin
    made = await given(admin, {"id": file_plan_id("team")}, user_id=ALICE.id)
    seen = {Scope("user", ALICE.id): 1, Scope("user", BOB.id): 1}
    await directory.note(store_of(fixed), seen, 1)
    await directory.name(store_of(fixed), {Scope("user", ALICE.id): "Alice A.", Scope("user", BOB.id): "Bob"}, 1)
    assert ids(await admin.get("/subscription/all?text=alice")) == [made["id"]]
    (of_file,) = (await admin.get("/subscription/all?text=bOB")).body
    assert (of_file["source"], of_file["scope_id"]) == ("file", BOB.id)
    assert ids(await admin.get("/subscription/all?text=nobody")) == []
