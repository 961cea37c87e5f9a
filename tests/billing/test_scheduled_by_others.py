"""What an operator has scheduled at Stripe, such as a price that rises, is nothing that a customer throws away."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.billing import customer_acts, plan_change
from gateway.billing.subscriptions import Tell, Viewer, reactivate, stop
from gateway.core.problems import Conflict
from gateway.core.subscription import Event, PlanVersion, Status
from gateway.demo.stripe.routes import answer
from gateway.store.rows import PlanRow, SubscriptionRow
from tests.billing.shop import DAY_S, Shop, another, charged, draft, prices, shop
from tests.billing.test_another_plan_later import renewed

ME = Viewer("alice")


@pytest.fixture
async def here(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Shop]:
    async with shop(tmp_path, migrated_file) as running:
        await running.sync()
        yield running


def teller(here: Shop) -> Tell:
    """The provider's part of an act."""

    async def tell(row: SubscriptionRow, event: Event) -> None:
        await customer_acts.tell(here.sales, row, event)

    return tell


async def plans_to_choose(here: Shop) -> tuple[PlanRow, PlanRow]:
    """One of 1000.00, to which it is, and one of 9000.00."""
    big = await another(here, draft("big"), prices(100_000))
    huge = await another(here, draft("huge"), prices(900_000))
    await here.sync(full=True)
    return big, huge


def price_rises(here: Shop, row: SubscriptionRow) -> dict[str, Any]:
    """The operator schedules it: from the next month on the same costs 1200.00."""
    of = here.fake.books.get("subscriptions", row.external_id or "")
    price = of["items"]["data"][0]["price"]
    raised = {"product": price["product"], "currency": "usd", "unit_amount": 120_000, "metadata": price["metadata"]}
    raised["recurring"] = {"interval": "day", "interval_count": 30}
    dearer = answer(here.fake.selling, "POST", "prices", raised)["id"]
    made = answer(here.fake.selling, "POST", "subscription_schedules", {"from_subscription": of["id"]})
    runs = made["phases"][0]
    dates = {"start_date": runs["start_date"], "end_date": runs["end_date"]}
    phases = [
        {"items": [{"price": price["id"]}], **dates},
        {"items": [{"price": dearer}], "duration": {"interval": "day", "interval_count": 360}},
    ]
    said = {"end_behavior": "release", "metadata": {"by": "operator"}, "phases": phases}
    return answer(here.fake.selling, "POST", f"subscription_schedules/{made['id']}", said)


async def test_no_choice_of_a_customer_undoes_what_the_operator_has_scheduled(here: Shop) -> None:
    big, huge = await plans_to_choose(here)
    row = await here.bought(mode="subscription", plan=big)
    schedule = price_rises(here, row)
    for plan in (here.plan, huge):
        for act in (plan_change.preview(here.sales, row, plan.id, here.sales.now_us()), change(here, row, plan)):
            with pytest.raises(Conflict, match="Only whoever runs this") as refused:
                await act
            assert (refused.value.content or {})["reason"] == "scheduled"
    assert schedule["status"] == "active"
    after = await renewed(here, row)
    assert (after.plan, charged(here)) == (PlanVersion(big.id, 1), [100_000, 120_000])


async def change(here: Shop, row: SubscriptionRow, plan: PlanRow) -> SubscriptionRow:
    return await plan_change.change(here.sales, row, plan.id, here.by())


@pytest.mark.parametrize("act", ["later", "at once", "stay"])
async def test_nor_does_one_that_was_made_while_the_operator_scheduled_it(here: Shop, act: str) -> None:
    """The preview has not seen it yet: the act itself looks again."""
    big, huge = await plans_to_choose(here)
    row = await here.bought(mode="subscription", plan=big)
    if act == "stay":
        row = await change(here, row, here.plan)
        of = here.fake.books.get("subscriptions", row.external_id or "")
        answer(here.fake.selling, "POST", f"subscription_schedules/{of['schedule']}/release", {})
    provider, done = here.sales.provider, list[Any]()
    agreement = provider.agreement

    async def and_then(id_: str) -> Any:
        found = await agreement(id_)
        if not done:
            done.append(price_rises(here, row))
        return found

    if act == "stay":
        done.append(price_rises(here, row))
    provider.agreement = and_then  # type: ignore[method-assign]
    with pytest.raises(Conflict, match="Only whoever runs this"):
        await change(here, row, {"later": here.plan, "at once": huge, "stay": big}[act])
    assert done[0]["status"] == "active"


async def test_who_cancels_may_leave_but_not_come_back_at_the_old_price(here: Shop) -> None:
    big, _ = await plans_to_choose(here)
    row = await here.bought(mode="subscription", plan=big)
    schedule, tell = price_rises(here, row), teller(here)
    for _ in range(2):  # a second click
        await tell(row, Event.STOP)
    await stop(here.store, row.id, ME, here.by(), tell)
    assert schedule["status"] == "released"
    with pytest.raises(Conflict, match="Only whoever runs this"):
        await reactivate(here.store, row.id, ME, here.by(), tell)
    over = await renewed(here, row)
    assert (over.status, charged(here)) == (Status.CANCELLED, [100_000])


async def test_who_was_taken_up_again_by_the_operator_cancels_and_goes_on_like_others(here: Shop) -> None:
    big, _ = await plans_to_choose(here)
    row = await here.bought(mode="subscription", plan=big)
    price_rises(here, row)
    tell = teller(here)
    await stop(here.store, row.id, ME, here.by(), tell)
    of = here.fake.books.get("subscriptions", row.external_id or "")
    here.fake.selling.update(of, {"cancel_at_period_end": "false"})
    await here.fake.deliver()
    await stop(here.store, row.id, ME, here.by(), tell)
    await reactivate(here.store, row.id, ME, here.by(), tell)
    assert (await renewed(here, row)).status is Status.ACTIVE


async def test_what_we_have_scheduled_half_is_ours_all_the_same(here: Shop) -> None:
    big, _ = await plans_to_choose(here)
    row = await here.bought(mode="subscription", plan=big)
    answer(here.fake.selling, "POST", "subscription_schedules", {"from_subscription": row.external_id})
    here.later(DAY_S)
    agreed = await change(here, row, here.plan)
    assert agreed.next_plan_id == here.plan.id
    assert (await renewed(here, row, 29)).plan == PlanVersion(here.plan.id, 1)
