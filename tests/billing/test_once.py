"""What is given once, and what cancelling and buying again does not bring back."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.billing import customer_acts, plan_change
from gateway.billing.plan_change import Shown
from gateway.core.plan import THROUGHPUT, PlanLimit
from gateway.core.problems import Conflict, Problem
from gateway.core.sale import Mode
from gateway.core.scope import Scope
from gateway.core.subscription import Event, Status
from gateway.demo.stripe.server import Fault
from gateway.store import subscribed
from gateway.store.rows import PlanDraft, PlanRow, SubscriptionRow, Terms
from tests.billing.shop import ACME, ALICE, DAY_S, POLICY, Shop, draft, prices, renewing_price, shop
from tests.billing.shop import another as made

DAY_US = DAY_S * 1_000_000
BETA = Scope("workspace", "beta")


@pytest.fixture
async def here(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Shop]:
    async with shop(tmp_path, migrated_file, replace(POLICY, trials={"pro": 14})) as running:
        yield running


def trial_days(here: Shop, external_id: str) -> int:
    """What the page of a checkout offers."""
    said = here.fake.books.kept["said"][external_id]["said"]
    return int(said["subscription_data"].get("trial_period_days", 0))


def end(here: Shop, row: SubscriptionRow) -> None:
    here.fake.money.end(here.fake.books.get("subscriptions", row.external_id or ""))


def monthly(slug: str = "month", days: int = 30) -> PlanDraft:
    return draft(slug, terms=Terms((PlanLimit(THROUGHPUT, 1000, days * DAY_US),), days))


async def test_a_trial_is_given_once_whatever_became_of_it(here: Shop) -> None:
    row = await here.bought(mode="subscription")
    assert (row.status, await here.grants()) == (Status.TRIALING, True)
    end(here, row)
    await here.fake.deliver()
    assert not await here.grants()
    assert (await here.bought(mode="subscription")).status is Status.ACTIVE, "paid from the first day on"


async def test_a_trial_is_one_for_a_workspace_and_one_for_who_took_it(here: Shop) -> None:
    assert (await here.bought(ACME, mode="subscription")).status is Status.TRIALING
    for scope, user in ((ACME, "bob"), (ALICE, "alice"), (BETA, "alice")):
        again = await here.bought(scope, mode="subscription", user_id=user)
        assert again.status is Status.ACTIVE, f"{user} for {scope}"
    other = await here.bought(Scope("user", "carol"), mode="subscription", user_id="carol")
    assert other.status is Status.TRIALING, "a member who did not take it has one of their own"


async def test_two_pages_that_are_open_at_once_offer_one_trial(here: Shop) -> None:
    pages = await asyncio.gather(
        here.buy(ACME, mode="subscription", user_id="alice"), here.buy(ACME, mode="subscription", user_id="bob")
    )
    assert sorted(trial_days(here, page.external_id) for page in pages) == [0, 14]
    mine = [await here.buy(scope, mode="subscription", user_id="carol") for scope in (BETA, Scope("user", "carol"))]
    assert [trial_days(here, page.external_id) for page in mine] == [14, 0]


async def test_a_trial_that_was_offered_and_not_taken_can_be_had_later(here: Shop) -> None:
    first = await here.buy(mode="subscription")
    again = await here.buy(mode="subscription", cancel_url="https://shop.test/other")
    assert here.fake.books.get("sessions", first.external_id)["status"] == "expired"
    assert [trial_days(here, page.external_id) for page in (first, again)] == [14, 14]
    here.later(DAY_S)
    await here.sync()
    assert (await here.row(again.subscription_id)).status is Status.CANCELLED
    assert trial_days(here, (await here.buy(BETA, mode="subscription")).external_id) == 14


async def test_who_has_paid_for_a_plan_has_no_trial_of_it_afterwards(here: Shop) -> None:
    here.sales.policy = POLICY
    await here.bought(mode="subscription")
    here.sales.policy = replace(POLICY, trials={"pro": 14})
    assert trial_days(here, (await here.buy(mode="subscription")).external_id) == 0


async def test_what_a_page_offers_stays_what_it_offers(here: Shop) -> None:
    page = await here.buy(mode="subscription")
    here.sales.policy = POLICY
    assert await here.buy(mode="subscription") == page


async def test_a_trial_is_no_way_to_a_dearer_plan(here: Shop) -> None:
    dearer = await made(here, draft("max", 5000), prices(1900))
    row = await here.bought(mode="subscription")
    with pytest.raises(Conflict, match="no trial"):
        await plan_change.preview(here.sales, row, dearer.id, here.sales.now_us())
    with pytest.raises(Conflict, match="no trial"):
        await plan_change.change(here.sales, row, dearer.id, here.by())
    here.sales.policy = replace(POLICY, trials={"pro": 14, "max": 7})
    changed = await plan_change.change(here.sales, row, dearer.id, here.by())
    assert (changed.status, changed.period_end_us) == (Status.TRIALING, row.period_end_us)
    assert trial_days(here, (await here.buy(mode="subscription", plan=dearer)).external_id) == 0, "it was had now"
    back = await plan_change.change(here.sales, changed, here.plan.id, here.by())
    assert back.status is Status.TRIALING, "it is the same trial"


async def test_a_change_to_what_costs_nothing_is_had_once_as_well(here: Shop) -> None:
    here.sales.policy = POLICY
    free = await made(here, draft("gift"), prices(0))
    await here.bought(plan=free)
    row = await here.bought(mode="subscription")
    with pytest.raises(Conflict, match="costs nothing"):
        await plan_change.change(here.sales, row, free.id, here.by())


@pytest.mark.parametrize("gives", ["what is free", "a trial"])
async def test_what_the_provider_moved_somebody_to_counts_as_had(here: Shop, gives: str) -> None:
    free = gives == "what is free"
    here.sales.policy = POLICY if free else replace(POLICY, trials={"pro": 14, "max": 7})
    other = await made(here, draft("max", 5000), prices(0 if free else 1900))
    row = await here.bought(mode="subscription")
    await here.sync(full=True)
    there = here.fake.books.get("subscriptions", row.external_id or "")
    here.fake.selling.update(there, {"items": [{"price": renewing_price(here, other)}]})  # as in its portal
    await here.fake.deliver()
    assert (await here.row(row.id)).plan.plan_id == other.id  # type: ignore[union-attr]
    if free:
        with pytest.raises(Conflict, match="costs nothing"):
            await here.buy(mode="subscription", plan=other)
    else:
        assert trial_days(here, (await here.buy(mode="subscription", plan=other)).external_id) == 0


@pytest.mark.parametrize(("status", "left"), [(402, 7), (400, 7), (500, 0)], ids=["declined", "refused", "who knows"])
async def test_a_change_that_was_not_made_takes_no_trial(here: Shop, status: int, left: int) -> None:
    here.sales.policy = replace(POLICY, trials={"pro": 14, "max": 7})
    dearer = await made(here, draft("max", 5000), prices(1900))
    row = await here.bought(mode="subscription")
    here.fake.faults.append(Fault(f"subscriptions/{row.external_id}", status))
    with pytest.raises(Problem):
        await plan_change.change(here.sales, row, dearer.id, here.by())
    assert here.fake.faults == []
    assert trial_days(here, (await here.buy(mode="subscription", plan=dearer)).external_id) == left


async def test_a_change_that_costs_something_else_than_was_shown_takes_no_trial(here: Shop) -> None:
    here.sales.policy = replace(POLICY, trials={"pro": 14, "max": 7})
    dearer = await made(here, draft("max", 5000), prices(1900))
    row = await here.bought(mode="subscription")
    with pytest.raises(Conflict, match="something else"):
        await plan_change.change(here.sales, row, dearer.id, here.by(), Shown(here.sales.now_us(), 99))
    assert trial_days(here, (await here.buy(mode="subscription", plan=dearer)).external_id) == 7


async def test_a_change_that_fails_leaves_what_was_had_before_where_it_is(here: Shop) -> None:
    here.sales.policy = replace(POLICY, trials={"pro": 14, "max": 7})
    dearer = await made(here, draft("max", 5000), prices(1900))
    row = await here.bought(mode="subscription")
    moved = await plan_change.change(here.sales, row, dearer.id, here.by())
    here.fake.faults.append(Fault(f"subscriptions/{row.external_id}", 402))
    with pytest.raises(Conflict, match="did not go through"):
        await plan_change.change(here.sales, moved, here.plan.id, here.by())
    assert trial_days(here, (await here.buy(mode="subscription")).external_id) == 0


async def test_what_costs_nothing_is_not_kept_by_whoever_moved_away_or_never_came(here: Shop) -> None:
    here.sales.policy = POLICY
    free = await made(here, draft("gift"), prices(0))
    row = await here.bought(mode="subscription")
    here.fake.faults.append(Fault("subscription_schedules", 402))
    with pytest.raises(Conflict, match="did not go through"):
        await plan_change.change(here.sales, row, free.id, here.by())
    gift = await here.bought(plan=free, mode="subscription")
    assert gift.status is Status.ACTIVE, "the other one never came"
    await plan_change.change(here.sales, gift, here.plan.id, here.by())
    here.later(DAY_S)
    assert (await here.bought(plan=free)).status is Status.ACTIVE, "and this one moved away"


async def test_what_costs_nothing_and_begins_later_is_not_had_twice_until_then(here: Shop) -> None:
    here.sales.policy = POLICY
    free = await made(here, draft("gift"), prices(0))
    row = await here.bought(mode="subscription")
    await plan_change.change(here.sales, row, free.id, here.by())
    here.later(DAY_S)
    with pytest.raises(Conflict, match="costs nothing"):
        await here.buy(plan=free)
    await plan_change.change(here.sales, await here.row(row.id), here.plan.id, here.by())
    here.later(DAY_S)
    assert (await here.bought(plan=free)).status is Status.ACTIVE, "it was taken back"


@pytest.mark.parametrize("mode", ["payment", "subscription"])
async def test_what_costs_nothing_is_had_once_at_a_time(here: Shop, mode: Mode) -> None:
    free = await made(here, draft("gift"), prices(0))
    row = await here.bought(plan=free, mode=mode)
    with pytest.raises(Conflict, match="costs nothing"):
        await here.buy(plan=free, mode=mode)
    assert [each.status for each in await here.rows()].count(Status.PENDING) == 0, "and no order is left of the try"
    pages = [here.buy(ACME, plan=free, mode=mode, user_id=user) for user in ("alice", "bob")]
    assert [isinstance(each, Conflict) for each in await asyncio.gather(*pages, return_exceptions=True)].count(
        True
    ) == 1
    if row.external_id is not None:
        await customer_acts.tell(here.sales, row, Event.STOP)
    here.later(31 * DAY_S)
    await here.sync()
    assert (await here.bought(plan=free, mode=mode)).status is Status.ACTIVE, "and again when it has ended"


async def windows(here: Shop, scope: Scope = ALICE) -> set[int]:
    """From when the windows are counted of what a scope has now."""
    found = await subscribed.held(here.store, scope, here.sales.now_us())
    return {each.starts_us if each.anchor_us is None else each.anchor_us for each in found}


async def rebought(here: Shop, plan: PlanRow, mode: Mode, days: int) -> tuple[SubscriptionRow, SubscriptionRow]:
    """Bought, ended with the money back after ten days, and bought again after some more."""
    first = await here.bought(plan=plan, mode=mode)
    here.later(10 * DAY_S)
    for charge in list(here.fake.books.kept["charges"].values()):
        here.fake.money.refund(charge, None)
    if mode == "subscription":
        end(here, first)
    await here.fake.deliver()
    assert not await here.grants()
    here.later(days * DAY_S)
    return await here.row(first.id), await here.bought(plan=plan, mode=mode)


@pytest.mark.parametrize("mode", ["payment", "subscription"])
async def test_who_cancels_and_buys_again_goes_on_in_the_same_window(here: Shop, mode: Mode) -> None:
    first, again = await rebought(here, await made(here, monthly()), mode, 2)
    assert again.starts_us > first.starts_us
    assert await windows(here) == {first.starts_us}
    here.later(10 * DAY_S)
    await here.sync(full=True)
    assert await windows(here) == {first.starts_us}, "however often it is read"


@pytest.mark.parametrize("mode", ["payment", "subscription"])
async def test_who_comes_back_later_begins_anew(here: Shop, mode: Mode) -> None:
    first, again = await rebought(here, await made(here, monthly()), mode, 25)
    assert await windows(here) == {again.starts_us} != {first.starts_us}


async def test_who_buys_once_more_what_still_runs_has_both(here: Shop) -> None:
    plan = await made(here, monthly())
    first = await here.bought(plan=plan)
    here.later(DAY_S)
    again = await here.bought(plan=plan)
    assert await windows(here) == {first.starts_us, again.starts_us}


async def test_a_window_that_only_the_grace_has_opened_is_no_fresh_one_for_who_buys_again(here: Shop) -> None:
    plan = await made(here, monthly())
    first = await here.bought(plan=plan, mode="subscription")
    here.fake.books.declining.add(here.fake.books.get("subscriptions", first.external_id or "")["customer"])
    here.later(31 * DAY_S)
    await here.fake.deliver()
    assert (await here.row(first.id)).status is Status.PAST_DUE
    end(here, first)
    here.fake.books.declining.clear()
    await here.fake.deliver()
    await here.bought(plan=plan)
    assert await windows(here) == {first.starts_us}
