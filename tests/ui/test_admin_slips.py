"""What slips in on the administrator's page: mistyped dates and numbers, choices that do not go together."""

import re

import pytest
from playwright.async_api import expect

from tests.ui.admin_acts import seed
from tests.ui.conftest import Windows
from tests.ui.site import Site
from tests.ui.test_admin import admin

WRONG = "No date: a year has four digits."
FAR = "12026-01-01T00:00"


async def test_a_year_of_five_digits_is_said_to_be_wrong_and_narrows_no_log(windows: Windows, site: Site) -> None:
    seed(site)
    page = await admin(windows, "audit")
    rows = page.get_by_role("table", name="Audit log").get_by_role("row")
    await expect(rows.nth(1)).to_be_visible()
    for label in ("From", "To"):
        await page.get_by_label(label).fill(FAR)
        await expect(page.get_by_label(label)).to_have_attribute("aria-invalid", "true")
    await expect(page.get_by_text(WRONG)).to_have_count(2)
    await expect(rows.nth(1)).to_be_visible()
    await page.get_by_label("To").fill("2020-01-01T00:00")
    await expect(page.get_by_text("Nothing found")).to_be_visible()


async def test_a_year_of_five_digits_is_no_end_of_a_subscription(windows: Windows, site: Site) -> None:
    name = seed(site)
    page = await admin(windows, "subscriptions")
    windows.watches[0].expect("422")
    await page.get_by_role("button", name=f"Manage: {name}").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("New end").fill(FAR)
    await expect(dialog.get_by_text(WRONG)).to_be_visible()
    await dialog.get_by_role("button", name="Set this end").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("expires_at")
    await expect(dialog.get_by_label("New end")).to_have_value(FAR)
    (held,) = [each for each in site.call("/billing/subscription/all", "su") if each["plan"]["name"] == name]
    assert held["expires_at"].startswith("2031-01-01")


async def test_revenue_of_a_year_of_five_digits_is_not_asked(windows: Windows) -> None:
    page = await admin(windows, "revenue")
    await expect(page.get_by_role("heading", name="Revenue", level=2)).to_be_visible()
    await expect(page.locator(".skeleton")).to_have_count(0)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.get_by_label("To").fill("12026-01-01")
    await expect(page.get_by_text(WRONG)).to_be_visible()
    async with page.expect_response(re.compile("/billing/revenue")):
        await page.get_by_label("To").fill("2031-01-01")
    assert ["to=2031-01-02" in url for url in asked if "/billing/revenue" in url] == [True]


@pytest.mark.parametrize("other", ["User", "Workspace"])
async def test_a_month_of_one_is_a_day_of_everybody_by_scope(windows: Windows, other: str) -> None:
    page = await admin(windows, "usage")
    tools = page.get_by_role("main")

    async def choose(name: str) -> None:
        await tools.locator(".choice").get_by_text(name, exact=True).click()
        await expect(tools.get_by_role("radio", name=name, exact=True)).to_be_checked()

    await choose("Scope")
    await choose(other)
    await choose("Month")
    asked = re.compile(r"/usage/top\?.*window_seconds=86400")
    async with page.expect_response(asked) as ranked:
        await choose("Everybody")
    assert (await ranked.value).status in {200, 304}
    await expect(tools.get_by_role("radio", name="Day", exact=True)).to_be_checked()
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_a_copy_of_a_plan_is_used_up_in_the_same_turn(windows: Windows, site: Site) -> None:
    pack = {"name": "Last", "slug": "last", "duration_days": 30, "pack": True, "throughput_limit": 9, "burn_rank": 7}
    site.call("/billing/plan", "su", method="POST", body=pack)
    page = await admin(windows, "plans")
    await page.get_by_role("button", name="Duplicate: Last").click()
    form = page.get_by_role("dialog", name="New plan")
    await form.get_by_role("button", name="Create").click()
    await expect(form).to_be_hidden()
    (copy,) = [each for each in site.call("/billing/plan", "su") if each["slug"] == "last-copy"]
    assert (copy["burn_rank"], copy["pack"], copy["throughput_limit"]) == (7, True, 9)


@pytest.mark.parametrize("typed", ["1.5", "0", "-1"])
async def test_a_window_that_is_no_whole_number_is_told_at_its_field_and_not_sent(windows: Windows, typed: str) -> None:
    page = await admin(windows, "plans")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    await page.get_by_role("button", name="New plan").click()
    form = page.get_by_role("dialog", name="New plan")
    await form.get_by_label("Name", exact=True).fill("Half")
    per = form.get_by_label("Per", exact=True)
    await per.fill(typed)
    await expect(per).to_have_attribute("aria-invalid", "true")
    await form.get_by_role("button", name="Create").click()
    said = "A window is a whole number of its unit, 1 or more: 90 minutes, not 1.5 hours."
    await expect(form.get_by_role("alert")).to_contain_text(said)
    await expect(per).to_have_value(typed)
    assert "POST" not in sent
