"""What was used, told to whom it belongs: over time, by rule, and by whom most."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.core.scope import Scope
from gateway.demo.data import ACME, ADMIN, ALICE, BETA, BOB, DAVE
from gateway.journal.history import History, Question, Usage
from gateway.store import plans, subscriptions
from tests.api.billing_world import got, selling
from tests.e2e.selling import by, draft, sold, store_of
from tests.e2e.world import World


@pytest.fixture
async def here(store_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with selling(store_url, tmp_path) as running:
        plan = await plans.create(store_of(running), draft(amount=20), by())
        await subscriptions.create(store_of(running), sold(plan, Scope("workspace", ACME.id)), by())
        yield running


async def fold(here: World) -> None:
    journal = here.gateway._recording.journal
    assert journal is not None
    assert await journal.fold()


async def used(here: World, path: str, user: Any = BOB, **more: Any) -> list[dict[str, Any]]:
    answer: dict[str, Any] = await got(here, f"/usage/history{path}", user, **more)
    return [{name: point[name] for name in point if name != "start"} for point in answer["points"]]


async def test_a_user_sees_the_own_use_over_time_and_by_rule(here: World) -> None:
    for _ in range(12):
        await here.ask("/user/me", BOB)
    await here.ask("/workspace", ALICE)
    await fold(here)
    answer = await got(here, "/usage/history", BOB)
    assert (answer["granularity"], answer["by"]) == ("day", "total")
    (point,) = answer["points"]
    assert point["start"].endswith("T00:00:00.000000Z")
    assert answer["from"] < point["start"] < answer["to"]
    for granularity in ("minute", "hour", "day"):
        points = await used(here, f"?granularity={granularity}&by=rule")
        sums = {name: sum(point[name] for point in points) for name in ("amount", "requests", "refused")}
        assert sums == {"amount": 10, "requests": 10, "refused": 2}
        assert {(point["rule"], point["meter"]) for point in points} == {("ANY /**", "throughput")}
    assert (await got(here, "/usage/history?by=rule", BOB))["rules"] == {
        "ANY /**": {"cost": {"throughput": 1}, "pays": ["workspace", "user"]}
    }
    (mine,) = await used(here, f"?by=scope&scope=user&id={BOB.id}")
    assert (mine["scope"], mine["id"], mine["overrun"]) == ("user", BOB.id, 0)


async def test_a_workspaces_use_is_for_those_who_may_read_its_bills(here: World) -> None:
    await here.ask("/contact", BOB, workspace=ACME.id)
    await fold(here)
    for path in ("", "?scope=workspace", f"?scope=workspace&id={ACME.id}"):
        (point,) = await used(here, path, ALICE, workspace=ACME.id)
        assert (point["amount"], point["requests"]) == (1, 1)
    await got(here, "/usage/history", BOB, workspace=ACME.id)
    await got(here, "/usage/history", DAVE, workspace=BETA.id, status=403)
    assert await used(here, "?scope=user", DAVE, workspace=BETA.id) == [], "one's own, whatever workspace is chosen"
    await got(here, "/usage/history", ALICE, workspace=BETA.id, status=403)
    await got(here, f"/usage/history?scope=workspace&id={BETA.id}", ALICE, workspace=ACME.id, status=404)
    await got(here, f"/usage/history?scope=workspace&id={ACME.id}", ALICE, status=404)
    await got(here, f"/usage/history?scope=user&id={BOB.id}", ALICE, status=404)
    await got(here, "/usage/history?scope=all", ALICE, status=403)
    await got(here, "/usage/history", status=401)


async def test_an_admin_sees_everyones(here: World) -> None:
    await here.ask("/user/me", BOB)
    await here.ask("/user/me", ALICE)
    await here.ask("/contact", BOB, workspace=ACME.id)
    await fold(here)
    (point,) = await used(here, "?scope=all", ADMIN)
    assert point["requests"] == 3
    (his,) = await used(here, f"?scope=user&id={BOB.id}", ADMIN)
    (ours,) = await used(here, f"?scope=workspace&id={ACME.id}&granularity=minute", ADMIN)
    assert (his["requests"], ours["requests"]) == (1, 1)
    assert await used(here, "", ADMIN) == [], "the admin's own"
    await got(here, "/usage/history?scope=all&by=scope", ADMIN, status=422)


async def test_who_used_most_and_what_was_used_most_is_for_admins(here: World) -> None:
    for _ in range(3):
        await here.ask("/user/me", BOB)
    for _ in range(12):
        await here.ask("/message/whatsapp", ALICE, method="POST", workspace=ACME.id, json={})
    await fold(here)
    first, second = await got(here, "/usage/top", ADMIN)
    assert (first["scope"], first["id"], first["amount"], first["requests"]) == ("user", ALICE.id, 10, 5)
    assert first["refused"] == 7
    assert (second["id"], second["amount"]) == (BOB.id, 3)
    rules = await got(here, "/usage/top?by=rule&window_seconds=3600", ADMIN)
    assert [(rule["rule"], rule["amount"]) for rule in rules] == [("POST /message/whatsapp", 10), ("ANY /**", 3)]
    assert len(await got(here, "/usage/top?limit=1", ADMIN)) == 1
    assert await got(here, "/usage/top?meter=tokens", ADMIN) == []
    await got(here, "/usage/top", BOB, status=403)


async def test_an_overview_says_how_busy_it_is_and_how_each_part_is(here: World) -> None:
    for _ in range(12):
        await here.ask("/user/me", BOB)
    await fold(here)
    overview = await got(here, "/overview", ADMIN)
    assert overview["parts"] == {"gateway": "ok", "journal": "ok", "store": "ok"}
    assert 0 < overview["refused_per_second"] < overview["requests_per_second"] < 12
    assert [(top["id"], top["amount"]) for top in overview["top_scopes"]] == [(BOB.id, 10)]
    assert [top["rule"] for top in overview["top_rules"]] == ["ANY /**"]
    await got(here, "/overview", BOB, status=403)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("granularity=week", "granularity"),
        ("from=yesterday", "from"),
        ("id=x", "scope"),
        ("scope=workspace", "workspace"),
        ("limit=0", "limit"),
        ("by=user", "by"),
        ("granularity=minute&from=2000-01-01T00:00:00Z", "periods"),
        ("nonsense=1", "nonsense"),
    ],
)
async def test_what_cannot_be_answered_is_named(here: World, query: str, said: str) -> None:
    answer = await got(here, f"/usage/history?{query}", BOB, status=422)
    assert said in str(answer)


async def test_history_is_csv_on_demand_and_comes_in_pages(here: World) -> None:
    await here.ask("/user/me", BOB)
    await here.ask("/message/whatsapp", BOB, method="POST", workspace=ACME.id, json={})
    await fold(here)
    answer = await here.ask("/billing/usage/history?by=rule", BOB, headers={"Accept": "text/csv"})
    head, *rows = (await answer.text()).splitlines()
    assert head == "start,rule,scope,id,meter,amount,requests,refused,overrun,shadow,released"
    assert [row.split(",")[1] for row in rows] == ["ANY /**", "POST /message/whatsapp"]
    page = await got(here, "/usage/history?by=rule&limit=1", BOB)
    assert len(page["points"]) == 2, "a period is not torn apart"


async def test_a_table_of_history_that_was_cut_says_from_where_to_go_on(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cut(_self: History, question: Question) -> tuple[tuple[Usage, ...], int]:
        return (), question.from_us

    monkeypatch.setattr(History, "usage", cut)
    path = "/billing/usage/history?from=2026-11-01T00:00:00Z&to=2026-11-02T00:00:00Z"
    answer = await here.ask(path, BOB, headers={"Accept": "text/csv"})
    assert answer.headers["X-Next-From"] == "2026-11-01T00:00:00.000000Z"
    assert (await answer.text()).startswith("start,rule,scope"), "an empty table has its head"


async def test_where_nothing_is_kept_that_is_said(store_url: str, tmp_path: Path) -> None:
    async with selling(store_url, tmp_path, 'ledger: "memory:"\n') as here:
        for path in ("/usage/history", "/usage/top"):
            answer = await got(here, path, ADMIN, status=404)
            assert "ledger" in str(answer)
        overview = await got(here, "/overview", ADMIN)
        assert overview["parts"] == {"gateway": "ok", "store": "ok"}
        assert "requests_per_second" not in overview
