"""Endpoint weights through HTTP: in force on the next request, beside the configuration's rules."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.demo.data import ACME, ALICE
from tests.api.clients import YAML, Client, clients
from tests.api.test_history import fold
from tests.e2e.world import World, world

RULES = """\
rules:
  - {method: POST, path: /message/whatsapp, weight: 2, pays: [user]}
  - {method: GET, path: "/status/**", weight: 0}
  - {method: POST, path: /user/oauth/token, public: true}
"""
GONE = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
async def shop(store_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path, YAML.format(url=store_url) + RULES) as running:
        yield running


async def cost(here: World) -> str:
    answer = await here.ask("/message/whatsapp", ALICE, method="POST", workspace=ACME.id, json={})
    return answer.headers["X-Weighbridge-Cost"]


async def test_a_weight_counts_on_the_next_request_until_it_is_removed(admin: Client, shop: World) -> None:
    assert await cost(shop) == "2"
    said = {"method": "post", "path_pattern": "/message/whatsapp", "weight": 3, "description": "send"}
    answer = await admin.post("/endpoint-weight", said)
    made = answer.body
    assert answer.status == 201
    assert made | said | {"method": "POST", "source": "database", "pays": ["user"], "public": False} == made
    assert await cost(shop) == "3"
    changed = await admin.put(f"/endpoint-weight?id={made['id']}", {"weight": 1}, If_Match=answer.headers["ETag"])
    assert changed.body == {**made, "weight": 1, "updated_at": changed.body["updated_at"]}
    assert await cost(shop) == "1"
    late = await admin.delete(f"/endpoint-weight?id={made['id']}", If_Match=answer.headers["ETag"])
    assert late.status == 412
    assert (await admin.get(f"/endpoint-weight/{made['id']}")).body == changed.body
    assert (await admin.delete(f"/endpoint-weight?id={made['id']}")).status == 204
    assert await cost(shop) == "2"
    assert (await admin.delete(f"/endpoint-weight?id={made['id']}")).status == 404


async def test_rules_of_the_configuration_are_listed_and_stay_as_they_are(admin: Client, shop: World) -> None:
    await admin.post("/endpoint-weight", {"method": "POST", "path_pattern": "/message/whatsapp", "weight": 9})
    listed = (await admin.get("/endpoint-weight")).body
    assert [(each["path_pattern"], each["weight"], each["source"], each["shadowed"]) for each in listed] == [
        ("/message/whatsapp", 9, "database", False),
        ("/message/whatsapp", 2, "file", True),
        ("/status/**", 0, "file", False),
        ("/user/oauth/token", 1, "file", False),
    ]
    of_file = listed[1]
    lines = shop.config.read_text().splitlines()
    assert "/message/whatsapp" in lines[int(of_file["origin"].rpartition(":")[2]) - 1]
    assert (await admin.get(f"/endpoint-weight/{of_file['id']}")).body == of_file
    for answer in (
        await admin.put(f"/endpoint-weight?id={of_file['id']}", {"weight": 1}),
        await admin.delete(f"/endpoint-weight?id={of_file['id']}"),
    ):
        assert (answer.status, "configuration" in answer.body["description"]) == (409, True)
    found = await admin.get("/endpoint-weight?method=get&source=file&text=STATUS")
    assert [each["path_pattern"] for each in found.body] == ["/status/**"]


async def test_a_weight_that_could_not_count_is_refused_with_a_reason(admin: Client) -> None:
    good = {"method": "GET", "path_pattern": "/contact", "weight": 1}
    for field, value in (
        *(("method", each) for each in ("FETCH", "", 1, "GET /", None)),
        *(("path_pattern", each) for each in ("contact", "", "/" + "a" * 1024, "/a\nb", "/a/{x", "/billing/plan")),
        *(("weight", each) for each in (-1, 1.5, "5", True, None, 10**12 + 1, 2**63)),
        ("description", "x" * 10_001),
        ("colour", "red"),
    ):
        answer = await admin.post("/endpoint-weight", {**good, field: value})
        assert list(answer.problems) == [field], (field, value, answer)
    assert (await admin.post("/endpoint-weight", {**good, "weight": 0})).status == 201, "0 is free"
    assert (await admin.post("/endpoint-weight", good)).status == 409
    assert "path_pattern" in (await admin.post("/endpoint-weight", {**good, "path_pattern": "/CONTACT/"})).problems
    assert (await admin.get("/endpoint-weight?source=database")).body[0]["path_pattern"] == "/contact"
    assert (await admin.put(f"/endpoint-weight?id={GONE}", {"weight": 1})).status == 404


async def test_requests_of_the_last_day_are_counted_where_asked(admin: Client, shop: World) -> None:
    for _ in range(3):
        await cost(shop)
    await fold(shop)
    listed = (await admin.get("/endpoint-weight?hits=true&source=file")).body
    assert {each["path_pattern"]: each["hits_last_day"] for each in listed}["/message/whatsapp"] == 3
    assert "hits_last_day" not in (await admin.get("/endpoint-weight")).body[0]


async def test_customers_do_not_see_weights(shop: World) -> None:
    everybody = clients(shop)
    assert (await everybody.alice.get("/endpoint-weight")).status == 403
    assert (await everybody.stranger.get("/endpoint-weight")).status == 401


async def test_weights_are_found_by_method_and_path_in_either_origin(admin: Client) -> None:
    await admin.post(
        "/endpoint-weight", {"method": "POST", "path_pattern": "/x/y", "weight": 1, "description": "Slow%"}
    )
    for text, found in (
        ("post%20/x", ["/x/y"]),
        ("POST%20/MESS", ["/message/whatsapp"]),
        ("slow%25", ["/x/y"]),
        ("post", ["/x/y", "/message/whatsapp", "/user/oauth/token"]),
        ("nothing", []),
    ):
        said = (await admin.get(f"/endpoint-weight?text={text}")).body
        assert [each["path_pattern"] for each in said] == found, text
