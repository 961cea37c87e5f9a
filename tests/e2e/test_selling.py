"""A whole gateway in front of the stand-in, with the Stripe that is not real: buy, pay, and spend."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
from aiohttp import ClientSession

from gateway.clock import now_us
from gateway.core.scope import Scope
from gateway.demo.data import ACME, ALICE, BETA, BOB
from gateway.demo.stripe.delivery import signature
from gateway.demo.stripe.server import FakeStripe
from gateway.settings.load import load
from gateway.store import plans, subscriptions
from gateway.store.rows import PriceDraft
from tests.e2e.selling import DAY, by, draft, left, sold, store_of
from tests.e2e.world import SECRET, World, world
from tests.payments.stripe.judge import judged

WEBHOOK = "whsec_of_the_end_to_end_tests"
KEY = "sk_test_0123456789abcdefghijklmn"
CONFIG = """\
store: "sqlite:///{folder}/store.db"
workspace: {{membership: {membership}}}
admins: {{users: ["{admin}"]}}
defaults: {{user: free, workspace: null}}
plans:
  - {{slug: free, name: Free, throughput_limit: 10, window_seconds: 3600}}
payments:
  stripe: {{api_key: {key}, webhook_secrets: [{secret}], api_base: "{stripe}", demo: true}}
  sync: 1h  # only when a test asks for it
"""
URLS = {"success_url": "https://shop.test/ok?id={CHECKOUT_ID}", "cancel_url": "https://shop.test/no"}


class Market:
    """The gateway, the fake Stripe, and a plan for sale."""

    def __init__(self, here: World, stripe: FakeStripe, plan: str) -> None:
        self.here, self.stripe, self.plan = here, stripe, plan

    async def call(self, method: str, path: str, user: Any = ALICE, *, status: int = 200, **more: Any) -> Any:
        answer = await self.here.ask(f"/billing{path}", user, method=method, **more)
        assert answer.status == status, await answer.text()
        return await answer.json() if answer.content_type == "application/json" else await answer.text()

    async def synced(self, *, full: bool = False, dry_run: bool = False) -> Any:
        """Ask for a sync, and look where the answer says until it is there."""
        said = {"full": full, "dry_run": dry_run}
        wanted = await self.call("POST", "/sync", BOB, json=said, status=202)
        assert wanted["look"] == "/billing/sync"
        async with asyncio.timeout(30):
            while True:
                for run in (await self.call("GET", "/sync", BOB))["runs"]:
                    if run["started_at"] >= wanted["asked_at"] and {name: run[name] for name in said} == said:
                        return run
                await asyncio.sleep(0.05)

    async def rested(self) -> None:
        """Wait for the first sync, so that what happens from here on is found by nobody but who a test is about."""
        async with asyncio.timeout(60):
            while not any(run["full"] for run in (await self.call("GET", "/sync", BOB))["runs"]):
                await asyncio.sleep(0.02)

    async def order(self, user: Any = ALICE, *, mode: str = "payment", **more: Any) -> Any:
        said = {"plan_id": self.plan, "scope": "user", "payment_mode": mode, **URLS}
        return await self.call("POST", "/subscription/checkout", user, json=said, **more)

    async def pay(self, url: str) -> str:
        """As a person does, on the page; where it leads."""
        async with ClientSession() as browser, browser.post(url, data={"do": "pay"}, allow_redirects=False) as answer:
            assert answer.status == 303
            return answer.headers["Location"]


@asynccontextmanager
async def market(
    folder: Path, *, automatic: bool = False, more: str = "", membership: str = "trust_clients"
) -> AsyncIterator[Market]:
    async with judged(automatic=automatic) as stripe, _sold_through(stripe, folder, more, membership) as running:
        yield running


@asynccontextmanager
async def _sold_through(stripe: FakeStripe, folder: Path, more: str, membership: str) -> AsyncIterator[Market]:
    said = {"folder": folder, "key": KEY, "secret": WEBHOOK, "stripe": stripe.url, "admin": BOB.id}
    yaml = CONFIG.format(**said, membership=membership) + more
    async with world(folder, yaml) as here:
        stripe.subscribe(f"{here.url}/billing/webhook/stripe", WEBHOOK)
        price = PriceDraft(currency="usd", amount=4900, is_default=True)
        plan = await plans.create(store_of(here), draft(amount=1000), by(), prices=[price])
        running = Market(here, stripe, plan.id)
        await running.rested()
        yield running


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Market]:
    async with market(tmp_path) as running:
        yield running


async def settled(here: Market) -> None:
    """All webhooks delivered, and acted on."""
    await here.stripe.deliver()
    selling = here.here.gateway._selling
    assert selling is not None
    await selling.sales.tasks.finish(10)


async def test_a_purchase_changes_the_budget_of_the_next_request(here: Market) -> None:
    assert await left(here.here) == ("10", "9")
    order = await here.order()
    assert await left(here.here) == ("10", "8"), "ordered is not paid"
    assert await here.pay(order["checkout_url"]) == f"https://shop.test/ok?id={order['external_id']}"
    await settled(here)
    assert (await left(here.here))[0] == "1000"


async def test_a_change_of_plan_costs_what_its_preview_said(here: Market) -> None:
    price = PriceDraft(currency="usd", amount=9900, is_default=True)
    dearer = (await plans.create(store_of(here.here), draft("max", 5000), by(), prices=[price])).id
    order = await here.order(mode="subscription")
    await here.pay(order["checkout_url"])
    await settled(here)
    at, said = f"/subscription/{order['subscription_id']}", {"plan_id": dearer}
    preview = await here.call("POST", f"{at}/preview", json=said)
    due, when = preview["amount_due"], preview["shown_at"]
    for half in ({}, {"amount_due": due}, {"shown_at": when}):
        await here.call("POST", f"{at}/change", json={**said, **half}, status=422)
    await here.call("POST", f"{at}/change", json={**said, "amount_due": due + 1, "shown_at": when}, status=409)
    old = {**said, "amount_due": due, "shown_at": "2020-01-01T00:00:00Z"}
    assert (await here.call("POST", f"{at}/change", json=old, status=409))["content"]["reason"] == "preview_too_old"
    assert (await left(here.here))[0] == "1000", "nothing of that has changed anything"
    await here.call("POST", f"{at}/change", json={**said, "amount_due": due, "shown_at": when})
    assert (await left(here.here))[0] == "5000"
    paid = {each["plan"]: each for each in (await here.call("GET", "/payment"))["data"]}  # maybe in one second
    assert (paid["pro"]["amount_cents"], paid["max"]["amount_cents"], paid["max"]["description"]) == (4900, due, "Max")
    await plans.update(store_of(here.here), dearer, lambda old: replace(old, name="Most", active=False), by())
    paid = {each["plan"]: each["plan_name"] for each in (await here.call("GET", "/payment"))["data"]}
    assert paid == {"pro": "Pro", "max": "Most"}, "as it is called now, on offer or not"


async def test_a_plan_that_begins_later_is_held_to_when_and_to_how_much(here: Market) -> None:
    price = PriceDraft(currency="usd", amount=100, is_default=True)
    cheaper = (await plans.create(store_of(here.here), draft("small", 50), by(), prices=[price])).id
    order = await here.order(mode="subscription")
    await here.pay(order["checkout_url"])
    await settled(here)
    at, said = f"/subscription/{order['subscription_id']}", {"plan_id": cheaper}
    preview = await here.call("POST", f"{at}/preview", json=said)
    names = ("amount_due", "shown_at", "amount_then", "begins_at")
    shown = {name: preview[name] for name in names}
    assert (shown["amount_due"], shown["amount_then"]) == (0, 100)
    at_once: list[dict[str, Any]] = [{"amount_then": None}, {"begins_at": None}]
    for wrong in (*at_once, {"amount_then": 99}, {"begins_at": preview["shown_at"]}):
        refused = await here.call("POST", f"{at}/change", json={**said, **shown, **wrong}, status=409)
        assert refused["content"]["reason"] == "preview_changed"
    agreed = await here.call("POST", f"{at}/change", json={**said, **shown})
    assert agreed["next_plan_id"] == cheaper


@pytest.mark.parametrize("mode", ["payment", "subscription"])
async def test_who_cancels_with_the_money_back_and_buys_again_finds_the_units_spent(here: Market, mode: str) -> None:
    monthly = draft("monthly", 1000, 30 * DAY)
    price = PriceDraft(currency="usd", amount=900, is_default=True)
    here.plan = (await plans.create(store_of(here.here), monthly, by(), prices=[price])).id
    order = await here.order(mode=mode)
    await here.pay(order["checkout_url"])
    await settled(here)
    for _ in range(4):
        await left(here.here)
    assert await left(here.here) == ("1000", "995")
    for charge in list(here.stripe.books.kept["charges"].values()):
        here.stripe.money.refund(charge, None)
    await settled(here)
    assert (await left(here.here))[0] == "10", "what went back has bought nothing"
    await here.call("POST", f"/subscription/{order['subscription_id']}/cancel", BOB)
    await settled(here)
    again = await here.order(mode=mode)
    assert again["subscription_id"] != order["subscription_id"]
    await here.pay(again["checkout_url"])
    await settled(here)
    assert await left(here.here) == ("1000", "994"), "the window goes on, and what was spent in it is spent"


async def test_a_workspaces_purchase_is_its_own(tmp_path: Path) -> None:
    async with market(tmp_path, membership="upstream") as here:
        order = await here.order(mode="subscription", workspace=ACME.id)
        await here.pay(order["checkout_url"])
        await settled(here)
        assert (await left(here.here, BOB, workspace=ACME.id))[0] == "1000"
        assert (await left(here.here, ALICE))[0] == "10"
        paid = {"workspace": len((await here.call("GET", "/payment", workspace=ACME.id))["data"])}
        paid["own"] = len((await here.call("GET", "/payment"))["data"])
        assert paid == {"workspace": 1, "own": 0}, "whoever has left it sees its receipts no more, also who paid"


async def test_the_shop_serves_a_workspaces_members_and_not_who_once_bought_for_it(tmp_path: Path) -> None:
    async with market(tmp_path, membership="upstream") as here:
        for workspace, status in ((BETA, 403), (ACME, 409)):  # Alice is in one of them, and nothing renews there
            draft = sold("free", Scope("workspace", workspace.id), user_id=ALICE.id)
            id_ = (await subscriptions.create(store_of(here.here), draft, by())).id
            await here.call("POST", f"/subscription/sync?id={id_}", status=status)
            await here.call("POST", f"/subscription/retry?id={id_}", status=status)
            await here.call(
                "POST", f"/subscription/checkout-url?id={id_}", json=URLS, status=403 if status == 403 else 404
            )
            shown = {"amount_due": 1, "shown_at": "2026-01-01T00:00:00Z"}
            for act, more in (("preview", {}), ("change", shown)):
                path, said = f"/subscription/{id_}/{act}", {"plan_id": str(uuid4()), **more}
                await here.call("POST", path, json=said, status=status)
                await here.call("POST", path, json=said, status=403, workspace=BETA.id)
                await here.call("POST", path, BOB, json=said, status=409)  # an admin


async def test_a_purchase_that_names_two_workspaces_is_for_neither(here: Market) -> None:
    path, said = "/subscription/checkout", {"plan_id": here.plan, **URLS, "scope": "workspace"}
    other, same = {**said, "workspace_id": str(BETA.id)}, {**said, "workspace_id": str(ACME.id)}
    refused = await here.call("POST", path, BOB, json=other, workspace=ACME.id, status=422)
    assert [each["field"] for each in refused["content"]["fields"]] == ["workspace_id"]
    await here.call("POST", path, BOB, json=same, workspace=ACME.id)


async def test_payments_are_listed_for_who_made_them_and_summed_for_admins(here: Market) -> None:
    for _ in range(2):
        await here.pay((await here.order())["checkout_url"])
        await settled(here)
    first = await here.call("GET", "/payment?limit=1")
    (paid,) = first["data"]
    assert (paid["amount_cents"], paid["currency"], paid["status"]) == (4900, "usd", "succeeded")
    assert first["has_more"]
    second = await here.call("GET", f"/payment?limit=1&cursor={first['next_cursor']}")
    assert (second["has_more"], second["data"][0]["id"] != paid["id"]) == (False, True)
    assert (await here.call("GET", "/payment", BOB))["data"] == []
    period = "from=2020-01-01T00:00:00Z&to=2099-01-01T00:00:00Z"
    assert await here.call("GET", f"/revenue?{period}", BOB) == [
        {
            "plan": "pro",
            "plan_name": "Pro",
            "currency": "usd",
            "gross": 9800,
            "refunded": 0,
            "net": 9800,
            "payments": 2,
        }
    ]
    await here.call("GET", f"/revenue?{period}", ALICE, status=403)


async def test_a_forged_webhook_is_refused_and_tells_nothing(here: Market) -> None:
    for header in ({}, {"Stripe-Signature": "t=1,v1=00"}):
        said = await here.call("POST", "/webhook/stripe", None, status=400, data=b'{"id": "evt_1"}', headers=header)
        assert WEBHOOK not in str(said)
    await here.call("POST", "/webhook/other", None, status=404, data=b"{}")


async def test_admins_see_what_came_without_its_secrets_and_replay_it(here: Market) -> None:
    await here.pay((await here.order())["checkout_url"])
    await settled(here)
    events = await here.call("GET", "/webhook-event?limit=100", BOB)
    assert {"checkout.session.completed"} <= {event["type"] for event in events if event["status"] == "done"}
    assert not [event for event in events if event["type"].startswith("payment_intent")], "nobody asked for those"
    invoice = {"object": "invoice", "id": "in_1", "confirmation_secret": {"client_secret": "pi_1_secret_2"}}
    said = {"id": "evt_1", "type": "invoice.paid", "created": 1, "livemode": False, "data": {"object": invoice}}
    body = orjson.dumps(said)
    signed = {"Stripe-Signature": signature(body, WEBHOOK, now_us() // 1_000_000)}
    await here.call("POST", "/webhook/stripe", None, data=body, headers=signed)
    (strange,) = await here.call("GET", "/webhook-event?type=invoice.paid", BOB)
    whole = await here.call("GET", f"/webhook-event/{strange['id']}", BOB)
    assert whole["body"]["data"]["object"]["confirmation_secret"]["client_secret"] == "…"
    done = next(event for event in events if event["type"] == "checkout.session.completed")
    assert (await here.call("POST", f"/webhook-event/{done['id']}/replay", BOB))["status"] == "done"
    (entry,) = await here.call("GET", f"/audit?topic=signal&object_id={done['id']}", BOB)
    assert (entry["action"], entry["actor_kind"], entry["actor_id"]) == ("signal.replay", "admin", BOB.id)
    assert entry["after"] == {"kind": "checkout.session.completed", "state": "done", "attempts": 1}
    await here.call("POST", f"/webhook-event/{uuid4()}/replay", BOB, status=404)
    await here.call("GET", "/webhook-event", ALICE, status=403)


async def test_money_and_what_admins_ask_the_provider_for_is_in_the_audit_log(here: Market) -> None:
    order = await here.order()
    await here.pay(order["checkout_url"])
    await settled(here)
    (paid,) = await here.call("GET", "/audit?topic=payment", BOB)
    assert (paid["action"], paid["actor_kind"], paid["scope_id"]) == ("payment.record", "provider", ALICE.id)
    fact = paid["after"]
    assert (fact["amount"], fact["state"], fact["subscription_id"]) == (4900, "paid", order["subscription_id"])
    assert not [name for name in fact if name.endswith("url")], "nobody can follow a link from here"
    await here.call("POST", "/portal", json={"return_url": "https://shop.test/"})
    (portal,) = await here.call("GET", "/audit?topic=portal", BOB)
    assert (portal["action"], portal["actor_id"], portal["actor_via"]) == ("portal.open", ALICE.id, "jwt")
    await here.synced(full=True)
    (sync,) = await here.call("GET", "/audit?topic=sync", BOB)
    assert (sync["actor_id"], sync["after"]) == (BOB.id, {"full": True, "dry_run": False})
    assert len(await here.call("GET", "/audit?topic=payment", BOB)) == 1, "what is as it was is not told twice"


async def test_a_sync_finds_what_no_webhook_told(here: Market) -> None:
    here.stripe.deliveries[0].trouble.drop = 1.0
    order = await here.order()
    await here.pay(order["checkout_url"])
    assert await here.stripe.deliver() == 0
    seen = await here.synced(full=True, dry_run=True)
    assert any("pending → active" in change for change in seen["changes"][order["subscription_id"]])
    assert (await left(here.here))[0] == "10"
    await here.synced()
    assert (await left(here.here))[0] == "1000"
    state = await here.call("GET", "/sync", BOB)
    assert (state["provider"], state["test"], len(state["runs"]) >= 1) == ("stripe", True, True)


async def test_what_cannot_be_kept_is_not_said_to_be_and_comes_again(here: Market) -> None:
    await here.pay((await here.order())["checkout_url"])
    (event,) = [each for each in here.stripe.books.events if each["type"] == "checkout.session.completed"]
    body = orjson.dumps(event)

    async def tell(status: int) -> None:
        signed = {"Stripe-Signature": signature(body, WEBHOOK, now_us() // 1_000_000)}
        await here.call("POST", "/webhook/stripe", None, data=body, headers=signed, status=status)

    other = sqlite3.connect(here.here.folder / "store.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        await tell(503)
    finally:
        other.close()
    assert await here.call("GET", "/webhook-event?type=checkout.session.completed", BOB) == []
    assert (await left(here.here))[0] == "10"
    await tell(200)
    selling = here.here.gateway._selling
    assert selling is not None
    await selling.sales.tasks.finish(10)
    assert (await left(here.here))[0] == "1000"


async def test_who_would_wait_too_long_for_stripe_is_told_and_a_webhook_is_answered_all_the_same(here: Market) -> None:
    order = await here.order()
    await here.pay(order["checkout_url"])
    selling = here.here.gateway._selling
    assert selling is not None
    pace = selling.sales.provider._client._pace  # type: ignore[attr-defined]
    pace.slow_down(120)
    said = {"plan_id": here.plan, "payment_mode": "subscription", **URLS}
    answer = await here.here.ask("/billing/subscription/checkout", ALICE, method="POST", json=said)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    told = await answer.json()
    assert told["content"]["reason"] == "busy"
    assert "So much is asked of the payment provider just now" in str(told)
    await settled(here)
    (event,) = await here.call("GET", "/webhook-event?type=checkout.session.completed", BOB)
    assert (event["status"], event["attempts"]) == ("failed", 0)
    pace._rest_until_us = 0
    assert (await here.call("POST", f"/webhook-event/{event['id']}/replay", BOB))["status"] == "done"
    assert (await left(here.here))[0] == "1000"


async def test_no_secret_is_in_a_log_an_error_or_the_audit_log(here: Market, capfd: pytest.CaptureFixture[str]) -> None:
    await here.pay((await here.order())["checkout_url"])
    await settled(here)
    here.stripe.url = "gone"
    await here.stripe.close()
    refused = await here.call("POST", "/subscription/checkout", status=503, json={"plan_id": here.plan, **URLS})
    audit = await here.call("GET", "/audit?limit=1000", BOB)
    config = repr(load(here.here.config, {"JWT_SECRET": SECRET}))
    said = capfd.readouterr()
    log = (here.here.folder / "access.log").read_text()
    for text in (str(refused), str(audit), config, said.out, said.err, log):
        assert KEY not in text
        assert WEBHOOK not in text
        assert "secret_not_real" not in text


async def test_a_page_of_another_origin_is_refused_where_origins_are_listed(tmp_path: Path) -> None:
    more = '  return_origins: ["https://app.test"]\n'
    async with market(tmp_path, more=more) as here:
        said = await here.call("POST", "/subscription/checkout", status=422, json={"plan_id": here.plan, **URLS})
        assert said["content"]["fields"] == [
            {"field": "success_url", "problem": "is not among payments.return_origins"}
        ]


async def test_without_a_provider_nothing_is_sold(tmp_path: Path) -> None:
    async with world(
        tmp_path, f'store: "sqlite:///{tmp_path}/store.db"\nworkspace: {{membership: trust_clients}}\n'
    ) as here:
        answer = await here.ask(
            "/billing/subscription/checkout",
            ALICE,
            method="POST",
            json={"plan_id": "aa0e8400-e29b-41d4-a716-446655440005", **URLS},
        )
        assert answer.status == 503, "as wacraft answers without its key"
        assert (await (await here.ask("/billing/about")).json())["payments"] == {"providers": [], "demo": False}
