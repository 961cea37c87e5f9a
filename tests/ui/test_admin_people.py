"""Who has what: subscriptions and API keys, through the administrator's page."""

import asyncio
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import Page, Route, expect

from gateway.demo.data import ALICE, BOB, DAVE
from tests.ui.conftest import Windows
from tests.ui.samples import PLANS, at, subscription
from tests.ui.site import Site, answer
from tests.ui.test_admin import admin, make_plan


async def test_a_subscription_is_given_to_somebody_found_by_name_changed_and_ended(
    windows: Windows, site: Site
) -> None:
    site.call("/contact", "alice", workspace=site.acme)
    page = await admin(windows, "plans")
    await make_plan(page, "Given", amount="777")
    await page.get_by_role("link", name="Subscriptions").click()
    await page.get_by_role("button", name="Give subscription").click()
    form = page.get_by_role("dialog", name="Give a subscription")
    await form.get_by_label("Plan").select_option("Given")
    await form.get_by_role("searchbox", name="User").fill("alice")
    found = form.get_by_role("group", name="Found: User").get_by_role("button")
    await expect(found).to_have_count(1)
    await found.click()
    await form.get_by_label("Changed limit").fill("888")
    await form.get_by_role("button", name="Give subscription").click()
    await expect(form).to_be_hidden()
    given = page.get_by_role("row").filter(has_text="Given")
    await expect(given).to_contain_text("888")
    await expect(given).to_contain_text("Active")
    usage = site.call("/billing/usage", "alice")
    assert [one["throughput_limit"] for one in usage if one["plan"] == "given"] == [888]

    await given.get_by_role("button", name="Manage: Given").click()
    manage = page.get_by_role("dialog", name="Subscription to Given")
    await manage.get_by_label("New end").fill("")
    await manage.get_by_role("button", name="Let it never end").click()
    await expect(given).to_contain_text("Never")
    await expect(manage, "it stays open after an act").to_contain_text("Never")
    await manage.get_by_label("Changed limit").fill("999")
    await manage.get_by_role("button", name="Set this limit").click()
    await expect(given).to_contain_text("999")
    await manage.get_by_role("button", name="End it now").click()
    await manage.get_by_role("button", name="Leave it").click()
    await manage.get_by_role("button", name="End it now").click()
    await manage.get_by_role("button", name="End it now").click()
    await expect(given).to_contain_text("Cancelled")
    await expect(manage).to_contain_text("It was ended and gives no budget any more.")
    await manage.get_by_role("button", name="Close").click()
    await page.get_by_label("State").select_option("Active")
    await expect(given).to_have_count(0)
    await page.get_by_label("State").select_option("Cancelled")
    await expect(given).to_have_count(1)


async def test_a_subscription_is_found_by_the_name_of_who_has_it_and_its_dates_are_as_said(
    windows: Windows, site: Site
) -> None:
    page, _ = await windows.open()
    known = {"kind": "workspace", "id": site.acme, "name": "Acme", "last_seen_at": at()}
    people = {"kind": "user", "id": ALICE.id, "name": "Alice", "last_seen_at": at()}
    await answer(page, re.compile(r"/billing/directory\?.*kind=workspace.*text=acm"), [known])
    await answer(page, re.compile(r"/billing/directory\?.*kind=user.*text=ali"), [people])
    await page.goto(site.address("/billing-admin", "su", view="plans"))
    await make_plan(page, "Dated")
    await page.get_by_role("link", name="Subscriptions").click()
    await page.get_by_role("button", name="Give subscription").click()
    form = page.get_by_role("dialog", name="Give a subscription")
    await form.get_by_role("button", name="Give subscription").click()
    await expect(form, "no plan is chosen for anybody").to_be_visible()
    await form.get_by_label("Plan").select_option("Dated")
    await form.get_by_text("Workspace", exact=True).click()
    for label, who, name in (("Workspace", "acm", "Acme"), ("In the name of", "ali", "Alice")):
        await form.get_by_role("searchbox", name=label).fill(who)
        await form.get_by_role("group", name=f"Found: {label}").get_by_role("button", name=name).click()
    await form.get_by_label("Starts").fill("2031-01-01T00:00")
    await form.get_by_label("Ends").fill("2032-01-01T00:00")
    await form.get_by_role("button", name="Give subscription").click()
    await expect(form).to_be_hidden()
    row = page.get_by_role("row").filter(has_text="Dated")
    await expect(row).to_contain_text("Not begun")
    await expect(row).to_contain_text("1 Jan 2031")
    await expect(row).to_contain_text("1 Jan 2032")
    await page.get_by_label("State").select_option("Not begun")
    await page.get_by_label("Search").fill(site.acme)
    await expect(row).to_have_count(1)
    await page.get_by_label("Search").fill("nobody is called so")
    await expect(page.get_by_text("No subscription is like that")).to_be_visible()


async def test_a_workspace_is_found_by_the_name_that_its_members_are_told(windows: Windows, site: Site) -> None:
    site.call("/contact", "alice", workspace=site.acme)
    page = await admin(windows, "subscriptions")
    await page.get_by_role("button", name="Give subscription").click()
    form = page.get_by_role("dialog", name="Give a subscription")
    await form.get_by_text("Workspace", exact=True).click()
    await form.get_by_role("searchbox", name="Workspace").fill("acm")
    await form.get_by_role("group", name="Found: Workspace").get_by_role("button", name="Acme").click()
    await expect(form).to_contain_text(site.acme)
    await page.keyboard.press("Escape")
    await form.get_by_role("button", name="Discard it").click()
    row = page.get_by_role("row").filter(has_text="Team").filter(has_text="File")
    await expect(row.get_by_role("button", name="Acme")).to_be_visible()


async def test_a_key_is_shown_once_works_is_replaced_and_revoked(windows: Windows, site: Site) -> None:
    site.call("/contact", "dave", workspace=site.beta)
    page = await admin(windows, "keys")
    await page.get_by_role("button", name="New key").click()
    form = page.get_by_role("dialog", name="New key")
    await form.get_by_label("Name", exact=True).fill("nightly export")
    await form.get_by_label("User", exact=True).fill(DAVE.id)
    await form.get_by_role("button", name=re.compile(f"Dave|Use this id|{DAVE.id[:8]}")).first.click()
    await form.get_by_role("button", name="Create").click()
    shown = page.get_by_role("dialog", name="Your new key")
    secret = await shown.locator("code").inner_text()
    assert secret.startswith("wb_")
    await shown.get_by_role("button", name="I have kept it").click()
    assert secret not in await page.content()

    key = page.get_by_role("row").filter(has_text="nightly export")
    await expect(key).to_contain_text("Valid")
    await key.get_by_role("button", name="Replace: nightly export").click()
    await page.get_by_role("dialog").get_by_role("button", name="Replace").click()
    await expect(shown.locator("code")).not_to_have_text(secret)
    await shown.get_by_role("button", name="I have kept it").click()
    await expect(key).to_have_count(2)
    await expect(key.filter(has_text="Being replaced")).to_have_count(1)
    await key.filter(has_text="Valid").get_by_role("button", name="Revoke: nightly export").click()
    await page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    await expect(key.filter(has_text="Revoked")).to_have_count(1)


async def test_pressed_again_after_an_answer_that_was_lost_a_key_is_made_once_and_its_secret_is_replaced(
    windows: Windows, site: Site
) -> None:
    page = await admin(windows, "keys")
    windows.watches[0].expect("ERR_", "409")
    await page.get_by_role("button", name="New key").click()
    form = page.get_by_role("dialog", name="New key")
    await form.get_by_label("Name", exact=True).fill("lost on the way")
    await form.get_by_role("searchbox", name="User", exact=True).fill(BOB.id)
    await form.get_by_role("group", name="Found: User").get_by_role("button").first.click()
    secrets: list[str] = []

    async def lose(route: Route) -> None:
        answer = await route.fetch()
        secrets.append((await answer.json()).get("key", ""))
        await route.abort("connectionreset")

    await page.route("**/billing/api-key", lose, times=1)
    await form.get_by_role("button", name="Create").click()
    await expect(form.get_by_role("alert")).to_be_visible()
    await form.get_by_role("button", name="Create").click()
    await expect(form.get_by_role("alert")).to_contain_text("made the key 'lost on the way'")
    await expect(form.get_by_role("alert"), "nobody else was there").not_to_contain_text("Somebody else")
    assert len(of_name(site, "lost on the way")) == 1
    await form.get_by_role("button", name="Replace it, and show the new secret").click()
    shown = page.get_by_role("dialog", name="Your new key").locator("code")
    await expect(shown).to_contain_text("wb_")
    secrets.append(await shown.inner_text())
    first, second = of_name(site, "lost on the way")
    assert {first.get("replaced_by"), second.get("replaced_by")} == {None, second["id"]}
    answers = [await page.request.get(f"{site.url}/billing/me", headers={"X-API-Key": one}) for one in secrets]
    assert [one.status for one in answers] == [401, 200], "what was lost opens nothing"


def of_name(site: Site, name: str) -> list[dict[str, Any]]:
    """The keys that are called so, in the order in which they were made."""
    found = site.call("/billing/api-key?created_at=asc", "su")
    return [each for each in found if each["name"] == name]


async def test_a_key_that_was_not_copied_is_not_closed_over_by_escape(windows: Windows) -> None:
    page = await admin(windows, "keys")
    await page.get_by_role("button", name="New key").click()
    form = page.get_by_role("dialog", name="New key")
    await form.get_by_label("Name", exact=True).fill("precious")
    await form.get_by_label("User", exact=True).fill(DAVE.id)
    await form.get_by_role("button", name=re.compile(f"Dave|Use this id|{DAVE.id[:8]}")).first.click()
    await form.get_by_role("button", name="Create").click()
    shown = page.get_by_role("dialog", name="Your new key")
    secret = await shown.locator("code").inner_text()
    for _ in range(2):
        await page.keyboard.press("Escape")
        await expect(shown.get_by_role("alertdialog")).to_contain_text("was not copied")
        await page.keyboard.press("Escape")
        await expect(shown.get_by_role("alertdialog")).to_have_count(0)
        await expect(shown.locator("code")).to_have_text(secret)
    await shown.get_by_role("button", name="Close").click()
    await shown.get_by_role("button", name="Discard it").click()
    await expect(shown).to_have_count(0)


PEOPLE = [f"5a000000-0000-4000-8000-{at:012}" for at in range(120)]


async def crowd(windows: Windows, answers: asyncio.Event) -> tuple[Page, list[str]]:
    """The subscriptions of so many people, and whose names are asked for; they are told when ``answers`` is set."""
    page, _ = await windows.open()
    rows = [subscription(at, PLANS[1], user_id=user) for at, user in enumerate(PEOPLE)]
    asked: list[str] = []

    async def directory(route: Route) -> None:
        wanted = parse_qs(urlsplit(route.request.url).query)["ids"][0].split("\n")
        asked.extend(wanted)
        await answers.wait()
        await route.fulfill(json=[{"kind": "user", "id": one, "name": f"Person {int(one[-6:])}"} for one in wanted])

    await page.route("**/billing/directory?*", directory)
    await answer(page, "**/billing/subscription/all?*", rows)
    await page.goto(windows.site.address("/billing-admin", "su", view="subscriptions"))
    return page, asked


async def turn(page: Page, button: str, last: int) -> None:
    """Go to the next page or back; its last row is drawn."""
    await page.get_by_role("button", name=button).click()
    await expect(page.get_by_role("table").get_by_title(PEOPLE[last])).to_be_visible()


async def test_whoever_is_shown_has_a_name_however_many_were_seen_since(windows: Windows) -> None:
    told = asyncio.Event()
    told.set()
    page, asked = await crowd(windows, told)
    table = page.get_by_role("table", name="Subscriptions")
    await expect(table.get_by_role("button", name="Person 49", exact=True)).to_be_visible()
    assert asked == PEOPLE[:50], "those that are shown, once"
    for last in (99, 119):
        await page.get_by_role("button", name="Next").click()
        await expect(table.get_by_role("button", name=f"Person {last}", exact=True)).to_be_visible()
    assert asked == PEOPLE


async def test_who_is_drawn_again_before_the_answer_is_there_is_not_asked_for_again(windows: Windows) -> None:
    told = asyncio.Event()
    page, asked = await crowd(windows, told)
    table = page.get_by_role("table", name="Subscriptions")
    await expect(table).to_be_visible()
    for button, last in (("Next", 99), ("Back", 49), ("Next", 99)):
        await turn(page, button, last)
    async with page.expect_request(lambda one: PEOPLE[119] in one.url):
        await turn(page, "Next", 119)
    told.set()
    await expect(table.get_by_role("button", name="Person 119", exact=True)).to_be_visible()
    assert asked == PEOPLE
