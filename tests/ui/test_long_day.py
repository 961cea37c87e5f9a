"""Pages that are left open, by a clock of their own: they neither hammer the gateway nor grow."""

import contextlib
import re
from typing import Any

from playwright.async_api import Error, Page, Route, expect

from tests.ui.conftest import Windows
from tests.ui.samples import PLANS, about, plan, subscription
from tests.ui.site import HIDE, answer, let_pass
from tests.ui.traffic import Traffic

PENDING = subscription(7, plan(2, "Starter", 5_000, {}), status="pending")


async def echo(page: Page) -> None:
    """Each first answer of the gateway again and again: it lets nobody ask for a day's answers in a minute."""
    known: dict[str, tuple[int, str]] = {}

    async def fulfil(route: Route) -> None:
        path = route.request.url.partition("?")[0]
        if path not in known:
            first = await route.fetch()
            known[path] = first.status, await first.text()
        status, body = known[path]
        await route.fulfill(status=status, body=body, content_type="application/json")

    await page.route(re.compile("/billing/(?!assets)|/workspace$"), fulfil)


async def heap(page: Page) -> dict[str, float]:
    """What the page holds, after its garbage is gone."""
    cdp = await page.context.new_cdp_session(page)
    await cdp.send("HeapProfiler.collectGarbage")
    await cdp.send("Performance.enable")
    found = await cdp.send("Performance.getMetrics")
    await cdp.detach()
    return {one["name"]: one["value"] for one in found["metrics"]}


async def test_a_page_left_open_for_a_day_asks_ever_less_and_does_not_grow(windows: Windows) -> None:
    page, _ = await windows.open()
    await echo(page)
    traffic = Traffic(page)
    await page.clock.install()
    await page.goto(windows.site.address("/billing", "bob"))
    await expect(page.get_by_role("meter", name="You").first).to_be_visible()
    traffic.asked.clear()
    await traffic.pass_over(600, 10)  # somebody is there
    assert 55 <= traffic.asked["/billing/usage"] <= 63
    traffic.asked.clear()
    await traffic.pass_over(3_000, 30)
    assert 45 <= traffic.asked["/billing/usage"] <= 51
    first = await heap(page)
    traffic.asked.clear()
    await traffic.pass_over(23 * 3_600, 150)
    last = await heap(page)
    assert 23 * 11 <= traffic.asked["/billing/usage"] <= 23 * 12 + 3
    assert max(traffic.asked.values()) <= 23 * 12 + 3, traffic.asked
    assert sum(traffic.asked.values()) <= 5 * 23 * 12, traffic.asked
    assert last["Nodes"] <= first["Nodes"] + 200
    assert last["JSEventListeners"] <= first["JSEventListeners"] + 20
    assert last["JSHeapUsedSize"] <= first["JSHeapUsedSize"] + 1_500_000
    before = traffic.asked["/billing/usage"]
    await page.mouse.move(200, 200)
    await traffic.pass_over(60, 10)
    assert traffic.asked["/billing/usage"] >= before + 5, "somebody is back"


async def test_a_purchase_that_never_arrives_is_not_waited_for_for_ever(windows: Windows) -> None:
    page, _ = await windows.open()
    await answer(page, "**/billing/about", about(windows.site.url))
    await answer(page, "**/billing/subscription?*", [PENDING], only=("GET",))
    await answer(page, "**/billing/subscription/sync?*", PENDING)
    traffic = Traffic(page)
    await page.clock.install()
    await page.goto(windows.site.address("/billing-success", "alice"))
    await expect(page.get_by_text("The payment is being confirmed.")).to_be_visible()
    await traffic.pass_over(60, 1)
    assert 8 <= traffic.asked["/billing/subscription"] <= 14
    await traffic.pass_over(1_200, 10)
    await expect(page.get_by_text("The payment is still not confirmed.")).to_be_visible()
    assert traffic.asked["/billing/subscription"] <= 26
    assert traffic.asked["/billing/subscription/sync"] == 1
    asked = traffic.asked.copy()
    await traffic.pass_over(86_400, 3_600)
    assert traffic.asked == asked
    await expect(page.get_by_role("link", name="Subscriptions")).to_be_visible()
    await answer(page, "**/billing/subscription?*", [PENDING | {"status": "active"}], only=("GET",))
    await page.get_by_role("button", name="Look now").click()
    await expect(page.get_by_role("heading", name="Thank you, it is yours")).to_be_visible()
    assert traffic.asked["/billing/subscription/sync"] == 2


async def test_an_order_that_nobody_pays_is_looked_at_often_for_two_minutes_only(windows: Windows) -> None:
    page, _ = await windows.open()
    await answer(page, "**/billing/about", about(windows.site.url))
    await answer(page, "**/billing/plan?*", PLANS)
    await answer(page, "**/billing/subscription?*", [PENDING], only=("GET",))
    traffic = Traffic(page)
    await page.clock.install()
    await page.goto(windows.site.address("/billing", "alice", view="subscriptions"))
    await expect(page.get_by_role("listitem", name="Starter")).to_be_visible()
    await traffic.pass_over(120, 5)
    assert traffic.asked["/billing/subscription"] >= 20
    traffic.asked.clear()
    await traffic.pass_over(480, 5)
    assert traffic.asked["/billing/subscription"] <= 18


async def test_who_comes_back_to_the_tab_does_not_shorten_the_pause_after_a_failure(windows: Windows) -> None:
    page, watch = await windows.open()
    watch.expect("503")
    await page.clock.install()
    await page.goto(windows.site.address("/billing", "alice"))
    await expect(page.get_by_role("meter", name="You")).to_be_visible()

    async def busy(route: Route) -> None:
        await route.fulfill(status=503, json={"message": "busy"}, headers={"Retry-After": "120"})

    await page.route("**/billing/usage", busy)
    traffic = Traffic(page)
    await let_pass(page, 12)
    await expect(page.get_by_role("alert")).to_contain_text("busy")
    assert traffic.asked["/billing/usage"] == 1
    for _ in range(5):
        await page.evaluate(HIDE % "true")
        await traffic.pass_over(10, 10)
        await page.evaluate(HIDE % "false")
        await traffic.pass_over(10, 10)
    assert traffic.asked["/billing/usage"] == 1
    await traffic.pass_over(30, 10)
    assert traffic.asked["/billing/usage"] == 2


async def test_who_asks_anew_does_not_get_an_answer_from_before(windows: Windows) -> None:
    page, _ = await windows.open()
    await page.clock.install()
    await page.goto(windows.site.address("/billing", "alice"))
    await expect(page.get_by_role("meter", name="You")).to_be_visible()
    held: list[Route] = []

    async def hold(route: Route) -> None:
        held.append(route)
        if len(held) > 1:
            await route.fulfill(json=[used(42)])

    await page.route("**/billing/usage", hold)
    await let_pass(page, 11)
    assert len(held) == 1
    await page.get_by_role("button", name="Refresh").click()
    await expect(page.locator(".gauge-figure")).to_contain_text("42")
    with contextlib.suppress(Error):  # it was given up
        await held[0].fulfill(json=[used(7)])
    await let_pass(page, 2)
    await expect(page.locator(".gauge-figure")).to_contain_text("42")


def used(units: int) -> dict[str, Any]:
    facts: dict[str, Any] = {"scope": "user", "unlimited": False, "throughput_limit": 100, "window_seconds": 60}
    facts |= {"current_usage": units, "remaining": 100 - units, "fallback": False, "meter": "throughput"}
    return facts | {"plan": "free", "refill": "interval", "purse": 0}
