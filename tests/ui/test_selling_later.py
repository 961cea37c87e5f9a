"""What takes weeks in a shop, with nothing made up: the stage's Stripe is moved on, and its own pages are used."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect

from tests.ui.conftest import Windows
from tests.ui.site import Site, staged
from tests.ui.test_selling import buy

MONTH_S = 31 * 86_400


@pytest_asyncio.fixture(loop_scope="session")
async def later(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A stage for each test: time passes on it."""
    async with staged(tmp_path_factory.mktemp("later")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def there(browser: Browser, later: Site) -> AsyncIterator[Windows]:
    opened = Windows(browser, later)
    yield opened
    await opened.close()
    assert [wrong for watch in opened.watches for wrong in watch.wrong] == []


def card_of(page: Page, plan: str) -> Locator:
    return page.get_by_role("listitem", name=plan)


async def seen(page: Page, card: Locator, words: str) -> None:
    """Look again until the provider's message has arrived."""
    for _ in range(100):
        await page.get_by_role("button", name="Refresh").click()
        if words in await card.inner_text():
            return
        await page.wait_for_timeout(100)
    await expect(card).to_contain_text(words)


async def test_a_bank_transfer_is_waited_for_until_it_arrives(there: Windows, later: Site) -> None:
    later.newcomer("frida")
    page = await there.visit("/billing", "frida", view="plans")
    there.watches[-1].expect("404")
    await page.get_by_role("button", name="Buy once: Pro").click()
    await page.get_by_role("button", name="Pay by bank transfer").click()
    await page.wait_for_url(re.compile("/billing-success"))
    await expect(page.get_by_text("The payment is being confirmed.")).to_be_visible()
    await expect(page.get_by_text("Awaiting payment")).to_be_visible()
    await later.happen("settle")
    await expect(page.get_by_role("heading", name="Thank you, it is yours")).to_be_visible()
    assert await page.evaluate("sessionStorage.getItem('weighbridge.checkout')") is None


async def test_a_bank_transfer_that_fails_ends_the_order(there: Windows, later: Site) -> None:
    later.newcomer("gustav")
    page = await there.visit("/billing", "gustav", view="plans")
    there.watches[-1].expect("404")
    await page.get_by_role("button", name="Buy once: Starter").click()
    await page.get_by_role("button", name="Pay by bank transfer").click()
    await page.wait_for_url(re.compile("/billing-success"))
    await page.get_by_role("link", name="Subscriptions").click()
    card = card_of(page, "Starter")
    await expect(card).to_contain_text("Awaiting payment")
    await card.get_by_role("button", name="Check status: Starter").click()
    await expect(page.get_by_text("Checked with the payment provider.")).to_be_visible()
    await later.happen("fail")
    await seen(page, card, "Cancelled")
    await expect(card).to_contain_text("gives no budget any more")


async def test_an_order_that_was_left_can_be_dropped(there: Windows) -> None:
    page = await there.visit("/billing", "bob", view="plans")
    there.watches[-1].expect("404")
    await page.get_by_role("button", name="Buy once: Starter").click()
    await page.get_by_role("link", name="Back without paying").click()
    await page.get_by_role("link", name="Subscriptions").click()
    card = card_of(page, "Starter")
    await card.get_by_role("button", name="Cancel subscription: Starter").click()
    dialog = page.get_by_role("dialog", name="Cancel this subscription?")
    await expect(dialog).to_contain_text("The purchase is dropped")
    await dialog.get_by_role("button", name="Cancel subscription").click()
    await expect(page.get_by_text("Dropped: it can be paid no more.")).to_be_visible()
    await expect(card.get_by_text("Cancelled").first).to_be_visible()


async def test_a_renewal_that_fails_is_paid_by_its_invoice(there: Windows, later: Site) -> None:
    later.newcomer("hedda")
    page = await there.visit("/billing", "hedda", view="plans")
    await buy(page, there.watches[-1], "Subscribe: Pro", later)
    await page.get_by_role("link", name="Plans and usage").click()
    await page.get_by_role("link", name="Subscriptions").click()
    card = card_of(page, "Pro")
    await expect(card).to_contain_text("Renews")

    await page.get_by_role("button", name="Cards and invoices").click()
    await page.wait_for_url(f"{later.shop}/portal/**")
    await page.get_by_role("button", name="Use a card that is declined").click()
    await page.get_by_role("link", name="Back").click()
    await page.wait_for_url("**/billing#/subscriptions")
    await later.happen(f"advance {MONTH_S}")
    await seen(page, card, "Payment failed")
    await expect(card).to_contain_text("pay the open invoice")

    await card.get_by_role("button", name="Pay the invoice: Pro").click()
    await page.wait_for_url(f"{later.shop}/invoices/**")
    await expect(page.get_by_text("is paid now, with a card that works")).to_be_visible()
    await page.goto(f"{later.url}/billing#/subscriptions")
    await seen(page, card, "Active")


async def test_a_cancelled_subscription_ends_with_its_time(there: Windows, later: Site) -> None:
    later.newcomer("ivar")
    page = await there.visit("/billing", "ivar", view="plans")
    await buy(page, there.watches[-1], "Subscribe: Pro", later)
    await page.goto(f"{later.url}/billing#/subscriptions")
    card = card_of(page, "Pro")
    await card.get_by_role("button", name="Cancel subscription: Pro").click()
    await page.get_by_role("dialog").get_by_role("button", name="Cancel subscription").click()
    await expect(card).to_contain_text("Ends soon")
    await later.happen(f"advance {MONTH_S}")
    await seen(page, card, "Cancelled")
    await expect(card.get_by_role("button", name="Keep it: Pro")).to_have_count(0)
