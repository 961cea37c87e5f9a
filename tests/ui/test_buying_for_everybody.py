"""What opens over the customer's page, and the pages that buyers come back to: for every eye and every window."""

from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Page, expect

from tests.ui.conftest import Windows
from tests.ui.samples import PLANS, SUBSCRIPTIONS, about, subscription
from tests.ui.site import PHONE, answer
from tests.ui.test_accessibility import WIDE, examined

DESKTOP = {"width": 1280, "height": 900}
FITS = """() => [...document.querySelectorAll('dialog[open]'), document.documentElement]
    .filter(one => one.scrollWidth > one.clientWidth || one.getBoundingClientRect().right > innerWidth)
    .map(one => `${one.tagName}: ${one.scrollWidth} in ${one.clientWidth}`)"""


async def at_the_shop(windows: Windows, size: dict[str, int]) -> Page:
    page, _ = await windows.open(viewport=size)
    await answer(page, "**/billing/about", about(windows.site.url))
    await answer(page, "**/billing/plan?*", PLANS)
    await answer(page, "**/billing/subscription?*", SUBSCRIPTIONS, only=("GET",))
    lines = [
        {"description": "A plan with a very long name, of which half is left", "amount": 123_456, "currency": "usd"}
    ]
    await answer(page, "**/billing/subscription/*/preview", {"amount_due": 123_456, "currency": "usd", "lines": lines})
    return page


async def cancelling(windows: Windows, size: dict[str, int]) -> Page:
    page = await at_the_shop(windows, size)
    await page.goto(windows.site.address("/billing", "alice", view="subscriptions"))
    await page.get_by_role("button", name="Cancel subscription: Team").click()
    await expect(page.get_by_role("dialog", name="Cancel this subscription?")).to_be_visible()
    return page


async def changing(windows: Windows, size: dict[str, int]) -> Page:
    page = await at_the_shop(windows, size)
    await page.goto(windows.site.address("/billing", "alice", view="subscriptions"))
    await page.get_by_role("button", name="Change plan: Team").click()
    dialog = page.get_by_role("dialog", name="Change the plan")
    await dialog.get_by_label("New plan").select_option("Scale")
    await expect(dialog).to_contain_text("Due now: ")
    return page


async def handed_over(windows: Windows, size: dict[str, int]) -> Page:
    page = await at_the_shop(windows, size)
    await page.goto(windows.site.address("/billing", "alice"))
    await expect(page.get_by_role("heading", name="Usage", exact=True)).to_be_visible()
    await page.evaluate("hash => { location.hash = hash }", f"access_token={windows.site.tokens['bob']}")
    await expect(page.get_by_role("dialog", name="Sign in as somebody else?")).to_contain_text("Bob")
    return page


async def expired(windows: Windows, size: dict[str, int]) -> Page:
    page = await at_the_shop(windows, size)
    windows.watches[-1].expect("401")
    await answer(page, "**/billing/usage", {"message": "token is expired"}, status=401)
    await page.goto(windows.site.address("/billing", "alice"))
    await expect(page.get_by_role("dialog", name="Sign in again")).to_be_visible()
    return page


async def failed(windows: Windows, size: dict[str, int]) -> Page:
    page = await at_the_shop(windows, size)
    windows.watches[-1].expect("500")
    await answer(page, "**/billing/subscription/reactivate?*", {"message": "The disk is on fire."}, status=500)
    await page.goto(windows.site.address("/billing", "alice", view="subscriptions"))
    await page.get_by_role("button", name="Keep it: Scale").click()
    await expect(page.locator(".toast.bad")).to_contain_text("The disk is on fire.")
    return page


async def pending(windows: Windows, size: dict[str, int]) -> Page:
    page = await at_the_shop(windows, size)
    await answer(page, "**/billing/subscription?*", [SUBSCRIPTIONS[1]], only=("GET",))
    await answer(page, "**/billing/subscription/sync?*", SUBSCRIPTIONS[1])
    await page.goto(windows.site.address("/billing-success", "alice"))
    await expect(page.get_by_text("The payment is being confirmed.")).to_be_visible()
    return page


async def success(windows: Windows, size: dict[str, int]) -> Page:
    page = await at_the_shop(windows, size)
    await answer(page, "**/billing/subscription?*", [subscription(8, PLANS[1])], only=("GET",))
    await page.goto(windows.site.address("/billing-success", "alice"))
    await expect(page.get_by_role("heading", name="Thank you, it is yours")).to_be_visible()
    return page


async def cancelled(windows: Windows, size: dict[str, int]) -> Page:
    page = await at_the_shop(windows, size)
    await page.goto(windows.site.address("/billing-cancel", None))
    await expect(page.get_by_role("heading", name="Nothing was paid")).to_be_visible()
    return page


Scene = Callable[[Windows, dict[str, int]], Awaitable[Page]]
SCENES = [cancelling, changing, handed_over, expired, failed, pending, success, cancelled]


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
async def test_axe_finds_nothing_where_something_is_bought(windows: Windows, scene: Scene) -> None:
    assert await examined(await scene(windows, DESKTOP)) == []


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
async def test_what_opens_fits_its_window(windows: Windows, scene: Scene) -> None:
    for size in (PHONE, WIDE):
        page = await scene(windows, size)
        assert await page.evaluate(FITS) == [], size
        assert await examined(page) == [], size
