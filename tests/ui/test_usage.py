import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Page, Request, Route, expect

from tests.ui.conftest import Windows
from tests.ui.site import Site, answer
from tests.ui.test_refusals import give


def entry(**changed: object) -> dict[str, object]:
    """One limit of ``GET /billing/usage``."""
    resets = (datetime.now(UTC) + timedelta(minutes=10)).isoformat()
    facts: dict[str, object] = {"scope": "user", "unlimited": False, "throughput_limit": 100, "window_seconds": 3600}
    facts |= {"current_usage": 0, "remaining": 100, "fallback": False, "meter": "throughput", "plan": "free"}
    return facts | {"refill": "interval", "resets_at": resets} | changed


async def test_a_gauge_says_what_is_spent_and_the_chart_by_which_rule(windows: Windows, site: Site) -> None:
    for _ in range(7):
        site.call("/contact", "bob", workspace=site.beta)
    page = await windows.visit("/billing", "bob", workspace=site.beta)
    gauge = page.get_by_role("meter", name="You")
    await expect(gauge).to_have_attribute("aria-valuenow", re.compile(r"^[1-9]\d*$"))
    await expect(gauge).to_have_attribute("aria-valuemax", "1000")
    await page.get_by_role("radio", name="You").check(force=True)
    await expect(page.get_by_role("img", name=re.compile("Units by rule: [1-9]"))).to_be_visible()
    await expect(page.locator(".legend")).to_contain_text("ANY /contact")
    await page.get_by_text("As a table").click()
    await expect(page.get_by_role("table", name="Units by rule")).to_contain_text("ANY /contact")


async def test_a_workspace_without_a_budget_is_explained(windows: Windows, site: Site) -> None:
    page = await windows.visit("/billing", "bob", workspace=site.beta)
    await expect(page.get_by_text("Beta has no budget of its own")).to_be_visible()
    await page.get_by_label("Workspace").select_option("Acme")
    await expect(page.get_by_role("article", name="Acme, team")).to_be_visible()


async def test_a_gauge_counts_down_and_is_coloured_by_its_share(windows: Windows) -> None:
    page, _ = await windows.open()
    shares = [entry(plan="a", current_usage=70, remaining=30), entry(plan="b", current_usage=90, remaining=10)]
    shares.append(entry(plan="c", current_usage=91, remaining=9))
    await answer(page, "**/billing/usage", shares)
    await goto_billing(page, windows)
    for plan, tone in (("a", "good"), ("b", "warn"), ("c", "bad")):
        await expect(page.get_by_role("article", name=f"You, {plan}")).to_have_class(re.compile(f"gauge {tone}"))
    count = page.get_by_role("article", name="You, a").locator(".count")
    first = await count.inner_text()
    assert re.fullmatch(r"9:\d\d|10:00", first)
    await expect(count).not_to_have_text(first)


async def test_unlimited_and_fallback_are_explained(windows: Windows) -> None:
    page, _ = await windows.open()
    spare = entry(plan="spare", fallback=True, current_usage=4, remaining=96)
    free = entry(plan="all", unlimited=True, throughput_limit=0, window_seconds=0, remaining=-1, resets_at=None)
    await answer(page, "**/billing/usage", [free, spare])
    await goto_billing(page, windows)
    await expect(page.get_by_role("article", name="You, all")).to_contain_text("Unlimited")
    await expect(page.get_by_role("article", name="Fallback")).to_contain_text("looking at plans and paying")


async def test_the_forecast_says_when_a_budget_will_be_empty(windows: Windows) -> None:
    page, _ = await windows.open()
    minute = (datetime.now(UTC) - timedelta(minutes=2)).replace(second=0, microsecond=0).isoformat()
    point = {"start": minute, "rule": "r", "meter": "throughput", "amount": 600, "requests": 600, "refused": 0}
    now = datetime.now(UTC).isoformat()
    history = {"granularity": "minute", "from": minute, "to": now, "by": "rule", "points": [point]}
    await answer(page, "**/billing/usage/history?*", history)
    resets = (datetime.now(UTC) + timedelta(hours=3)).isoformat()
    left = entry(current_usage=1, remaining=1800, throughput_limit=1801, resets_at=resets)
    await answer(page, "**/billing/usage", [left])
    await goto_billing(page, windows)
    await expect(page.get_by_text(re.compile(r"^Empty at \d\d:\d\d at this rate$"))).to_be_visible()


async def test_with_very_many_rules_the_newest_minutes_are_shown_in_all_and_the_page_says_so(windows: Windows) -> None:
    page, _ = await windows.open()
    now = datetime.now(UTC).replace(second=0, microsecond=0)

    async def portion(route: Route) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(route.request.url).query).items()}
        first, to = datetime.fromisoformat(query["from"]), datetime.fromisoformat(query["to"])
        minutes = [first + timedelta(minutes=at) for at in range(60) if first + timedelta(minutes=at) < to]
        facts = {"meter": "throughput", "amount": 1, "requests": 1, "refused": 0}
        if query["by"] == "rule":  # each minute has a portion of its own
            points = [{**facts, "start": minutes[0].isoformat(), "rule": f"GET /{at}"} for at in range(3)]
            rest = minutes[1].isoformat() if len(minutes) > 1 else None
        else:
            points, rest = [{**facts, "start": at.isoformat(), "amount": 3} for at in minutes], None
        shape = {"granularity": "minute", "from": query["from"], "to": query["to"], "by": query["by"]}
        await route.fulfill(json={**shape, "points": points, "next_from": rest})

    await page.route(re.compile("/billing/usage/history"), portion)
    resets = (now + timedelta(hours=3)).isoformat()
    left = entry(current_usage=1, remaining=3, throughput_limit=4, resets_at=resets)
    await answer(page, "**/billing/usage", [left])
    await goto_billing(page, windows)
    await expect(page.get_by_role("img", name=re.compile("Units by rule: 180 "))).to_be_visible()
    await expect(page.get_by_text("so many rules that they are not told apart since")).to_be_visible()
    legend = page.locator(".legend li")
    await expect(legend.filter(has_text="All rules together")).to_contain_text("150")
    await expect(legend.filter(has_text="GET /0")).to_contain_text("10")
    await expect(page.get_by_text(re.compile("^Empty at ")), "the newest minutes count").to_be_visible()


async def test_times_of_a_chart_and_of_the_forecast_have_utc_on_hover(windows: Windows) -> None:
    page, _ = await windows.open(timezone_id="America/Sao_Paulo")
    minute = (datetime.now(UTC) - timedelta(minutes=2)).replace(second=0, microsecond=0)
    point = {
        "start": minute.isoformat(),
        "rule": "r",
        "meter": "throughput",
        "amount": 600,
        "requests": 6,
        "refused": 0,
    }
    history = {"granularity": "minute", "from": minute.isoformat(), "to": minute.isoformat(), "by": "rule"}
    await answer(page, "**/billing/usage/history?*", history | {"points": [point]})
    resets = (minute + timedelta(hours=3)).isoformat()
    left = entry(current_usage=1, remaining=1800, throughput_limit=1801, resets_at=resets)
    await answer(page, "**/billing/usage", [left])
    await goto_billing(page, windows)
    empty = page.locator(".forecast time")
    await expect(empty).to_have_attribute("title", re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:00 UTC$"))
    utc, shown = await empty.get_attribute("title") or "", await empty.inner_text()
    hour = re.search(r"(\d\d):(\d\d)", shown)
    assert hour, shown
    assert (int(utc[11:13]) - int(hour[1])) % 24 == 3, "three hours behind UTC"
    await page.get_by_text("As a table").click()
    label = page.get_by_role("table", name="Units by rule").get_by_role("rowheader").locator("time")
    await expect(label).to_have_attribute("title", f"{minute:%Y-%m-%d %H:%M}:00 UTC")
    await expect(page.get_by_text("Days are those of UTC.")).to_have_count(0)
    today = {**point, "start": minute.replace(hour=0, minute=0).isoformat()}
    await answer(page, "**/billing/usage/history?*", history | {"granularity": "day", "points": [today]})
    await page.get_by_role("radio", name="Month").check(force=True)
    await expect(page.get_by_text("Days are those of UTC.")).to_be_visible()


async def test_a_refusal_is_explained_with_a_countdown_and_what_to_buy(windows: Windows, site: Site) -> None:
    give(site, site.newcomer("nils"), units=3)
    statuses = [site.call("/contact", "nils") for _ in range(5)]
    assert statuses[-2:] == [429, 429]
    page = await windows.visit("/billing", "nils")
    refused = page.get_by_role("region", name="Your requests are being refused")
    await expect(refused).to_contain_text("429")
    again = re.compile(r"They pass again in (\d+ d \d+ h|\d+ h \d\d min|\d+:\d\d)")
    await expect(refused.get_by_role("timer")).to_contain_text(again)
    await expect(refused).to_contain_text("3 units of Small are used up")
    await expect(refused).to_contain_text(re.compile(r"\d+ requests were refused in the last hour"))


async def test_when_only_the_workspace_is_empty_the_page_says_who_pays(windows: Windows, site: Site) -> None:
    page, _ = await windows.open()
    empty = entry(scope="workspace", workspace_id=site.acme, plan="team", current_usage=100, remaining=0)
    await answer(page, "**/billing/usage", [entry(), empty])
    await goto_billing(page, windows, workspace=site.acme)
    await expect(page.get_by_text("Acme: the budget is used up.")).to_be_visible()
    await expect(page.get_by_text("Meanwhile this pays: You.")).to_be_visible()


async def test_a_workspace_that_is_gone_takes_nobodys_own_budget_with_it(windows: Windows) -> None:
    page, watch = await windows.open()
    watch.expect("403", "404")
    await goto_billing(page, windows, workspace="aa0e8400-0000-4000-8000-00000000dead")
    await expect(page.get_by_text("aa0e8400 cannot be shown: what you see is yours alone")).to_be_visible()
    await expect(page.get_by_role("meter", name="You")).to_be_visible()
    await expect(page.get_by_label("Workspace")).to_have_value("")
    await expect(page.get_by_role("region", name="Usage").get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize("view", ["subscriptions", "payments"])
async def test_a_workspace_that_is_gone_is_left_in_every_view(windows: Windows, view: str) -> None:
    page, watch = await windows.open()
    watch.expect("403", "404")
    await page.goto(
        windows.site.address("/billing", "alice", workspace="aa0e8400-0000-4000-8000-00000000dead", view=view)
    )
    await expect(page.get_by_text("aa0e8400 cannot be shown: what you see is yours alone")).to_be_visible()
    await expect(page.get_by_label("Workspace")).to_have_value("")
    await expect(page.get_by_role("main").get_by_role("alert")).to_have_count(0)
    await expect(page.get_by_text(f"No {view}", exact=True)).to_be_visible()


@pytest.mark.parametrize("view", ["subscriptions", "payments"])
async def test_who_may_not_see_what_their_workspace_has_bought_stays_in_it(
    windows: Windows, site: Site, view: str
) -> None:
    page, watch = await windows.open()
    watch.expect("403")
    said = {"message": "Your policies in this workspace do not include billing.read."}
    await answer(page, f"**/billing/{view[:-1]}?*", said, status=403)
    async with page.expect_response("**/billing/usage") as member:
        await page.goto(windows.site.address("/billing", "alice", workspace=site.acme, view=view))
    await (await member.value).finished()
    await expect(page.get_by_role("main").get_by_role("alert")).to_contain_text("do not include billing.read")
    await expect(page.get_by_label("Workspace")).to_have_value(site.acme)


async def test_ones_own_history_is_asked_for_without_the_workspace(windows: Windows, site: Site) -> None:
    page, _ = await windows.open()
    named: dict[str, str | None] = {}

    def note(asked: Request) -> None:
        if "/usage/history?scope=" in asked.url:
            scope = asked.url.partition("scope=")[2].partition("&")[0]
            named[scope] = asked.headers.get("x-workspace-id")

    page.on("request", note)
    await goto_billing(page, windows, workspace=site.acme)
    await expect(page.get_by_role("meter", name="You")).to_be_visible()
    await page.wait_for_load_state("networkidle")
    assert named == {"user": None, "workspace": site.acme}


async def test_what_has_not_changed_is_not_sent_again(windows: Windows) -> None:
    page, _ = await windows.open()
    statuses: list[int] = []
    page.on("response", lambda said: statuses.append(said.status) if said.url.endswith("/billing/usage") else None)
    await goto_billing(page, windows, who="su")
    await expect(page.get_by_role("meter", name="You")).to_be_visible()
    await page.get_by_role("button", name="Refresh").click()
    await expect(page.get_by_role("button", name="Refresh")).not_to_have_attribute("aria-busy", "true")
    assert statuses[0] == 200
    assert set(statuses[1:]) == {304}


async def test_a_page_that_nobody_looks_at_asks_for_nothing(windows: Windows) -> None:
    page, watch = await windows.open()
    await page.clock.install()
    await goto_billing(page, windows)
    await expect(page.get_by_role("meter", name="You")).to_be_visible()
    hide = (
        "Object.defineProperty(document, 'hidden', {value: %s, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    await page.evaluate(hide % "true")
    await page.clock.run_for(1_000)
    watch.asked.clear()
    await page.clock.run_for(3_600_000)
    assert [url for url in watch.asked if "/billing/" in url] == []
    await page.evaluate(hide % "false")
    async with page.expect_response("**/billing/usage"):
        pass


async def test_a_page_left_open_asks_at_its_pace_and_keeps_no_timers(windows: Windows) -> None:
    page, watch = await windows.open()
    await page.clock.install()
    await goto_billing(page, windows)
    await expect(page.get_by_role("meter", name="You")).to_be_visible()
    await page.wait_for_load_state("networkidle")  # the plans are there as well
    nodes = "document.getElementsByTagName('*').length"
    before = await page.evaluate(nodes)
    watch.asked.clear()
    for _ in range(30):
        await page.clock.run_for(10_500)
        await page.wait_for_load_state("networkidle")
    polls = [url for url in watch.asked if url.endswith("/billing/usage")]
    assert 20 <= len(polls) <= 32
    assert abs(await page.evaluate(nodes) - before) < 60


async def goto_billing(page: Page, windows: Windows, who: str = "alice", workspace: str | None = None) -> None:
    await page.goto(windows.site.address("/billing", who, workspace=workspace))
