"""What is going on and what was done, through the administrator's page."""

import re
from pathlib import Path

from playwright.async_api import expect

from gateway.demo.data import ADMIN, ALICE
from tests.ui.conftest import Windows
from tests.ui.site import Site
from tests.ui.test_admin import admin, make_plan


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
