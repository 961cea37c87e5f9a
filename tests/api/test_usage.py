"""``GET /billing/usage``: each limit as the next answer's headers say it, and free of charge."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway.clock import now_us
from gateway.core.bucket import Calendar, Refill
from gateway.core.plan import THROUGHPUT, PlanLimit
from gateway.core.rfc3339 import parsed
from gateway.core.scope import Scope
from gateway.demo.data import ACME, ADMIN, ALICE, BETA, BOB
from gateway.store import plans, subscriptions, weights
from gateway.store.rows import Terms, WeightDraft
from tests.api.billing_world import fields, got, selling
from tests.e2e.selling import DAY, HOUR, by, draft, sold, store_of
from tests.e2e.world import World, world


@pytest.fixture
async def here(store_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with selling(store_url, tmp_path) as running:
        yield running


def shown(entry: dict[str, Any]) -> tuple[str, str, str]:
    """What the headers must say of it."""
    reset_us = parsed(entry["resets_at"]) if "resets_at" in entry else 0
    assert reset_us is not None
    return str(entry["throughput_limit"]), str(entry["remaining"]), str(-(-reset_us // 1_000_000))


async def test_an_entry_has_the_shape_of_wacraft_and_more(here: World) -> None:
    (entry,) = await got(here, "/usage", BOB)
    resets_at = entry.pop("resets_at", None)
    assert entry == {
        "scope": "user",
        "user_id": BOB.id,
        "unlimited": False,
        "throughput_limit": 10,
        "window_seconds": 3600,
        "current_usage": 0,
        "remaining": 10,
        "fallback": False,
        "meter": "throughput",
        "plan": "free",
        "purse": 0,
        "refill": "interval",
    }
    assert resets_at is None or resets_at.endswith("Z")


async def test_it_says_what_the_next_answers_headers_say(here: World) -> None:
    free = WeightDraft(method="GET", pattern="/workspace", weight=0)
    await weights.create(store_of(here), free, lambda _rows: None, by())
    for _ in range(3):
        paid = await here.ask("/user/me", BOB)
        (entry,) = await got(here, "/usage", BOB)
        assert shown(entry) == fields(paid.headers)
        next_ = await here.ask("/workspace", BOB)
        assert shown(entry) == fields(next_.headers)


async def test_asking_costs_nothing_also_where_nothing_is_left(here: World) -> None:
    for _ in range(10):
        await here.ask("/user/me", BOB)
    assert (await here.ask("/user/me", BOB)).status == 429
    for _ in range(5):
        (entry, *_) = await got(here, "/usage", BOB)
    assert (entry["current_usage"], entry["remaining"]) == (10, 0)


async def test_every_limit_of_every_plan_has_its_entry(here: World) -> None:
    both = (
        PlanLimit(THROUGHPUT, 5, 1_000_000, Refill.CONTINUOUS, burst=20),
        PlanLimit(THROUGHPUT, 1000, 30 * DAY),
        PlanLimit("tokens", 10**15, HOUR),
    )
    plan = await plans.create(store_of(here), replace(draft(), terms=Terms(both, 30)), by())
    pack = await plans.create(
        store_of(here), replace(draft("pack"), terms=Terms((PlanLimit(THROUGHPUT, 70, 0, Refill.NEVER),), 30)), by()
    )
    ends_us = now_us() + 30 * DAY
    for each in (plan, pack):
        await subscriptions.create(store_of(here), sold(each, ends_us=ends_us, scope=Scope("user", BOB.id)), by())
    entries = await got(here, "/usage", BOB)
    assert [(e["meter"], e["plan"], e["throughput_limit"], e.get("burst"), e["refill"]) for e in entries] == [
        ("throughput", "pro", 5, 20, "continuous"),
        ("throughput", "pro", 1000, None, "interval"),
        ("tokens", "pro", 10**15, None, "interval"),
        ("throughput", "pack", 70, None, "never"),
    ]
    assert entries[0]["purse"] == entries[1]["purse"] != entries[3]["purse"], "limits of one plan hold together"
    assert {parsed(entry["subscription_ends_at"]) for entry in entries} == {ends_us}
    assert entries[0]["remaining"] == 20
    assert 30 * 86_400 - 60 < entries[3]["window_seconds"] <= 30 * 86_400, "of what never refills: until it ends"


async def test_windows_of_a_calendar_say_so(here: World) -> None:
    monthly = PlanLimit(THROUGHPUT, 1000, 31 * DAY, anchor=Calendar("month", ZoneInfo("Europe/Berlin")))
    daily = PlanLimit(THROUGHPUT, 100, DAY, anchor=Calendar("day", UTC))
    plan = await plans.create(store_of(here), replace(draft(), terms=Terms((monthly, daily), 30)), by())
    await subscriptions.create(store_of(here), sold(plan, Scope("user", BOB.id)), by())
    entries = await got(here, "/usage", BOB)
    assert [(entry["anchor"], entry["time_zone"]) for entry in entries] == [("month", "Europe/Berlin"), ("day", "UTC")]


async def test_unlimited_is_zero_zero_zero_minus_one(here: World) -> None:
    plan = await plans.create(store_of(here), draft(amount=0), by())
    await subscriptions.create(store_of(here), sold(plan, Scope("user", BOB.id)), by())
    (entry,) = await got(here, "/usage", BOB)
    wanted = ("unlimited", "throughput_limit", "window_seconds", "current_usage", "remaining")
    assert [entry[name] for name in wanted] == [True, 0, 0, 0, -1]
    assert fields((await here.ask("/user/me", BOB)).headers) == ("0", "-1", "0")


async def test_a_workspace_that_is_named_is_told_to_its_members(here: World) -> None:
    assert {entry["scope"] for entry in await got(here, "/usage", BOB, workspace=ACME.id)} == {"user"}, "it has nothing"
    plan = await plans.create(store_of(here), draft(amount=500), by())
    await subscriptions.create(store_of(here), sold(plan, Scope("workspace", ACME.id)), by())
    mine, ours = await got(here, "/usage", BOB, workspace=ACME.id)
    assert (mine["scope"], mine["user_id"]) == ("user", BOB.id)
    assert (ours["scope"], ours["workspace_id"], ours["remaining"]) == ("workspace", ACME.id, 500)
    assert "user_id" not in ours
    paid = await here.ask("/contact", BOB, workspace=ACME.id)
    (_, after) = await got(here, "/usage", BOB, workspace=ACME.id)
    assert fields(paid.headers) == shown(after)
    await got(here, "/usage", ADMIN, workspace=BETA.id)  # an admin sees it
    assert len(await got(here, "/usage", BOB)) == 1


async def test_a_stranger_to_a_workspace_is_refused_as_upstream(store_url: str, tmp_path: Path) -> None:
    async with selling(store_url, tmp_path) as here:
        await got(here, "/usage", ALICE, workspace=BETA.id, status=403)
        await got(here, "/usage", status=401)


FALLBACK = """
fallback: {plan: spare}
plans:
  - {slug: free, name: Free, throughput_limit: 2, window_seconds: 3600}
  - {slug: spare, name: Spare, throughput_limit: 3, window_seconds: 3600}
rules:
  - {method: GET, path: /user/me, fallback: true}
"""


async def test_the_fallback_budget_is_shown_once_it_counts(store_url: str, tmp_path: Path) -> None:
    yaml = f'store: "{store_url}"\ndefaults: {{user: free, workspace: null}}\n{FALLBACK}'
    async with world(tmp_path, yaml) as here:
        seen = []
        for _ in range(4):
            entries = await got(here, "/usage", BOB)
            seen.append([(entry["fallback"], entry["remaining"]) for entry in entries])
            last = await here.ask("/user/me", BOB)
        assert seen == [[(False, 2)], [(False, 1)], [(False, 0), (True, 3)], [(False, 0), (True, 2)]]
        assert (last.headers["X-RateLimit-Fallback"], last.headers["X-RateLimit-Remaining"]) == ("true", "1")
        (_, spare) = await got(here, "/usage", BOB)
        assert shown(spare) == fields(last.headers)
        assert (spare["user_id"], spare["plan"]) == (BOB.id, "spare")


async def test_a_table_of_it_is_csv_on_demand(here: World) -> None:
    answer = await here.ask("/billing/usage", BOB, headers={"Accept": "text/csv"})
    head, row = (await answer.text()).splitlines()
    assert head.startswith("scope,user_id,workspace_id,unlimited,throughput_limit")
    assert row.startswith(f"user,{BOB.id},,false,10,3600")
