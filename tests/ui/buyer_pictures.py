"""Pictures of what happens to buyers: leaving for the shop and coming back, being refused, being asked who they are."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from playwright.async_api import Page

from tests.ui.samples import PLANS, SUBSCRIPTIONS, about, subscription
from tests.ui.site import Site, answer


class Shoot(Protocol):
    """Take a picture of a page, whole or as much as its window shows."""

    async def __call__(self, page: Page, path: Path, *, full: bool = True) -> None: ...


async def take(page: Page, site: Site, folder: Path, suffix: str, shoot: Shoot) -> None:
    """Write them all. ``page``: nobody is signed in, and made-up answers stand for the shop's."""
    await afresh(page, site.address("/billing-cancel", None))
    await shoot(page, folder / f"cancel-{suffix}.png")
    await answer(page, "**/billing/subscription/sync?*", SUBSCRIPTIONS[1])
    trial = subscription(8, PLANS[1], status="trialing")
    for name, row in (("pending", SUBSCRIPTIONS[1]), ("success", trial)):
        await answer(page, "**/billing/subscription?*", [row], only=("GET",))
        await afresh(page, site.address("/billing-success", "alice"))
        await shoot(page, folder / f"{name}-{suffix}.png")
    await answer(page, "**/billing/subscription?*", SUBSCRIPTIONS, only=("GET",))
    await afresh(page, site.address("/billing", "alice", view="subscriptions"))
    await answer(page, "**/billing/subscription/reactivate?*", {"message": "The disk is on fire."}, status=500)
    await page.get_by_role("button", name="Keep it: Scale").click()
    await page.locator(".toast.bad").wait_for()
    await shoot(page, folder / f"customer-failed-{suffix}.png", full=False)
    await page.locator(".toast.bad .close").click()
    await page.get_by_role("button", name="Cancel subscription: Team").click()
    await shoot(page, folder / f"customer-cancel-dialog-{suffix}.png", full=False)
    await page.keyboard.press("Escape")
    await page.evaluate("hash => { location.hash = hash }", f"access_token={site.tokens['bob']}")
    await shoot(page, folder / f"customer-handed-over-{suffix}.png", full=False)
    await page.keyboard.press("Escape")
    await _some_refused(page, site)
    await shoot(page, folder / f"customer-some-refused-{suffix}.png")
    await answer(page, "**/billing/about", about(site.url, providers=()))
    await answer(page, "**/billing/usage", [])
    await answer(page, "**/billing/plan?*", [])
    await afresh(page, site.address("/billing", "alice"))
    await shoot(page, folder / f"customer-empty-{suffix}.png")


async def _some_refused(page: Page, site: Site) -> None:
    """Something is left, and less than what a message costs."""
    full = datetime.now(UTC) + timedelta(minutes=59, seconds=49)
    limit: dict[str, object] = {"scope": "user", "unlimited": False, "throughput_limit": 1_000, "window_seconds": 3600}
    limit |= {"current_usage": 997, "remaining": 3, "fallback": False, "plan": "Starter", "purse": 0}
    limit |= {"meter": "throughput", "refill": "continuous", "resets_at": full.isoformat()}
    await answer(page, "**/billing/usage", [limit])
    point: dict[str, object] = {
        "start": "2199-01-01T00:00:00Z",
        "rule": "POST /message/whatsapp",
        "meter": "throughput",
    }
    point |= {"amount": 0, "requests": 0, "refused": 12}
    rules = {"POST /message/whatsapp": {"cost": {"throughput": 5}, "pays": ["workspace", "user"]}}
    history = {"granularity": "minute", "from": point["start"], "to": point["start"], "by": "rule", "points": [point]}
    await answer(page, "**/billing/usage/history?*", history | {"rules": rules})
    await afresh(page, site.address("/billing", "alice"))


async def afresh(page: Page, address: str) -> None:
    """From another page, so that a fragment is read anew; nobody is signed in before."""
    await page.goto("about:blank")
    await page.goto("/".join([*address.split("/")[:3], "billing-cancel"]))
    await page.evaluate("sessionStorage.clear()")
    await page.goto("about:blank")
    await page.goto(address)
