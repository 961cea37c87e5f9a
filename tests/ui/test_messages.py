"""Short messages: where they are said, so that everybody hears them and can close them."""

from playwright.async_api import Page, expect

from tests.ui.conftest import Windows
from tests.ui.site import violations
from tests.ui.test_admin import admin, make_plan

NO_CLIPBOARD = "() => { navigator.clipboard.writeText = () => Promise.reject(new Error('not allowed')); }"


async def shown_key(page: Page, user_id: str) -> None:
    await page.get_by_role("button", name="New key").click()
    form = page.get_by_role("dialog", name="New key")
    await form.get_by_label("Name", exact=True).fill("spoken of")
    await form.get_by_label("User", exact=True).fill(user_id)
    await form.get_by_role("button", name=user_id).click()
    await form.get_by_role("button", name="Create").click()


async def test_what_is_said_over_an_open_dialog_is_said_in_it_and_can_be_closed_there(windows: Windows) -> None:
    page = await admin(windows, "keys")
    await page.evaluate(NO_CLIPBOARD)
    await shown_key(page, "5a000000-0000-4000-8000-000000000001")
    dialog = page.get_by_role("dialog", name="Your new key")
    region = dialog.get_by_role("status")
    await expect(region, "it is there before it says anything, or nobody is told").to_be_empty()
    await dialog.get_by_role("button", name="Copy").click()
    await expect(region).to_contain_text("by hand")
    assert await violations(page) == []
    await region.get_by_role("button", name="Dismiss").click()
    await expect(region).to_be_empty()

    await dialog.get_by_role("button", name="Copy").click()
    await expect(region).to_contain_text("by hand")
    await dialog.get_by_role("button", name="I have kept it").click()
    await expect(dialog).to_have_count(0)
    await expect(page.get_by_role("status").filter(has_text="by hand"), "and outlives the dialog").to_be_visible()
    await page.get_by_role("button", name="Dismiss").click()
    await expect(page.get_by_text("by hand")).to_have_count(0)


async def test_of_two_dialogs_the_upper_one_says_it(windows: Windows) -> None:
    page = await admin(windows, "plans")
    await make_plan(page, "Spoken", amount="7")
    await page.get_by_role("button", name="Prices: Spoken").click()
    prices = page.get_by_role("dialog", name="Prices of Spoken")
    said = prices.get_by_role("status")
    await prices.get_by_label("Amount in USD").fill("59.5")
    await prices.get_by_role("listitem").filter(has_text="USD").get_by_role("button", name="Save").click()
    await expect(said.get_by_text("The price was saved.")).to_be_visible()
    await prices.get_by_role("button", name="Remove the price in JPY").click()
    sure = page.get_by_role("dialog", name="Remove the price in JPY?")
    await expect(sure.get_by_role("status").get_by_text("The price was saved.")).to_be_visible()
    await expect(said, "under the question nobody can reach it").to_be_empty()
    note = sure.locator(".toast").filter(has_text="The price was saved.")
    await note.get_by_role("button", name="Dismiss").click()
    await expect(note).to_have_count(0)
    await sure.get_by_role("button", name="Remove").click()
    await expect(said.get_by_text("The price was removed.")).to_be_visible()
