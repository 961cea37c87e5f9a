"""What a gauge says of limits that are not the plain ones: with bursts, beside other purses, when their time comes."""

import re
from datetime import UTC, datetime, timedelta

from playwright.async_api import Locator, Page, expect

from tests.ui.conftest import Windows
from tests.ui.samples import plan
from tests.ui.site import answer
from tests.ui.test_usage import entry, goto_billing


def gauge(page: Page, plan_is: str) -> Locator:
    return page.get_by_role("article", name=f"You, {plan_is}")


async def spend(page: Page, amount: int) -> None:
    """So much was used two minutes ago."""
    minute = (datetime.now(UTC) - timedelta(minutes=2)).replace(second=0, microsecond=0).isoformat()
    point = {"start": minute, "rule": "r", "meter": "throughput", "amount": amount, "requests": amount, "refused": 0}
    history = {"granularity": "minute", "from": minute, "to": minute, "by": "rule", "points": [point]}
    await answer(page, "**/billing/usage/history?*", history)


async def test_a_burst_is_what_a_gauge_is_full_of(windows: Windows) -> None:
    page, _ = await windows.open()
    full = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    steady = entry(plan="steady", refill="continuous", burst=500, current_usage=200, remaining=300, resets_at=full)
    limit = {"meter": "throughput", "amount": 100, "window_seconds": 3600, "refill": "continuous", "burst": 500}
    await answer(page, "**/billing/usage", [steady])
    await answer(page, "**/billing/plan?*", [plan(1, "Bursty", 100, {}, limits=[limit])])
    await goto_billing(page, windows)
    at = gauge(page, "steady")
    await expect(at).to_have_class("gauge good")
    await expect(at).to_contain_text(re.compile(r"(200|199) / 500 at once; 100 units per hour come back"))
    meter = at.get_by_role("meter")
    await expect(meter).to_have_attribute("aria-valuemax", "500")
    await expect(meter).to_have_attribute("aria-valuetext", re.compile(r"of 500 used, 30\d left"))
    await expect(page.get_by_role("article", name="Bursty")).to_contain_text("100 units per hour, up to 500 at once")


async def test_a_month_of_the_calendar_is_not_called_31_days(windows: Windows) -> None:
    page, _ = await windows.open()
    limit = {"meter": "throughput", "amount": 9000, "window_seconds": 31 * 86_400, "refill": "interval"}
    calendar = {"anchor": "month", "time_zone": "Europe/Berlin"}
    month = entry(plan="Monthly", throughput_limit=9000, remaining=9000, window_seconds=31 * 86_400, **calendar)
    await answer(page, "**/billing/usage", [month])
    await answer(page, "**/billing/plan?*", [plan(1, "Monthly", 9000, {}, limits=[limit | calendar])])
    await goto_billing(page, windows)
    await expect(page.get_by_role("article", name="You, Monthly, calendar month")).to_contain_text("per calendar month")
    card = page.get_by_role("article", name="Monthly", exact=True)
    await expect(card).to_contain_text("9,000 units per calendar month")
    await expect(page.get_by_text("31 days")).to_have_count(0)


async def test_only_the_purse_that_is_spent_now_has_a_forecast(windows: Windows) -> None:
    page, _ = await windows.open()
    await spend(page, 600)
    resets = (datetime.now(UTC) + timedelta(hours=3)).isoformat()
    first = entry(plan="first", purse=0, current_usage=1, remaining=1800, throughput_limit=1801, resets_at=resets)
    later = entry(plan="later", purse=1, current_usage=1, remaining=900, throughput_limit=901, resets_at=resets)
    await answer(page, "**/billing/usage", [later, first])
    await goto_billing(page, windows)
    await expect(gauge(page, "first")).to_contain_text("at this rate")
    await expect(gauge(page, "first")).to_contain_text("Empty at")
    await expect(gauge(page, "later")).to_contain_text("Not touched now: another budget is spent first")
    await expect(gauge(page, "later")).not_to_contain_text("Empty at")


async def test_a_purse_that_one_limit_closes_is_passed_over(windows: Windows) -> None:
    page, _ = await windows.open()
    await spend(page, 600)
    resets = (datetime.now(UTC) + timedelta(hours=3)).isoformat()
    shared = {"plan": "first", "purse": 0, "resets_at": resets}
    hour = entry(**shared, current_usage=1, remaining=1800, throughput_limit=1801)
    day = entry(**shared, current_usage=9, remaining=0, throughput_limit=9, window_seconds=86_400)
    later = entry(plan="later", purse=1, current_usage=1, remaining=900, throughput_limit=901, resets_at=resets)
    await answer(page, "**/billing/usage", [hour, day, later])
    await goto_billing(page, windows)
    await expect(gauge(page, "first, 1 hour")).to_contain_text("another limit of this plan is used up")
    await expect(gauge(page, "first, 1 day")).to_contain_text("Empty until it refills")
    await expect(gauge(page, "later")).to_contain_text("Empty at")


async def test_a_pack_that_is_spent_is_not_said_to_refill(windows: Windows) -> None:
    page, _ = await windows.open()
    spent = entry(plan="pack", current_usage=100, remaining=0, window_seconds=86_400, refill="never", resets_at=None)
    await answer(page, "**/billing/usage", [spent])
    await spend(page, 600)
    await goto_billing(page, windows)
    await expect(gauge(page, "pack")).to_contain_text("Used up")
    await expect(gauge(page, "pack")).not_to_contain_text("until it refills")


async def test_a_gauge_is_full_when_its_time_has_come_though_nobody_has_asked_again(windows: Windows) -> None:
    page, _ = await windows.open()
    soon = datetime.now(UTC) + timedelta(seconds=8)
    await answer(
        page, "**/billing/usage", [entry(plan="free", current_usage=100, remaining=0, resets_at=soon.isoformat())]
    )
    await goto_billing(page, windows)
    await expect(gauge(page, "free")).to_contain_text("refills in")
    await expect(gauge(page, "free")).to_contain_text("100 left")
    await expect(gauge(page, "free")).to_contain_text("full")
    await expect(gauge(page, "free")).to_have_class("gauge good")
    await expect(gauge(page, "free").get_by_role("meter")).to_have_attribute("aria-valuenow", "0")


async def test_a_choice_stays_where_it_is_when_it_is_used(windows: Windows) -> None:
    page = await windows.visit("/billing", "alice")
    await expect(page.get_by_role("meter", name="You").first).to_be_visible()
    choice = page.get_by_role("group", name="How far back")
    before = await choice.bounding_box()
    for name in ("Day", "Month", "Hour", "Day"):
        radio = choice.get_by_role("radio", name=name)
        await choice.get_by_text(name).click()
        await expect(radio).to_be_checked()
        await expect(radio).to_be_focused()
        assert await choice.bounding_box() == before, name
        await expect(radio).to_have_css("position", "absolute")
