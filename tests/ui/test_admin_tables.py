"""Long tables, and tables that grow while they are read."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Page, Route, expect

from tests.ui.conftest import Windows
from tests.ui.samples import PAYMENTS, PLANS, about, at, subscription
from tests.ui.site import answer

Row = dict[str, Any]
MANY = 10_000


def weight(number: int) -> Row:
    path = f"/reports/{number}"
    return {
        "method": "GET",
        "path_pattern": path,
        "weight": 1,
        "source": "database",
        "public": False,
        "shadowed": False,
    }


def key(number: int) -> Row:
    return {"name": f"program {number}", "user_id": f"u{number}", "source": "database"}


def event(number: int) -> Row:
    facts = {"provider": "stripe", "key": f"evt_{number}", "type": "invoice.paid", "subject": "invoice"}
    return {**facts, "subject_id": f"in_{number}", "status": "done", "attempts": 1, "happened_at": at()}


def change(number: int) -> Row:
    facts = {"at": at(seconds=number), "actor_kind": "admin", "action": "plan.update", "topic": "plan"}
    return {**facts, "object_id": f"plan-{number}", "before": {"n": number}, "after": {"n": number + 1}}


def plan(number: int) -> Row:
    return {**PLANS[0], "name": f"Plan {number}", "slug": f"plan-{number}"}


LISTS: Mapping[str, tuple[str, str, Callable[[int], Row]]] = {
    "endpoint-weight": ("weights", "Endpoint weights", weight),
    "api-key": ("keys", "API keys", key),
    "webhook-event": ("webhooks", "Webhooks", event),
    "audit": ("audit", "Audit log", change),
    "plan": ("plans", "Plans", plan),
    "subscription/all": ("subscriptions", "Subscriptions", lambda number: subscription(number, PLANS[1])),
}


class Table:
    """A list of the API with many rows, the newest first, paged as the gateway does it."""

    def __init__(self, make: Callable[[int], Row], count: int, *, whole: int = 1000) -> None:
        self.rows: list[Row] = []
        self.asked: list[str] = []
        self._make, self._whole, self._made = make, whole, 0
        self.add(count)

    def add(self, count: int) -> None:
        """As many new ones."""
        for _ in range(count):
            self._made += 1
            stamp = f"2026-11-01T00:00:00.{self._made:06}Z"
            self.rows.insert(
                0, {**self._make(self._made), "id": str(self._made), "created_at": stamp, "updated_at": stamp}
            )

    async def serve(self, page: Page, path: str) -> None:
        await page.route(re.compile(rf"/billing/{re.escape(path)}\?"), self._answer)

    async def _answer(self, route: Route) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(route.request.url).query).items()}
        self.asked.append(route.request.url)
        place = query.get("before_id") or query.get("after", "").rpartition(",")[2]
        rows = [row for row in self.rows if not place or int(row["id"]) < int(place)]
        text = query.get("text", "").casefold()
        rows = [
            row for row in rows if text in f"{row.get('method')} {row.get('path_pattern')} {row.get('name')}".casefold()
        ]
        await route.fulfill(json=rows[: min(int(query["limit"]), self._whole)])


@pytest.mark.parametrize("path", LISTS)
async def test_a_table_of_ten_thousand_rows_stays_small_and_quick(windows: Windows, path: str) -> None:
    view, caption, make = LISTS[path]
    page, _ = await windows.open()
    table = Table(make, MANY)
    await table.serve(page, path)
    await page.goto(windows.site.address("/billing-admin", "su", view=view))
    shown = page.get_by_role("table", name=caption, exact=True)
    await expect(shown.get_by_role("row")).to_have_count(51)
    onward = page.get_by_role("navigation", name=f"Pages of {caption}").get_by_role("button", name="Next")
    for number in range(1, 9):
        await onward.click()
        await expect(page.get_by_text(re.compile(rf"^{number * 50 + 1}.{number * 50 + 50} of "))).to_be_visible()
    await expect(shown.get_by_role("row")).to_have_count(51)
    assert len(table.asked) == 3, "two hundred at a time"
    elements = await page.evaluate("document.querySelectorAll('*').length")
    assert elements < 1_800, elements


async def test_ten_thousand_subscriptions_are_shown_fifty_at_a_time(windows: Windows) -> None:
    page, _ = await windows.open()
    table = Table(lambda number: subscription(number, PLANS[1]), MANY)
    await table.serve(page, "subscription")
    await page.goto(windows.site.address("/billing", "alice", view="subscriptions"))
    cards = page.get_by_role("listitem", name="Starter", exact=True)
    await expect(cards).to_have_count(50)
    onward = page.get_by_role("navigation", name="Pages of Subscriptions").get_by_role("button", name="Next")
    for number in range(1, 9):
        await onward.click()
        await expect(page.get_by_text(re.compile(rf"^{number * 50 + 1}.{number * 50 + 50} of "))).to_be_visible()
    await expect(cards).to_have_count(50)
    asked = [one for one in table.asked if "created_at=desc" in one]
    assert len(asked) == 3, "two hundred at a time"
    elements = await page.evaluate("document.querySelectorAll('*').length")
    assert elements < 3_000, elements


async def test_ten_thousand_payments_are_shown_fifty_at_a_time(windows: Windows) -> None:
    page, _ = await windows.open()
    asked: list[str] = []

    async def portion(route: Route) -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        first = int(query.get("cursor", ["0"])[0])
        asked.append(route.request.url)
        rows = [{**PAYMENTS["data"][0], "id": f"pi_{number}"} for number in range(first, first + 50)]
        await route.fulfill(json={"data": rows, "has_more": first + 50 < MANY, "next_cursor": str(first + 50)})

    await answer(page, "**/billing/about", about(windows.site.url))
    await page.route(re.compile(r"/billing/payment\?"), portion)
    await page.goto(windows.site.address("/billing", "alice", view="payments"))
    rows = page.get_by_role("table", name="Payments").get_by_role("row")
    await expect(rows).to_have_count(51)
    onward = page.get_by_role("navigation", name="Pages of Payments").get_by_role("button", name="Next")
    for number in range(1, 9):
        await onward.click()
        await expect(page.get_by_text(re.compile(rf"^{number * 50 + 1}.{number * 50 + 50} of "))).to_be_visible()
    await expect(rows).to_have_count(51)
    assert len(asked) == 9
    elements = await page.evaluate("document.querySelectorAll('*').length")
    assert elements < 1_800, elements


async def test_all_ten_thousand_at_once_are_drawn_as_quickly_as_fifty(windows: Windows) -> None:
    page, _ = await windows.open()
    table = Table(weight, MANY, whole=MANY)
    await page.route(re.compile(r"/billing/endpoint-weight\?"), lambda route: route.fulfill(json=table.rows))
    await page.goto(windows.site.address("/billing-admin", "su", view="weights"))
    onward = page.get_by_role("button", name="Next")
    await expect(page.get_by_text(re.compile(r"^1.50 of 10,000\+?$"))).to_be_visible()
    assert await page.evaluate("document.querySelectorAll('*').length") < 1_500
    turning = """async button => {
        const frame = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
        const begun = performance.now();
        for (let turn = 0; turn < 10; turn += 1) { button.click(); await frame(); }
        return (performance.now() - begun) / 10;
    }"""
    each = await onward.evaluate(turning)
    assert each < 500, f"{each} ms for a page"
    await expect(page.get_by_text(re.compile(r"^501.550 of"))).to_be_visible()


async def test_what_is_searched_for_is_asked_of_the_server(windows: Windows) -> None:
    page, _ = await windows.open()
    table = Table(weight, MANY)
    await table.serve(page, "endpoint-weight")
    await page.goto(windows.site.address("/billing-admin", "su", view="weights"))
    await page.get_by_label("Search").fill("get /reports/1234")
    rows = page.get_by_role("table", name="Endpoint weights").get_by_role("row")
    await expect(rows.filter(has=page.get_by_text("/reports/1234", exact=True))).to_have_count(1)
    assert "text=get+%2Freports%2F1234" in table.asked[-1], "it is far behind what was fetched"


@pytest.mark.parametrize("new", [3, 250, 3_000], ids=["a few", "more than a portion", "more than are fetched between"])
async def test_rows_that_come_while_a_list_is_read_neither_leave_gaps_nor_repeat(windows: Windows, new: int) -> None:
    page, _ = await windows.open()
    await page.clock.install()
    table = Table(change, 600)
    await table.serve(page, "audit")
    await page.goto(windows.site.address("/billing-admin", "su", view="audit"))
    onward = page.get_by_role("button", name="Next")
    for number in range(1, 6):  # into the second portion
        await onward.click()
        await expect(page.get_by_text(re.compile(rf"^{number * 50 + 1}.{number * 50 + 50} of"))).to_be_visible()
    table.add(new)
    async with page.expect_response(re.compile("/billing/audit")):
        await page.clock.run_for(31_000)
    for _ in range(5):
        await page.get_by_role("button", name="Back").click()
    seen: list[str] = []
    expected = [f"plan-{number}" for number in range(600 + new, 600 + new - 450, -1)]
    for number in range(9):
        await expect(page.get_by_text(re.compile(rf"^{number * 50 + 1}.{number * 50 + 50} of"))).to_be_visible()
        seen += [
            (await title.get_attribute("title") or "").removeprefix("Copy ")
            for title in await page.locator("td.wide .id").all()
        ]
        if number < 8:
            await onward.click()
    assert seen == expected


async def test_after_a_change_everything_that_is_shown_is_read_again(windows: Windows) -> None:
    page, _ = await windows.open()
    table = Table(weight, 600)
    await table.serve(page, "endpoint-weight")
    await page.goto(windows.site.address("/billing-admin", "su", view="weights"))
    onward = page.get_by_role("button", name="Next")
    for number in range(1, 6):
        await onward.click()
        await expect(page.get_by_text(re.compile(rf"^{number * 50 + 1}.{number * 50 + 50} of"))).to_be_visible()
    old = table.rows[260]

    async def changed(route: Route) -> None:
        if route.request.method == "PUT":
            table.rows[260] = {**old, "weight": 77}
        await route.fulfill(json=table.rows[260])

    await page.route(re.compile(rf"/billing/endpoint-weight(/|\?id=){old['id']}$"), changed)
    row = page.get_by_role("row").filter(has=page.get_by_text(str(old["path_pattern"]), exact=True))
    await row.get_by_role("button", name=re.compile("^Edit")).click()
    await page.get_by_role("dialog").get_by_label("Weight").fill("77")
    await page.get_by_role("dialog").get_by_role("button", name="Save").click()
    await expect(row.get_by_role("strong")).to_have_text("77")


async def test_a_second_page_that_cannot_be_fetched_says_so_and_can_be_asked_for_again(windows: Windows) -> None:
    page, watch = await windows.open()
    watch.expect("500")
    table = Table(weight, 300)
    await table.serve(page, "endpoint-weight")
    await page.goto(windows.site.address("/billing-admin", "su", view="weights"))
    onward = page.get_by_role("button", name="Next")
    for number in range(1, 4):
        await onward.click()
        await expect(page.get_by_text(re.compile(rf"^{number * 50 + 1}."))).to_be_visible()
    broken = re.compile(r"/billing/endpoint-weight\?.*after=")
    await page.route(broken, lambda route: route.fulfill(status=500, json={"description": "The disk is on fire."}))
    await onward.click()
    await expect(page.get_by_role("status").filter(has_text="The disk is on fire.")).to_be_visible()
    await page.unroute(broken)
    await onward.click()
    await expect(page.get_by_text(re.compile("^201.250 of"))).to_be_visible()
