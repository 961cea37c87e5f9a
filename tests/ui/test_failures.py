"""Each thing that a customer's page asks of a gateway, failing: the page says it, and what to do."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Error, Locator, Page, Route, expect

from gateway.demo.data import ALICE
from tests.ui.conftest import Windows
from tests.ui.samples import PLANS
from tests.ui.site import ROOT, Site, answer, let_pass
from tests.ui.test_buying import PAID_AT, shop
from tests.ui.traffic import Traffic

ID = "req-42"
FAILED = {"context": "handler", "description": "The disk is on fire.", "message": "Internal error"}
FAULT = "This is a fault of the server, not yours."
UNKNOWN = "Whether this was done is not known"
READS = {
    "/billing/about": "plans",
    "/billing/me": "plans",
    "/billing/usage": "plans",
    "/billing/usage/history": "plans",
    "/billing/plan": "plans",
    "/billing/subscription": "subscriptions",
    "/billing/payment": "payments",
    "/workspace": "plans",
}


async def press(page: Page, button: str, then: str = "") -> None:
    await page.get_by_role("button", name=button).first.click()
    if button.startswith("Change plan"):
        await page.get_by_role("dialog").get_by_label("New plan").select_option("Scale")
    if then:
        await page.get_by_role("dialog").get_by_role("button", name=then).click()


ACTS: dict[str, tuple[str, str, str, str]] = {
    "/billing/subscription/checkout": ("plans", "Subscribe: Starter", "", UNKNOWN),
    "/billing/subscription": ("subscriptions", "Cancel subscription: Team", "Cancel subscription", UNKNOWN),
    "/billing/subscription/reactivate": ("subscriptions", "Keep it: Scale", "", UNKNOWN),
    "/billing/subscription/sync": ("subscriptions", "Check status: Starter", "", FAULT),
    "/billing/subscription/retry": ("subscriptions", "Pay the invoice: Scale", "", FAULT),
    "/billing/subscription/checkout-url": ("subscriptions", "Continue to payment: Starter", "", FAULT),
    "/billing/portal": ("subscriptions", "Cards and invoices", "", FAULT),
    "/billing/subscription/*/preview": ("subscriptions", "Change plan: Team", "", FAULT),
    "/billing/subscription/*/change": ("subscriptions", "Change plan: Team", "Change plan", UNKNOWN),
}
"""Path → view, button, button in the dialog, and what the page has to say beside the server's words."""
SIGNING_IN = {"/user/oauth/token"}


def route_of(path: str) -> re.Pattern[str]:
    return re.compile(rf"//[^/]+{re.escape(path).replace(re.escape('*'), '[^/]+')}(\?|$)")


async def fail(page: Page, path: str, how: Callable[[Route], Awaitable[None]], *, reads: bool) -> None:
    async def maybe(route: Route) -> None:
        if (route.request.method == "GET") == reads:
            await how(route)
        else:
            await route.fallback()

    await page.route(route_of(path), maybe)


async def with_500(route: Route) -> None:
    await route.fulfill(status=500, json=FAILED, headers={"X-Request-ID": ID})


async def with_nothing(route: Route) -> None:
    await route.abort()


async def with_rubbish(route: Route) -> None:
    await route.fulfill(status=200, content_type="application/json", body='[{"id": "cut of')


async def test_each_path_that_a_customers_page_asks_for_is_among_these() -> None:
    js = ROOT / "admin_ui" / "static" / "js"
    shared = ("customer.js", "success.js", "cancel.js", "start.js", "session.js", "parts/history.js", "parts/signin.js")
    sources = [js / name for name in shared] + sorted((js / "customer").glob("*.js"))
    text = "\n".join(map(Path.read_text, sources))
    own = set(re.findall(r'(?:useLive|usePages|api|withQuery|post)\((?:signedIn \? )?"(/[\w/-]+)"', text))
    own |= set(re.findall(r'at\("(/[\w/-]+)"\)', text)) | set(
        re.findall(r'signedIn \? (?:withQuery\()?"(/[\w/-]+)"', text)
    )
    own |= {"/subscription/*/" + part for part in re.findall(r"\$\{path\}/(\w+)", text)}
    others = set(re.findall(r'\bask\("(/[\w/-]+)"', text))
    asked = {f"/billing{path}" for path in own - {"/login"}} | others
    assert asked == set(READS) | set(ACTS) | SIGNING_IN


@pytest.mark.parametrize(("path", "view"), READS.items())
async def test_a_500_is_shown_with_the_servers_words_the_request_and_a_way_on(
    windows: Windows, path: str, view: str
) -> None:
    page, watch = await windows.open()
    watch.expect("500")
    await fail(page, path, with_500, reads=True)
    await page.goto(windows.site.address("/billing", "alice", view=view))
    alert = page.get_by_role("alert").first
    for words in ("The disk is on fire.", FAULT, ID):
        await expect(alert).to_contain_text(words)
    await page.unroute_all()
    await alert.get_by_role("button", name="Try again").click()
    await expect(page.get_by_text("The disk is on fire.")).to_have_count(0)


@pytest.mark.parametrize("path", ACTS)
async def test_an_act_that_gets_a_500_says_so_and_whether_it_was_done(windows: Windows, path: str) -> None:
    said = await acted(windows, path, with_500, "500")
    for words in ("The disk is on fire.", ACTS[path][3], ID):
        await expect(said).to_contain_text(words)


@pytest.mark.parametrize("path", ACTS)
async def test_an_act_whose_answer_is_lost_never_says_that_nothing_was_changed(windows: Windows, path: str) -> None:
    said = await acted(windows, path, with_nothing, "ERR_")
    await expect(said).to_contain_text("The server did not answer.")
    unknown = ACTS[path][3] == UNKNOWN
    await expect(said).to_contain_text(UNKNOWN if unknown else "Check your connection")
    await expect(said.get_by_text("Nothing was changed")).to_have_count(0)
    if unknown:
        await expect(said).to_contain_text("Reload the list and look before you do it once more.")


async def acted(windows: Windows, path: str, how: Callable[[Route], Awaitable[None]], noise: str) -> Locator:
    """What the page says after an act at ``path`` went wrong."""
    view, button, then, _ = ACTS[path]
    at = await shop(windows, view)
    windows.watches[-1].expect(noise)
    await at.takes("**/billing/subscription/*/preview", {"amount_due": 1, "currency": "usd", "lines": []})
    await fail(at.page, path, how, reads=False)
    await press(at.page, button, then)
    return at.page.locator(".failed, .toast.bad").first


@pytest.mark.parametrize(("path", "view"), READS.items())
async def test_an_answer_that_was_cut_off_is_said_and_the_page_goes_on(windows: Windows, path: str, view: str) -> None:
    page, _ = await windows.open()
    await fail(page, path, with_rubbish, reads=True)
    await page.goto(windows.site.address("/billing", "alice", view=view))
    alert = page.get_by_role("alert").first
    await expect(alert).to_contain_text("The server's answer cannot be read")
    await expect(alert).to_contain_text("This page tries again on its own.")
    await page.unroute_all()
    await alert.get_by_role("button", name="Try again").click()
    await expect(alert.get_by_text("The server's answer cannot be read")).to_have_count(0)


async def test_an_answer_of_another_kind_ends_no_more_than_its_view(windows: Windows) -> None:
    page, watch = await windows.open()
    watch.expect("TypeError", "is not a function", "is not iterable")
    await answer(page, "**/billing/usage", {"surprise": True})
    await page.goto(windows.site.address("/billing", "alice"))
    await expect(page.get_by_role("alert")).to_contain_text("This page has failed")
    await page.get_by_role("link", name="Payments").click()
    await expect(page.get_by_role("heading", name="Payments", level=2)).to_be_visible()


async def test_a_question_without_an_answer_has_an_end(windows: Windows) -> None:
    page, watch = await windows.open()
    watch.expect("ERR_")
    await page.clock.install()
    held = asyncio.Event()

    async def never(route: Route) -> None:
        await held.wait()
        with contextlib.suppress(Error):  # the page has given it up
            await route.abort()

    traffic = Traffic(page)
    await page.route("**/billing/usage", never)
    await page.goto(windows.site.address("/billing", "alice"))
    await expect(page.get_by_role("heading", name="Usage", exact=True)).to_be_visible()
    await expect(page.locator(".skeleton")).to_have_count(1)
    await traffic.quiet(but=1)
    late = page.get_by_text("The server did not answer in time.")
    await let_pass(page, 21)
    await expect(late).to_be_visible()
    held.set()
    await page.unroute_all()
    await let_pass(page, 60, until=late)
    await expect(page.get_by_role("meter", name="You")).to_be_visible()


async def test_a_renewal_that_reaches_nobody_ends_no_session(windows: Windows) -> None:
    page, watch = await windows.open()
    watch.expect("401", "ERR_", "503")
    await page.clock.install()
    await sign_in(page, windows.site)
    old: list[str | None] = []

    async def usage(route: Route) -> None:
        sent = await route.request.header_value("authorization")
        old.append(sent)
        if sent == old[0]:
            await route.fulfill(status=401, json={"message": "token is expired"})
        else:
            await route.fallback()

    await page.route("**/billing/usage", usage)
    await page.route("**/user/oauth/token", with_nothing)
    await page.get_by_role("button", name="Refresh").click()
    await expect(page.get_by_role("alert")).to_contain_text("The server did not answer.")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.get_by_role("meter", name="You")).to_be_visible()
    assert await page.evaluate("sessionStorage.getItem('weighbridge.session')") is not None
    await page.unroute("**/user/oauth/token")
    await let_pass(page, 60, until=page.get_by_role("alert"))
    await expect(page.get_by_role("alert")).to_have_count(0)
    assert old[-1] != old[0]


async def test_a_renewal_that_is_refused_asks_to_sign_in(windows: Windows) -> None:
    page, watch = await windows.open()
    watch.expect("401")
    await sign_in(page, windows.site)
    for path in ("**/billing/usage", "**/user/oauth/token"):
        await answer(page, path, {"message": "token is expired"}, status=401)
    await page.get_by_role("button", name="Refresh").click()
    await expect(page.get_by_role("dialog", name="Sign in again")).to_be_visible()


async def sign_in(page: Page, site: Site) -> None:
    await page.goto(site.address("/billing", None))
    await page.get_by_label("E-mail").fill(ALICE.email)
    await page.get_by_label("Password").fill(ALICE.password)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("meter", name="You")).to_be_visible()


async def test_what_fails_to_sign_in_says_why(windows: Windows) -> None:
    page, watch = await windows.open()
    watch.expect("500")
    await fail(page, "/user/oauth/token", with_500, reads=False)
    await page.goto(windows.site.address("/billing", None))
    await page.get_by_label("E-mail").fill(ALICE.email)
    await page.get_by_label("Password").fill("kept")
    await page.get_by_role("button", name="Sign in").click()
    for words in ("Signing in failed", "The disk is on fire.", FAULT, ID):
        await expect(page.get_by_role("alert")).to_contain_text(words)
    await expect(page.get_by_label("Password")).to_have_value("kept")


async def test_a_purchase_without_an_address_to_pay_at_leads_nowhere(windows: Windows) -> None:
    for body in ({}, {"checkout_url": "javascript:alert(1)"}, {"checkout_url": "/billing"}):
        at = await shop(windows, "plans")
        await at.takes("**/billing/subscription/checkout", body)
        await at.page.get_by_role("button", name="Buy once: Starter").click()
        await expect(at.page.locator(".toast.bad")).to_contain_text("The server's answer cannot be read")
        assert at.page.url.endswith("/billing#/plans")


async def test_fields_that_are_refused_are_named_in_the_note(windows: Windows) -> None:
    at = await shop(windows, "plans")
    windows.watches[-1].expect("422")
    body = {"message": "This cannot be used", "fields": [{"field": "currency", "problem": "is not sold"}]}
    await at.takes("**/billing/subscription/checkout", body, status=422)
    await at.page.get_by_role("button", name="Buy once: Starter").click()
    note = at.page.locator(".toast.bad")
    for words in ("Nothing was changed", "currency: is not sold", "Mend what is named above"):
        await expect(note).to_contain_text(words)
    assert at.page.url != PAID_AT
    await expect(at.page.get_by_role("article", name=PLANS[1]["name"])).to_be_visible()
