"""Where the focus is when what had it is gone: never nowhere, which is the top of the page for who has no mouse."""

from playwright.async_api import Page, expect

from tests.ui.admin_acts import opens, seed
from tests.ui.conftest import Windows
from tests.ui.site import Site


async def delete(page: Page, name: str) -> None:
    """Press a button and answer the question that follows, all by keyboard."""
    await page.get_by_role("button", name=name, exact=True).focus()
    await page.keyboard.press("Enter")
    sure = page.get_by_role("dialog").last.get_by_role("button", name=name.partition(":")[0], exact=True)
    await sure.focus()
    await page.keyboard.press("Enter")


async def test_after_a_deletion_the_next_row_has_the_focus_and_after_the_last_the_heading(
    windows: Windows, site: Site
) -> None:
    slug = seed(site).lower().replace(" ", "-")
    page = await windows.visit("/billing-admin", "su", view="weights")
    await page.get_by_label("Search").fill(f"/{slug}")
    rows = page.get_by_role("table", name="Endpoint weights").get_by_role("row")
    await expect(rows).to_have_count(3)
    first, other = [
        await rows.nth(at).get_by_role("button", name="Delete").get_attribute("aria-label") for at in (1, 2)
    ]
    assert first is not None
    assert other is not None
    await delete(page, first)
    await expect(rows).to_have_count(2)
    await expect(page.get_by_role("button", name=other.replace("Delete", "Edit"))).to_be_focused()
    await delete(page, other)
    await expect(page.get_by_text("Nothing found")).to_be_visible()
    await expect(page.get_by_role("heading", name="Endpoint weights", level=2)).to_be_focused()


async def test_a_plan_that_is_gone_leaves_the_focus_beside_it(windows: Windows, site: Site) -> None:
    name = seed(site)
    page = await windows.visit("/billing-admin", "su", view="plans")
    await page.get_by_label("Search").fill(name)
    await expect(page.get_by_role("table", name="Plans").get_by_role("row")).to_have_count(3)
    await delete(page, f"Delete: {name} free")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.get_by_role("button", name=f"Edit: {name}", exact=True)).to_be_focused()


async def test_a_row_of_a_form_that_is_taken_out_leaves_the_focus_in_the_form(windows: Windows, site: Site) -> None:
    name = seed(site)
    page = await windows.visit("/billing-admin", "su", view="plans")
    await opens("New plan")(page, name)
    form = page.get_by_role("dialog")
    await form.get_by_role("button", name="Add price").click()
    await form.get_by_role("button", name="Remove the price in USD").focus()
    await page.keyboard.press("Enter")
    await expect(form.get_by_label("Amount")).to_have_count(0)
    await expect(form.get_by_role("heading", name="New plan")).to_be_focused()
