import re

from playwright.async_api import Route, expect

from gateway.demo.data import ALICE
from tests.ui.conftest import Windows
from tests.ui.site import Site
from tests.ui.stage import PASSWORD


async def test_somebody_signs_in_with_the_upstreams_own_login(windows: Windows) -> None:
    page = await windows.visit("/billing", None)
    await page.get_by_label("E-mail").fill(ALICE.email)
    await page.get_by_label("Password").fill(ALICE.password)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Usage", exact=True)).to_be_visible()
    await page.get_by_text("Menu", exact=True).click()
    await expect(page.get_by_text(ALICE.id)).to_be_visible()


async def test_a_wrong_password_is_said_and_what_was_typed_stays(windows: Windows) -> None:
    page = await windows.visit("/billing", None)
    windows.watches[0].expect("401")
    await page.get_by_label("E-mail").fill(ALICE.email)
    await page.get_by_label("Password").fill("wrong")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("Signing in failed")
    await expect(page.get_by_role("alert")).to_contain_text("incorrect password")
    await expect(page.get_by_label("E-mail")).to_have_value(ALICE.email)


async def test_who_has_tried_too_often_is_told_until_when(windows: Windows) -> None:
    page = await windows.visit("/billing", None)
    windows.watches[0].expect("429")
    waits = [900, 7]

    async def refuse(route: Route) -> None:
        await route.fulfill(status=429, json={"message": "Too many"}, headers={"Retry-After": str(waits.pop(0))})

    await page.route("**/user/oauth/token", refuse)
    for said in (r"Try again at \d\d:\d\d; before that it is refused\.", "Wait 7 seconds"):
        await page.get_by_label("E-mail").fill(ALICE.email)
        await page.get_by_label("Password").fill(ALICE.password)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("alert")).to_contain_text(re.compile(said))


async def test_a_token_in_the_fragment_signs_in_and_leaves_the_address_bar(windows: Windows, site: Site) -> None:
    page = await windows.visit("/billing", "alice", workspace=site.acme, view="subscriptions")
    await expect(page.get_by_role("heading", name="Subscriptions", level=2)).to_be_visible()
    assert page.url == f"{site.url}/billing#/subscriptions"
    await expect(page.get_by_label("Workspace")).to_have_value(site.acme)
    assert not [url for url in windows.watches[0].asked if site.tokens["alice"] in url and "#" not in url]
    assert await page.evaluate("localStorage.getItem('weighbridge.session')") is None


async def test_so_does_one_that_is_followed_in_an_open_tab(windows: Windows, site: Site) -> None:
    page = await windows.visit("/billing", None)
    await expect(page.get_by_label("E-mail")).to_be_visible()
    await page.evaluate("hash => { location.hash = hash }", f"access_token={site.tokens['alice']}&view=subscriptions")
    await expect(page.get_by_role("heading", name="Subscriptions", level=2)).to_be_visible()
    assert page.url == f"{site.url}/billing#/subscriptions"


async def test_a_fragment_that_means_nothing_leads_to_the_first_view(windows: Windows) -> None:
    page = await windows.visit("/billing")
    await expect(page.get_by_role("heading", name="Usage", exact=True)).to_be_visible()
    await page.evaluate("location.hash = '#/%'")
    await expect(page.get_by_role("heading", name="Usage", exact=True)).to_be_visible()


async def test_the_session_lasts_as_long_as_the_tab_and_ends_with_signing_out(windows: Windows) -> None:
    page = await windows.visit("/billing")
    await expect(page.get_by_role("heading", name="Usage", exact=True)).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("heading", name="Usage", exact=True)).to_be_visible()
    await page.get_by_text("Menu", exact=True).click()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_label("E-mail")).to_be_visible()
    await page.reload()
    await expect(page.get_by_label("E-mail")).to_be_visible()
    assert await page.evaluate("sessionStorage.length") == 0


async def test_a_token_can_be_given_by_hand(windows: Windows, site: Site) -> None:
    page = await windows.visit("/billing", None)
    await page.get_by_role("radio", name="Token").check(force=True)
    await page.get_by_label("Access token").fill(f"Bearer {site.tokens['bob']}")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Usage", exact=True)).to_be_visible()


async def test_an_admin_signs_in_with_the_gateways_password(windows: Windows) -> None:
    page = await windows.visit("/billing-admin", None)
    await page.get_by_role("radio", name="Admin password").check(force=True)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("navigation", name="Sections")).to_contain_text("Audit log")


async def test_who_is_no_admin_is_told_so(windows: Windows) -> None:
    page = await windows.visit("/billing-admin", "bob")
    await expect(page.get_by_text("This account is not an administrator")).to_be_visible()
    await expect(page.get_by_role("link", name="Plans and usage")).to_have_attribute("href", "/billing")
    assert await page.get_by_role("navigation", name="Sections").count() == 0


async def test_the_page_speaks_portuguese_when_the_browser_does_and_when_it_is_asked_to(windows: Windows) -> None:
    page = await windows.visit("/billing", None, locale="pt-BR")
    await expect(page.get_by_role("button", name="Entrar")).to_be_visible()
    await expect(page.locator("html")).to_have_attribute("lang", "pt")
    await page.get_by_text("Menu", exact=True).click()
    await page.get_by_label("Idioma").select_option("en")
    await expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("button", name="Sign in")).to_be_visible()


async def test_a_chosen_theme_stays(windows: Windows) -> None:
    page = await windows.visit("/billing", None, color_scheme="light")
    await page.get_by_text("Menu", exact=True).click()
    await page.get_by_label("Appearance").select_option("dark")
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert re.fullmatch(r"rgb\(17, 20, 19\)", background)
