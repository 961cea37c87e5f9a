"""Buying with nothing made up: the gateway, its store, and the demo's Stripe, whose pages take no real money."""

import re

from playwright.async_api import Page, expect

from tests.ui.conftest import Windows
from tests.ui.site import Site, Watch


async def buy(page: Page, watch: Watch, button: str, site: Site) -> None:
    watch.expect("404")  # the shop has no icon
    await page.get_by_role("button", name=button).click()
    await page.wait_for_url(f"{site.shop}/**")
    await page.get_by_role("button", name=re.compile(r"^Pay \d")).click()
    await page.wait_for_url(re.compile("/billing-success"))


async def test_a_plan_is_subscribed_to_paid_used_cancelled_and_kept(windows: Windows, site: Site) -> None:
    page = await windows.visit("/billing", "carol", view="plans")
    windows.watches[0].expect("403")  # her address is not verified, so the upstream keeps its workspaces to itself
    await buy(page, windows.watches[-1], "Subscribe: Pro", site)
    await expect(page.get_by_role("heading", name="Thank you, it is yours")).to_be_visible()
    await page.get_by_role("link", name="Plans and usage").click()
    await expect(page.get_by_role("article", name="You, pro")).to_contain_text("5,000")
    await expect(page.get_by_role("article", name="Pro", exact=True).get_by_text("Your plan")).to_be_visible()

    await page.get_by_role("link", name="Subscriptions").click()
    card = page.get_by_role("listitem", name="Pro")
    await card.get_by_role("button", name="Cancel subscription: Pro").click()
    await page.get_by_role("dialog").get_by_role("button", name="Cancel subscription").click()
    await expect(card).to_contain_text("Ends soon")
    await card.get_by_role("button", name="Keep it: Pro").click()
    await expect(card).to_contain_text("Active")
    await card.get_by_role("button", name="Check status: Pro").click()
    await expect(page.get_by_text("Checked with the payment provider.")).to_be_visible()

    await page.get_by_role("link", name="Payments").click()
    await expect(page.get_by_role("table", name="Payments")).to_contain_text("US$49.00")


async def test_a_running_subscription_changes_its_plan(windows: Windows, site: Site) -> None:
    page = await windows.visit("/billing", "su", view="plans")
    await buy(page, windows.watches[-1], "Subscribe: Pro", site)
    await expect(page.get_by_role("heading", name="Thank you, it is yours")).to_be_visible()
    await page.get_by_role("link", name="Plans and usage").click()
    await page.get_by_role("link", name="Subscriptions").click()
    card = page.get_by_role("listitem", name="Pro")
    await card.get_by_role("button", name="Change plan: Pro").click()
    dialog = page.get_by_role("dialog", name="Change the plan")
    await dialog.get_by_label("New plan").select_option("Starter")
    await expect(dialog).to_contain_text("It costs no more than the plan now, so it begins")
    await dialog.get_by_role("button", name="Change plan").click()
    await expect(page.get_by_role("listitem", name="Pro")).to_contain_text("Another plan begins")


async def test_a_trial_is_no_way_to_a_dearer_plan_and_the_page_says_so(windows: Windows, site: Site) -> None:
    page = await windows.visit("/billing", "alice", view="plans")
    await buy(page, windows.watches[-1], "Subscribe: Starter", site)
    windows.watches[-1].expect("409")
    await expect(page.get_by_role("heading", name="Thank you, it is yours")).to_be_visible()
    await page.get_by_role("link", name="Plans and usage").click()
    await page.get_by_role("link", name="Subscriptions").click()
    card = page.get_by_role("listitem", name="Starter")
    await expect(card).to_contain_text("On trial")
    await card.get_by_role("button", name="Change plan: Starter").click()
    dialog = page.get_by_role("dialog", name="Change the plan")
    await dialog.get_by_label("New plan").select_option("Pro")
    await expect(dialog).to_contain_text("Change when this trial is over, or buy that plan.")


async def test_who_turns_back_can_continue_later(windows: Windows, site: Site) -> None:
    page = await windows.visit("/billing", "bob", workspace=site.beta, view="plans")
    windows.watches[0].expect("404")
    await page.get_by_role("button", name="Buy once: Starter").click()
    await page.wait_for_url(f"{site.shop}/**")
    await page.get_by_role("link", name="Back without paying").click()
    await expect(page.get_by_role("heading", name="Nothing was paid")).to_be_visible()
    await page.get_by_role("link", name="Subscriptions").click()
    card = page.get_by_role("listitem", name="Starter")
    await expect(card).to_contain_text("Awaiting payment")
    await card.get_by_role("button", name="Continue to payment: Starter").click()
    await page.wait_for_url(f"{site.shop}/**")
    await page.get_by_role("button", name=re.compile(r"^Pay \d")).click()
    await expect(page.get_by_role("heading", name="Thank you, it is yours")).to_be_visible()
    assert [one["plan"] for one in site.call("/billing/usage", "bob", workspace=site.beta)].count("starter") == 1


async def test_admins_see_what_the_provider_said_what_was_earned_and_that_all_agrees(
    windows: Windows, site: Site
) -> None:
    page = await windows.visit("/billing", "bob", view="plans")
    await buy(page, windows.watches[-1], "Buy once: Pro", site)
    page = await windows.visit("/billing-admin", "su", view="webhooks")
    event = page.get_by_role("row").filter(has_text="checkout").first
    await expect(event).to_contain_text("Done")
    await event.get_by_role("button", name="Show details").click()
    await expect(page.get_by_role("table", name="Webhooks").locator("pre")).to_contain_text('"id"')
    await event.get_by_role("button", name=re.compile("^Replay")).click()
    await expect(page.get_by_text("Taken up once more.")).to_be_visible()

    await page.get_by_role("link", name="Revenue").click()
    earned = site.call("/billing/revenue?from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z", "su")
    (pro,) = [each for each in earned if each["plan"] == "pro"]
    sold = page.get_by_role("table", name="Revenue").get_by_role("row").filter(has_text="pro")
    assert pro["plan_name"] == "Pro"
    await expect(sold.get_by_role("cell").first).to_contain_text("Pro pro")
    await expect(sold).to_contain_text(f"US${pro['gross'] / 100:.2f}")
    await page.get_by_role("link", name="Sync").click()
    await page.get_by_role("button", name="Compare only").click()
    await expect(page.get_by_role("heading", name="What came of it")).to_be_visible()
    await page.get_by_role("button", name="All of them").click()
    await expect(page.get_by_role("table", name="Last comparisons").get_by_role("row").nth(1)).to_be_visible()
