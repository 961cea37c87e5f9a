"""Pictures of every page, light and dark, on a desktop and on a phone: ``python -m tests.ui.screenshots FOLDER``.

The gateway is a real one; what takes weeks to happen (a month's usage, sales) is put in by hand.
"""

import asyncio
import random
import shutil
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, Route, async_playwright

from tests.ui import admin_pictures, buyer_pictures
from tests.ui.chromium import FLAGS, program
from tests.ui.samples import PAYMENTS, PLANS, SUBSCRIPTIONS, about
from tests.ui.site import PHONE, Site, answer, staged

DESKTOP, WIDE = {"width": 1280, "height": 860}, {"width": 2560, "height": 1300}
LOOKS = (
    ("light", "desktop", DESKTOP),
    ("light", "phone", PHONE),
    ("light", "wide", WIDE),
    ("dark", "desktop", DESKTOP),
    ("dark", "phone", PHONE),
)
CUSTOMER = ("plans", "subscriptions", "payments")
RULES = ("POST /message/whatsapp", "GET /message/**", "ANY /contact", "POST /media/whatsapp/upload", "GET /campaign/**")
_SIZES = {"minute": 60, "hour": 3_600, "day": 86_400}


async def main(folder: Path) -> None:
    """Write them all."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(prefix="weighbridge-screenshots-"))
    try:
        async with staged(stage) as site, async_playwright() as playwright:
            await asyncio.to_thread(_live, site)
            browser = await playwright.chromium.launch(executable_path=program(), args=list(FLAGS))
            for scheme, name, size in LOOKS:
                await _all(browser, site, folder, f"{name}-{scheme}", {"color_scheme": scheme, "viewport": size})
            await browser.close()
    finally:
        shutil.rmtree(stage)


async def _all(browser: Browser, site: Site, folder: Path, suffix: str, how: dict[str, Any]) -> None:
    context = await browser.new_context(locale="en-GB", timezone_id="Europe/Lisbon", device_scale_factor=1, **how)
    page = await context.new_page()
    await page.goto(site.address("/billing", None))
    await _shoot(page, folder / f"sign-in-{suffix}.png")
    await _fill(page, site)
    for view in CUSTOMER:
        await page.goto("about:blank")
        await page.goto(site.address("/billing", "alice", workspace=site.acme, view=view))
        await _shoot(page, folder / f"customer-{view}-{suffix}.png")
    await page.goto("about:blank")
    await page.unroute("**/billing/usage/history?*")
    await page.unroute("**/billing/usage")
    await answer(page, "**/billing/subscription?*", [])
    await buyer_pictures.afresh(page, site.address("/billing", "dave", view="plans"))
    await _shoot(page, folder / f"customer-refused-{suffix}.png", full="phone" not in suffix)
    await page.goto("about:blank")
    await page.unroute_all()
    await _fill(page, site)
    await buyer_pictures.take(page, site, folder, suffix, _shoot)
    await page.goto("about:blank")
    await page.unroute_all()
    await page.goto(site.address("/billing", None))
    await _history(page)
    await admin_pictures.take(page, site, folder, suffix, _shoot)
    await context.close()


async def _shoot(page: Page, path: Path, *, full: bool = True) -> None:
    await page.wait_for_load_state("networkidle")
    await page.locator(".skeleton").first.wait_for(state="detached")
    await page.wait_for_timeout(400)  # charts are drawn a frame after their data
    for close in await page.locator(".toast:not(.bad) .close").all():
        await close.click()
    await page.screenshot(path=path, full_page=full)


async def _fill(page: Page, site: Site) -> None:
    await answer(page, "**/billing/about", about(site.url))
    await answer(page, "**/billing/plan?*", PLANS)
    await answer(page, "**/billing/subscription?*", SUBSCRIPTIONS)
    await answer(page, "**/billing/subscription?*active=true*", SUBSCRIPTIONS[:1])
    await answer(page, "**/billing/payment?*", PAYMENTS)
    shown = [
        _usage("workspace", "Team", 20_000, 17_900, minutes=14),
        _usage("user", "Free", 1_000, 212, minutes=38),
        _usage("user", "Free", 100, 4, minutes=38) | {"fallback": True},
    ]
    await answer(page, "**/billing/usage", shown)
    await _history(page)


def _usage(scope: str, plan: str, limit: int, used: int, *, minutes: int) -> dict[str, object]:
    resets = (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()
    facts: dict[str, object] = {"scope": scope, "unlimited": False, "throughput_limit": limit, "window_seconds": 3600}
    facts |= {"current_usage": used, "remaining": limit - used, "fallback": False, "meter": "throughput"}
    return facts | {"plan": plan, "refill": "interval", "resets_at": resets}


async def _history(page: Page) -> None:
    """Each history that is asked for, with the ups and downs of a working day."""

    async def fulfil(route: Route) -> None:
        query = route.request.url.partition("?")[2]
        granularity = next((name for name in _SIZES if f"granularity={name}" in query), "day")
        await route.fulfill(json=_made_up(granularity))

    await page.route("**/billing/usage/history?*", fulfil)


def _made_up(granularity: str) -> dict[str, object]:
    size, chance, now = _SIZES[granularity], random.Random(7), int(datetime.now(UTC).timestamp())
    points = []
    for back in range(60 if granularity == "minute" else 30):
        start = datetime.fromtimestamp((now // size - back) * size, UTC).isoformat()
        level = 0.45 + 0.4 * abs(((back * 7) % 46) / 23 - 1) + chance.random() * 0.25
        for at, rule in enumerate(RULES):
            requests = int(level * (34 >> at) * (size // 60) ** 0.5) + chance.randrange(3)
            amount = requests * (5, 2, 1, 10, 3)[at]
            facts = {"start": start, "rule": rule, "meter": "throughput", "amount": amount, "requests": requests}
            points.append(facts | {"refused": 0, "overrun": 0})
    return {"granularity": granularity, "from": points[-1]["start"], "to": points[0]["start"], "points": points}


def _live(site: Site) -> None:
    """A few real requests, plans, keys and subscriptions, for the admin's tables."""
    for method, pattern, weight, note in (
        ("POST", "/media/**", 10, "uploads are stored twice"),
        ("GET", "/message/{kind}", 4, "lists of messages are long"),
    ):
        body = {"method": method, "path_pattern": pattern, "weight": weight, "description": note}
        site.call("/billing/endpoint-weight", "su", method="POST", body=body)
    for path, times in (("/contact", 40), ("/message/conversation", 25), ("/status", 9)):
        for _ in range(times):
            site.call(path, "alice", workspace=site.acme)
    for _ in range(18):
        site.call("/message/whatsapp", "bob", method="POST", workspace=site.acme)
    for _ in range(6):
        site.call("/contact", "dave", workspace=site.beta)
    for plan in PLANS[1:]:
        prices = [{name: price[name] for name in ("currency", "price_cents")} for price in plan["prices"]]
        said = {name: plan[name] for name in ("name", "slug", "description", "throughput_limit", "window_seconds")}
        said["slug"] = f"{said['slug']}-2026"
        made = site.call("/billing/plan", "su", method="POST", body=said | {"duration_days": 30, "prices": prices})
        user = "0b3f6f9e-1111-4a11-8a11-a11ce0000001"
        gift = {"plan_id": made["id"], "scope": "user", "user_id": user}
        site.call("/billing/subscription/manual", "su", method="POST", body=gift)
    for name in ("nightly export", "status board"):
        body = {"name": name, "user_id": "0b3f6f9e-2222-4b22-8b22-b0b000000002"}
        site.call("/billing/api-key", "su", method="POST", body=body)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
