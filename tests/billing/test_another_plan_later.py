"""A plan that costs no more begins with the next period: who is up for ten minutes has paid for the whole of them."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.billing import customer_acts, plan_change
from gateway.billing.plan_change import Shown
from gateway.billing.subscriptions import Viewer, reactivate, stop
from gateway.core.problems import Conflict
from gateway.core.subscription import Event, PlanVersion, Status
from gateway.demo.stripe.objects import tax_rate
from gateway.payments.port import Line
from gateway.store import prices as price_store
from gateway.store.rows import SubscriptionRow
from tests.billing.shop import DAY_S, Shop, another, big_plan, charged, draft, prices, shop, shown

ME = Viewer("alice")


@pytest.fixture
async def here(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Shop]:
    async with shop(tmp_path, migrated_file) as running:
        await running.sync()
        yield running


async def renewed(here: Shop, row: SubscriptionRow, days: int = 30) -> SubscriptionRow:
    """As it is when the next period has been paid."""
    here.later(days * DAY_S + 2 * 3600)
    await here.fake.deliver()
    await here.sync()
    return await here.row(row.id)


async def test_a_cheaper_plan_begins_with_the_next_period_and_gives_nothing_back(here: Shop) -> None:
    big = await big_plan(here)
    row = await here.bought(mode="subscription", plan=big)
    here.later(DAY_S)
    preview = await plan_change.preview(here.sales, row, here.plan.id, here.sales.now_us())
    assert (preview.amount_due, preview.begins_us) == (0, row.period_end_us)
    assert (preview.lines, preview.amount_then) == ((Line("Pro", 500),), 500)
    agreed = await plan_change.change(here.sales, row, here.plan.id, here.by(), shown(preview))
    assert (agreed.plan, agreed.next_plan_id) == (row.plan, here.plan.id)
    (customer,) = here.fake.books.kept["customers"].values()
    assert (charged(here), customer["balance"]) == ([100_000], 0)
    with pytest.raises(Conflict, match="will be with its next period"):
        await plan_change.change(here.sales, agreed, here.plan.id, here.by())
    after = await renewed(here, row, 29)
    assert (after.status, after.plan, after.next_plan_id) == (Status.ACTIVE, PlanVersion(here.plan.id, 1), None)
    assert charged(here) == [100_000, 500]
    again = await renewed(here, row)
    assert (again.plan, charged(here)) == (after.plan, [100_000, 500, 500])
    assert here.fake.books.get("subscriptions", row.external_id or "")["schedule"] is None


async def test_up_for_ten_minutes_and_down_again_costs_the_whole_difference(here: Shop) -> None:
    big = await big_plan(here)
    row = await here.bought(mode="subscription")
    for month in range(2):
        row = await plan_change.change(here.sales, row, big.id, here.by())
        assert row.plan == PlanVersion(big.id, 1), "a dearer plan counts at once"
        here.later(600)
        row = await plan_change.change(here.sales, row, here.plan.id, here.by())
        assert (row.plan, row.next_plan_id) == (PlanVersion(big.id, 1), here.plan.id)
        row = await renewed(here, row)
        assert row.plan == PlanVersion(here.plan.id, 1), month
    assert sum(charged(here)) > 2 * 99_000


@pytest.mark.parametrize(
    ("days", "amount", "at_once"), [(365, 4000, False), (365, 7000, True), (7, 200, True), (30, 500, False)]
)
async def test_dearer_is_what_costs_more_a_day(here: Shop, days: int, amount: int, *, at_once: bool) -> None:
    terms = replace(draft().terms, duration_days=days)
    other = await another(here, replace(draft("other"), terms=terms), prices(amount))
    await here.sync(full=True)
    row = await here.bought(mode="subscription")
    here.later(DAY_S)
    changed = await plan_change.change(here.sales, row, other.id, here.by())
    assert (changed.plan == PlanVersion(other.id, 1)) == at_once
    assert (changed.next_plan_id is None) == at_once
    later = await renewed(here, row, 29 if not at_once else days)
    assert (later.status, later.plan) == (Status.ACTIVE, PlanVersion(other.id, 1))


async def test_what_was_agreed_for_the_next_period_can_be_taken_back_and_replaced(here: Shop) -> None:
    big = await big_plan(here)
    middle = await another(here, draft("middle"), prices(50_000))
    await here.sync(full=True)
    row = await here.bought(mode="subscription", plan=middle)
    row = await plan_change.change(here.sales, row, here.plan.id, here.by())
    preview = await plan_change.preview(here.sales, row, middle.id, here.sales.now_us())
    assert preview == (0, "usd", (), here.sales.now_us(), None, None)
    back = await plan_change.change(here.sales, row, middle.id, here.by())
    assert (back.plan, back.next_plan_id) == (PlanVersion(middle.id, 1), None)
    row = await plan_change.change(here.sales, back, here.plan.id, here.by())
    assert row.next_plan_id == here.plan.id
    here.later(60)
    up = await plan_change.change(here.sales, row, big.id, here.by())
    assert (up.plan, up.next_plan_id) == (PlanVersion(big.id, 1), None), "a newer choice takes its place"
    row = await plan_change.change(here.sales, up, here.plan.id, here.by())
    other = await plan_change.change(here.sales, row, middle.id, here.by())
    assert other.next_plan_id == middle.id
    assert (await renewed(here, row)).plan == PlanVersion(middle.id, 1)


async def test_who_cancels_has_no_next_plan_and_who_goes_on_keeps_this_one(here: Shop) -> None:
    big = await big_plan(here)
    row = await here.bought(mode="subscription", plan=big)
    await plan_change.change(here.sales, row, here.plan.id, here.by())

    async def tell(row: SubscriptionRow, event: Event) -> None:
        await customer_acts.tell(here.sales, row, event)

    await stop(here.store, row.id, ME, here.by(), tell)
    stopped = await customer_acts.sync(here.sales, row)
    assert (stopped.cancel_at_period_end, stopped.next_plan_id) == (True, None)
    with pytest.raises(Conflict, match="Take it up again first"):
        await plan_change.change(here.sales, stopped, here.plan.id, here.by())
    await reactivate(here.store, row.id, ME, here.by(), tell)
    assert (await renewed(here, row)).plan == PlanVersion(big.id, 1)


@pytest.mark.parametrize("back", [False, True])
async def test_what_an_operator_has_put_on_a_subscription_stays_on_it(here: Shop, *, back: bool) -> None:
    """Half of the price for ever, five of it, and a tax."""
    big = await big_plan(here)
    row = await here.bought(mode="subscription", plan=big)
    books = here.fake.books
    of = books.get("subscriptions", row.external_id or "")
    (item,) = of["items"]["data"]
    books.kept["discounts"]["di_half"] = {"percent_off": 50}
    vat = books.keep("tax_rates", tax_rate("txr_vat", books.now, 19))
    of |= {"discounts": ["di_half"], "default_tax_rates": [vat]}
    item |= {"quantity": 5, "tax_rates": [vat]}
    here.later(DAY_S)
    row = await plan_change.change(here.sales, row, here.plan.id, here.by())
    assert (of["discounts"], of["default_tax_rates"], of["description"]) == (["di_half"], [vat], "Big")
    assert (item["quantity"], item["tax_rates"]) == (5, [vat])
    if back:
        row = await plan_change.change(here.sales, row, big.id, here.by())
    after = await renewed(here, row, 29)
    assert (after.plan, charged(here)[1:]) == (
        PlanVersion((big if back else here.plan).id, 1),
        [250_000 if back else 250],
    )
    assert (of["discounts"], of["default_tax_rates"], item["tax_rates"]) == (["di_half"], [vat], [vat])
    assert (of["description"], item["quantity"]) == (("Big", 5) if back else ("Pro", 1))


async def test_another_choice_takes_the_place_of_the_one_before_in_one_request(here: Shop) -> None:
    """So there is no moment at which neither holds."""
    big = await big_plan(here)
    middle = await another(here, draft("middle"), prices(50_000))
    await here.sync(full=True)
    row = await here.bought(mode="subscription", plan=big)
    row = await plan_change.change(here.sales, row, here.plan.id, here.by())
    schedule = here.fake.books.get("subscriptions", row.external_id or "")["schedule"]
    here.fake.requests.clear()
    row = await plan_change.change(here.sales, row, middle.id, here.by())
    written = [path for method, path in here.fake.requests if method == "POST"]
    assert written == [f"subscription_schedules/{schedule}"]
    assert row.next_plan_id == middle.id
    after = await renewed(here, row)
    assert (after.plan, charged(here)) == (PlanVersion(middle.id, 1), [100_000, 50_000])
    again = await plan_change.change(here.sales, after, here.plan.id, here.by())
    assert again.next_plan_id == here.plan.id, "also in the last period of the old schedule"
    assert (await renewed(here, again)).plan == PlanVersion(here.plan.id, 1)


async def test_a_preview_is_held_to_what_it_said_for_later_as_well(here: Shop) -> None:
    big = await big_plan(here)
    row = await here.bought(mode="subscription", plan=big)
    now_us, end_us = here.sales.now_us(), row.period_end_us or 0
    for seen in (
        Shown(now_us, 77, end_us, 500),
        Shown(now_us, 0, end_us, 499),
        Shown(now_us, 0, end_us - 1, 500),
        Shown(now_us, 0),
    ):
        with pytest.raises(Conflict, match="Look at it again") as refused:
            await plan_change.change(here.sales, row, here.plan.id, here.by(), seen)
        assert (refused.value.content or {})["reason"] == "preview_changed"
    assert (await here.row(row.id)).next_plan_id is None


async def test_a_price_that_was_raised_after_it_was_shown_is_not_charged(here: Shop) -> None:
    big = await big_plan(here)
    row = await here.bought(mode="subscription", plan=big)
    here.later(DAY_S)
    seen = await plan_change.preview(here.sales, row, here.plan.id, here.sales.now_us())
    price = next(each for each in here.plan.prices if each.currency == "usd")
    await price_store.update(here.store, here.plan.id, price.id, lambda old: replace(old, amount=99_000), here.by())
    with pytest.raises(Conflict, match="costs something else by now") as refused:
        await plan_change.change(here.sales, row, here.plan.id, here.by(), shown(seen))
    assert (refused.value.content or {})["amount_then"] == 99_000
    assert (await here.row(row.id)).next_plan_id is None
    again = await plan_change.preview(here.sales, row, here.plan.id, here.sales.now_us())
    await plan_change.change(here.sales, row, here.plan.id, here.by(), shown(again))
    await renewed(here, row, 29)
    assert charged(here) == [100_000, 99_000]
