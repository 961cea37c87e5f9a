"""Pictures of the administrator's page: its door, every view, and what opens over them."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from playwright.async_api import Page

from tests.ui.samples import REVENUE
from tests.ui.site import Site, answer

VIEWS = (
    *("overview", "plans", "subscriptions", "weights", "keys", "usage", "revenue", "webhooks", "sync", "audit"),
    "config",
)
Shoot = Callable[..., Awaitable[None]]


async def take(page: Page, site: Site, folder: Path, suffix: str, shoot: Shoot) -> None:
    """All of them, with a gateway that has something to show."""
    await page.evaluate("sessionStorage.clear()")
    await page.goto("about:blank")
    await page.goto(site.address("/billing-admin", None))
    await shoot(page, folder / f"admin-sign-in-{suffix}.png")
    await answer(page, "**/billing/revenue?*", REVENUE)
    await page.goto("about:blank")
    await page.goto(site.address("/billing-admin", "su", view=VIEWS[0]))
    await page.locator(".toast").get_by_role("button", name="Dismiss").click()
    for view in VIEWS:
        await _go(page, view)
        if view == "weights":
            await page.get_by_role("region", name="Try a path").get_by_label("Path").fill("/message/conversation")
            await page.get_by_role("button", name="What does it cost?").click()
        if view == "audit":
            await page.get_by_role("button", name="Show details").first.click()
        await shoot(page, folder / f"admin-{view}-{suffix}.png")
    await _dialogs(page, folder, suffix, shoot)


async def _go(page: Page, view: str) -> None:
    await page.evaluate("view => { location.hash = `#/${view}`; }", view)


async def _dialogs(page: Page, folder: Path, suffix: str, shoot: Shoot) -> None:
    for view, button, name in (
        ("plans", "Edit: Team", "plan-form"),
        ("plans", "Prices: Team", "prices"),
        ("subscriptions", "Give subscription", "grant"),
        ("subscriptions", "Manage: Team", "manage"),
        ("keys", "New key", "key-form"),
        ("weights", "New weight", "weight-form"),
    ):
        await _go(page, view)
        await page.get_by_role("button", name=button).first.click()
        await shoot(page, folder / f"admin-{name}-{suffix}.png", full=False)
        if name == "weight-form":
            await page.get_by_role("dialog").get_by_label("Path").fill("/reports/**")
            await page.keyboard.press("Escape")
            await shoot(page, folder / f"admin-leaving-{suffix}.png", full=False)
            await page.get_by_role("button", name="Discard it").click()
        else:
            await page.keyboard.press("Escape")
