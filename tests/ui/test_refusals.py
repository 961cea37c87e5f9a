"""When requests pass again, as the page says it: the gateway's own arithmetic, over purses and their limits."""

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Error, Page, Route, expect

from tests.ui.conftest import Windows
from tests.ui.samples import PLANS, about, plan
from tests.ui.site import HIDE, Site, answer, let_pass

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


def limit(purse: int, left: int, *, of: int, window_s: int, full_in_s: float | None, **more: Any) -> dict[str, Any]:
    """One limit of ``GET /billing/usage``."""
    full = None if full_in_s is None else (NOW + timedelta(seconds=full_in_s)).isoformat()
    facts = {"scope": "user", "unlimited": False, "throughput_limit": of, "window_seconds": window_s, "purse": purse}
    facts |= {"current_usage": of - left, "remaining": left, "fallback": False, "meter": "throughput", "plan": "p"}
    return facts | {"refill": "interval", "resets_at": full} | more


def smooth(
    purse: int, left: int, *, of: int, window_s: int, full_in_s: float, burst: int | None = None
) -> dict[str, Any]:
    more = {"refill": "continuous", **({} if burst is None else {"burst": burst})}
    return limit(purse, left, of=of, window_s=window_s, full_in_s=full_in_s, **more)


PACK = limit(9, 0, of=50, window_s=86_400, full_in_s=None, refill="never")


def minute(purse: int, full_in_s: float, left: int = 0) -> dict[str, Any]:
    return limit(purse, left, of=10, window_s=60, full_in_s=full_in_s)


def hour(purse: int, full_in_s: float, left: int = 0) -> dict[str, Any]:
    return limit(purse, left, of=99, window_s=3600, full_in_s=full_in_s)


CASES = [
    ("of one purse the last of its empty limits", [minute(0, 20), hour(0, 600)], "10:00"),
    ("a limit that is not empty holds nothing up", [minute(0, 20), hour(0, 600, left=5)], "0:20"),
    ("of several purses the first that can pay", [minute(0, 45), hour(1, 600)], "0:45"),
    ("two purses of one plan are two", [minute(0, 45), hour(0, 50), minute(1, 30)], "0:30"),
    ("what comes back evenly needs no full bucket", [smooth(0, 0, of=60, window_s=3600, full_in_s=3600)], "1:00"),
    ("a burst comes back at the same rate", [smooth(0, 0, of=60, window_s=3600, full_in_s=7200, burst=120)], "1:00"),
    ("an even limit beside a window", [smooth(0, 0, of=60, window_s=3600, full_in_s=3570), minute(0, 10)], "0:30"),
    ("a pack that is spent never helps", [PACK, minute(0, 12)], "0:12"),
]


@pytest.mark.parametrize(("limits", "count"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
async def test_requests_pass_again_when_the_first_purse_can_give_one_unit(
    windows: Windows, limits: list[dict[str, Any]], count: str
) -> None:
    page = await at_noon(windows, limits)
    timer = page.get_by_role("region", name="Your requests are being refused").get_by_role("timer")
    await expect(timer).to_have_text(f"They pass again in {count}")


async def test_when_nothing_refills_waiting_does_not_help(windows: Windows) -> None:
    page = await at_noon(windows, [PACK])
    refused = page.get_by_role("region", name="Your requests are being refused")
    await expect(refused).to_contain_text("Waiting does not help")
    await expect(refused).to_contain_text("50 units of p are used up. It does not refill.")


async def test_something_left_and_less_than_the_weight_is_explained(windows: Windows) -> None:
    limits = [limit(0, 2, of=10, window_s=60, full_in_s=40), limit(1, 1, of=10, window_s=600, full_in_s=400)]
    rules = {"POST /message": {"cost": {"throughput": 5}, "pays": ["workspace", "user"]}}
    page = await at_noon(windows, limits, refused={"POST /message": 3, "GET /contact": 1}, rules=rules)
    some = page.get_by_role("region", name="Some of your requests are being refused")
    await expect(some.get_by_role("listitem")).to_have_count(1)
    await expect(some).to_contain_text("POST /message: costs 5 units, 3 left (You). They pass again in 0:40.")
    await expect(some).to_contain_text("3 requests were refused in the last hour.")
    await expect(some, "of no limit on its own: what counts is the cost").not_to_contain_text("Refill")


async def test_a_weight_that_no_budget_ever_holds_is_said_to_be_so(windows: Windows) -> None:
    rules = {"POST /bulk": {"cost": {"throughput": 500}, "pays": ["user"]}}
    page = await at_noon(windows, [limit(0, 10, of=10, window_s=60, full_in_s=None)], {"POST /bulk": 1}, rules)
    some = page.get_by_role("region", name="Some of your requests are being refused")
    await expect(some).to_contain_text("Waiting does not help: the budget never holds that much.")


async def test_who_may_not_pay_for_a_rule_does_not_count(windows: Windows, site: Site) -> None:
    full = limit(0, 90, of=100, window_s=60, full_in_s=20) | {"scope": "workspace", "workspace_id": site.acme}
    rules = {"GET /user/me": {"cost": {"throughput": 1}, "pays": ["user"]}}
    limits = [full, limit(0, 0, of=10, window_s=60, full_in_s=40)]
    page = await at_noon(windows, limits, {"GET /user/me": 2}, rules, workspace=site.acme)
    some = page.get_by_role("region", name="Some of your requests are being refused")
    await expect(some).to_contain_text("GET /user/me: costs 1 unit, 0 left (You). They pass again in 0:40.")


async def test_past_refusals_are_no_present_ones(windows: Windows) -> None:
    rules = {"GET /contact": {"cost": {"throughput": 1}, "pays": ["user"]}}
    page = await at_noon(windows, [limit(0, 5, of=10, window_s=60, full_in_s=40)], {"GET /contact": 4}, rules)
    await expect(page.get_by_text("4 requests were refused in the last hour.")).to_be_visible()
    await expect(page.locator(".refused")).to_have_count(0)


async def test_a_pack_is_offered_by_what_it_holds_and_not_by_the_second(windows: Windows) -> None:
    pack = plan(7, "Pack", 500, {"usd": 500}, pack=True, window_seconds=0)
    pack["limits"] = [{"meter": "throughput", "amount": 500, "window_seconds": 0, "refill": "never"}]
    page = await at_noon(windows, [limit(0, 0, of=4_000, window_s=3600, full_in_s=40)], plans=[*PLANS, pack])
    refused = page.get_by_role("region", name="Your requests are being refused")
    await expect(refused).to_contain_text("Starter (5,000 units per hour), Team (20,000 units per hour)")
    await expect(refused).not_to_contain_text("0 seconds")
    page = await at_noon(windows, [limit(0, 0, of=240_000, window_s=3600, full_in_s=40)], plans=[PLANS[1], pack])
    await expect(page.locator(".refused")).to_contain_text("get a larger plan: Pack (500 units, once).")


async def test_only_what_can_be_bought_in_the_chosen_currency_is_offered(windows: Windows) -> None:
    page = await at_noon(windows, [limit(0, 0, of=4_000, window_s=3600, full_in_s=40)], plans=PLANS)
    refused = page.get_by_role("region", name="Your requests are being refused")
    await expect(refused).to_contain_text("Scale (")
    await currency_of(page, "JPY")
    await expect(refused).not_to_contain_text("Scale (")
    await expect(refused).to_contain_text("Team (")
    page = await at_noon(windows, [limit(0, 0, of=240_000, window_s=3600, full_in_s=40)], plans=PLANS)
    await currency_of(page, "JPY")
    await expect(page.locator(".refused")).to_contain_text("No larger plan is sold in JPY. Choose another currency")


async def test_where_nothing_is_sold_nobody_is_told_to_buy(windows: Windows, site: Site) -> None:
    page = await at_noon(windows, [limit(0, 0, of=4_000, window_s=3600, full_in_s=40)], plans=PLANS)
    await answer(page, "**/billing/about", about(site.url, providers=()))
    await page.reload()
    refused = page.get_by_role("region", name="Your requests are being refused")
    await expect(refused).to_contain_text("These plans are larger; ask the operator for one: Starter")
    await expect(refused).not_to_contain_text("To go on now")


async def currency_of(page: Page, wanted: str) -> None:
    await page.get_by_role("group", name="Currency").get_by_text(wanted).click()


async def test_a_real_refusal_for_its_weight_is_explained(windows: Windows, site: Site) -> None:
    """Nothing made up: a new user has six units, spends two, and a message costs five."""
    give(site, site.newcomer("erin"), units=6)
    assert site.call("/message/conversation", "erin") != 429
    assert site.call("/message/whatsapp", "erin", method="POST") == 429
    page = await windows.visit("/billing", "erin")
    some = page.get_by_role("region", name="Some of your requests are being refused")
    said = re.compile(r"POST /message/whatsapp: costs 5 units, 4 left \(You\)\. They pass again in \d+")
    await expect(some).to_contain_text(said)
    await expect(some).to_contain_text(re.compile(r"To go on now, get a larger plan: .*Pro"))


async def test_what_the_first_answer_does_not_know_yet_is_explained_within_seconds(windows: Windows) -> None:
    """The journal tells of a refusal a second or two later than it happens; and the page is opened because of it."""
    page = await before_it_is_told(windows)
    some = page.get_by_role("region", name="Some of your requests are being refused")
    await let_pass(page, 5)
    await expect(some).to_contain_text("POST /message: costs 5 units, 2 left (You).")


async def test_who_comes_back_to_the_page_sees_a_new_refusal_within_seconds(windows: Windows) -> None:
    page = await before_it_is_told(windows, answers=5)
    await let_pass(page, 12)
    for hidden in ("true", "false"):
        await page.evaluate(HIDE % hidden)
    await let_pass(page, 5)
    await expect(page.get_by_role("region", name="Some of your requests are being refused")).to_be_visible()


async def test_refresh_reads_again_what_was_refused(windows: Windows) -> None:
    page = await before_it_is_told(windows)
    await page.get_by_role("button", name="Refresh").click()
    await expect(page.get_by_role("region", name="Some of your requests are being refused")).to_be_visible()


async def before_it_is_told(windows: Windows, answers: int = 1) -> Page:
    """A page whose history knows of a refusal after so many answers; its clock goes on by hand."""
    page, _ = await windows.open()
    told = 0

    async def history(route: Route) -> None:
        nonlocal told
        told += 1
        now = datetime.now(UTC).isoformat()
        point = {"start": now, "rule": "POST /message", "meter": "throughput", "amount": 0, "requests": 0, "refused": 1}
        rules = {"POST /message": {"cost": {"throughput": 5}, "pays": ["user"]}}
        known: dict[str, Any] = {"points": [point], "rules": rules} if told > answers else {"points": [], "rules": {}}
        await route.fulfill(json={"granularity": "minute", "from": now, "to": now, "by": "rule", **known})

    await answer(page, "**/billing/usage", [limit(0, 2, of=10, window_s=3600, full_in_s=None)])
    await page.route("**/billing/usage/history?*", history)
    await page.clock.install()
    await page.goto(windows.site.address("/billing", "alice"))
    await expect(page.get_by_text("Nothing was used in this time")).to_be_visible()
    return page


def give(site: Site, user: str, *, units: int, override: int | None = None) -> None:
    """A plan of so many units in thirty days; ``override``: instead of them. Hours end while a test looks at them."""
    terms = {"name": "Small", "slug": f"small-{user}", "throughput_limit": units, "window_seconds": 30 * 86_400}
    plan = site.call("/billing/plan", "su", method="POST", body=terms | {"duration_days": 30})
    gift = {"plan_id": plan["id"], "scope": "user", "user_id": user, "throughput_override": override}
    site.call("/billing/subscription/manual", "su", method="POST", body=gift)


async def at_noon(
    windows: Windows,
    limits: list[dict[str, Any]],
    refused: dict[str, int] | None = None,
    rules: dict[str, Any] | None = None,
    *,
    plans: list[dict[str, Any]] = PLANS,
    workspace: str | None = None,
) -> Page:
    """The page of somebody with these limits, whose clock stands still at noon."""
    page, _ = await windows.open()
    date = {"Date": NOW.strftime("%a, %d %b %Y %H:%M:%S GMT")}

    async def fulfil(route: Any) -> None:
        path = route.request.url.partition("/billing/")[2].partition("?")[0]
        minute = (NOW - timedelta(minutes=3)).isoformat()
        points = [
            {"start": minute, "rule": rule, "meter": "throughput", "amount": 0, "requests": 0, "refused": times}
            for rule, times in (refused or {}).items()
        ]
        mine = points if "scope=user" in route.request.url else []
        history = {
            "granularity": "minute",
            "from": minute,
            "to": minute,
            "by": "rule",
            "points": mine,
            "rules": rules or {},
        }
        bodies: dict[str, Any] = {"usage": limits, "usage/history": history, "plan": plans, "subscription": []}
        if path in bodies:
            await route.fulfill(json=bodies[path], headers=date)
        else:
            with suppress(Error):  # the window may be closed while it asks
                answered = await route.fetch()
                await route.fulfill(response=answered, headers={**answered.headers, "date": date["Date"]})

    await page.clock.set_fixed_time(NOW)
    await page.route(re.compile("/billing/(?!assets)"), fulfil)
    await page.goto(windows.site.address("/billing", "alice", workspace=workspace))
    await expect(page.locator(".gauge").first).to_be_visible()
    return page
