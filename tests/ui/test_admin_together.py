"""Two admins at once, and hands that slip: nothing is changed that was not shown, and nothing typed is lost."""

import re
from typing import Any

from playwright.async_api import Page, Route, expect

from gateway.demo.data import BOB
from tests.ui.conftest import Windows
from tests.ui.site import Site
from tests.ui.test_admin import admin

HOURLY = {"throughput_limit": 10, "window_seconds": 3600, "duration_days": 30}


def plan(site: Site, name: str, **more: Any) -> dict[str, Any]:
    said = {"name": name, "slug": name.lower().replace(" ", "-"), **HOURLY, **more}
    return dict(site.call("/billing/plan", "su", method="POST", body=said))


async def test_who_was_overtaken_in_a_plan_sees_by_what_and_applies_his_part_to_it(
    windows: Windows, site: Site
) -> None:
    made = plan(site, "Contested", description="as it was")
    page = await admin(windows, "plans")
    row = page.get_by_role("row").filter(has_text="contested")
    await row.get_by_role("button", name="Edit: Contested").click()
    form = page.get_by_role("dialog", name="Edit plan")
    await form.get_by_label("Description").fill("what I wrote")
    await form.get_by_label("Duration in days").fill("60")
    theirs = {"description": "what they wrote", "throughput_limit": 77, "active": False}
    site.call(f"/billing/plan?id={made['id']}", "su", method="PUT", body=theirs)
    await form.get_by_role("button", name="Save").click()
    await expect(form.get_by_role("alert")).to_contain_text("Somebody else has changed this meanwhile")
    await expect(form.get_by_role("alert"), "what is to be done is said once").not_to_contain_text("Reload")
    told = form.get_by_role("table", name="Changed by somebody else meanwhile.")
    await expect(told.get_by_role("row").filter(has_text="Description")).to_contain_text("what they wrote")
    await expect(told.get_by_role("row").filter(has_text="Description")).to_contain_text("what I wrote (yours)")
    await expect(told.get_by_role("row").filter(has_text="Limits")).to_contain_text("77 units per hour")
    await expect(told.get_by_role("row").filter(has_text="On offer")).to_contain_text("taken over")
    await expect(form.get_by_label("Units")).to_have_value("77")
    await expect(form.get_by_label("Description")).to_have_value("what I wrote")
    unchanged = site.call(f"/billing/plan/{made['id']}", "su")
    assert (unchanged["description"], unchanged["duration_days"]) == ("what they wrote", 30)
    await form.get_by_role("button", name="Save").click()
    await expect(form).to_be_hidden()
    after = site.call(f"/billing/plan/{made['id']}", "su")
    assert (after["description"], after["duration_days"], after["active"]) == ("what I wrote", 60, False)
    assert after["throughput_limit"] == 77


async def test_an_edit_that_arrives_between_looking_and_saving_is_not_overwritten(windows: Windows, site: Site) -> None:
    """The page looks before it saves; what comes between the two is the server's to notice."""
    said = {"method": "GET", "path_pattern": "/contested", "weight": 3}
    made = site.call("/billing/endpoint-weight", "su", method="POST", body=said)
    page = await admin(windows, "weights")
    windows.watches[0].expect("412")
    overtaking = True

    async def overtaken(route: Route) -> None:
        nonlocal overtaking
        if route.request.method == "PUT" and overtaking:
            overtaking = False
            path = f"/billing/endpoint-weight?id={made['id']}"
            site.call(path, "su", method="PUT", body={"weight": 5, "description": "theirs"})
        await route.fallback()

    await page.route(re.compile(r"/endpoint-weight\?id="), overtaken)
    await page.get_by_role("button", name="Edit: GET /contested").click()
    form = page.get_by_role("dialog", name="Edit weight")
    await form.get_by_label("Weight").fill("9")
    await form.get_by_role("button", name="Save").click()
    await expect(form.get_by_role("table")).to_contain_text("9 (yours)")
    await expect(form.get_by_label("Description")).to_have_value("theirs")
    await form.get_by_role("button", name="Save").click()
    await expect(form).to_be_hidden()
    after = site.call(f"/billing/endpoint-weight/{made['id']}", "su")
    assert (after["weight"], after["description"]) == (9, "theirs")


async def test_what_was_changed_since_it_was_shown_is_not_deleted(windows: Windows, site: Site) -> None:
    made = plan(site, "Precious")
    page = await admin(windows, "plans")
    row = page.get_by_role("row").filter(has_text="precious")
    await row.get_by_role("button", name="Delete: Precious").click()
    site.call(f"/billing/plan?id={made['id']}", "su", method="PUT", body={"throughput_limit": 4321})
    sure = page.get_by_role("dialog", name="Delete Precious?")
    await sure.get_by_role("button", name="Delete").click()
    await expect(sure.get_by_role("alert")).to_contain_text("Somebody else has changed this meanwhile")
    await expect(row).to_contain_text("4,321 units per hour")
    await sure.get_by_role("button", name="Cancel").click()
    await row.get_by_role("button", name="Delete: Precious").click()
    await sure.get_by_role("button", name="Delete").click()
    await expect(row).to_have_count(0)


async def test_a_price_that_somebody_else_has_changed_is_shown_before_it_is_changed_again(
    windows: Windows, site: Site
) -> None:
    made = plan(site, "Dear", prices=[{"currency": "usd", "price_cents": 1000}])
    page = await admin(windows, "plans")
    await page.get_by_role("button", name="Prices: Dear").click()
    dialog = page.get_by_role("dialog", name="Prices of Dear")
    await dialog.get_by_label("Amount in USD").fill("15")
    path = f"/billing/plan/{made['id']}/price"
    site.call(f"{path}?id={made['prices'][0]['id']}", "su", method="PUT", body={"price_cents": 1200})
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("Somebody else has changed this meanwhile")
    await expect(dialog).to_contain_text("US$15.00 instead of US$12.00")
    await dialog.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("The price was saved.")).to_be_visible()
    assert [price["price_cents"] for price in site.call(path, "su")] == [1500]


async def test_a_subscription_that_was_changed_meanwhile_is_shown_and_then_changed(
    windows: Windows, site: Site
) -> None:
    made = plan(site, "Shared")
    gift = {"plan_id": made["id"], "scope": "user", "user_id": BOB.id}
    given = site.call("/billing/subscription/manual", "su", method="POST", body=gift)
    page = await admin(windows, "subscriptions")
    row = page.get_by_role("row").filter(has_text="Shared")
    await row.get_by_role("button", name="Manage: Shared").click()
    manage = page.get_by_role("dialog", name="Subscription to Shared")
    await manage.get_by_label("Changed limit").fill("500")
    theirs = {"expires_at": "2031-05-05T00:00:00Z"}
    site.call(f"/billing/subscription/{given['id']}/extend", "su", method="POST", body=theirs)
    await manage.get_by_role("button", name="Set this limit").click()
    await expect(manage.get_by_role("alert")).to_contain_text("Somebody else has changed this meanwhile")
    await expect(manage.get_by_role("table")).to_contain_text("5 May 2031")
    await expect(manage.get_by_label("Changed limit")).to_have_value("500")
    await manage.get_by_role("button", name="Set this limit").click()
    await expect(row).to_contain_text("500")
    await expect(row).to_contain_text("5 May 2031")
    await expect(manage.get_by_role("alert")).to_have_count(0)


async def form_with_text(page: Page) -> None:
    await page.get_by_role("button", name="New plan").click()
    await page.get_by_role("dialog", name="New plan").get_by_label("Description").fill("an hour of work")


async def test_escape_and_the_cross_ask_before_they_throw_away_what_was_typed(windows: Windows) -> None:
    page = await admin(windows, "plans")
    await form_with_text(page)
    form = page.get_by_role("dialog", name="New plan")
    asked = form.get_by_role("alertdialog", name="What you have typed here is not saved.")
    for _ in range(3):
        await page.keyboard.press("Escape")
        await expect(asked.get_by_role("button", name="Go on editing")).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(asked).to_have_count(0)
        await expect(form.get_by_label("Description")).to_be_focused()
    await form.get_by_role("button", name="Close").click()
    await asked.get_by_role("button", name="Go on editing").click()
    await expect(form.get_by_label("Description")).to_have_value("an hour of work")
    await form.get_by_role("button", name="Close").click()
    await asked.get_by_role("button", name="Discard it").click()
    await expect(form).to_be_hidden()
    await page.get_by_role("button", name="New plan").click()
    await page.keyboard.press("Escape")
    await expect(form, "nothing was typed, so nothing is asked").to_be_hidden()


async def test_going_back_or_leaving_the_page_does_not_lose_what_was_typed(windows: Windows) -> None:
    page = await admin(windows, "overview")
    await page.get_by_role("link", name="Plans").click()
    await form_with_text(page)
    form = page.get_by_role("dialog", name="New plan")
    asked: list[str] = []

    async def stay(dialog: Any) -> None:
        asked.append(dialog.type)
        await dialog.dismiss()

    page.on("dialog", stay)
    await page.go_back()
    await expect(form.get_by_role("alertdialog")).to_be_visible()
    assert page.url.endswith("#/plans")
    await form.get_by_role("button", name="Go on editing").click()
    await expect(form.get_by_label("Description")).to_have_value("an hour of work")
    await page.evaluate("location.reload()")
    await expect(form.get_by_label("Description")).to_have_value("an hour of work")
    assert asked == ["beforeunload"]
    await form.get_by_role("button", name="Close").click()
    await form.get_by_role("button", name="Discard it").click()
    await page.go_back()
    await expect(page.get_by_text("Requests per second")).to_be_visible()


async def test_pressed_again_after_an_answer_that_was_lost_a_subscription_is_given_once(
    windows: Windows, site: Site
) -> None:
    site.call("/contact", "bob", workspace=site.beta)
    plan(site, "Only Once")
    page = await admin(windows, "subscriptions")
    windows.watches[0].expect("ERR_")
    await page.get_by_role("button", name="Give subscription").click()
    form = page.get_by_role("dialog", name="Give a subscription")
    await form.get_by_label("Plan").select_option("Only Once")
    await form.get_by_role("searchbox", name="User").fill(BOB.id)
    await form.get_by_role("group", name="Found: User").get_by_role("button").first.click()
    lost = 0

    async def lose(route: Route) -> None:
        nonlocal lost
        lost += 1
        if lost == 1:
            await route.fetch()
            await route.abort("connectionreset")
        else:
            await route.fallback()

    await page.route("**/subscription/manual", lose)
    await form.get_by_role("button", name="Give subscription").click()
    await expect(form.get_by_role("alert")).to_be_visible()
    await form.get_by_role("button", name="Give subscription").click()
    await expect(form).to_be_hidden()
    of_bob = site.call(f"/billing/subscription/all?user_id={BOB.id}", "su")
    assert [each["plan"]["name"] for each in of_bob].count("Only Once") == 1


async def test_escape_from_signing_in_again_asks_before_it_throws_away_the_form_below(
    windows: Windows, site: Site
) -> None:
    page = await admin(windows, "plans")
    windows.watches[0].expect("401")
    await form_with_text(page)
    form = page.get_by_role("dialog", name="New plan")
    await form.get_by_label("Name", exact=True).fill("Survivor")
    await page.route("**/billing/plan", lambda route: route.fulfill(status=401, json={"message": "token is expired"}))
    await form.get_by_role("button", name="Create").click()
    again = page.get_by_role("dialog", name="Sign in again")
    await expect(again).to_be_visible()
    await page.keyboard.press("Escape")
    await again.get_by_role("alertdialog").get_by_role("button", name="Go on editing").click()
    await again.get_by_role("radio", name="Token").check(force=True)
    await again.get_by_label("Access token").fill(site.tokens["su"])
    await again.get_by_role("button", name="Sign in").click()
    await expect(again).to_be_hidden()
    await expect(form.get_by_label("Description")).to_have_value("an hour of work")
    await page.unroute_all()
    await form.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("row").filter(has_text="survivor")).to_be_visible()
