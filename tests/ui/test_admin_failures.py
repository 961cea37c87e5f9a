"""A 500 from each endpoint that the administrator's page asks: what the server said is shown, what was typed stays, and
the same button works when the server does again."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientSession
from playwright.async_api import Page, Route, expect

from gateway.api.route import Who
from gateway.api.table import routes
from gateway.demo.data import DAVE
from tests.ui.admin_acts import ACTS, seed
from tests.ui.conftest import Windows
from tests.ui.site import Site
from tests.ui.stage import PASSWORD

FAILED = {"context": "handler", "description": "The disk is on fire.", "message": "Internal error"}
SHOWN = {
    "/about": "overview",
    "/me": "overview",
    "/overview": "overview",
    "/plan": "plans",
    "/subscription/all": "subscriptions",
    "/endpoint-weight": "weights",
    "/api-key": "keys",
    "/usage/history": "usage",
    "/revenue": "revenue",
    "/webhook-event": "webhooks",
    "/sync": "sync",
    "/audit": "audit",
    "/config": "config",
}
"""What a view is made of."""
NOT_ASKED = {"GET /api-key/{key_id}"}
ASKED_OF_ALL = {
    *("GET /about", "GET /me", "POST /login", "GET /explain", "GET /usage/history", "GET /subscription/{id}"),
    *("GET /plan", "GET /plan/{plan_id}", "GET /plan/{plan_id}/price", "GET /plan/{plan_id}/price/{price_id}"),
}


ELSEWHERE = {"GET /directory", "GET /usage/top", "GET /plan/{plan_id}/price", "POST /login"}
"""Tests of their own below."""


async def refuse(page: Page, route_of: str) -> Callable[[], Awaitable[None]]:
    """Let a route fail from now on; what ends that is returned."""
    method, path = route_of.split(" ")
    pattern = re.compile("/billing" + re.sub(r"\\{\w+\\}", "[^/?]+", re.escape(path)) + r"(\?|$)")

    async def fulfil(route: Route) -> None:
        if route.request.method != method:
            await route.fallback()
            return
        await route.fulfill(status=500, json=FAILED, headers={"X-Request-ID": "req-42"})

    await page.route(pattern, fulfil)

    async def end() -> None:
        await page.unroute(pattern, fulfil)

    return end


async def typed(page: Page) -> Any:
    """Everything that is typed or chosen in the open dialogs and in the view."""
    fields = "[...document.querySelectorAll('dialog[open] :is(input, select, textarea), main :is(input, select)')]"
    return await page.evaluate(f"{fields}.map(one => [one.labels?.[0]?.textContent, one.value])")


async def test_every_endpoint_that_the_page_asks_is_made_to_fail() -> None:
    of_admins = {f"{each.method} {each.template}" for each in routes(with_store=True) if each.who is Who.ADMIN}
    failing = {f"GET {path}" for path in SHOWN} | set(ACTS) | ELSEWHERE
    assert failing == (of_admins - NOT_ASKED) | ASKED_OF_ALL


@pytest.mark.parametrize(("path", "view"), SHOWN.items())
async def test_a_view_that_cannot_be_filled_says_why_and_tries_again(windows: Windows, path: str, view: str) -> None:
    page, watch = await windows.open()
    watch.expect("500")
    end = await refuse(page, f"GET {path}")
    await page.goto(windows.site.address("/billing-admin", "su", view=view))
    alert = page.get_by_role("alert").first
    await expect(alert).to_contain_text("The disk is on fire.")
    await expect(alert).to_contain_text("This is a fault of the server, not yours.")
    await expect(alert).to_contain_text("req-42")
    await end()
    await alert.get_by_role("button", name="Try again").click()
    await expect(page.get_by_text("The disk is on fire.")).to_have_count(0)


@pytest.mark.parametrize("route_of", ACTS)
async def test_an_act_that_fails_says_why_keeps_what_was_typed_and_works_again(
    windows: Windows, site: Site, route_of: str
) -> None:
    act, name, method = ACTS[route_of], seed(site), route_of.partition(" ")[0]
    if act.view == "webhooks":
        await buys(site)
    page, watch = await windows.open()
    watch.expect("500")
    await page.goto(windows.site.address("/billing-admin", "su", view=act.view))
    await act.prepare(page, name)
    await expect(page.locator(".skeleton")).to_have_count(0)
    await expect(act.press(page, name)).to_be_visible()
    before = await typed(page)
    end = await refuse(page, route_of)
    await act.press(page, name).click()
    said = page.locator("[role=alert], [role=status]").filter(has_text="The disk is on fire.")
    await expect(said.first).to_be_visible()
    await expect(said.first).to_contain_text("req-42")
    assert await typed(page) == before
    await end()
    again = page.get_by_role("alert").get_by_role("button", name="Try again")
    if route_of == "GET /webhook-event/{id}":
        await again.click()
        await expect(said).to_have_count(0)
        return
    if route_of == "POST /subscription/{id}/cancel":
        await page.get_by_role("dialog").get_by_role("button", name="End it now").click()
    async with page.expect_response(lambda response: response.request.method == method) as answered:
        await act.press(page, name).click()
    assert (await answered.value).ok


async def buys(site: Site) -> None:
    """Somebody buys something at the shop, so that the gateway has been told of an event."""
    back = {"success_url": f"{site.url}/billing-success", "cancel_url": f"{site.url}/billing-cancel"}
    plan = next(plan for plan in site.call("/billing/plan", "alice") if plan["name"] == "Pro")
    wish = {"plan_id": plan["id"], "scope": "user", "payment_mode": "payment", **back}
    order = site.call("/billing/subscription/checkout", "alice", method="POST", body=wish)
    async with ClientSession() as buyer, buyer.post(order["checkout_url"], data={"do": "pay"}, allow_redirects=False):
        pass
    async with asyncio.timeout(30):
        while not site.call("/billing/webhook-event?limit=1", "su"):
            await asyncio.sleep(0.1)


async def test_without_the_directory_ids_stand_for_names_and_people_can_be_given_by_id(windows: Windows) -> None:
    page, watch = await windows.open()
    watch.expect("500")
    await refuse(page, "GET /directory")
    await page.goto(windows.site.address("/billing-admin", "su", view="subscriptions"))
    note = page.get_by_role("status").filter(has_text="Names cannot be shown")
    await expect(note).to_contain_text("The disk is on fire.")
    await page.get_by_role("button", name="Give subscription").click()
    form = page.get_by_role("dialog", name="Give a subscription")
    await expect(form.get_by_role("alert")).to_contain_text("The directory cannot be searched")
    await form.get_by_role("searchbox", name="User").fill(DAVE.id)
    await form.get_by_role("button", name="Use this id").click()
    await expect(form).to_contain_text(DAVE.id)


async def test_a_ranking_that_fails_says_why(windows: Windows) -> None:
    page, watch = await windows.open()
    watch.expect("500")
    end = await refuse(page, "GET /usage/top")
    await page.goto(windows.site.address("/billing-admin", "su", view="usage"))
    await page.get_by_role("radio", name="Scope").check(force=True)
    alert = page.get_by_role("alert").first
    await expect(alert).to_contain_text("The disk is on fire.")
    await end()
    await alert.get_by_role("button", name="Try again").click()
    await expect(page.get_by_text("The disk is on fire.")).to_have_count(0)


async def test_prices_that_cannot_be_listed_say_why(windows: Windows, site: Site) -> None:
    name = seed(site)
    page, watch = await windows.open()
    watch.expect("500")
    end = await refuse(page, "GET /plan/{plan_id}/price")
    await page.goto(windows.site.address("/billing-admin", "su", view="plans"))
    await page.get_by_role("button", name=f"Prices: {name}", exact=True).click()
    alert = page.get_by_role("dialog").get_by_role("alert")
    await expect(alert).to_contain_text("The disk is on fire.")
    await end()
    await alert.get_by_role("button", name="Try again").click()
    await expect(page.get_by_label("Amount in USD")).to_be_visible()


async def test_a_login_that_fails_keeps_the_password_in_its_field(windows: Windows) -> None:
    page, watch = await windows.open()
    watch.expect("500")
    end = await refuse(page, "POST /login")
    await page.goto(windows.site.address("/billing-admin", None))
    await page.get_by_role("radio", name="Admin password").check(force=True)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("The disk is on fire.")
    await expect(page.get_by_label("Password", exact=True)).to_have_value(PASSWORD)
    await end()
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_text("Requests per second")).to_be_visible()
