"""What is sold and what requests cost, through the administrator's page."""

import re

from playwright.async_api import Page, expect

from tests.ui.conftest import Windows
from tests.ui.site import Site


async def admin(windows: Windows, view: str) -> Page:
    return await windows.visit("/billing-admin", "su", view=view)


async def make_plan(page: Page, name: str, *, amount: str = "5000") -> None:
    """A plan with a price in dollars and one in yen, through the form."""
    await page.get_by_role("button", name="New plan").click()
    form = page.get_by_role("dialog", name="New plan")
    await form.get_by_label("Name", exact=True).fill(name)
    await form.get_by_label("Units").fill(amount)
    await form.get_by_role("button", name="Add price").click()
    await form.get_by_label("Amount").nth(0).fill("49.00")
    await form.get_by_role("button", name="Add price").click()
    await form.get_by_label("Currency").nth(1).fill("jpy")
    await form.get_by_label("Amount").nth(1).fill("7400")
    await form.get_by_role("button", name="Create").click()
    await expect(form).to_be_hidden()


async def test_a_plan_is_made_shown_changed_copied_and_deleted(windows: Windows, site: Site) -> None:
    page = await admin(windows, "plans")
    await make_plan(page, "Growth")
    made = page.get_by_role("row").filter(has_text="growth")
    await expect(made).to_contain_text("5,000 units per hour")
    await expect(made).to_contain_text("US$49.00")
    await expect(made).to_contain_text("JP¥7,400")

    await made.get_by_role("button", name="Edit: Growth").click()
    form = page.get_by_role("dialog", name="Edit plan")
    await form.get_by_label("Units").fill("6000")
    await form.get_by_label("New terms are for").select_option("new")
    await expect(form.get_by_role("article", name="Growth")).to_contain_text("6,000 units per hour")
    await form.get_by_role("button", name="Save").click()
    await expect(made).to_contain_text("6,000 units per hour")

    await made.get_by_role("button", name="Duplicate: Growth").click()
    copy = page.get_by_role("dialog", name="New plan")
    await expect(copy.get_by_label("Name", exact=True)).to_have_value("Copy of Growth")
    await expect(copy.get_by_label("Amount").nth(1)).to_have_value("7400")
    await copy.get_by_role("button", name="Create").click()
    copied = page.get_by_role("row").filter(has_text="growth-copy")
    await expect(copied).to_contain_text("US$49.00")

    await copied.get_by_role("button", name="Delete: Copy of Growth").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(copied).to_have_count(0)
    plans = {plan["slug"]: plan for plan in site.call("/billing/plan", "su")}
    assert plans["growth"]["throughput_limit"] == 6000
    assert "growth-copy" not in plans


async def test_a_plan_keeps_its_calendar_until_another_window_is_chosen(windows: Windows, site: Site) -> None:
    monthly = {"amount": 9000, "anchor": "month", "time_zone": "Europe/Berlin"}
    pace = {"amount": 10, "window_seconds": 1, "refill": "continuous", "burst": 20}
    plan = {"name": "Monthly", "slug": "monthly", "duration_days": 30, "limits": [monthly, pace]}
    made = site.call("/billing/plan", "su", method="POST", body=plan)
    page = await admin(windows, "plans")
    await page.get_by_role("row").filter(has_text="monthly").get_by_role("button", name="Edit: Monthly").click()
    form = page.get_by_role("dialog", name="Edit plan")
    await expect(form.get_by_label("Unit", exact=True).first).to_have_value("calendar-month")
    await expect(form.get_by_text("Europe/Berlin")).to_be_visible()
    await expect(form.get_by_label("Per", exact=True).first).to_be_disabled()
    await form.get_by_label("Name", exact=True).fill("By the month")
    await form.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("row").filter(has_text="By the month")).to_be_visible()
    after = site.call(f"/billing/plan/{made['id']}", "su")
    assert (after["name"], after["limits"]) == ("By the month", made["limits"])
    await page.get_by_role("button", name="Edit: By the month").click()
    await form.get_by_label("Unit", exact=True).first.select_option("day")
    await form.get_by_label("Per", exact=True).first.fill("31")
    await form.get_by_label("Unit", exact=True).last.select_option("calendar day")
    await form.get_by_label("Comes back").last.select_option("when the window ends")
    await form.get_by_role("button", name="Save").click()
    await expect(form).to_be_hidden()
    days, day = site.call(f"/billing/plan/{made['id']}", "su")["limits"]
    assert (days["window_seconds"], "anchor" in days) == (31 * 86_400, False), "nobody's calendar is kept in silence"
    assert (day["anchor"], day["time_zone"]) == ("day", "UTC")


async def test_what_is_wrong_with_a_plan_is_said_at_its_field_and_nothing_typed_is_lost(windows: Windows) -> None:
    page = await admin(windows, "plans")
    windows.watches[0].expect("422", "409")
    await page.get_by_role("button", name="New plan").click()
    form = page.get_by_role("dialog", name="New plan")
    await form.get_by_label("Name", exact=True).fill("Bad")
    await form.get_by_label("Slug").fill("not a slug!")
    await form.get_by_label("Description").fill("A long story")
    await form.get_by_role("button", name="Create").click()
    await expect(form.get_by_role("alert")).to_contain_text("Nothing was changed")
    await expect(form.get_by_label("Slug")).to_have_attribute("aria-invalid", "true")
    await expect(form.get_by_label("Description")).to_have_value("A long story")


async def test_prices_are_added_changed_and_removed_each_on_its_own(windows: Windows) -> None:
    page = await admin(windows, "plans")
    await make_plan(page, "Priced")
    await page.get_by_role("button", name="Prices: Priced").click()
    dialog = page.get_by_role("dialog", name="Prices of Priced")
    await dialog.get_by_label("Amount in USD").fill("59.5")
    await dialog.get_by_label("Amount in USD").press("Tab")
    await dialog.get_by_role("listitem").filter(has_text="USD").get_by_role("button", name="Save").click()
    await expect(page.get_by_role("row").filter(has_text="priced")).to_contain_text("US$59.50")
    await dialog.get_by_label("Amount in JPY").fill("12.5")
    await expect(dialog.get_by_text("at most 0 digits after the point")).to_be_visible()
    await dialog.get_by_role("button", name="Remove the price in JPY").click()
    sure = page.get_by_role("dialog", name="Remove the price in JPY?")
    await expect(sure).to_contain_text("JP¥7,400: nobody can buy Priced in this currency any more")
    await sure.get_by_role("button", name="Cancel").click()
    await expect(dialog.get_by_label("Amount in JPY")).to_have_value("12.5")
    await dialog.get_by_role("button", name="Remove the price in JPY").click()
    await sure.get_by_role("button", name="Remove").click()
    await expect(dialog.get_by_label("Amount in JPY")).to_have_count(0)
    await dialog.get_by_label("Currency").fill("brl")
    await dialog.get_by_label("Amount", exact=True).fill("249,90")
    await dialog.get_by_role("button", name="Add price").click()
    await expect(dialog.get_by_label("Amount in BRL")).to_have_value("249.90")


async def test_a_path_is_tried_and_a_weight_changes_what_it_costs(windows: Windows) -> None:
    page = await admin(windows, "weights")
    tried = page.get_by_role("region", name="Try a path")
    await tried.get_by_label("Method").select_option("POST")
    await tried.get_by_label("Path").fill("/Message/WhatsApp/")
    await tried.get_by_role("button", name="What does it cost?").click()
    await expect(tried).to_contain_text("5 units")
    await expect(tried).to_contain_text("gateway.yaml:")

    await page.get_by_role("button", name="New weight").click()
    form = page.get_by_role("dialog", name="New weight")
    await form.get_by_label("Method").select_option("GET")
    await form.get_by_label("Path").fill("/reports/{id}/**")
    await form.get_by_label("Weight").fill("12")
    await form.get_by_label("Description").fill("reports are slow")
    await form.get_by_role("button", name="Create").click()
    made = page.get_by_role("row").filter(has_text="/reports/{id}/**")
    await expect(made).to_contain_text("12")

    await tried.get_by_label("Method").select_option("GET")
    await tried.get_by_label("Path").fill("/reports/7/pdf")
    await tried.get_by_role("button", name="What does it cost?").click()
    await expect(tried).to_contain_text("12 units")
    await expect(tried).to_contain_text("No other rule matches this path.")

    await page.get_by_label("Search").fill("get /reports")
    await expect(page.get_by_role("table", name="Endpoint weights").get_by_role("row")).to_have_count(2)
    await page.get_by_label("Search").fill("")
    await made.get_by_role("button", name=re.compile("^Edit")).click()
    await page.get_by_role("dialog", name="Edit weight").get_by_label("Weight").fill("0")
    await page.get_by_role("dialog", name="Edit weight").get_by_role("button", name="Save").click()
    await expect(made.get_by_role("strong")).to_have_text("0")
    await made.get_by_role("button", name=re.compile("^Delete")).click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(made).to_have_count(0)
