import re
from datetime import UTC, datetime, timedelta

from playwright.async_api import Page, expect

from tests.ui.conftest import Windows
from tests.ui.site import Site, answer


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


async def test_a_refusal_is_explained_with_a_countdown_and_what_to_buy(windows: Windows, site: Site) -> None:
    statuses = [site.call("/contact", "dave", workspace=site.beta) for _ in range(5)]
    assert statuses[-2:] == [429, 429]
    page = await windows.visit("/billing", "dave")
    refused = page.get_by_role("region", name="Your requests are being refused")
    await expect(refused).to_contain_text("429")
    again = re.compile(r"They pass again in (\d+ h \d\d min|\d+:\d\d)")
    await expect(refused.get_by_role("timer")).to_contain_text(again)
    await expect(refused).to_contain_text("3 units of tiny are used up")
    await expect(refused).to_contain_text(re.compile(r"\d+ requests were refused in the last hour"))


async def test_when_only_the_workspace_is_empty_the_page_says_who_pays(windows: Windows, site: Site) -> None:
    page, _ = await windows.open()
    empty = entry(scope="workspace", workspace_id=site.acme, plan="team", current_usage=100, remaining=0)
    await answer(page, "**/billing/usage", [entry(), empty])
    await goto_billing(page, windows, workspace=site.acme)
    await expect(page.get_by_text("Acme: the budget is used up.")).to_be_visible()
    await expect(page.get_by_text("Meanwhile this pays: You.")).to_be_visible()


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
