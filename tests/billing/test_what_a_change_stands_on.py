"""A change of plan stands on what was paid for the plan before: an unpaid hour, or half of the money, buys nothing."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.billing import plan_change
from gateway.core.problems import Conflict
from gateway.core.subscription import PlanVersion, Status
from gateway.store.rows import PlanRow, SubscriptionRow
from tests.billing.judge import entitled
from tests.billing.shop import DAY_S, POLICY, Shop, another, big_plan, draft, prices, renewing_price, shop


@pytest.fixture
async def here(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Shop]:
    async with shop(tmp_path, migrated_file) as running:
        running.sales.policy = replace(POLICY, trials={"big": 14})
        await running.sync()
        yield running


def of_stripe(here: Shop, row: SubscriptionRow) -> Any:
    return here.fake.books.get("subscriptions", row.external_id or "")


def empty_card(here: Shop, row: SubscriptionRow) -> None:
    here.fake.books.declining.add(of_stripe(here, row)["customer"])


async def portal(here: Shop, row: SubscriptionRow, plan: PlanRow) -> None:
    """Another plan at Stripe itself, where nobody asks us."""
    found = of_stripe(here, row)
    item = {"id": found["items"]["data"][0]["id"], "price": renewing_price(here, plan)}
    here.fake.selling.update(found, {"items": [item], "payment_behavior": "pending_if_incomplete"})
    await here.fake.deliver()


async def later(here: Shop, row: SubscriptionRow, seconds: int) -> Status:
    """What it is then; the judge thinks the same of it."""
    here.later(seconds)
    await here.fake.deliver()
    await here.sync()
    found = await here.row(row.id)
    right = entitled(here.fake.books.kept, row.id, 30, here.fake.books.now, None)
    assert await here.grants() == right
    return found.status


@pytest.mark.parametrize("trial", [True, False], ids=["after a trial", "at a renewal"])
async def test_nobody_changes_the_plan_while_the_renewal_is_a_draft(here: Shop, *, trial: bool) -> None:
    big, twin = await big_plan(here), await big_plan(here, "twin", 99_000)
    row = await here.bought(mode="subscription", plan=big if trial else None)
    empty_card(here, row)
    await later(here, row, (14 if trial else 30) * DAY_S + 600)
    row = await here.row(row.id)
    for act in (
        plan_change.preview(here.sales, row, twin.id, here.sales.now_us()),
        plan_change.change(here.sales, row, twin.id, here.by()),
    ):
        with pytest.raises(Conflict, match="not paid yet") as refused:
            await act
        assert (refused.value.content or {})["reason"] == "renewal_under_way"
    assert await later(here, row, 2 * 3600) is Status.PAST_DUE
    assert await later(here, row, 4 * DAY_S) is not Status.ACTIVE
    assert not await here.grants(), "the grace is over"


async def test_once_the_renewal_is_paid_the_plan_can_be_changed(here: Shop) -> None:
    big = await big_plan(here)
    row = await here.bought(mode="subscription")
    await later(here, row, 30 * DAY_S + 2 * 3600)
    changed = await plan_change.change(here.sales, await here.row(row.id), big.id, here.by())
    assert changed.plan == PlanVersion(big.id, 1)


@pytest.mark.parametrize("wait_s", [600, 2 * 3600], ids=["as a draft", "after it has failed"])
async def test_a_change_at_stripe_makes_no_unpaid_period_a_paid_one(here: Shop, wait_s: int) -> None:
    small = await another(here, draft("small", amount=1000), prices(490))
    await here.sync(full=True)
    row = await here.bought(mode="subscription")
    empty_card(here, row)
    await later(here, row, 30 * DAY_S + wait_s)
    await portal(here, row, small)
    await later(here, row, 3 * DAY_S)
    assert not await here.grants(), "neither in the period that nobody has paid for, nor longer than the grace"


async def test_what_is_left_of_an_unpaid_year_pays_for_nothing(here: Shop) -> None:
    here.sales.policy = replace(POLICY, trials={"year": 14})
    year = await another(here, replace(draft("year"), terms=replace(draft().terms, duration_days=365)), prices(500_000))
    await here.sync(full=True)
    row = await here.bought(mode="subscription", plan=year)
    empty_card(here, row)
    await later(here, row, 14 * DAY_S + 600)
    with pytest.raises(Conflict, match="not paid yet"):
        await plan_change.change(here.sales, await here.row(row.id), here.plan.id, here.by())
    await portal(here, row, here.plan)
    await later(here, row, 4 * DAY_S)
    assert not await here.grants(), "the trial and the grace are over, and the month was never paid for"
    await later(here, row, 31 * DAY_S)
    assert not await here.grants(), "nor any month after it"
    assert here.fake.books.kept["charges"] == {}


@pytest.mark.parametrize("which", [0, 1], ids=["the plan before", "the difference"])
@pytest.mark.parametrize("back", ["refunded", "lost", "won"])
async def test_of_two_payments_for_one_plan_neither_keeps_it_alone(here: Shop, back: str, which: int) -> None:
    big = await big_plan(here)
    row = await here.bought(mode="subscription")
    here.later(3600)
    row = await plan_change.change(here.sales, row, big.id, here.by())
    assert (row.status, row.plan) == (Status.ACTIVE, PlanVersion(big.id, 1))
    charge = list(here.fake.books.kept["charges"].values())[which]
    if back == "refunded":
        here.fake.money.refund(charge, None)
    else:
        dispute = here.fake.money.dispute(charge)
        assert await later(here, row, 0) is Status.PAUSED
        here.fake.money.decide(dispute, back)
    assert await later(here, row, 0) is (Status.ACTIVE if back == "won" else Status.UNPAID)
    assert await here.grants() == (back == "won")
    if back != "won":
        with pytest.raises(Conflict, match="not paid cannot change"):
            await plan_change.change(here.sales, await here.row(row.id), here.plan.id, here.by())


async def test_a_part_of_the_difference_given_back_changes_nothing(here: Shop) -> None:
    big = await big_plan(here)
    row = await here.bought(mode="subscription")
    here.later(3600)
    await plan_change.change(here.sales, row, big.id, here.by())
    charge = list(here.fake.books.kept["charges"].values())[-1]
    here.fake.money.refund(charge, charge["amount"] - 1)
    assert await later(here, row, 0) is Status.ACTIVE


async def test_who_is_put_back_onto_the_plan_before_and_has_the_difference_back_goes_on_with_it(here: Shop) -> None:
    big = await big_plan(here)
    row = await here.bought(mode="subscription")
    here.later(3600)
    before = of_stripe(here, row)["items"]["data"][0]["price"]
    row = await plan_change.change(here.sales, row, big.id, here.by())
    of_stripe(here, row)["items"]["data"][0]["price"] = before  # as the dashboard does it without prorations
    here.fake.money.refund(list(here.fake.books.kept["charges"].values())[-1], None)
    await here.fake.deliver()
    await here.sync(full=True)
    row = await here.row(row.id)
    assert (row.status, row.plan, await here.grants()) == (Status.ACTIVE, PlanVersion(here.plan.id, 1), True)


async def test_money_of_long_ago_keeps_nothing(here: Shop) -> None:
    """What was given up for the month that runs falls with its payment, whatever was paid in years before."""
    year = await another(here, replace(draft("year"), terms=replace(draft().terms, duration_days=365)), prices(5000))
    await here.sync(full=True)
    row = await here.bought(mode="subscription")
    await later(here, row, 30 * DAY_S + 2 * 3600)
    row = await here.row(row.id)
    await portal(here, row, year)
    here.later(3600)
    await portal(here, row, here.plan)
    assert await later(here, row, 35 * DAY_S) is Status.ACTIVE, "paid with what was left of the year"
    paid = list(here.fake.books.kept["charges"].values())
    assert len(paid) == 3
    here.fake.money.refund(paid[-1], None)
    assert await later(here, row, 0) is Status.UNPAID
