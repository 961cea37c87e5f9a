"""A token from a link: nobody is exchanged for somebody else without being asked."""

import base64
import json

from playwright.async_api import Page, expect

from gateway.demo.data import ALICE, BOB
from tests.ui.conftest import Windows
from tests.ui.site import Site

QUESTION = "Sign in as somebody else?"


async def follow(page: Page, token: str, more: str = "") -> None:
    await page.evaluate("hash => { location.hash = hash }", f"access_token={token}&view=plans{more}")


async def who(page: Page) -> str:
    kept = json.loads(await page.evaluate("sessionStorage.getItem('weighbridge.session')"))
    claims = kept["token"].split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sub"])


async def test_a_link_of_somebody_else_asks_and_to_stay_is_to_stay(windows: Windows, site: Site) -> None:
    page = await windows.visit("/billing", "alice", workspace=site.acme)
    await expect(page.get_by_role("heading", name="Usage", exact=True)).to_be_visible()
    await follow(page, site.tokens["bob"], f"&workspace={site.beta}")
    dialog = page.get_by_role("dialog", name=QUESTION)
    await expect(dialog).to_contain_text(f"Alice {ALICE.id}")
    await expect(dialog).to_contain_text(f"Bob {BOB.id}")
    assert page.url == f"{site.url}/billing#/plans"
    await dialog.get_by_role("button", name="Stay as I am").click()
    await expect(dialog).to_be_hidden()
    assert await who(page) == ALICE.id
    await expect(page.get_by_label("Workspace")).to_have_value(site.acme)


async def test_it_is_followed_when_it_is_meant(windows: Windows, site: Site) -> None:
    page = await windows.visit("/billing", "alice")
    await expect(page.get_by_role("heading", name="Usage", exact=True)).to_be_visible()
    await follow(page, site.tokens["bob"], f"&workspace={site.beta}")
    await page.get_by_role("dialog", name=QUESTION).get_by_role("button", name="Use the link's token").click()
    await expect(page.get_by_label("Workspace")).to_have_value(site.beta)
    assert await who(page) == BOB.id
    await page.get_by_text("Menu", exact=True).click()
    await expect(page.get_by_text("Signed in as Bob")).to_be_visible()


async def test_a_link_in_a_tab_that_remembers_somebody_asks_as_well(windows: Windows, site: Site) -> None:
    page = await windows.visit("/billing", "alice")
    await expect(page.get_by_role("heading", name="Usage", exact=True)).to_be_visible()
    await page.goto("about:blank")
    await page.goto(site.address("/billing", "bob"))
    dialog = page.get_by_role("dialog", name=QUESTION)
    await expect(dialog).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    assert await who(page) == ALICE.id


async def test_a_newer_token_of_the_same_person_asks_nothing(windows: Windows, site: Site) -> None:
    page = await windows.visit("/billing", "alice")
    await expect(page.get_by_role("heading", name="Usage", exact=True)).to_be_visible()
    login = {"grant_type": "password", "username": ALICE.email, "password": ALICE.password}
    newer = site.call("/user/oauth/token", "alice", method="POST", body=login)["access_token"]
    assert newer != site.tokens["alice"]
    async with page.expect_request(lambda request: request.headers.get("authorization") == f"Bearer {newer}"):
        await follow(page, newer)
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_a_forged_token_of_the_same_name_ends_no_session(windows: Windows, site: Site) -> None:
    page = await windows.visit("/billing", "alice", workspace=site.acme)
    windows.watches[-1].expect("401")
    await expect(page.get_by_role("heading", name="Usage", exact=True)).to_be_visible()
    head, claims, _ = site.tokens["alice"].split(".")
    await follow(page, f"{head}.{claims}.c2lnbmVkLWJ5LW5vYm9keQ", f"&workspace={site.beta}")
    await expect(page.get_by_text("The link's token was not taken: you are signed in as before")).to_be_visible()
    kept = json.loads(await page.evaluate("sessionStorage.getItem('weighbridge.session')"))
    assert kept["token"] == site.tokens["alice"]
    await expect(page.get_by_label("Workspace")).to_have_value(site.acme)
    await page.get_by_role("button", name="Refresh").click()
    await expect(page.get_by_text("Your session has ended.")).to_have_count(0)


async def test_a_token_of_somebody_else_that_is_no_good_ends_no_session_though_it_is_wanted(
    windows: Windows, site: Site
) -> None:
    page = await windows.visit("/billing", "alice", workspace=site.acme)
    windows.watches[-1].expect("401")
    await expect(page.get_by_role("heading", name="Usage", exact=True)).to_be_visible()
    head, claims, _ = site.tokens["bob"].split(".")
    await follow(page, f"{head}.{claims}.c2lnbmVkLWJ5LW5vYm9keQ", f"&workspace={site.beta}")
    dialog = page.get_by_role("dialog", name=QUESTION)
    await dialog.get_by_role("button", name="Use the link's token").click()
    await expect(page.get_by_text("The link's token was not taken: you are signed in as before")).to_be_visible()
    await expect(dialog).to_be_hidden()
    kept = json.loads(await page.evaluate("sessionStorage.getItem('weighbridge.session')"))
    assert kept["token"] == site.tokens["alice"]
    await expect(page.get_by_label("Workspace")).to_have_value(site.acme)
    async with page.expect_response("**/billing/usage") as refreshed:
        await page.get_by_role("button", name="Refresh").click()
    assert (await refreshed.value).status in {200, 304}


async def test_who_was_nobody_is_told_whom_the_link_has_made_them(windows: Windows) -> None:
    page = await windows.visit("/billing", "alice")
    await expect(page.get_by_text("The link has signed you in as Alice.")).to_be_visible()


async def test_signing_out_leaves_nothing_of_a_purchase(windows: Windows) -> None:
    page = await windows.visit("/billing", "alice")
    await expect(page.get_by_role("heading", name="Usage", exact=True)).to_be_visible()
    await page.evaluate("sessionStorage.setItem('weighbridge.checkout', '{\"plan\": \"Pro\"}')")
    await page.get_by_text("Menu", exact=True).click()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_label("E-mail")).to_be_visible()
    assert await page.evaluate("sessionStorage.length") == 0


async def test_what_was_typed_stays_when_the_language_changes(windows: Windows) -> None:
    page = await windows.visit("/billing", None)
    await page.get_by_label("E-mail").fill("half@typed")
    await page.get_by_text("Menu", exact=True).click()
    await page.get_by_label("Language").select_option("pt")
    await expect(page.get_by_role("button", name="Entrar")).to_be_visible()
    await expect(page.get_by_label("E-mail")).to_have_value("half@typed")


async def test_a_language_that_does_not_arrive_leaves_the_page_as_it_is(windows: Windows) -> None:
    page, watch = await windows.open(locale="pt-BR")
    watch.expect("ERR_")
    await page.route("**/messages/pt.js", lambda route: route.abort())
    await page.goto(windows.site.address("/billing", None))
    await expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    await page.get_by_text("Menu", exact=True).click()
    await page.get_by_label("Language").select_option("pt")
    await expect(page.get_by_text("This language could not be fetched.")).to_be_visible()
