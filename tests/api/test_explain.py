"""Which rule a path meets and what it costs, told without asking anybody to pay."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest

from gateway.demo.data import ADMIN, BOB
from gateway.store import weights
from gateway.store.rows import WeightDraft
from tests.api.billing_world import got, selling
from tests.api.test_history import fold
from tests.e2e.selling import by, store_of
from tests.e2e.world import World


@pytest.fixture
async def here(store_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with selling(store_url, tmp_path) as running:
        yield running


async def test_a_request_is_explained_as_it_would_be_charged(here: World) -> None:
    spelling = "/Message//WhatsApp/"
    for path in ("/message/whatsapp", "/MESSAGE/WhatsApp/", "/message/whatsapp?x=1"):
        found = await got(here, f"/explain?method=post&path={quote(path)}", BOB)
        assert (found["method"], found["path"], found["own"]) == ("POST", path, False)
        assert found["cost"] == {"throughput": 2}
        rule = found["rule"]
        assert (rule["name"], rule["weight"], rule["pays"]) == ("POST /message/whatsapp", 2, ["user"])
        assert (rule["source"], rule["public"], rule["fallback"]) == ("file", False, False)
        paid = await here.ask(path, BOB, method="POST", json={})
        assert paid.headers["X-Weighbridge-Cost"] == "2"
        await got(here, "/usage", BOB)
    other = await got(here, f"/explain?method=POST&path={quote(spelling)}", BOB)
    assert other["rule"]["name"] == "ANY /**", "another path to the upstream's router, so another one to us"


async def test_who_lost_is_named_and_where_rules_are_written_is_told_to_admins(here: World) -> None:
    made = await weights.create(
        store_of(here), WeightDraft(method="ANY", pattern="/message/**", weight=9), lambda _rows: None, by()
    )
    told = await got(here, "/explain?method=POST&path=/message/whatsapp", ADMIN)
    assert re.search(r"gateway\.yaml:\d+$", told["rule"]["origin"])
    loser, last = told["runners_up"]
    assert last["name"] == "ANY /**"
    assert (loser["name"], loser["source"], loser["origin"]) == ("ANY /message/**", "database", made.id)
    assert "before" in loser["reason"]
    parts = {"decided_by": "segment", "segment": 2, "better": "literal", "worse": "rest"}
    assert loser | parts == loser
    assert "hits_last_day" not in loser
    mine = await got(here, "/explain?method=POST&path=/message/whatsapp", BOB)
    assert "origin" not in mine["rule"]
    assert "origin" not in mine["runners_up"][0]
    (all_,) = [await got(here, "/explain?path=/message/other", BOB)]
    assert (all_["method"], all_["rule"]["source"], all_["cost"]) == ("GET", "database", {"throughput": 9})


async def test_own_paths_cost_nothing(here: World) -> None:
    found = await got(here, "/explain?path=/Billing/plan", BOB)
    assert (found["own"], found["cost"], found["runners_up"]) == (True, {}, [])
    assert "rule" not in found


async def test_what_is_no_request_is_refused(here: World) -> None:
    for query in ("method=GET", "path=/x&method=GETT", "path="):
        await got(here, f"/explain?{query}", BOB, status=422)
    await got(here, "/explain?path=nonsense", BOB, status=400)
    await got(here, "/explain?path=/x", status=401)


async def test_how_often_rules_were_met_is_told_to_admins_who_ask(here: World) -> None:
    for _ in range(3):
        await here.ask("/message/whatsapp", BOB, method="POST", json={})
    await fold(here)
    query = "/explain?method=POST&path=/message/whatsapp&hits=true"
    told = await got(here, query, ADMIN)
    assert (told["rule"]["hits_last_day"], told["runners_up"][0]["hits_last_day"]) == (3, 0)
    assert "hits_last_day" not in (await got(here, query, BOB))["rule"]
