import asyncio
import re

import pytest
from playwright.async_api import Page, Route, expect

from tests.ui.conftest import Windows
from tests.ui.samples import PLANS, SUBSCRIPTIONS, about
from tests.ui.site import Site, answer
from tests.ui.traffic import Traffic

FAILED = {"context": "handler", "description": "The disk is on fire.", "message": "Internal error"}


async def refuse(page: Page, path: str, status: int, body: object) -> None:
    pattern = re.compile(rf"/billing/{re.escape(path)}(\?|$)")

    async def fulfil(route: Route) -> None:
        await route.fulfill(status=status, json=body, headers={"X-Request-ID": "req-42"})

    await page.route(pattern, fulfil)


@pytest.mark.parametrize("page_path", ["/billing", "/billing-admin", "/billing-success", "/billing-cancel"])
async def test_without_javascript_a_page_says_so_and_how_to_go_on(windows: Windows, page_path: str) -> None:
    page = await windows.visit(page_path, None, java_script_enabled=False)
    said = page.locator("noscript main")
    await expect(said).to_be_visible()
    assert "This page needs JavaScript" in await said.inner_text()
    assert "curl -H" in await said.inner_text()
    await expect(page.get_by_text("Loading")).to_be_hidden()


async def test_old_data_stay_while_new_ones_fail(windows: Windows) -> None:
    page = await windows.visit("/billing")
    windows.watches[0].expect("500")
    await expect(page.get_by_role("meter", name="You")).to_be_visible()
    await refuse(page, "usage", 500, FAILED)
    await page.get_by_role("button", name="Refresh").click()
    await expect(page.get_by_role("alert")).to_contain_text("What you see may be out of date")
    await expect(page.get_by_role("meter", name="You")).to_be_visible()


async def test_an_expired_token_asks_to_sign_in_and_keeps_what_was_typed(windows: Windows, site: Site) -> None:
    page = await windows.visit("/billing-admin", "su", view="plans")
    windows.watches[0].expect("401")
    await page.get_by_role("button", name="New plan").click()
    form = page.get_by_role("dialog", name="New plan")
    await form.get_by_label("Name", exact=True).fill("Kept over the night")
    await form.get_by_label("Description").fill("so much work")
    await refuse(page, "plan", 401, {"message": "token is expired"})
    await form.get_by_role("button", name="Create").click()
    again = page.get_by_role("dialog", name="Sign in again")
    await expect(again).to_contain_text("What you have typed is still here")
    await page.unroute_all()
    await again.get_by_role("radio", name="Token").check(force=True)
    await again.get_by_label("Access token").fill(site.tokens["su"])
    await again.get_by_role("button", name="Sign in").click()
    await expect(again).to_be_hidden()
    await expect(form.get_by_label("Description")).to_have_value("so much work")
    await form.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("row").filter(has_text="Kept over the night")).to_be_visible()


async def test_a_session_is_renewed_without_anybody_noticing(windows: Windows) -> None:
    page = await windows.visit("/billing", None)
    windows.watches[0].expect("401")
    await page.get_by_label("E-mail").fill("alice@example.com")
    await page.get_by_label("Password").fill("alice-demo-1")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("meter", name="You")).to_be_visible()
    times = 0

    async def once(route: Route) -> None:
        nonlocal times
        times += 1
        if times == 1:
            await route.fulfill(status=401, json={"message": "token is expired"})
        else:
            await route.fallback()

    await page.route("**/billing/usage", once)
    async with page.expect_request("**/user/oauth/token") as asked:
        await page.get_by_role("button", name="Refresh").click()
    assert "refresh_token" in ((await asked.value).post_data or "")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_on_a_slow_network_the_page_says_that_it_is_loading_and_then_is_there(windows: Windows) -> None:
    page, _ = await windows.open()

    async def slowly(route: Route) -> None:
        await asyncio.sleep(0.6)
        await route.fallback()

    await page.route("**/billing/**", slowly)
    await page.goto(windows.site.address("/billing", "alice"), wait_until="commit")
    await expect(page.get_by_text("Loading").first).to_be_attached()
    await expect(page.get_by_role("meter", name="You")).to_be_visible()


async def test_when_nothing_answers_the_page_says_so_and_goes_on_by_itself(windows: Windows) -> None:
    page, watch = await windows.open()
    watch.expect("ERR_")
    await page.clock.install()
    await page.goto(windows.site.address("/billing", "alice"))
    await expect(page.get_by_role("meter", name="You")).to_be_visible()
    await page.route("**/billing/usage", lambda route: route.abort())
    traffic = Traffic(page)
    await traffic.pass_over(12, 2)
    await expect(page.get_by_role("alert")).to_contain_text("The server did not answer.")
    await page.unroute_all()
    await traffic.pass_over(30, 5)
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_nothing_moves_while_the_page_fills(windows: Windows) -> None:
    page, _ = await windows.open()
    await answer(page, "**/billing/about", about(windows.site.url))
    await answer(page, "**/billing/subscription?*", SUBSCRIPTIONS)
    await answer(page, "**/billing/plan?*", PLANS)
    await page.add_init_script(
        "window.shift = 0; new PerformanceObserver(list => { for (const one of list.getEntries())"
        " if (!one.hadRecentInput) window.shift += one.value; }).observe({type: 'layout-shift', buffered: true});"
    )
    await page.goto(windows.site.address("/billing", "alice", view="plans"))
    await expect(page.get_by_role("article", name="Team")).to_be_visible()
    await page.wait_for_load_state("networkidle")
    assert await page.evaluate("window.shift") < 0.1
