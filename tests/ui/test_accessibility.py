import pytest
from playwright.async_api import Page, expect

from tests.ui.conftest import Windows
from tests.ui.samples import PAYMENTS, PLANS, SUBSCRIPTIONS, about
from tests.ui.site import PHONE, answer, violations

WIDE = {"width": 2560, "height": 1300}
CUSTOMER = ["plans", "subscriptions", "payments"]
ADMIN = [
    "overview",
    "plans",
    "subscriptions",
    "weights",
    "keys",
    "usage",
    "revenue",
    "webhooks",
    "sync",
    "audit",
    "config",
]


async def looked_at(windows: Windows, path: str, view: str, who: str | None, **how: object) -> Page:
    """A view, filled, at a gateway that sells."""
    page, _ = await windows.open(**how)
    if path == "/billing":
        await answer(page, "**/billing/about", about(windows.site.url))
        await answer(page, "**/billing/plan?*", PLANS)
        await answer(page, "**/billing/subscription?*", SUBSCRIPTIONS)
        await answer(page, "**/billing/payment?*", PAYMENTS)
    workspace = windows.site.acme if path == "/billing" and who == "alice" else None
    await page.goto(windows.site.address(path, who, workspace=workspace, view=view))
    await expect(page.locator(".skeleton")).to_have_count(0)
    await page.wait_for_load_state("networkidle")
    return page


async def examined(page: Page) -> list[str]:
    """What axe finds, and what of its contrast it finds in the dark."""
    found = await violations(page)
    await page.emulate_media(color_scheme="dark")
    return found + await violations(page, "color-contrast")


@pytest.mark.parametrize("view", CUSTOMER)
async def test_axe_finds_nothing_on_the_customers_page(windows: Windows, view: str) -> None:
    page = await looked_at(windows, "/billing", view, "alice")
    assert await examined(page) == []


async def test_axe_finds_nothing_on_the_admins_page(windows: Windows) -> None:
    page = await looked_at(windows, "/billing-admin", ADMIN[0], "su")
    for view in ADMIN:
        await page.emulate_media(color_scheme="light")
        await page.evaluate("view => { location.hash = `#/${view}`; }", view)
        await expect(page.locator(".skeleton")).to_have_count(0)
        await page.wait_for_load_state("networkidle")
        assert await examined(page) == [], view


async def test_axe_finds_nothing_on_doors_menus_and_refusals(windows: Windows) -> None:
    for path, view, who in (("/billing-admin", "", None), ("/billing-cancel", "", None), ("/billing", "plans", "dave")):
        page = await looked_at(windows, path, view, who)
        await page.get_by_text("Menu", exact=True).click()
        assert await examined(page) == []


async def test_axe_finds_nothing_in_a_form_with_errors(windows: Windows) -> None:
    page = await looked_at(windows, "/billing-admin", "plans", "su")
    windows.watches[-1].expect("422")
    await page.get_by_role("button", name="New plan").click()
    form = page.get_by_role("dialog", name="New plan")
    await form.get_by_label("Name", exact=True).fill("x")
    await form.get_by_label("Slug").fill("no slug!")
    await form.get_by_role("button", name="Add price").click()
    await form.get_by_label("Amount").fill("1.2")
    await form.get_by_role("button", name="Create").click()
    await expect(form.get_by_role("alert")).to_be_visible()
    assert await examined(page) == []


@pytest.mark.parametrize("size", [PHONE, WIDE], ids=["phone", "wide"])
async def test_no_view_is_wider_than_its_window(windows: Windows, size: dict[str, int]) -> None:
    for path, who, views in (("/billing", "alice", CUSTOMER), ("/billing-admin", "su", ADMIN)):
        page = await looked_at(windows, path, views[0], who, viewport=size)
        for view in views:
            await page.evaluate("view => { location.hash = `#/${view}`; }", view)
            await expect(page.locator(".skeleton")).to_have_count(0)
            await page.wait_for_load_state("networkidle")
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert wide <= size["width"], f"{path} {view}: {wide}"


async def test_everything_can_be_done_with_the_keyboard(windows: Windows) -> None:
    page = await windows.visit("/billing-admin", "su", view="weights")
    await expect(page.get_by_role("button", name="New weight")).to_be_visible()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("main")).to_be_focused()
    for _ in range(4):
        await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="New weight")).to_be_focused()
    await page.keyboard.press("Enter")
    form = page.get_by_role("dialog", name="New weight")
    await expect(form).to_be_visible()
    focused = "document.activeElement.closest('dialog') !== null"
    for _ in range(12):
        await page.keyboard.press("Tab")
    assert await page.evaluate(f"{focused} || document.activeElement === document.body")
    await page.keyboard.press("Escape")
    await expect(form).to_be_hidden()
    await expect(page.get_by_role("button", name="New weight")).to_be_focused()


async def test_who_wants_less_motion_gets_none(windows: Windows) -> None:
    page = await windows.visit("/billing", "alice", reduced_motion="reduce")
    await expect(page.get_by_role("meter", name="You")).to_be_visible()
    running = "document.getAnimations().filter(one => one.effect.getComputedTiming().duration > 1).length"
    assert await page.evaluate(running) == 0
