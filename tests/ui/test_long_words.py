"""Names of one very long word: they are broken, and widen neither a page nor a table."""

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.ui.conftest import Windows
from tests.ui.samples import LONG, PAYMENTS, PLANS, about, subscription
from tests.ui.site import PHONE, answer

TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
DESKTOP = {"width": 1280, "height": 900}
NAME = LONG["name"]


async def with_long_names(page: Page, url: str) -> None:
    paid: dict[str, Any] = {**PAYMENTS, "data": [PAYMENTS["data"][0] | {"plan": LONG["slug"], "description": NAME}]}
    await answer(page, "**/billing/about", about(url))
    await answer(page, "**/billing/plan?*", [*PLANS, LONG])
    await answer(page, "**/billing/subscription?*", [subscription(1, LONG)], only=("GET",))
    await answer(page, "**/billing/subscription/all?*", [subscription(1, LONG)])
    await answer(page, "**/billing/payment?*", paid)


@pytest.mark.parametrize("view", ["plans", "subscriptions", "payments"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
async def test_a_long_name_widens_no_customers_page(windows: Windows, view: str, size: dict[str, int]) -> None:
    page, _ = await windows.open(viewport=size)
    await with_long_names(page, windows.site.url)
    await page.goto(windows.site.address("/billing", "alice", view=view))
    await expect(page.get_by_text(NAME, exact=True).first).to_be_visible()
    assert await page.evaluate(TOO_WIDE) == 0
    for box in await page.locator(".plan, .card, .table-box").all():
        assert await box.evaluate("box => box.scrollWidth - box.clientWidth") <= 1


@pytest.mark.parametrize("view", ["plans", "subscriptions"])
async def test_a_long_name_pushes_no_button_out_of_an_admins_table(windows: Windows, view: str) -> None:
    page, _ = await windows.open(viewport=DESKTOP)
    await with_long_names(page, windows.site.url)
    await page.goto(windows.site.address("/billing-admin", "su", view=view))
    await expect(page.get_by_role("cell").get_by_text(NAME, exact=True).first).to_be_visible()
    assert await page.evaluate(TOO_WIDE) == 0
    assert await page.locator(".table-box").evaluate("box => box.scrollWidth - box.clientWidth") <= 1
