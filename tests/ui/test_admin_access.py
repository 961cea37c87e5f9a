"""The administrator's dialogs for everybody: by keyboard alone, for screen readers, in the dark, on any screen."""

import re
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Locator, Page, expect

from gateway.demo.data import BOB
from tests.ui.admin_acts import opens, seed
from tests.ui.conftest import Windows
from tests.ui.site import PHONE, Site, violations
from tests.ui.stage import PASSWORD

WIDE = {"width": 2560, "height": 1300}
Opened = Callable[[Page, str], Awaitable[None]]


async def tried(page: Page, name: str) -> None:
    path = "/" + name.lower().replace(" ", "-")
    await page.get_by_role("region", name="Try a path").get_by_label("Path").fill(path)
    await page.get_by_role("button", name="What does it cost?").click()
    await expect(page.get_by_role("table", name="Rules that match too, and why they lose")).to_be_visible()


async def asked(page: Page, name: str) -> None:
    await opens("New weight", Path="/{slug}/x")(page, name)
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("alertdialog")).to_be_visible()


async def detailed(page: Page, _name: str) -> None:
    await page.get_by_role("button", name="Show details").first.click()
    await expect(page.get_by_role("table", name="Changes")).to_be_visible()


async def overtaken(page: Page, name: str) -> None:
    await opens("Edit: GET /{slug}", Weight="44")(page, name)
    await page.evaluate(
        """async slug => {
        const token = JSON.parse(sessionStorage.getItem("weighbridge.session")).token;
        const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
        const rows = await (await fetch(`/billing/endpoint-weight?text=/${slug}&source=database`, { headers })).json();
        const row = rows.find(one => one.path_pattern === `/${slug}` && one.method === "GET");
        const path = `/billing/endpoint-weight?id=${row.id}`;
        await (await fetch(path, { headers, method: "PUT", body: '{"weight": 5}' })).text();
    }""",
        name.lower().replace(" ", "-"),
    )
    await page.get_by_role("dialog").get_by_role("button", name="Save").click()
    await expect(page.get_by_role("dialog").get_by_role("table")).to_be_visible()


async def chosen(page: Page, name: str) -> None:
    await opens("New key", User=BOB.id)(page, name)
    await page.get_by_role("group", name="Found: User").get_by_role("button").first.click()
    await expect(page.get_by_role("button", name="Change: User")).to_be_visible()


OVER: dict[str, tuple[str, Opened]] = {
    "a plan's form": ("plans", opens("Edit: {name}")),
    "prices": ("plans", opens("Prices: {name}", Currency="brl")),
    "a question": ("plans", opens("Delete: {name}")),
    "a gift": ("subscriptions", opens("Give subscription")),
    "a subscription": ("subscriptions", opens("Manage: {name}")),
    "a key's form": ("keys", opens("New key")),
    "somebody chosen": ("keys", chosen),
    "a key's successor": ("keys", opens("Replace: {name}")),
    "a path that is explained": ("weights", tried),
    "what would be lost": ("weights", asked),
    "who was overtaken": ("weights", overtaken),
    "a change": ("audit", detailed),
}


async def over(windows: Windows, site: Site, what: str, **how: object) -> Page:
    """A view with that open over it, or in it."""
    name = seed(site)
    view, open_ = OVER[what]
    page = await windows.visit("/billing-admin", "su", view=view, **how)
    await expect(page.locator(".skeleton")).to_have_count(0)
    await open_(page, name)
    await expect(page.locator(".skeleton")).to_have_count(0)
    await page.wait_for_load_state("networkidle")
    return page


@pytest.mark.parametrize("what", OVER)
async def test_axe_finds_nothing_in_what_opens(windows: Windows, site: Site, what: str) -> None:
    page = await over(windows, site, what)
    found = await violations(page)
    await page.emulate_media(color_scheme="dark")
    assert found + await violations(page, "color-contrast") == []


@pytest.mark.parametrize("size", [PHONE, WIDE], ids=["phone", "wide"])
@pytest.mark.parametrize("what", OVER)
async def test_what_opens_fits_its_window(windows: Windows, site: Site, what: str, size: dict[str, int]) -> None:
    page = await over(windows, site, what, viewport=size)
    assert await page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    boxes = "[...document.querySelectorAll('dialog[open], dialog[open] form')]"
    assert await page.evaluate(f"{boxes}.filter(one => one.scrollWidth > one.clientWidth).length") == 0
    cut = """[...document.querySelectorAll('dialog[open] :is(button, input, select)')].filter(one => {
        const place = one.closest('.toasts') ? document.documentElement : one.closest('dialog');
        const box = one.getBoundingClientRect(), around = place.getBoundingClientRect();
        return box.width > 0 && (box.left < around.left || box.right > around.right + 0.5);
    }).map(one => one.outerHTML.slice(0, 80))"""
    assert await page.evaluate(cut) == []


class Keyboard:
    """Somebody without a mouse."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def to(self, place: Locator, *, back: bool = False) -> None:
        """Tab until it has the focus."""
        for _ in range(60):
            if await place.count() and await place.first.evaluate("one => one === document.activeElement"):
                break
            await self.page.keyboard.press("Shift+Tab" if back else "Tab")
        await expect(place.first).to_be_focused()

    async def press(self, place: Locator, *, back: bool = False) -> None:
        await self.to(place, back=back)
        await self.page.keyboard.press("Enter")

    async def write(self, place: Locator, text: str) -> None:
        await self.to(place)
        await self.page.keyboard.press("ControlOrMeta+a")
        await self.page.keyboard.type(text)


async def test_a_plan_is_made_and_given_with_the_keyboard_alone(windows: Windows, site: Site) -> None:
    site.call("/contact", "bob", workspace=site.beta)
    page = await windows.visit("/billing-admin", "su", view="overview")
    keys = Keyboard(page)
    await expect(page.get_by_text("Requests per second")).to_be_visible()
    await keys.press(page.get_by_role("link", name="Plans", exact=True))
    await keys.press(page.get_by_role("button", name="New plan"))
    form = page.get_by_role("dialog", name="New plan")
    await expect(form).to_be_visible()
    await keys.write(form.get_by_label("Name", exact=True), "By Hand")
    await keys.to(form.get_by_role("radio", name="Per window"))
    await page.keyboard.press("ArrowRight")
    await expect(form.get_by_role("radio", name="A pack")).to_be_checked()
    await keys.write(form.get_by_label("Units"), "4444")
    await keys.press(form.get_by_role("button", name="Add price"))
    await keys.write(form.get_by_label("Amount"), "3.50")
    await keys.press(form.get_by_role("button", name="Create"))
    await expect(form).to_be_hidden()
    await expect(page.get_by_role("row").filter(has_text="by-hand")).to_contain_text("4,444 units, once")
    await expect(page.get_by_role("button", name="New plan")).to_be_focused()

    await keys.press(page.get_by_role("link", name="Subscriptions"), back=True)
    await keys.press(page.get_by_role("button", name="Give subscription"))
    form = page.get_by_role("dialog", name="Give a subscription")
    await expect(form).to_be_visible()
    await keys.to(form.get_by_label("Plan"))
    await page.keyboard.type("By")  # a space would open the list
    await keys.write(form.get_by_role("searchbox", name="User"), BOB.id)
    found = form.get_by_role("group", name="Found: User").get_by_role("button")
    await page.wait_for_timeout(1_000)  # the last of the searches that typing began
    await expect(found).to_have_count(1)
    await keys.press(found)
    await keys.press(form.get_by_role("button", name="Give subscription"))
    await expect(form).to_be_hidden()
    row = page.get_by_role("row").filter(has_text="By Hand")
    await keys.press(row.get_by_role("button", name="Manage: By Hand"))
    manage = page.get_by_role("dialog", name="Subscription to By Hand")
    await keys.press(manage.get_by_role("button", name=re.compile("^End it now")))
    await keys.press(manage.get_by_role("button", name="End it now", exact=True))
    await expect(manage).to_contain_text("It was ended")
    await page.keyboard.press("Escape")
    await expect(manage).to_be_hidden()
    await expect(row).to_contain_text("Cancelled")


async def test_a_path_is_tried_a_log_is_read_and_a_key_is_made_with_the_keyboard_alone(windows: Windows) -> None:
    page = await windows.visit("/billing-admin", "su", view="weights")
    keys = Keyboard(page)
    tried_ = page.get_by_role("region", name="Try a path")
    await keys.write(tried_.get_by_label("Path"), "/contact")
    await page.keyboard.press("Enter")
    await expect(tried_).to_contain_text("ANY /contact")
    await keys.press(page.get_by_role("link", name="API keys"), back=True)
    await keys.press(page.get_by_role("button", name="New key"))
    form = page.get_by_role("dialog", name="New key")
    await keys.write(form.get_by_label("Name", exact=True), "typed")
    await keys.write(form.get_by_role("searchbox", name="User", exact=True), BOB.id)
    found = form.get_by_role("group", name="Found: User").get_by_role("button")
    await page.wait_for_timeout(1_000)  # the last of the searches that typing began
    await expect(found).to_have_count(1)
    await keys.press(found)
    await keys.press(form.get_by_role("button", name="Create"))
    shown = page.get_by_role("dialog", name="Your new key")
    await expect(shown.locator("code")).to_contain_text("wb_")
    await keys.press(shown.get_by_role("button", name="I have kept it"))
    await expect(page.get_by_role("button", name="New key")).to_be_focused()
    await keys.press(page.get_by_role("link", name="Audit log"), back=True)
    details = page.get_by_role("button", name="Show details").first
    await keys.press(details)
    await expect(page.get_by_role("table", name="Changes")).to_contain_text("typed")


async def test_two_admins_save_the_same_plan_with_the_keyboard_alone_the_second_signed_in_by_password(
    windows: Windows, site: Site
) -> None:
    name = seed(site)
    first = await windows.visit("/billing-admin", "su", view="plans")
    second = await windows.visit("/billing-admin", None, view="plans")
    keys = Keyboard(second)
    await expect(second.get_by_role("radio", name="Account")).to_be_visible()
    await keys.to(second.get_by_role("radio", name="Account"))
    await second.keyboard.press("ArrowRight")
    await keys.write(second.get_by_label("Password", exact=True), PASSWORD)
    await second.keyboard.press("Enter")
    for page, text in ((first, "of the first"), (second, "of the second")):
        await expect(page.get_by_role("button", name=f"Edit: {name}", exact=True)).to_be_visible()
        await Keyboard(page).press(page.get_by_role("button", name=f"Edit: {name}", exact=True))
        await Keyboard(page).write(page.get_by_role("dialog").get_by_label("Description"), text)
    await Keyboard(first).press(first.get_by_role("dialog").get_by_role("button", name="Save"))
    await expect(first.get_by_role("dialog")).to_have_count(0)
    form = second.get_by_role("dialog")
    await keys.press(form.get_by_role("button", name="Save"))
    told = form.get_by_role("table", name="Changed by somebody else meanwhile.")
    await expect(told.get_by_role("row").filter(has_text="Description")).to_contain_text("of the first")
    await expect(form.get_by_label("Description")).to_have_value("of the second")
    await keys.press(form.get_by_role("button", name="Save"))
    await expect(form).to_have_count(0)
    await expect(second.get_by_role("button", name=f"Edit: {name}", exact=True)).to_be_focused()
    (plan,) = [each for each in site.call("/billing/plan", "su") if each["name"] == name]
    assert plan["description"] == "of the second"
