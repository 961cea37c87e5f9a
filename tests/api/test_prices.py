"""Prices of plans through HTTP."""

from typing import Any

from tests.api.clients import PRO, Client

GONE = "11111111-2222-4333-8444-555555555555"


async def plan(admin: Client, slug: str = "pro") -> str:
    made = (await admin.post("/plan", {**PRO, "slug": slug})).body
    return str(made["id"])


async def price(admin: Client, at: str, **said: Any) -> Any:
    answer = await admin.post(at, said)
    assert answer.status == 201, answer
    return answer.body


async def test_a_price_is_made_read_changed_and_removed(admin: Client, alice: Client) -> None:
    plan_id = await plan(admin)
    at = f"/plan/{plan_id}/price"
    made = await price(admin, at, currency="JPY", price_cents=500)
    assert (made["plan_id"], made["currency"], made["price_cents"], made["is_default"]) == (plan_id, "jpy", 500, False)
    read = await alice.get(f"{at}/{made['id']}")
    assert read.body == made
    changed = await admin.put(f"{at}?id={made['id']}", {"price_cents": 700}, If_Match=read.headers["ETag"])
    assert changed.body == {**made, "price_cents": 700, "updated_at": changed.body["updated_at"]}
    assert (await admin.put(f"{at}?id={made['id']}", {"price_cents": 1}, If_Match=read.headers["ETag"])).status == 412
    assert (await alice.get(at)).body == [changed.body]
    assert (await admin.delete(f"{at}?id={made['id']}")).status == 204
    assert (await admin.delete(f"{at}?id={made['id']}")).status == 404
    assert (await alice.get(f"{at}/{made['id']}")).status == 404


async def test_a_new_default_takes_the_place_of_the_former(admin: Client) -> None:
    at = f"/plan/{await plan(admin)}/price"
    for currency in ("usd", "eur"):
        await price(admin, at, currency=currency, price_cents=1, is_default=True)
    assert [(each["currency"], each["is_default"]) for each in (await admin.get(f"{at}?created_at=asc")).body] == [
        ("usd", False),
        ("eur", True),
    ]


async def test_a_price_is_refused_with_a_reason(admin: Client) -> None:
    at = f"/plan/{await plan(admin)}/price"
    made = await price(admin, at, currency="usd", price_cents=0)
    assert (await admin.post(at, {"currency": "USD", "price_cents": 1})).status == 409
    for currency in ("xxx", "dollars", "", "us", "xau", 1, None, "usd "):
        answer = await admin.post(at, {"currency": currency, "price_cents": 1})
        assert "ISO 4217" in answer.problems["currency"], currency
    for cents in (-1, 1.5, "1", True, None, 10**15 + 1):
        assert "price_cents" in (await admin.post(at, {"currency": "eur", "price_cents": cents})).problems, cents
    other = await admin.put(f"{at}?id={made['id']}", {"currency": "eur"})
    assert (other.status, "currency" in other.body["description"]) == (422, True)
    assert (await admin.put(f"{at}?id={made['id']}", {"currency": "usd", "price_cents": 2})).status == 200


async def test_a_price_belongs_to_its_plan(admin: Client) -> None:
    one, two = await plan(admin), await plan(admin, "two")
    made = await price(admin, f"/plan/{one}/price", currency="usd", price_cents=1)
    for client in (
        await admin.put(f"/plan/{two}/price?id={made['id']}", {"price_cents": 9}),
        await admin.delete(f"/plan/{two}/price?id={made['id']}"),
        await admin.get(f"/plan/{two}/price/{made['id']}"),
        await admin.get(f"/plan/{GONE}/price"),
        await admin.post(f"/plan/{GONE}/price", {"currency": "usd", "price_cents": 1}),
    ):
        assert client.status == 404
    assert (await admin.get(f"/plan/{one}/price/{made['id']}")).body["price_cents"] == 1
