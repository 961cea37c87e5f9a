"""A change of plan that is not made takes nothing away: what was agreed for the next period holds, or that is told."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.billing import customer_acts, plan_change
from gateway.billing.subscriptions import Viewer, stop
from gateway.core.problems import Conflict, Problem, Unavailable
from gateway.core.subscription import Event, PlanVersion
from gateway.demo.stripe.routes import answer
from gateway.demo.stripe.server import Fault
from gateway.store import plans
from gateway.store.rows import PlanRow, SubscriptionRow
from tests.billing.shop import DAY_S, Shop, another, charged, draft, prices, shop
from tests.billing.test_another_plan_later import renewed


@pytest.fixture
async def here(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Shop]:
    async with shop(tmp_path, migrated_file) as running:
        await running.sync()
        yield running


async def agreed(here: Shop) -> tuple[SubscriptionRow, PlanRow, PlanRow]:
    """A day into a month of 1000.00, with the plan of 5.00 agreed for the next; plans of 500.00 and of 9000.00."""
    big = await another(here, draft("big"), prices(100_000))
    middle = await another(here, draft("middle"), prices(50_000))
    huge = await another(here, draft("huge"), prices(900_000))
    await here.sync(full=True)
    row = await here.bought(mode="subscription", plan=big)
    here.later(DAY_S)
    return await change(here, row, here.plan), middle, huge


async def change(here: Shop, row: SubscriptionRow, plan: PlanRow) -> SubscriptionRow:
    return await plan_change.change(here.sales, row, plan.id, here.by())


def waiting(here: Shop, row: SubscriptionRow) -> str | None:
    """The plan that waits at Stripe."""
    schedule = here.fake.books.get("subscriptions", row.external_id or "")["schedule"]
    return None if schedule is None else str(here.fake.books.get("schedules", schedule)["metadata"]["plan_id"])


def when(here: Shop, path: str, then: Callable[[], Any]) -> None:
    """Let something happen as soon as Stripe has answered a request."""
    judge = here.fake.on_request
    assert judge is not None

    def seen(method: str, asked: str, *more: Any) -> None:
        judge(method, asked, *more)
        if asked.endswith(path):
            here.fake.on_request = judge
            then()

    here.fake.on_request = seen


async def test_a_card_that_is_declined_leaves_what_was_agreed(here: Shop) -> None:
    row, _, huge = await agreed(here)
    here.fake.books.declining.update(here.fake.books.kept["customers"])
    with pytest.raises(Conflict, match="the plan is as it was") as refused:
        await change(here, row, huge)
    assert refused.value.content is None
    row = await here.row(row.id)
    assert (row.next_plan_id, waiting(here, row)) == (here.plan.id, here.plan.id)
    here.fake.books.declining.clear()
    after = await renewed(here, row, 29)
    assert (after.plan, charged(here)) == (PlanVersion(here.plan.id, 1), [100_000, 500])


@pytest.mark.parametrize("status", [500, 0, 400])
@pytest.mark.parametrize("later", [False, True])
async def test_what_stripe_does_not_do_leaves_what_was_agreed(here: Shop, status: int, *, later: bool) -> None:
    row, middle, huge = await agreed(here)
    here.fake.faults.append(Fault("subscription_schedules/" if later else f"subscriptions/{row.external_id}", status))
    with pytest.raises(Problem):
        await change(here, row, middle if later else huge)
    row = await here.row(row.id)
    assert (row.next_plan_id, waiting(here, row)) == (here.plan.id, here.plan.id)
    after = await renewed(here, row, 29)
    assert (after.plan, charged(here)) == (PlanVersion(here.plan.id, 1), [100_000, 500])


@pytest.mark.parametrize("declined", [False, True])
async def test_what_cannot_be_put_back_is_told_and_can_be_chosen_again(here: Shop, *, declined: bool) -> None:
    row, _, huge = await agreed(here)
    lost = [Fault("subscription_schedules", 400)]
    if declined:
        here.fake.books.declining.update(here.fake.books.kept["customers"])
    else:
        lost.append(Fault("subscriptions/", 500))
    when(here, "/release", lambda: here.fake.faults.extend(lost))
    with pytest.raises(Conflict, match="is off: choose that again") as refused:
        await change(here, row, huge)
    assert (refused.value.content or {})["reason"] == "agreed_is_off"
    row = await here.row(row.id)
    assert (row.next_plan_id, waiting(here, row)) == (None, None)
    here.fake.books.declining.clear()
    row = await change(here, row, here.plan)
    after = await renewed(here, row, 29)
    assert (after.plan, charged(here)) == (PlanVersion(here.plan.id, 1), [100_000, 500])


async def test_whoever_cancels_while_a_change_fails_stays_cancelled(here: Shop) -> None:
    row, _, huge = await agreed(here)
    subscription = f"subscriptions/{row.external_id}"

    def cancel() -> None:
        answer(here.fake.selling, "POST", subscription, {"cancel_at_period_end": True})
        here.fake.faults.append(Fault(subscription, 400))

    when(here, "/release", cancel)
    with pytest.raises(Conflict, match="is off"):
        await change(here, row, huge)
    assert here.fake.books.get("subscriptions", row.external_id or "")["cancel_at_period_end"]
    assert waiting(here, row) is None
    assert (await here.row(row.id)).next_plan_id is None


async def test_what_was_agreed_is_not_put_into_a_longer_period_that_may_yet_be_paid(here: Shop) -> None:
    row, _, _ = await agreed(here)
    year = await another(
        here, replace(draft("year"), terms=replace(draft().terms, duration_days=365)), prices(5_000_000)
    )
    await here.sync(full=True)
    here.fake.books.declining.update(here.fake.books.kept["customers"])
    with pytest.raises(Conflict, match="is off: choose that again"):
        await change(here, row, year)
    assert waiting(here, row) is None


async def test_whoever_cannot_be_told_what_was_left_hears_that_it_is_in_doubt(here: Shop) -> None:
    row, _, huge = await agreed(here)
    when(here, "/release", lambda: here.fake.faults.extend(Fault("", 500, method="*") for _ in range(50)))
    with pytest.raises(Unavailable, match="whether what was agreed for the next period still holds"):
        await change(here, row, huge)


@pytest.mark.parametrize("later", [False, True])
async def test_what_was_done_although_no_answer_came_is_answered_as_done(here: Shop, *, later: bool) -> None:
    row, middle, huge = await agreed(here)
    path = "subscription_schedules/" if later else f"subscriptions/{row.external_id}"
    here.fake.faults.append(Fault(path, 0, after=True))
    changed = await change(here, row, middle if later else huge)
    assert changed.next_plan_id == (middle.id if later else None)
    assert changed.plan == (row.plan if later else PlanVersion(huge.id, 1))
    assert waiting(here, row) == changed.next_plan_id


@pytest.mark.parametrize("act", ["change", "stay", "stop"])
async def test_what_was_cut_off_in_the_middle_the_next_sync_finds(here: Shop, act: str) -> None:
    """Nobody tells us: Stripe is away, its webhooks and its list of events are lost."""
    row, _, huge = await agreed(here)
    when(here, "/release", lambda: here.fake.faults.extend(Fault("", 500, method="*") for _ in range(50)))
    with pytest.raises(Unavailable):
        match act:
            case "stop":
                viewer = Viewer("alice")

                async def tell(row: SubscriptionRow, event: Event) -> None:
                    await customer_acts.tell(here.sales, row, event)

                await stop(here.store, row.id, viewer, here.by(), tell)
            case "stay":
                await change(here, row, await plan_of(here, row))
            case _:
                await change(here, row, huge)
    assert ((await here.row(row.id)).next_plan_id, waiting(here, row)) == (here.plan.id, None)
    here.fake.faults.clear()
    here.webhooks.waiting.clear()
    here.fake.books.events[:] = [each for each in here.fake.books.events if "schedule" not in each["type"]]
    here.later(120)
    await here.sync()
    assert (await here.row(row.id)).next_plan_id is None


async def plan_of(here: Shop, row: SubscriptionRow) -> PlanRow:
    assert isinstance(row.plan, PlanVersion)
    return await plans.get(here.store, row.plan.plan_id)


async def test_what_an_operator_takes_back_at_stripe_is_heard(here: Shop) -> None:
    row, _, _ = await agreed(here)
    schedule = here.fake.books.get("subscriptions", row.external_id or "")["schedule"]
    await here.fake.deliver()
    answer(here.fake.selling, "POST", f"subscription_schedules/{schedule}/release", {})
    await here.fake.deliver()
    assert (await here.row(row.id)).next_plan_id is None
