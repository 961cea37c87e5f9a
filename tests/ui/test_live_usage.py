"""Usage with nothing made up: what the gateway counts is what the gauges, the forecast and the plans' prices show."""

import re

from playwright.async_api import expect

from tests.ui.conftest import Windows
from tests.ui.site import Site
from tests.ui.test_refusals import give
from tests.ui.test_selling import buy


async def test_whoever_spends_sees_when_it_will_be_over(windows: Windows, site: Site) -> None:
    """120 of 200 units within a minute are twelve a minute over ten: what is left lasts seven minutes more."""
    give(site, site.newcomer("frank"), units=200)
    for _ in range(60):
        assert site.call("/message/conversation", "frank") != 429
    page = await windows.visit("/billing", "frank")
    gauge = page.get_by_role("article", name=re.compile("^You, Small"))
    await expect(gauge.get_by_role("meter")).to_have_attribute("aria-valuenow", "120")
    await expect(gauge).to_contain_text(re.compile(r"Empty at \d\d:\d\d at this rate"))
    await expect(gauge).to_contain_text("80 left")
    chart = page.get_by_role("img", name=re.compile("At this rate, 12 units a minute, it is empty at"))
    await expect(chart, "who does not see the line is told of it").to_be_visible()
    await expect(page.locator(".legend-ahead")).to_contain_text("At this rate, 12 units a minute, it is empty at")
    await page.get_by_role("radio", name="Requests").check(force=True)
    await expect(page.locator(".legend-ahead"), "what is left is counted in units").to_have_count(0)
    await page.get_by_role("radio", name="Units").check(force=True)
    await expect(page.locator(".legend-ahead")).to_be_visible()
    await page.get_by_role("radio", name="Day").check(force=True)
    await expect(page.locator(".legend")).to_contain_text("GET /message/**")
    await expect(page.locator(".legend-ahead"), "nobody knows how a day goes on").to_have_count(0)


async def test_when_the_budget_is_empty_the_fallback_pays_for_looking_and_its_gauge_says_so(
    windows: Windows, site: Site
) -> None:
    give(site, site.newcomer("gina"), units=2)
    assert site.call("/message/conversation", "gina") != 429
    assert site.call("/message/conversation", "gina") == 429
    assert site.call("/user/me", "gina")["name"] == "gina"
    page = await windows.visit("/billing", "gina")
    fallback = page.get_by_role("article", name="Fallback")
    await expect(fallback.get_by_role("meter")).to_have_attribute("aria-valuenow", "1")
    await expect(fallback).to_contain_text("looking at plans and paying")
    await expect(page.get_by_role("region", name="Your requests are being refused")).to_be_visible()


async def test_whoever_has_no_limit_is_told_so(windows: Windows, site: Site) -> None:
    give(site, site.newcomer("hugo"), units=50, override=0)
    assert site.call("/message/conversation", "hugo") != 429
    page = await windows.visit("/billing", "hugo")
    gauge = page.get_by_role("article", name=re.compile("^You, Small"))
    await expect(gauge).to_contain_text("Unlimited")
    await expect(gauge.get_by_role("meter")).to_have_count(0)
    await expect(page.locator(".refused")).to_have_count(0)


async def test_a_plan_is_paid_in_the_currency_that_was_chosen(windows: Windows, site: Site) -> None:
    site.newcomer("ines")
    page = await windows.visit("/billing", "ines")
    pro = page.get_by_role("article", name="Pro", exact=True)
    await page.get_by_role("radio", name="USD").check(force=True)
    await expect(pro).to_contain_text("US$49.00")
    await page.get_by_role("radio", name="EUR").check(force=True)
    await expect(pro).to_contain_text("€49.00")
    await page.reload()
    await expect(page.get_by_role("radio", name="EUR"), "it is remembered").to_be_checked()
    await buy(page, windows.watches[-1], "Buy once: Pro", site)
    await expect(page.get_by_role("heading", name="Thank you, it is yours")).to_be_visible()
    await page.get_by_role("link", name="Plans and usage").click()
    await page.get_by_role("link", name="Payments").click()
    await expect(page.get_by_role("table", name="Payments")).to_contain_text("€49.00")


async def test_what_a_plan_for_oneself_or_for_the_workspace_pays_is_said(windows: Windows, site: Site) -> None:
    page = await windows.visit("/billing", "alice", workspace=site.acme)
    await page.get_by_role("radio", name="For Acme").check(force=True)
    await expect(page.get_by_text("A plan for Acme pays for the requests that anybody makes in it.")).to_be_visible()
    await page.get_by_role("radio", name="For me").check(force=True)
    await expect(page.get_by_text("A plan for you pays for your own requests")).to_be_visible()
