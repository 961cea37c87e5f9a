import json
import re
from typing import Any

from playwright.async_api import Page, Route, expect

from tests.ui.conftest import Windows
from tests.ui.samples import PAYMENTS, PLANS, SUBSCRIPTIONS, about, plan, subscription
from tests.ui.site import answer

PAID_AT = "https://pay.example/"


class Shop:
    """A window of somebody at a gateway that sells: what was asked of the shop, and with which body."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.asked: list[tuple[str, str, Any, str | None]] = []

    async def takes(self, pattern: str, body: object, *, text: str | None = None, status: int = 200) -> None:
        async def fulfil(route: Route) -> None:
            request = route.request
            if request.method in {"GET", "OPTIONS"}:
                await route.fallback()
                return
            path = re.sub(r"^[^/]*//[^/]*", "", request.url)
            self.asked.append((request.method, path, request.post_data_json, request.headers.get("x-workspace-id")))
            kind = "application/json" if text is None else "text/plain"
            said = (json.dumps(body) if body is not None else "") if text is None else text
            await route.fulfill(status=status, content_type=kind, body=said)

        await self.page.route(pattern, fulfil)


async def shop(windows: Windows, view: str, *, workspace: str | None = None, **how: Any) -> Shop:
    page, watch = await windows.open(**how)
    watch.expect("pay.example", "ERR_")
    await answer(page, "**/billing/about", about(windows.site.url))
    await answer(page, "**/billing/plan?*", PLANS)
    await answer(page, "**/billing/subscription?*", SUBSCRIPTIONS, only=("GET",))
    await answer(page, "**/billing/payment?*", PAYMENTS)
    await page.route("https://pay.example/**", lambda route: route.fulfill(body="the provider's page"))
    await page.goto(windows.site.address("/billing", "alice", workspace=workspace, view=view))
    return Shop(page)


async def test_a_plan_is_bought_once_or_subscribed_to_for_me(windows: Windows) -> None:
    for button, mode in (("Buy once: Starter", "payment"), ("Subscribe: Starter", "subscription")):
        at = await shop(windows, "plans")
        await at.takes("**/billing/subscription/checkout", {"checkout_url": PAID_AT, "external_id": "cs_9"})
        await at.page.get_by_role("button", name=button).click()
        await at.page.wait_for_url(PAID_AT)
        (_, _, body, header), url = at.asked[0], windows.site.url
        assert body["payment_mode"] == mode
        assert (body["plan_id"], body["currency"], body["scope"]) == (PLANS[1]["id"], "usd", "user")
        assert (body["success_url"], body["cancel_url"]) == (f"{url}/billing-success", f"{url}/billing-cancel")
        assert header is None
    forgive_provider(windows)


async def test_a_plan_is_bought_for_the_workspace(windows: Windows) -> None:
    at = await shop(windows, "plans", workspace=windows.site.acme)
    await at.takes("**/billing/subscription/checkout", {"checkout_url": PAID_AT, "external_id": "cs_9"})
    await expect(at.page.get_by_role("radio", name="For Acme")).to_be_checked()
    await at.page.get_by_role("button", name="Subscribe: Scale").click()
    await at.page.wait_for_url(PAID_AT)
    _, _, body, header = at.asked[0]
    assert (body["scope"], body["workspace_id"], header) == ("workspace", windows.site.acme, windows.site.acme)
    forgive_provider(windows)


async def test_a_checkout_that_fails_says_why_and_can_be_tried_again(windows: Windows) -> None:
    at = await shop(windows, "plans")
    windows.watches[0].expect("503")
    refusal = {"context": "handler", "description": "Stripe does not answer.", "message": "Service unavailable"}
    await at.takes("**/billing/subscription/checkout", refusal, status=503)
    await at.page.get_by_role("button", name="Subscribe: Team").click()
    await expect(at.page.get_by_text("Stripe does not answer.")).to_be_visible()
    await expect(at.page.get_by_role("button", name="Subscribe: Team")).to_be_enabled()


async def test_amounts_have_the_digits_of_their_currency(windows: Windows) -> None:
    at = await shop(windows, "plans", locale="pt-BR")
    team = at.page.get_by_role("article", name="Team")
    await expect(team).to_contain_text(re.compile(r"R\$\s249,00"))
    await at.page.get_by_role("radio", name="JPY").check(force=True)
    await expect(team).to_contain_text(re.compile(r"JP¥\s7\.400"))
    await expect(at.page.get_by_role("article", name="Scale")).to_contain_text("Não nesta moeda, mas em USD, BRL, KWD")
    await at.page.get_by_role("radio", name="KWD").check(force=True)
    await expect(at.page.get_by_role("article", name="Scale")).to_contain_text(re.compile(r"KWD\s92,000"))
    await at.page.reload()
    await expect(at.page.get_by_role("radio", name="KWD")).to_be_checked()


async def test_the_present_plan_is_marked_and_a_free_one_needs_no_purchase(windows: Windows) -> None:
    at = await shop(windows, "plans")
    await expect(at.page.get_by_role("article", name="Team").get_by_text("Your plan")).to_be_visible()
    await expect(at.page.get_by_role("article", name="Free", exact=True)).to_contain_text("No purchase needed")
    assert await at.page.get_by_role("button", name="Buy once: Free").count() == 0


async def test_each_state_of_a_subscription_is_said_with_what_can_be_done(windows: Windows) -> None:
    at = await shop(windows, "subscriptions")
    offered = {
        "Active": ["Change plan", "Check status", "Cancel subscription"],
        "Awaiting payment": ["Continue to payment", "Check status", "Cancel subscription"],
        "Ends soon": ["Keep it", "Check status"],
        "Expired": ["Pay the invoice", "Check status"],
        "Payment failed": ["Pay the invoice", "Check status", "Cancel subscription"],
        "Cancelled": [],
    }
    for state, actions in offered.items():
        card = at.page.get_by_role("listitem").filter(
            has=at.page.locator("header .badge", has_text=re.compile(f"^{state}$"))
        )
        await expect(card).to_have_count(1)
        assert await card.locator("footer").get_by_role("button").all_inner_texts() == actions


async def test_cancelling_asks_first_and_shows_at_once(windows: Windows) -> None:
    at = await shop(windows, "subscriptions")
    await at.takes("**/billing/subscription?id=*", None, status=204)
    card = at.page.get_by_role("listitem", name="Team")
    await card.get_by_role("button", name="Cancel subscription: Team").click()
    dialog = at.page.get_by_role("dialog", name="Cancel this subscription?")
    await dialog.get_by_role("button", name="Leave it").click()
    await expect(dialog).to_be_hidden()
    assert at.asked == []
    await card.get_by_role("button", name="Cancel subscription: Team").click()
    changed = [subscription(1, PLANS[2], cancel_at_period_end=True), *SUBSCRIPTIONS[1:]]
    await answer(at.page, "**/billing/subscription?*", changed, only=("GET",))
    await dialog.get_by_role("button", name="Cancel subscription").click()
    await expect(card.get_by_text("Ends soon")).to_be_visible()
    assert at.asked[0][:2] == ("DELETE", f"/billing/subscription?id={SUBSCRIPTIONS[0]['id']}")


async def test_reactivate_sync_pay_resume_and_portal_ask_the_right_thing(windows: Windows) -> None:
    at = await shop(windows, "subscriptions")
    await at.takes("**/billing/subscription/reactivate?*", None, status=204)
    await at.takes("**/billing/subscription/sync?*", SUBSCRIPTIONS[1])
    page = at.page
    await page.get_by_role("button", name="Keep it: Scale").click()
    await expect(page.get_by_text("It renews again.")).to_be_visible()
    await page.get_by_role("button", name="Check status: Starter").first.click()
    await expect(page.get_by_text("Checked with the payment provider.")).to_be_visible()
    paths = [path for _, path, _, _ in at.asked]
    assert paths[0] == f"/billing/subscription/reactivate?id={SUBSCRIPTIONS[2]['id']}"
    assert paths[1] == f"/billing/subscription/sync?id={SUBSCRIPTIONS[1]['id']}"
    leave = (
        ("Pay the invoice: Scale", "**/billing/subscription/retry?*", None, PAID_AT),
        ("Continue to payment: Starter", "**/billing/subscription/checkout-url?*", {"checkout_url": PAID_AT}, None),
        ("Cards and invoices", "**/billing/portal", {"url": PAID_AT}, None),
    )
    for button, pattern, body, text in leave:
        at = await shop(windows, "subscriptions")
        await at.takes(pattern, body, text=text)
        await at.page.get_by_role("button", name=button).click()
        await at.page.wait_for_url(PAID_AT)
    forgive_provider(windows)


async def test_another_plan_is_chosen_after_its_cost_was_shown(windows: Windows) -> None:
    at = await shop(windows, "subscriptions")
    preview = {"amount_due": 2_633, "currency": "usd", "lines": [{"description": "Rest of Team", "amount": -2_267}]}
    shown = {"shown_at": "2026-11-01T12:00:00.000000Z", "amount_due": 2_633}
    preview |= shown
    await at.takes("**/billing/subscription/*/preview", preview)
    await at.takes("**/billing/subscription/*/change", SUBSCRIPTIONS[0])
    await at.page.get_by_role("button", name="Change plan: Team").click()
    dialog = at.page.get_by_role("dialog", name="Change the plan")
    await expect(dialog.get_by_label("New plan")).to_have_value("")
    assert at.asked == [], "nothing is chosen for anybody"
    await dialog.get_by_label("New plan").select_option("Scale")
    await expect(dialog).to_contain_text("US$26.33")
    await expect(dialog).to_contain_text("-US$22.67")
    await dialog.get_by_role("button", name="Change plan").click()
    await expect(dialog).to_be_hidden()
    assert at.asked[-1][2] == {"plan_id": PLANS[3]["id"], **shown}, "it costs what was shown"


async def test_a_plan_that_was_bought_says_what_buying_it_again_does(windows: Windows) -> None:
    at = await shop(windows, "plans")
    held, other = (at.page.get_by_role("article", name=name, exact=True) for name in ("Team", "Free"))
    await expect(held).to_contain_text("buying it again adds a second one beside it")
    await expect(held.get_by_role("link", name="look at what you have")).to_have_attribute("href", "#/subscriptions")
    await expect(other).not_to_contain_text("again")


async def test_a_plan_without_a_price_is_free_only_to_those_who_have_it_anyway(windows: Windows) -> None:
    page, _ = await windows.open()
    await answer(page, "**/billing/plan?*", [PLANS[0], plan(6, "By hand", 9_000, {})])
    await page.goto(windows.site.address("/billing", "alice"))
    by_hand = page.get_by_role("article", name="By hand", exact=True)
    await expect(by_hand).to_contain_text("Not sold here")
    await expect(by_hand).to_contain_text("Ask the operator")
    await expect(page.get_by_role("article", name="Free", exact=True)).to_contain_text("No purchase needed")


async def test_a_plan_that_is_not_sold_any_more_goes_when_that_is_known(windows: Windows) -> None:
    at = await shop(windows, "plans")
    windows.watches[-1].expect("404")
    starter = at.page.get_by_role("article", name="Starter", exact=True)
    await at.takes("**/billing/subscription/checkout", {"description": "There is no such plan."}, status=404)
    await expect(starter).to_be_visible()
    await answer(at.page, "**/billing/plan?*", [PLANS[0], *PLANS[2:]])
    await at.page.get_by_role("button", name="Subscribe: Starter").click()
    await expect(at.page.get_by_text("There is no such plan.")).to_be_visible()
    await expect(starter).to_have_count(0)
    await answer(at.page, "**/billing/plan?*", PLANS)
    await at.page.get_by_role("button", name="Refresh").click()
    await expect(starter).to_be_visible()


async def test_nobody_agrees_to_a_price_that_is_not_there(windows: Windows) -> None:
    at = await shop(windows, "subscriptions")
    windows.watches[-1].expect("503")
    held: list[Route] = []

    async def hold(route: Route) -> None:
        held.append(route)

    await at.takes("**/billing/subscription/*/change", SUBSCRIPTIONS[0])
    await at.page.route("**/billing/subscription/*/preview", hold)
    await at.page.get_by_role("button", name="Change plan: Team").click()
    dialog = at.page.get_by_role("dialog", name="Change the plan")
    change = dialog.get_by_role("button", name="Change plan")
    await expect(change).to_be_disabled()
    async with at.page.expect_request("**/billing/subscription/*/preview"):
        await dialog.get_by_label("New plan").select_option("Scale")
    await expect(dialog.get_by_role("status").first).to_contain_text("Loading")
    await expect(change).to_be_disabled()
    await held.pop().fulfill(status=503, json={"description": "Stripe cannot be reached."})
    await expect(dialog.get_by_role("alert")).to_contain_text("Stripe cannot be reached.")
    await expect(change).to_be_disabled()
    async with at.page.expect_request("**/billing/subscription/*/preview"):
        await dialog.get_by_role("button", name="Try again").click()
    preview = {"amount_due": 2_633, "currency": "usd", "lines": [], "shown_at": "2026-11-01T12:00:00.000000Z"}
    await held.pop().fulfill(json=preview)
    await expect(dialog).to_contain_text("US$26.33")
    await expect(change).to_be_enabled()
    async with at.page.expect_request("**/billing/subscription/*/preview"):
        await dialog.get_by_label("New plan").select_option("Starter")
    await expect(change).to_be_disabled()
    await dialog.get_by_label("New plan").press("Enter")
    assert at.asked == []
    await held.pop().abort()


async def test_payments_are_listed_with_receipts_and_boletos(windows: Windows) -> None:
    at = await shop(windows, "payments")
    table = at.page.get_by_role("table", name="Payments")
    await expect(table).to_contain_text("US$49.00")
    for plan_is in ("Team", "given-up"):  # the latter is gone, and so is its name
        await expect(table.get_by_role("cell", name=plan_is, exact=True)).to_be_visible()
    await expect(table).to_contain_text("JP¥7,400")
    await expect(table.get_by_role("link", name="Receipt")).to_have_attribute("href", "https://pay.example/receipt")
    await expect(table.get_by_role("link", name="Boleto")).to_have_attribute("rel", "noopener noreferrer")


async def test_the_success_page_looks_until_the_payment_has_arrived(windows: Windows) -> None:
    page, _ = await windows.open()
    pending = [subscription(7, plan(2, "Starter", 5_000, {}), status="pending")]
    await answer(page, "**/billing/about", about(windows.site.url))
    await answer(page, "**/billing/subscription?*", pending, only=("GET",))
    await answer(page, "**/billing/subscription/sync?*", pending[0])
    await page.goto(windows.site.address("/billing-success", "alice"))
    await expect(page.get_by_text("The payment is being confirmed.")).to_be_visible()
    await answer(page, "**/billing/subscription?*", [pending[0] | {"status": "active"}], only=("GET",))
    await expect(page.get_by_role("heading", name="Thank you, it is yours")).to_be_visible()


async def test_the_cancel_page_says_that_nothing_was_paid(windows: Windows) -> None:
    page = await windows.visit("/billing-cancel", None)
    await expect(page.get_by_role("heading", name="Nothing was paid")).to_be_visible()
    await expect(page.get_by_role("link", name="See the plans")).to_have_attribute("href", "/billing#/plans")


def forgive_provider(windows: Windows) -> None:
    """The way to the payment provider's own page is the only one that leads to another host."""
    for watch in windows.watches:
        watch.wrong = [wrong for wrong in watch.wrong if not wrong.startswith(f"another host: {PAID_AT}")]
