import re
from pathlib import Path

from playwright.async_api import Page, expect

from gateway.demo.data import ADMIN, ALICE, DAVE
from tests.ui.conftest import Windows
from tests.ui.site import Site


async def admin(windows: Windows, view: str) -> Page:
    return await windows.visit("/billing-admin", "su", view=view)


async def make_plan(page: Page, name: str, *, amount: str = "5000") -> None:
    """A plan with a price in dollars and one in yen, through the form."""
    await page.get_by_role("button", name="New plan").click()
    form = page.get_by_role("dialog", name="New plan")
    await form.get_by_label("Name", exact=True).fill(name)
    await form.get_by_label("Units").fill(amount)
    await form.get_by_role("button", name="Add price").click()
    await form.get_by_label("Amount").nth(0).fill("49.00")
    await form.get_by_role("button", name="Add price").click()
    await form.get_by_label("Currency").nth(1).fill("jpy")
    await form.get_by_label("Amount").nth(1).fill("7400")
    await form.get_by_role("button", name="Create").click()
    await expect(form).to_be_hidden()


async def test_a_plan_is_made_shown_changed_copied_and_deleted(windows: Windows, site: Site) -> None:
    page = await admin(windows, "plans")
    await make_plan(page, "Growth")
    made = page.get_by_role("row").filter(has_text="growth")
    await expect(made).to_contain_text("5,000 units per hour")
    await expect(made).to_contain_text("US$49.00")
    await expect(made).to_contain_text("JP¥7,400")

    await made.get_by_role("button", name="Edit: Growth").click()
    form = page.get_by_role("dialog", name="Edit plan")
    await form.get_by_label("Units").fill("6000")
    await form.get_by_label("New terms are for").select_option("new")
    await expect(form.get_by_role("article", name="Growth")).to_contain_text("6,000 units per hour")
    await form.get_by_role("button", name="Save").click()
    await expect(made).to_contain_text("6,000 units per hour")

    await made.get_by_role("button", name="Duplicate: Growth").click()
    copy = page.get_by_role("dialog", name="New plan")
    await expect(copy.get_by_label("Name", exact=True)).to_have_value("Copy of Growth")
    await expect(copy.get_by_label("Amount").nth(1)).to_have_value("7400")
    await copy.get_by_role("button", name="Create").click()
    copied = page.get_by_role("row").filter(has_text="growth-copy")
    await expect(copied).to_contain_text("US$49.00")

    await copied.get_by_role("button", name="Delete: Copy of Growth").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(copied).to_have_count(0)
    plans = {plan["slug"]: plan for plan in site.call("/billing/plan", "su")}
    assert plans["growth"]["throughput_limit"] == 6000
    assert "growth-copy" not in plans


async def test_a_plan_keeps_its_calendar_though_the_form_does_not_show_it(windows: Windows, site: Site) -> None:
    monthly = {"amount": 9000, "anchor": "month", "time_zone": "Europe/Berlin"}
    pace = {"amount": 10, "window_seconds": 1, "refill": "continuous", "burst": 20}
    plan = {"name": "Monthly", "slug": "monthly", "duration_days": 30, "limits": [monthly, pace]}
    made = site.call("/billing/plan", "su", method="POST", body=plan)
    page = await admin(windows, "plans")
    await page.get_by_role("row").filter(has_text="monthly").get_by_role("button", name="Edit: Monthly").click()
    form = page.get_by_role("dialog", name="Edit plan")
    await form.get_by_label("Name", exact=True).fill("By the month")
    await form.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("row").filter(has_text="By the month")).to_be_visible()
    after = site.call(f"/billing/plan/{made['id']}", "su")
    assert (after["name"], after["limits"]) == ("By the month", made["limits"])


async def test_what_is_wrong_with_a_plan_is_said_at_its_field_and_nothing_typed_is_lost(windows: Windows) -> None:
    page = await admin(windows, "plans")
    windows.watches[0].expect("422", "409")
    await page.get_by_role("button", name="New plan").click()
    form = page.get_by_role("dialog", name="New plan")
    await form.get_by_label("Name", exact=True).fill("Bad")
    await form.get_by_label("Slug").fill("not a slug!")
    await form.get_by_label("Description").fill("A long story")
    await form.get_by_role("button", name="Create").click()
    await expect(form.get_by_role("alert")).to_contain_text("Nothing was changed")
    await expect(form.get_by_label("Slug")).to_have_attribute("aria-invalid", "true")
    await expect(form.get_by_label("Description")).to_have_value("A long story")


async def test_prices_are_added_changed_and_removed_each_on_its_own(windows: Windows) -> None:
    page = await admin(windows, "plans")
    await make_plan(page, "Priced")
    await page.get_by_role("button", name="Prices: Priced").click()
    dialog = page.get_by_role("dialog", name="Prices of Priced")
    await dialog.get_by_label("Amount in USD").fill("59.5")
    await dialog.get_by_label("Amount in USD").press("Tab")
    await dialog.get_by_role("listitem").filter(has_text="USD").get_by_role("button", name="Save").click()
    await expect(page.get_by_role("row").filter(has_text="priced")).to_contain_text("US$59.50")
    await dialog.get_by_label("Amount in JPY").fill("12.5")
    await expect(dialog.get_by_text("at most 0 digits after the point")).to_be_visible()
    await dialog.get_by_role("button", name="Remove the price in JPY").click()
    sure = page.get_by_role("dialog", name="Remove the price in JPY?")
    await expect(sure).to_contain_text("JP¥7,400: nobody can buy Priced in this currency any more")
    await sure.get_by_role("button", name="Cancel").click()
    await expect(dialog.get_by_label("Amount in JPY")).to_have_value("12.5")
    await dialog.get_by_role("button", name="Remove the price in JPY").click()
    await sure.get_by_role("button", name="Remove").click()
    await expect(dialog.get_by_label("Amount in JPY")).to_have_count(0)
    await dialog.get_by_label("Currency").fill("brl")
    await dialog.get_by_label("Amount", exact=True).fill("249,90")
    await dialog.get_by_role("button", name="Add price").click()
    await expect(dialog.get_by_label("Amount in BRL")).to_have_value("249.90")


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
    await form.get_by_label("User", exact=True).nth(-1).fill("ali")
    await form.get_by_role("button", name=re.compile("Alice|" + ALICE.id[:8])).click()
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
    site.call("/contact", "alice", workspace=site.acme)
    page = await admin(windows, "plans")
    await make_plan(page, "Dated")
    await page.get_by_role("link", name="Subscriptions").click()
    await page.get_by_role("button", name="Give subscription").click()
    form = page.get_by_role("dialog", name="Give a subscription")
    await form.get_by_role("button", name="Give subscription").click()
    await expect(form, "no plan is chosen for anybody").to_be_visible()
    await form.get_by_label("Plan").select_option("Dated")
    await form.get_by_text("Workspace", exact=True).click()
    for label, who in (("Workspace", "acm"), ("In the name of", "ali")):
        await form.get_by_role("searchbox", name=label).fill(who)
        await form.get_by_role("group", name=f"Found: {label}").get_by_role("button").first.click()
    await form.get_by_label("Starts").fill("2031-01-01T00:00")
    await form.get_by_label("Ends").fill("2032-01-01T00:00")
    await form.get_by_role("button", name="Give subscription").click()
    await expect(form).to_be_hidden()
    row = page.get_by_role("row").filter(has_text="Dated")
    await expect(row).to_contain_text("Not begun")
    await expect(row).to_contain_text("1 Jan 2031")
    await expect(row).to_contain_text("1 Jan 2032")
    await page.get_by_label("State").select_option("Not begun")
    await page.get_by_label("Search").fill("acme")
    await expect(row).to_have_count(1)
    await page.get_by_label("Search").fill("nobody is called so")
    await expect(page.get_by_text("No subscription is like that")).to_be_visible()


async def test_a_path_is_tried_and_a_weight_changes_what_it_costs(windows: Windows) -> None:
    page = await admin(windows, "weights")
    tried = page.get_by_role("region", name="Try a path")
    await tried.get_by_label("Method").select_option("POST")
    await tried.get_by_label("Path").fill("/Message/WhatsApp/")
    await tried.get_by_role("button", name="What does it cost?").click()
    await expect(tried).to_contain_text("5 units")
    await expect(tried).to_contain_text("gateway.yaml:")

    await page.get_by_role("button", name="New weight").click()
    form = page.get_by_role("dialog", name="New weight")
    await form.get_by_label("Method").select_option("GET")
    await form.get_by_label("Path").fill("/reports/{id}/**")
    await form.get_by_label("Weight").fill("12")
    await form.get_by_label("Description").fill("reports are slow")
    await form.get_by_role("button", name="Create").click()
    made = page.get_by_role("row").filter(has_text="/reports/{id}/**")
    await expect(made).to_contain_text("12")

    await tried.get_by_label("Method").select_option("GET")
    await tried.get_by_label("Path").fill("/reports/7/pdf")
    await tried.get_by_role("button", name="What does it cost?").click()
    await expect(tried).to_contain_text("12 units")
    await expect(tried).to_contain_text("No other rule matches this path.")

    await page.get_by_label("Search").fill("get /reports")
    await expect(page.get_by_role("table", name="Endpoint weights").get_by_role("row")).to_have_count(2)
    await page.get_by_label("Search").fill("")
    await made.get_by_role("button", name=re.compile("^Edit")).click()
    await page.get_by_role("dialog", name="Edit weight").get_by_label("Weight").fill("0")
    await page.get_by_role("dialog", name="Edit weight").get_by_role("button", name="Save").click()
    await expect(made.get_by_role("strong")).to_have_text("0")
    await made.get_by_role("button", name=re.compile("^Delete")).click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(made).to_have_count(0)


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


async def test_the_overview_shows_load_its_causes_and_the_parts(windows: Windows, site: Site) -> None:
    for _ in range(5):
        site.call("/contact", "alice", workspace=site.acme)
    page = await admin(windows, "overview")
    await expect(page.get_by_text("Requests per second")).to_be_visible()
    await expect(page.get_by_role("table", name="What is used most")).to_contain_text("ANY /contact")
    await expect(page.get_by_role("table", name="Who uses most")).to_contain_text("Workspace")
    await expect(page.locator(".part").filter(has_text="Journal")).to_contain_text("ok")


async def test_usage_is_explored_by_scope_and_saved_for_a_spreadsheet(windows: Windows, site: Site) -> None:
    site.call("/contact", "alice", workspace=site.acme)
    page = await admin(windows, "usage")
    await expect(page.get_by_role("table", name="Totals")).to_contain_text("ANY /contact")
    await page.get_by_role("radio", name="Scope").check(force=True)
    await expect(page.get_by_role("table", name="Totals")).to_contain_text("Workspace")
    async with page.expect_download() as started:
        await page.get_by_role("button", name="Save as CSV").click()
    path = await (await started.value).path()
    assert "amount" in Path(path).read_text().splitlines()[0]


async def test_the_audit_log_shows_what_was_before_and_after_and_who_did_it(windows: Windows, site: Site) -> None:
    site.call("/contact", "su", workspace=site.acme)
    page = await admin(windows, "plans")
    await make_plan(page, "Audited")
    await page.get_by_role("link", name="Audit log").click()
    entry = page.get_by_role("row").filter(has_text="Audited").first
    await expect(entry).to_contain_text("Plan: made")
    await expect(entry).to_contain_text("Administrator")
    await entry.get_by_role("button", name="Show details").click()
    await expect(page.get_by_role("table", name="Changes")).to_contain_text("audited")
    await page.get_by_label("Who").fill(ALICE.id)
    await expect(page.get_by_text("Nothing found")).to_be_visible()
    await page.get_by_label("Who").fill(ADMIN.id)
    await expect(entry).to_be_visible()
    await page.get_by_label("Who").fill("")
    await entry.get_by_role("button", name=re.compile("Su|" + ADMIN.id[:8])).first.click()
    await expect(page.get_by_label("Who")).to_have_value(re.compile("Su|" + ADMIN.id))
    await page.get_by_label("About").select_option("API key")
    await expect(entry).to_have_count(0)
    async with page.expect_download() as started:
        await page.get_by_label("About").select_option("Plan")
        await expect(entry).to_be_visible()
        await page.get_by_role("button", name="Save as CSV").click()
    path = await (await started.value).path()
    head, *rows = Path(path).read_text().splitlines()
    assert "action" in head
    assert all("plan." in row for row in rows)


async def test_the_configuration_is_shown_with_origins_and_without_secrets(windows: Windows) -> None:
    page = await admin(windows, "config")
    await page.get_by_label("Search").fill("listen")
    await expect(page.get_by_role("table", name="Configuration")).to_contain_text("127.0.0.1")
    await page.get_by_label("Search").fill("")
    await expect(page.get_by_role("table", name="Configuration")).to_be_visible()
    shown = await page.content()
    assert "correct horse" not in shown
    assert "browser-tests-that" not in shown
