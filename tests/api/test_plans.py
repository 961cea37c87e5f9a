"""Plans through HTTP: made, seen, changed, removed, by whom it may be."""

import asyncio
from typing import Any

import pytest

from gateway.demo.data import ALICE
from tests.api.clients import PRO, Client, clients
from tests.e2e.selling import by as by_root
from tests.e2e.selling import left, sold, store_of
from tests.e2e.world import World

GONE = "11111111-2222-4333-8444-555555555555"


async def make(admin: Client, **changes: object) -> dict[str, Any]:
    answer = await admin.post("/plan", {**PRO, **changes})
    assert answer.status == 201, answer
    made: dict[str, Any] = answer.body
    return made


async def test_a_plan_is_made_whole_and_read_back(admin: Client) -> None:
    prices = [
        {"currency": "USD", "price_cents": 4900, "is_default": True},
        {"currency": "jpy", "price_cents": 4900.0},
    ]
    answer = await admin.post("/plan", {**PRO, "description": "For teams", "prices": prices})
    assert answer.status == 201
    made = answer.body
    assert made | PRO == made
    assert (made["active"], made["is_default"], made["is_custom"]) == (True, False, False)
    assert (made["version"], made["source"], made["unlimited"], made["pack"]) == (1, "database", False, False)
    assert made["limits"] == [
        {"meter": "throughput", "amount": 5000, "window_seconds": 60, "refill": "interval"},
    ]
    assert [(price["currency"], price["price_cents"], price["is_default"]) for price in made["prices"]] == [
        ("usd", 4900, True),
        ("jpy", 4900, False),
    ]
    assert made["created_at"] == made["updated_at"]
    assert len(made["created_at"]) == len("2026-11-01T12:00:00.123456Z")
    read = await admin.get(f"/plan/{made['id'].upper()}")
    assert (read.body, read.headers["ETag"]) == (made, answer.headers["ETag"])


async def test_an_omitted_limit_is_refused_and_zero_is_unlimited(admin: Client) -> None:
    without = {key: value for key, value in PRO.items() if key != "throughput_limit"}
    assert "is required" in (await admin.post("/plan", without)).problems["throughput_limit"]
    made = await make(admin, throughput_limit=0)
    assert (made["throughput_limit"], made["unlimited"]) == (0, True)


async def test_every_wrong_field_is_named_at_once(admin: Client) -> None:
    answer = await admin.post(
        "/plan",
        {
            "name": "",
            "slug": "has space",
            "throughput_limit": "12",
            "window_seconds": 0,
            "duration_days": 1.5,
            "is_default": "yes",
            "colour": "red",
            "prices": [{"currency": "xyz", "price_cents": -1}, {"price_cents": 2**53}],
        },
    )
    assert set(answer.problems) == {
        *("name", "slug", "throughput_limit", "window_seconds", "duration_days", "is_default", "colour"),
        *("prices.0.currency", "prices.0.price_cents", "prices.1.currency", "prices.1.price_cents"),
    }
    assert answer.problems["colour"] == "is not known here"
    assert answer.body["content"]["code"] == "unprocessable"
    assert answer.body["message"]
    assert answer.body["description"]
    assert (await admin.get("/plan?source=database")).body == []


@pytest.mark.parametrize("amount", [10**15 + 1, 2**53, 2**63, 2**64, 10**30, 1e15 + 0.5])
async def test_amounts_that_readers_cannot_hold_are_refused(admin: Client, amount: float) -> None:
    assert "throughput_limit" in (await admin.post("/plan", {**PRO, "throughput_limit": amount})).problems
    price = [{"currency": "usd", "price_cents": amount}]
    assert "prices.0.price_cents" in (await admin.post("/plan", {**PRO, "prices": price})).problems


async def test_the_largest_amount_is_kept_exactly(admin: Client) -> None:
    made = await make(admin, throughput_limit=10**15, prices=[{"currency": "kwd", "price_cents": 10**15}])
    assert (made["throughput_limit"], made["prices"][0]["price_cents"]) == (10**15, 10**15)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 422),
        (b"[]", 422),
        (b"null", 422),
        (b'"text"', 422),
        (b"{", 400),
        (b'{"name": NaN}', 400),
        (b'{"name": "\xff"}', 400),
        (b'{"name": "\\ud800"}', 400),
        (b"[" * 100_000, 400),
        (b'{"name": "' + b"x" * 1_000_000 + b'"}', 422),
        (b" " * (1024 * 1024 + 1), 413),
    ],
)
async def test_what_is_no_plan_is_refused(admin: Client, raw: bytes, status: int) -> None:
    answer = await admin.post("/plan", raw=raw)
    assert answer.status == status, answer
    assert len(str(answer.body)) < 2000, "what came is not sent back"


async def test_a_body_needs_its_type(admin: Client) -> None:
    answer = await admin.post("/plan", PRO, Content_Type="text/plain")
    assert answer.status == 400
    assert "application/json" in answer.body["description"]
    assert (await admin.post("/plan", PRO, Content_Type="application/json; charset=utf-8")).status == 201


async def test_sql_in_every_text_is_text(admin: Client) -> None:
    evil = "'; DROP TABLE plans; --%_\\"
    made = await make(admin, name=evil, description=evil)
    assert (made["name"], made["description"]) == (evil, evil)
    assert "slug" in (await admin.post("/plan", {**PRO, "slug": evil})).problems
    found = await admin.get("/plan?text=%27%3B%20DROP%20TABLE%20plans%3B%20--%25_%5C")
    assert [plan["id"] for plan in found.body] == [made["id"]]
    for query in (
        "created_at=asc;drop",
        "limit=1;--",
        "offset=-1",
        "limit=0",
        "limit=1001",
        "text=",
        "created_at_geq=1",
    ):
        assert (await admin.get(f"/plan?{query}")).status == 422, query
    assert (await admin.get(f"/plan/{GONE}'--")).status == 404


async def test_two_plans_do_not_share_a_slug(admin: Client) -> None:
    answers = await asyncio.gather(*(admin.post("/plan", PRO) for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 7
    other = await make(admin, slug="other")
    assert (await admin.put(f"/plan?id={other['id']}", {"slug": "pro"})).status == 409
    assert (await admin.post("/plan", {**PRO, "slug": "free"})).status == 409, "the configuration has it"
    assert (await admin.put(f"/plan?id={other['id']}", {"slug": "team"})).status == 409


async def test_an_update_answers_the_whole_plan_and_changes_what_it_says(admin: Client) -> None:
    made = await make(admin, description="old")
    answer = await admin.put(f"/plan?id={made['id']}", {"throughput_limit": 7000, "description": None})
    assert answer.status == 200
    kept = {key: value for key, value in made.items() if key not in ("updated_at", "limits", "description")}
    assert answer.body | kept | {"throughput_limit": 7000, "version": 2} == answer.body
    assert "description" not in answer.body
    assert answer.body["limits"][0]["amount"] == 7000
    nothing = await admin.put(f"/plan?id={made['id']}", {})
    assert (nothing.status, nothing.body) == (200, answer.body)
    assert (await admin.put(f"/plan?id={GONE}", {"name": "x"})).status == 404
    assert (await admin.put("/plan", {"name": "x"})).problems == {"id": "is required"}
    assert (await admin.put("/plan?id=nonsense", {"name": "x"})).problems == {"id": "must be a UUID"}


async def test_concurrent_edits_are_told_apart_by_their_tag(admin: Client) -> None:
    first = await admin.post("/plan", PRO)
    tag, at = first.headers["ETag"], f"/plan?id={first.body['id']}"
    assert (await admin.put(at, {"name": "One"}, If_Match=tag)).status == 200
    late = await admin.put(at, {"name": "Two"}, If_Match=tag)
    assert (late.status, late.body["content"]["code"]) == (412, "precondition_failed")
    assert (await admin.delete(at, If_Match=tag)).status == 412
    last = await admin.put(at, {"name": "Three"})
    assert last.status == 200, "without it the last write wins"
    assert (await admin.put(at, {"name": "Four"}, If_Match="*")).status == 200
    for odd in ("nonsense", '"a"', '"1", "2"', '"99999999999999999999"'):
        assert (await admin.put(at, {"name": "Five"}, If_Match=odd)).status == 400, odd
    tag = (await admin.get(f"/plan/{first.body['id']}")).headers["ETag"]
    assert (await admin.get(f"/plan/{first.body['id']}", If_None_Match=tag)).status == 304
    assert (await admin.delete(at, If_Match=tag)).status == 204
    assert (await admin.delete(at)).status == 404


async def test_a_price_that_changes_is_seen_through_the_plans_tag(admin: Client) -> None:
    made = await make(admin, prices=[{"currency": "usd", "price_cents": 1}])
    tag = (await admin.get(f"/plan/{made['id']}")).headers["ETag"]
    await admin.put(f"/plan/{made['id']}/price?id={made['prices'][0]['id']}", {"price_cents": 2})
    assert (await admin.get(f"/plan/{made['id']}", If_None_Match=tag)).status == 200
    assert (await admin.put(f"/plan?id={made['id']}", {"name": "x"}, If_Match=tag)).status == 412, (
        "the price is part of it"
    )


async def test_a_plan_in_use_stays_and_names_who_has_it(admin: Client, shop: World) -> None:
    from gateway.store import plans, subscriptions  # noqa: PLC0415

    made = await make(admin)
    row = await plans.get(store_of(shop), made["id"])
    held = await subscriptions.create(store_of(shop), sold(row), by_root())
    answer = await admin.delete(f"/plan?id={made['id']}")
    assert answer.status == 409
    assert answer.body["content"]["subscriptions"] == [held.id]


async def test_the_default_plan_is_active(admin: Client) -> None:
    made = await make(admin, is_default=True)
    assert (await admin.put(f"/plan?id={made['id']}", {"active": False})).status == 409
    assert (await admin.post("/plan", {**PRO, "slug": "x", "is_default": True, "active": False})).status == 409
    assert (await admin.delete(f"/plan?id={made['id']}")).status == 409
    other = await make(admin, slug="other", is_default=True)
    assert other["is_default"]
    assert (await admin.get(f"/plan/{made['id']}")).body["is_default"] is False


async def test_plans_of_the_configuration_are_shown_and_not_changed(admin: Client, alice: Client) -> None:
    listed = (await admin.get("/plan")).body
    assert [(plan["slug"], plan["source"], plan["is_default"], plan["is_custom"]) for plan in listed] == [
        ("free", "file", True, False),
        ("team", "file", False, True),
    ]
    free = listed[0]
    assert (await admin.get(f"/plan/{free['id']}")).body == free
    for answer in (
        await admin.put(f"/plan?id={free['id']}", {"name": "x"}),
        await admin.delete(f"/plan?id={free['id']}"),
        await admin.post(f"/plan/{free['id']}/price", {"currency": "usd", "price_cents": 1}),
    ):
        assert (answer.status, "configuration" in answer.body["description"]) == (409, True)
    assert (await admin.get(f"/plan/{free['id']}/price")).body == []
    assert [plan["slug"] for plan in (await alice.get("/plan")).body] == ["free"]


async def test_customers_see_what_they_can_have(admin: Client, alice: Client) -> None:
    shown = await make(admin)
    custom = await make(admin, slug="custom", is_custom=True)
    old = await make(admin, slug="old", active=False)
    assert {plan["slug"] for plan in (await alice.get("/plan")).body} == {"pro", "free"}
    assert {plan["slug"] for plan in (await admin.get("/plan?active=false")).body} == {"old"}
    assert (await alice.get(f"/plan/{shown['id']}")).status == 200
    for hidden in (custom, old):
        assert (await alice.get(f"/plan/{hidden['id']}")).status == 404
        assert (await alice.get(f"/plan/{hidden['id']}/price")).status == 404


async def test_an_edit_that_does_not_know_of_a_price_is_refused(admin: Client) -> None:
    made = await make(admin)
    tag = (await admin.get(f"/plan/{made['id']}")).headers["ETag"]
    for act in ("create", "update", "delete"):
        if act == "create":
            price = (await admin.post(f"/plan/{made['id']}/price", {"currency": "usd", "price_cents": 1})).body
        elif act == "update":
            await admin.put(f"/plan/{made['id']}/price?id={price['id']}", {"price_cents": 2})
        else:
            await admin.delete(f"/plan/{made['id']}/price?id={price['id']}")
        assert (await admin.put(f"/plan?id={made['id']}", {"name": act}, If_Match=tag)).status == 412, act
        tag = (await admin.get(f"/plan/{made['id']}")).headers["ETag"]
    assert (await admin.put(f"/plan?id={made['id']}", {"name": "G"}, If_Match=tag)).status == 200


async def test_an_empty_table_has_its_head(alice: Client) -> None:
    for path, head in (("/subscription", "plan_id,scope,user_id"), ("/payment", "id,amount_cents,refunded_cents")):
        answer = await alice.get(path, Accept="text/csv")
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert answer.body.startswith(head)
        assert len(answer.body.splitlines()) == 1


async def test_without_a_provider_a_checkout_is_not_available(admin: Client, alice: Client) -> None:
    made = await make(admin)
    said = {
        "plan_id": made["id"],
        "scope": "user",
        "success_url": "https://a.example/",
        "cancel_url": "https://a.example/",
    }
    answer = await alice.post("/subscription/checkout", said)
    assert (answer.status, "payments" in str(answer.body)) == (503, True), answer


async def test_a_default_that_the_configuration_overrules_says_so(admin: Client) -> None:
    made = await make(admin, is_default=True)
    assert (made["is_default"], made["effective_default"]) == (True, False)
    assert (await admin.get("/plan?source=database")).body == [made]
    assert "effective_default" not in (await admin.put(f"/plan?id={made['id']}", {"is_default": False})).body


async def test_customers_are_shown_no_inactive_plans(admin: Client, alice: Client) -> None:
    await make(admin, active=False)
    assert (await alice.get("/plan?active=false")).body == []
    assert [plan["slug"] for plan in (await admin.get("/plan?active=false&source=database")).body] == ["pro"]
    assert [plan["slug"] for plan in (await alice.get("/plan?active=true")).body] == ["free"]


async def test_pages_go_through_both_origins_without_gap_or_repeat(admin: Client) -> None:
    for number in range(5):
        await make(admin, slug=f"p{number}")
    for order, expected in (
        ("", ["p4", "p3", "p2", "p1", "p0", "free", "team"]),
        ("&created_at=asc", ["free", "team", "p0", "p1", "p2", "p3", "p4"]),
    ):
        for size in (1, 2, 3, 4, 7, 50):
            seen: list[str] = []
            while page := (await admin.get(f"/plan?limit={size}&offset={len(seen)}{order}")).body:
                assert len(page) <= size
                seen += [plan["slug"] for plan in page]
            assert seen == expected, (order, size)
    since = (await admin.get("/plan?text=p3")).body[0]["created_at"]
    assert [plan["slug"] for plan in (await admin.get(f"/plan?created_at_geq={since}")).body] == ["p4", "p3"]
    before = (await admin.get(f"/plan?created_at_leq={since}")).body
    assert [plan["slug"] for plan in before] == ["p3", "p2", "p1", "p0", "free", "team"]


async def test_a_table_is_csv_where_that_is_asked_for(admin: Client) -> None:
    await make(admin, name='=SUM(A1),"x"')
    answer = await admin.get("/plan?source=database", Accept="text/csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    head, row, *rest = answer.body.splitlines()
    assert head.startswith("name,slug,description,throughput_limit")
    assert row.startswith('"\'=SUM(A1),""x""",pro,,5000,60,30,false')
    assert rest == []
    both = await admin.get("/plan", Accept="application/json, text/csv")
    assert both.headers["Content-Type"] == "application/json"


async def test_several_limits_hold_at_once(admin: Client) -> None:
    limits = [
        {"amount": 10, "window_seconds": 1},
        {"amount": 1_000_000, "anchor": "month", "time_zone": "Europe/Berlin"},
        {"amount": 600, "window_seconds": 60, "refill": "continuous", "burst": 100},
    ]
    body = {"name": "L", "slug": "l", "duration_days": 30, "limits": limits}
    made = (await admin.post("/plan", body)).body
    assert [limit["amount"] for limit in made["limits"]] == [10, 1_000_000, 600]
    assert made["limits"][1]["time_zone"] == "Europe/Berlin"
    assert (made["throughput_limit"], made["window_seconds"]) == (10, 1)
    changed = (await admin.put(f"/plan?id={made['id']}", {"throughput_limit": 20})).body
    assert [limit["amount"] for limit in changed["limits"]] == [20, 1_000_000, 600]
    wrong = [
        {"amount": 1, "refill": "continuous", "anchor": "day", "window_seconds": 5},
        {"amount": 1},
        {"amount": 1, "window_seconds": 60, "anchor": "month"},
        {"amount": 1, "anchor": "day", "time_zone": "Mars/Olympus"},
        {"amount": 1, "window_seconds": 60, "burst": 5, "time_zone": "UTC"},
        {"amount": 0, "refill": "never"},
    ]
    assert set((await admin.post("/plan", {**body, "slug": "w", "limits": wrong})).problems) == {
        *("limits.0.anchor", "limits.0.window_seconds", "limits.1.window_seconds", "limits.2.window_seconds"),
        *("limits.3.time_zone", "limits.4.burst", "limits.4.time_zone", "limits.5.amount", "pack"),
    }
    both = await admin.post("/plan", {**PRO, "slug": "b", "limits": limits})
    assert set(both.problems) == {"throughput_limit", "window_seconds"}


async def test_a_pack_and_an_unlimited_plan(admin: Client) -> None:
    pack = {"name": "P", "slug": "pack", "duration_days": 365, "pack": True, "throughput_limit": 1000}
    made = (await admin.post("/plan", pack)).body
    assert (made["pack"], made["window_seconds"], made["limits"][0]["refill"]) == (True, 0, "never")
    assert "throughput_limit" in (await admin.post("/plan", {**pack, "slug": "q", "throughput_limit": 0})).problems
    assert "window_seconds" in (await admin.post("/plan", {**pack, "slug": "q", "window_seconds": 60})).problems
    more = (await admin.put(f"/plan?id={made['id']}", {"throughput_limit": 2000})).body
    assert (more["pack"], more["limits"][0]["amount"]) == (True, 2000)
    free = {"name": "U", "slug": "u", "duration_days": 1, "unlimited": True}
    open_ = (await admin.post("/plan", free)).body
    assert (open_["unlimited"], open_["limits"], open_["throughput_limit"]) == (True, [], 0)
    assert "window_seconds" in (await admin.put(f"/plan?id={open_['id']}", {"throughput_limit": 5})).problems
    closed = await admin.put(f"/plan?id={open_['id']}", {"throughput_limit": 5, "window_seconds": 60})
    assert (closed.body["unlimited"], closed.body["throughput_limit"]) == (False, 5)
    assert (
        "throughput_limit"
        in (await admin.put(f"/plan?id={open_['id']}", {"unlimited": True, "throughput_limit": 5})).problems
    )


@pytest.mark.parametrize(
    "terms",
    [
        {"throughput_limit": 5, "window_seconds": 60},
        {"throughput_limit": 0, "window_seconds": 60},
        {"unlimited": True},
        {"pack": True, "throughput_limit": 5},
        {"limits": [{"amount": 5, "anchor": "month"}, {"amount": 1, "window_seconds": 1}]},
    ],
)
async def test_a_plan_can_be_sent_back_as_wacrafts_form_read_it(admin: Client, terms: dict[str, Any]) -> None:
    made = (await admin.post("/plan", {"name": "F", "slug": "f", "duration_days": 30, **terms})).body
    form = ("slug", "throughput_limit", "window_seconds", "duration_days", "is_default", "is_custom", "active")
    answer = await admin.put(f"/plan?id={made['id']}", {"name": "G", "description": "", **{n: made[n] for n in form}})
    assert answer.status == 200, answer
    assert answer.body == {**made, "name": "G", "updated_at": answer.body["updated_at"]}


async def test_an_edit_is_in_force_on_the_next_request_for_whom_it_says(admin: Client, shop: World) -> None:
    from gateway.store import plans, subscriptions  # noqa: PLC0415

    made = await make(admin, throughput_limit=100, window_seconds=3600)
    row = await plans.get(store_of(shop), made["id"])
    await subscriptions.create(store_of(shop), sold(row), by_root())
    assert await left(shop) == ("100", "99")
    newer = await admin.put(f"/plan?id={made['id']}", {"throughput_limit": 200, "apply_to": "new"})
    assert newer.body["version"] == 2
    assert await left(shop) == ("100", "98")
    await admin.put(f"/plan?id={made['id']}", {"duration_days": 31})
    assert await left(shop) == ("100", "97"), "an edit of something else is no reason to take their terms away"
    await admin.put(f"/plan?id={made['id']}", {"throughput_limit": 300, "apply_to": "existing"})
    assert await left(shop) == ("300", "296")
    assert (await admin.put(f"/plan?id={made['id']}", {"apply_to": "everybody"})).status == 422


async def test_only_admins_change_plans(admin: Client, shop: World) -> None:
    made = await make(admin)
    everybody = clients(shop)
    for client, status in ((everybody.alice, 403), (everybody.stranger, 401)):
        for method, path, body in (
            ("POST", "/plan", PRO),
            ("PUT", f"/plan?id={made['id']}", {"name": "x"}),
            ("DELETE", f"/plan?id={made['id']}", None),
            ("POST", f"/plan/{made['id']}/price", {"currency": "usd", "price_cents": 1}),
        ):
            assert (await client(method, path, body)).status == status, (method, path)
    assert (await admin.get(f"/plan/{made['id']}")).body == made
    assert ALICE.role == "user"


async def test_a_list_is_read_whole_by_places_though_rows_come_and_go(admin: Client) -> None:
    for number in range(5):
        await make(admin, slug=f"p{number}")
    for order, expected in (
        ("", ["p4", "p3", "p2", "p1", "p0", "free", "team"]),
        ("&created_at=asc", ["free", "team", "p0", "p1", "p2", "p3", "p4"]),
    ):
        for size in (1, 2, 5, 7, 50):
            seen: list[dict[str, Any]] = []
            after = ""
            while page := (await admin.get(f"/plan?limit={size}{after}{order}")).body:
                seen += page
                after = f"&after={page[-1]['created_at']},{page[-1]['id']}"
            assert [plan["slug"] for plan in seen] == expected, (order, size)
    first = (await admin.get("/plan?limit=2")).body
    await make(admin, slug="late")
    await admin.delete(f"/plan?id={first[0]['id']}")
    await admin.delete(f"/plan?id={first[1]['id']}")
    place = f"{first[1]['created_at']},{first[1]['id']}"
    assert [plan["slug"] for plan in (await admin.get(f"/plan?limit=3&after={place}")).body] == ["p2", "p1", "p0"]


async def test_a_place_in_a_list_is_an_instant_and_an_id(admin: Client) -> None:
    good = f"2026-11-01T12:00:00Z,{GONE}"
    assert (await admin.get(f"/plan?after={good}&updated_at=asc")).status == 200
    wrong = (
        "x",
        GONE,
        f",{GONE}",
        "2026-11-01T12:00:00Z,",
        f"{good}&offset=1",
        f"{good}&created_at=asc&updated_at=asc",
    )
    for place in (*wrong, "2026-11-01T12:00:00Z," + "x" * 65):
        assert (await admin.get(f"/plan?after={place}")).status == 422, place
