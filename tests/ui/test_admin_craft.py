"""The administrator's page on a slow line, without anything moving, and left open for a day."""

import pytest
from playwright.async_api import Page, expect

from tests.ui.admin_pictures import VIEWS
from tests.ui.conftest import Windows
from tests.ui.samples import REVENUE
from tests.ui.site import Site, answer, slow_line
from tests.ui.test_craft import WATCH_SHIFTS
from tests.ui.test_long_day import echo, heap
from tests.ui.traffic import Traffic


async def filled(page: Page) -> None:
    await expect(page.locator(".skeleton")).to_have_count(0)
    await page.wait_for_load_state("networkidle")


async def go(page: Page, view: str) -> None:
    await page.evaluate("view => { location.hash = `#/${view}`; }", view)


async def test_on_a_slow_line_the_page_says_so_fills_and_saves_once(windows: Windows) -> None:
    page, watch = await windows.open()
    latency = await slow_line(page)
    await page.goto(windows.site.address("/billing-admin", "su", view="weights"), wait_until="commit")
    await expect(page.get_by_text("Loading").first).to_be_attached()
    await expect(page.get_by_role("table", name="Endpoint weights")).to_be_visible()
    await expect(page.get_by_role("alert")).to_have_count(0)
    await page.get_by_role("button", name="New weight").click()
    form = page.get_by_role("dialog", name="New weight")
    await form.get_by_label("Path").fill("/slow/**")
    await latency(3_000)
    create = form.get_by_role("button", name="Create")
    sent: list[str] = []
    page.on("request", lambda one: sent.append(one.url) if one.method == "POST" else None)
    for _ in range(3):
        await create.click()
    await expect(create).to_have_attribute("aria-busy", "true")
    await expect(form).to_be_hidden()
    assert len(sent) == 1
    await expect(page.get_by_role("row").filter(has_text="/slow/**")).to_be_visible()
    assert watch.wrong == []


@pytest.mark.parametrize("width", [360, 1280])
async def test_nothing_moves_while_a_view_fills(windows: Windows, site: Site, width: int) -> None:
    site.call("/contact", "alice", workspace=site.acme)
    page, _ = await windows.open(viewport={"width": width, "height": 800})
    await answer(page, "**/billing/revenue?*", REVENUE)
    await page.add_init_script(WATCH_SHIFTS)
    moved = {}
    for view in VIEWS:
        await page.goto("about:blank")
        await page.goto(site.address("/billing-admin", "su", view=view))
        await filled(page)
        shifts = await page.evaluate("window.shifts")
        if sum(value for value, _ in shifts) >= 0.1:
            moved[view] = shifts
    assert moved == {}


async def test_the_overview_left_open_for_a_day_asks_ever_less_and_does_not_grow(windows: Windows) -> None:
    page, _ = await windows.open()
    await echo(page)
    traffic = Traffic(page)
    await page.clock.install()
    await page.goto(windows.site.address("/billing-admin", "su", view="overview"))
    await expect(page.get_by_text("Requests per second")).to_be_visible()
    await filled(page)
    traffic.asked.clear()
    await traffic.pass_over(600, 5)  # somebody is there
    assert 100 <= traffic.asked["/billing/overview"] <= 125
    await traffic.pass_over(3_000, 60)
    first = await heap(page)
    traffic.asked.clear()
    await traffic.pass_over(23 * 3_600, 150)
    last = await heap(page)
    assert 23 * 11 <= traffic.asked["/billing/overview"] <= 23 * 12 + 3
    assert sum(traffic.asked.values()) <= 4 * 23 * 12, traffic.asked
    assert last["Nodes"] <= first["Nodes"] + 200
    assert last["JSEventListeners"] <= first["JSEventListeners"] + 20
    assert last["JSHeapUsedSize"] <= first["JSHeapUsedSize"] + 1_500_000


async def test_who_goes_through_all_views_all_day_leaves_nothing_behind(windows: Windows) -> None:
    page, _ = await windows.open()
    await echo(page)
    await page.goto(windows.site.address("/billing-admin", "su", view=VIEWS[-1]))
    grown = []
    for _ in range(4):
        for view in VIEWS:
            await go(page, view)
            await expect(page.locator(f"[aria-current=page][href='#/{view}']")).to_be_visible()
            await filled(page)
        grown.append(await heap(page))
    assert grown[-1]["Nodes"] <= grown[0]["Nodes"] + 200
    assert grown[-1]["JSEventListeners"] <= grown[0]["JSEventListeners"] + 20
    assert grown[-1]["JSHeapUsedSize"] <= grown[0]["JSHeapUsedSize"] + 1_500_000
