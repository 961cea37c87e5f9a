"""The customer's page by keyboard alone, on a slow line, without anything moving, and with little to fetch."""

import re

import pytest
from playwright.async_api import Locator, Page, expect

from gateway.demo.data import ALICE
from tests.ui.conftest import Windows
from tests.ui.samples import PAYMENTS, PLANS, SUBSCRIPTIONS, about
from tests.ui.site import PHONE, Site, answer, slow_line
from tests.ui.test_buying import PAID_AT, Shop, forgive_provider, shop

FIRST_PAINT = 100 * 1024
WATCH_SHIFTS = (
    "window.shifts = []; new PerformanceObserver(list => { for (const one of list.getEntries())"
    " if (!one.hadRecentInput) window.shifts.push([one.value, one.sources.map(each => each.node?.className ?? '')]);"
    " }).observe({type: 'layout-shift', buffered: true});"
)
UNTIL_PAINTED = """new Promise(done => {
  setTimeout(done, 20000);
  const seen = list => list.getEntriesByName("first-contentful-paint").length > 0 && done();
  new PerformanceObserver(seen).observe({type: "paint", buffered: true});
})"""
"""Playwright's own waiting evaluates a text again and again in the page, which its Content-Security-Policy forbids."""
PAINTED = """() => {
    const paint = performance.getEntriesByName('first-contentful-paint')[0].startTime;
    const files = performance.getEntriesByType('resource').filter(one => one.name.includes('/assets/'));
    const html = performance.getEntriesByType('navigation')[0];
    return [html, ...files].map(one => [one.name, one.encodedBodySize, one.responseEnd <= paint]);
}"""


async def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until this has the focus."""
    for _ in range(80):
        if await wanted.evaluate("one => one === document.activeElement"):
            return
        await page.keyboard.press("Tab")
    await expect(wanted).to_be_focused()


async def press(page: Page, role: str, name: str, key: str = "Enter", *, within: Locator | None = None) -> None:
    """Go to something by Tab and press it."""
    wanted = (within or page).get_by_role(role, name=name, exact=True)  # type: ignore[arg-type]
    await expect(wanted).to_be_visible()
    await tab_to(page, wanted)
    await page.keyboard.press(key)


async def test_somebody_signs_in_looks_around_and_signs_out_by_keyboard(windows: Windows) -> None:
    page = await windows.visit("/billing", None)
    await tab_to(page, page.get_by_label("E-mail"))
    await page.keyboard.type(ALICE.email)
    await tab_to(page, page.get_by_label("Password"))
    await page.keyboard.type(ALICE.password)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Usage", exact=True)).to_be_visible()
    await tab_to(page, page.get_by_label("Workspace"))
    await page.keyboard.press("A")
    await expect(page.get_by_role("article", name="Acme, team")).to_be_visible()
    await tab_to(page, page.get_by_role("radio", name="Hour"))
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("radio", name="Day")).to_be_checked()
    await press(page, "link", "Payments")
    await expect(page.get_by_role("heading", name="Payments", level=2)).to_be_visible()
    await press(page, "link", "Subscriptions")
    await expect(page.get_by_role("heading", name="Subscriptions", level=2)).to_be_visible()
    await tab_to(page, page.locator("summary", has_text="Menu"))
    await page.keyboard.press("Enter")
    await press(page, "button", "Sign out")
    await expect(page.get_by_label("E-mail")).to_be_visible()


async def test_a_plan_is_chosen_in_a_currency_and_bought_by_keyboard(windows: Windows, site: Site) -> None:
    at = await shop(windows, "plans", workspace=site.acme)
    await at.takes("**/billing/subscription/checkout", {"checkout_url": PAID_AT, "external_id": "cs_9"})
    await tab_to(at.page, at.page.get_by_role("radio", name="For Acme"))
    await at.page.keyboard.press("ArrowLeft")
    await expect(at.page.get_by_role("radio", name="For me")).to_be_checked()
    await tab_to(at.page, at.page.get_by_role("radio", name="USD"))
    await at.page.keyboard.press("ArrowRight")
    await expect(at.page.get_by_role("article", name="Team", exact=True)).to_contain_text("R$")
    await press(at.page, "button", "Subscribe: Team")
    await at.page.wait_for_url(PAID_AT)
    _, _, body, header = at.asked[0]
    assert (body["currency"], body["scope"], body["payment_mode"], header) == ("brl", "user", "subscription", None)
    forgive_provider(windows)


async def test_subscriptions_are_cancelled_kept_changed_and_checked_by_keyboard(windows: Windows) -> None:
    at = await shop(windows, "subscriptions")
    page = at.page
    await takes_all(at)
    await press(page, "button", "Cancel subscription: Team")
    dialog = page.get_by_role("dialog", name="Cancel this subscription?")
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(page.get_by_role("button", name="Cancel subscription: Team")).to_be_focused()
    await page.keyboard.press("Enter")
    await press(page, "button", "Cancel subscription", within=dialog)
    await expect(dialog).to_be_hidden()
    await press(page, "button", "Keep it: Scale", "Space")
    await expect(page.get_by_text("It renews again.")).to_be_visible()
    await tab_to(page, page.get_by_role("button", name="Check status: Starter").first)
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Checked with the payment provider.")).to_be_visible()
    await press(page, "button", "Change plan: Team")
    change = page.get_by_role("dialog", name="Change the plan")
    await tab_to(page, change.get_by_label("New plan"))
    await page.keyboard.press("S")
    await press(page, "button", "Change plan", within=change)
    await expect(change).to_be_hidden()
    done = [f"{method} {path.split('?')[0].split('/')[-1]}" for method, path, _, _ in at.asked]
    assert [one for one in done if not one.endswith("preview")] == [
        "DELETE subscription",
        "POST reactivate",
        "POST sync",
        "POST change",
    ]


@pytest.mark.parametrize("button", ["Pay the invoice: Scale", "Continue to payment: Starter", "Cards and invoices"])
async def test_the_ways_to_the_provider_are_gone_by_keyboard(windows: Windows, button: str) -> None:
    at = await shop(windows, "subscriptions")
    await takes_all(at)
    await press(at.page, "button", button)
    await at.page.wait_for_url(PAID_AT)
    forgive_provider(windows)


async def takes_all(at: Shop) -> None:
    """The shop does whatever it is asked for."""
    await at.takes("**/billing/subscription?id=*", None, status=204)
    await at.takes("**/billing/subscription/reactivate?*", None, status=204)
    await at.takes("**/billing/subscription/sync?*", SUBSCRIPTIONS[1])
    await at.takes("**/billing/subscription/retry?*", None, text=PAID_AT)
    await at.takes("**/billing/subscription/checkout-url?*", {"checkout_url": PAID_AT})
    await at.takes("**/billing/subscription/*/preview", {"amount_due": 1, "currency": "usd", "lines": []})
    await at.takes("**/billing/subscription/*/change", SUBSCRIPTIONS[0])
    await at.takes("**/billing/portal", {"url": PAID_AT})


async def test_on_a_slow_line_the_page_says_so_fills_and_is_pressed_once(windows: Windows) -> None:
    page, watch = await windows.open()
    latency = await slow_line(page)
    await page.goto(windows.site.address("/billing", "alice"), wait_until="commit")
    await expect(page.get_by_text("Loading").first).to_be_attached()
    await expect(page.get_by_role("meter", name="You")).to_be_visible()
    await expect(page.get_by_role("alert")).to_have_count(0)
    before = len([url for url in watch.asked if url.endswith("/billing/usage")])
    refresh = page.get_by_role("button", name="Refresh")
    await latency(3_000)
    for _ in range(3):
        await refresh.click()
    await expect(refresh).to_have_attribute("aria-busy", "true")
    await expect(refresh).to_have_attribute("aria-busy", "false")
    assert len([url for url in watch.asked if url.endswith("/billing/usage")]) <= before + 2
    await expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize("view", ["plans", "subscriptions", "payments"])
@pytest.mark.parametrize("width", [360, 1280])
async def test_nothing_moves_while_a_view_fills_and_is_refreshed(windows: Windows, view: str, width: int) -> None:
    page, _ = await windows.open(viewport={"width": width, "height": 800})
    await answer(page, "**/billing/about", about(windows.site.url))
    await answer(page, "**/billing/subscription?*", SUBSCRIPTIONS)
    await answer(page, "**/billing/plan?*", PLANS)
    await answer(page, "**/billing/payment?*", PAYMENTS)
    await page.add_init_script(WATCH_SHIFTS)
    await page.goto(windows.site.address("/billing", "alice", workspace=windows.site.acme, view=view))
    await expect(page.locator(".skeleton")).to_have_count(0)
    await page.wait_for_load_state("networkidle")
    if view != "payments":
        await page.get_by_role("button", name="Refresh").click()
        await page.wait_for_load_state("networkidle")
    shifts = await page.evaluate("window.shifts")
    assert sum(value for value, _ in shifts) < 0.1, shifts


@pytest.mark.parametrize("locale", ["en-GB", "pt-BR"])
async def test_the_first_paint_fetches_little(windows: Windows, locale: str) -> None:
    page, _ = await windows.open(locale=locale)
    await page.goto(windows.site.address("/billing", None))
    await expect(page.get_by_role("button", name=re.compile("Sign in|Entrar"))).to_be_visible()
    await page.evaluate(UNTIL_PAINTED)
    files = await page.evaluate(PAINTED)
    assert len(files) > 20
    assert any(early for _, _, early in files)
    assert sum(size for _, size, _ in files) <= FIRST_PAINT, "all there is before anybody signs in"


@pytest.mark.parametrize("locale", ["en-GB", "pt-BR"])
async def test_on_a_phone_what_does_not_fit_beside_a_heading_begins_below_it(windows: Windows, locale: str) -> None:
    at = await shop(windows, "plans", workspace=windows.site.acme, locale=locale, viewport=PHONE)
    await expect(at.page.locator(".section .choice")).to_have_count(5)
    for title in ("history", "plans"):
        section = at.page.locator(f".section:has(#{title}-title)")
        heading, choice = (
            await section.locator("h2").bounding_box(),
            await section.locator(".choice").last.bounding_box(),
        )
        assert heading is not None
        assert choice is not None
        assert choice["x"] == heading["x"]
