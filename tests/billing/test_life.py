"""The life of what was bought: renewed, failed, mended, stopped, taken up again, changed, refunded, disputed."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.billing import customer_acts, plan_change
from gateway.billing.grace import PROVIDER as GRACE
from gateway.billing.plan_change import Shown
from gateway.billing.sales import Then
from gateway.billing.subscriptions import Viewer, end, reactivate, stop
from gateway.core.plan import THROUGHPUT, PlanLimit
from gateway.core.problems import Conflict, NotFound, Unprocessable
from gateway.core.subscription import Event, PlanVersion, Status
from gateway.demo.stripe.server import Fault
from gateway.store import audit, payments, plans, subscribed, subscriptions
from gateway.store.audit import Sought
from gateway.store.rows import SubscriptionRow, Terms
from tests.billing.shop import ACME, ALICE, DAY_S, POLICY, Shop, another, draft, prices, shop

ME = Viewer("alice")
HOUR_US = 3_600_000_000


@pytest.fixture
async def here(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Shop]:
    async with shop(tmp_path, migrated_file) as running:
        await running.sync()
        yield running


async def tell(here: Shop, row: SubscriptionRow, event: Event) -> None:
    await customer_acts.tell(here.sales, row, event)


def declining(here: Shop, row: SubscriptionRow, *, yes: bool = True) -> None:
    """What the bank of whoever bought it says from now on."""
    customer = here.fake.books.get("subscriptions", row.external_id or "")["customer"]
    (here.fake.books.declining.add if yes else here.fake.books.declining.discard)(customer)


async def failed(here: Shop) -> SubscriptionRow:
    """A subscription whose renewal has failed an hour ago."""
    row = await here.bought(mode="subscription")
    declining(here, row)
    here.later(30 * DAY_S + 2 * 3600)
    await here.fake.deliver()
    return await here.row(row.id)


async def test_a_failed_renewal_goes_on_for_the_grace_and_is_mended_at_its_page(here: Shop) -> None:
    row = await failed(here)
    assert row.status is Status.PAST_DUE
    assert await here.grants()
    url = await customer_acts.pay_url(here.sales, row)
    assert url.startswith(here.fake.url)
    due = [each for each in await payments.of_subscription(here.store, row.id) if each.state == "open"]
    assert [each.pay_url for each in due] == [url]
    declining(here, row, yes=False)
    here.fake.money.pay(here.fake.books.get("invoices", url.rsplit("/", 1)[1]))
    await here.fake.deliver()
    mended = await here.row(row.id)
    assert (mended.status, (mended.ends_us or 0) > (row.ends_us or 0)) == (Status.ACTIVE, True)
    with pytest.raises(Conflict, match="Nothing is due"):
        await customer_acts.pay_url(here.sales, mended)


@pytest.mark.parametrize(
    ("then", "plan", "override"),
    [(Then(kind="plan", plan="basic"), "basic", None), (Then(kind="throttle", percent=10), None, 100)],
)
async def test_after_the_grace_there_is_what_the_house_leaves(
    here: Shop, then: Then, plan: str | None, override: int | None
) -> None:
    here.sales.policy = replace(POLICY, then=then)
    row = await failed(here)
    here.later(2 * DAY_S)
    assert [
        each.id
        for each in await subscribed.held(here.store, ALICE, here.sales.now_us())
        if each.starts_us <= here.sales.now_us()
    ] == [row.id]
    here.later(DAY_S)
    await here.sync()
    now_us = here.sales.now_us()
    (held,) = [each for each in await subscribed.held(here.store, ALICE, now_us) if each.starts_us <= now_us]
    assert (held.plan if plan else None, held.override) == (plan, override)
    declining(here, row, yes=False)
    here.fake.money.pay(
        here.fake.books.get("invoices", (await customer_acts.pay_url(here.sales, row)).rsplit("/", 1)[1])
    )
    await here.sync()
    (held,) = await subscribed.held(here.store, ALICE, here.sales.now_us())
    assert held.id == row.id, "what was left is over now that it is paid"
    companions = [each for each in await here.rows() if each.provider == GRACE]
    assert [each.status for each in companions] == [Status.CANCELLED]


@pytest.mark.parametrize("cancelled", [True, False], ids=["cancelled", "still unmet"])
async def test_what_the_house_left_ends_when_it_leaves_nothing_any_more(here: Shop, *, cancelled: bool) -> None:
    here.sales.policy = replace(POLICY, then=Then(kind="plan", plan="basic"))
    row = await failed(here)
    here.later(4 * DAY_S)
    await here.sync()
    assert await here.grants(), "what is left after the grace"
    here.sales.policy = replace(POLICY, then=Then(kind="off"))
    if cancelled:
        here.fake.money.end(here.fake.books.get("subscriptions", row.external_id or ""))
    await here.fake.deliver()
    await here.sync(full=True)
    assert [each.status for each in await here.rows() if each.provider == GRACE] == [Status.CANCELLED]
    assert not await here.grants()


async def test_what_is_unmet_a_second_time_has_a_companion_again(here: Shop) -> None:
    here.sales.policy = replace(POLICY, then=Then(kind="plan", plan="basic"))
    row = await here.bought(mode="subscription")
    (charge,) = here.fake.books.kept["charges"].values()

    async def companions() -> list[Status]:
        return sorted(each.status for each in await here.rows() if each.provider == GRACE)

    refund = here.fake.money.refund(charge, None)
    await here.fake.deliver()
    assert await companions() == [Status.ACTIVE]
    here.fake.money.refund_failed(refund)
    await here.fake.deliver()
    assert ((await here.row(row.id)).status, await companions()) == (Status.ACTIVE, [Status.CANCELLED])
    here.fake.money.refund(charge, None)
    await here.fake.deliver()
    await here.sync(full=True)
    assert await companions() == [Status.ACTIVE, Status.CANCELLED]


@pytest.mark.parametrize(
    ("terms", "override", "left"),
    [
        (Terms((PlanLimit(THROUGHPUT, 1000, HOUR_US),), 30), 4000, 400),
        (Terms((PlanLimit(THROUGHPUT, 5, HOUR_US),), 30), None, 1),
        (Terms((PlanLimit(THROUGHPUT, 0, HOUR_US),), 30), None, None),
        (Terms((PlanLimit(THROUGHPUT, 1000, HOUR_US),), 30), -1, None),
        (Terms((PlanLimit("tokens", 1000, HOUR_US),), 30), None, None),
        (Terms((), 30, unlimited=True), None, None),
    ],
    ids=["an override", "a little", "no limit", "an override without one", "no throughput", "unlimited"],
)
async def test_a_part_is_of_what_the_subscription_had_and_of_no_end_it_is_nothing(
    here: Shop, terms: Terms, override: int | None, left: int | None
) -> None:
    here.sales.policy = replace(POLICY, then=Then(kind="throttle", percent=10))
    plan = await another(here, draft("own", terms=terms))
    row = await here.bought(mode="subscription", plan=plan)
    await subscriptions.override(here.store, row.id, override, here.by())
    declining(here, row)
    here.later(30 * DAY_S + 2 * 3600)
    await here.fake.deliver()
    here.later(4 * DAY_S)
    await here.sync()
    now_us = here.sales.now_us()
    held = await subscribed.held(here.store, ALICE, now_us)
    assert [each.override for each in held if each.starts_us <= now_us] == ([] if left is None else [left])


async def test_an_admin_ends_what_the_house_left_and_it_is_not_given_again(here: Shop) -> None:
    here.sales.policy = replace(POLICY, then=Then(kind="plan", plan="basic"))
    row = await failed(here)
    (left,) = [each for each in await here.rows() if each.provider == GRACE]
    ended = await end(here.store, left.id, here.by(), lambda row, event: tell(here, row, event))
    assert ended.status is Status.CANCELLED
    here.later(4 * DAY_S)
    await here.sync(full=True)
    assert (await here.row(row.id)).status is Status.PAST_DUE
    assert [each.status for each in await here.rows() if each.provider == GRACE] == [Status.CANCELLED]
    assert not await here.grants()


async def test_with_nothing_left_after_the_grace_there_is_nothing(here: Shop) -> None:
    await failed(here)
    here.later(4 * DAY_S)
    await here.sync()
    assert not await here.grants()
    assert [each.provider for each in await here.rows()] == ["stripe"]


async def test_retries_that_are_given_up_end_it_as_the_account_says(here: Shop) -> None:
    here.fake.money.gives_up = "unpaid"
    row = await failed(here)
    here.later(10 * DAY_S)
    await here.fake.deliver()
    assert (await here.row(row.id)).status is Status.UNPAID
    here.fake.money.end(here.fake.books.get("subscriptions", row.external_id or ""))
    await here.fake.deliver()
    assert (await here.row(row.id)).status is Status.CANCELLED


async def test_a_customer_stops_and_takes_up_again_at_stripe_too(here: Shop) -> None:
    row = await here.bought(mode="subscription")
    of = here.fake.books.get("subscriptions", row.external_id or "")
    stopped = await stop(here.store, row.id, ME, here.by(), lambda row, event: tell(here, row, event))
    assert (stopped.cancel_at_period_end, of["cancel_at_period_end"]) == (True, True)
    again = await reactivate(here.store, row.id, ME, here.by(), lambda row, event: tell(here, row, event))
    assert (again.cancel_at_period_end, of["cancel_at_period_end"]) == (False, False)
    await stop(here.store, row.id, ME, here.by(), lambda row, event: tell(here, row, event))
    here.later(31 * DAY_S)
    await here.sync()
    over = await here.row(row.id)
    assert (over.status, over.cancelled_us) == (Status.CANCELLED, row.period_end_us)


@pytest.mark.parametrize("over", [False, True])
async def test_what_stripe_refuses_is_not_done_here_either_and_looked_at(here: Shop, *, over: bool) -> None:
    row = await here.bought(mode="subscription")
    if over:  # nobody has told us
        here.fake.money.end(here.fake.books.get("subscriptions", row.external_id or ""))
        here.webhooks.waiting.clear()
    else:
        here.fake.faults.append(Fault("subscriptions/", 400))
    with pytest.raises(Exception, match="payment provider"):
        await stop(here.store, row.id, ME, here.by(), lambda row, event: tell(here, row, event))
    after = await here.row(row.id)
    assert after == row if not over else after.status is Status.CANCELLED


async def test_an_order_that_is_dropped_can_be_paid_no_more(here: Shop) -> None:
    page = await here.buy()
    dropped = await stop(here.store, page.subscription_id, ME, here.by(), lambda row, event: tell(here, row, event))
    assert dropped.status is Status.CANCELLED
    assert here.fake.books.get("sessions", page.external_id)["status"] == "expired"
    page = await here.buy()
    here.pay(page)
    with pytest.raises(Conflict, match="paid just now"):
        await stop(here.store, page.subscription_id, ME, here.by(), lambda row, event: tell(here, row, event))
    assert (await here.row(page.subscription_id)).status is Status.ACTIVE


async def test_an_admins_end_ends_it_at_stripe_too(here: Shop) -> None:
    row = await here.bought(mode="subscription")
    ended = await end(here.store, row.id, here.by(), lambda row, event: tell(here, row, event))
    assert ended.status is Status.CANCELLED
    assert here.fake.books.get("subscriptions", row.external_id or "")["status"] == "canceled"
    await here.fake.deliver()
    assert (await here.row(row.id)).status is Status.CANCELLED


async def test_an_admins_extension_outlives_readings_until_a_new_period_is_paid(here: Shop) -> None:
    row = await here.bought(mode="subscription")
    ends_us = (row.ends_us or 0) + 7 * DAY_S * 1_000_000
    await subscriptions.extend(here.store, row.id, ends_us, here.by())
    assert (await customer_acts.sync(here.sales, await here.row(row.id))).ends_us == ends_us
    here.later(30 * DAY_S + 3600)
    await here.fake.deliver()
    assert ((await here.row(row.id)).ends_us or 0) > ends_us


async def test_another_plan_costs_its_preview_and_counts_at_once(here: Shop) -> None:
    dearer = await plans.create(here.store, draft("max", 5000), here.by(), prices=prices(1900))
    row = await here.bought(mode="subscription")
    here.later(10 * DAY_S)
    preview = await plan_change.preview(here.sales, row, dearer.id, here.sales.now_us())
    assert (preview.currency, preview.amount_due) == ("usd", sum(line.amount for line in preview.lines))
    changed = await plan_change.change(here.sales, row, dearer.id, here.by())
    assert changed.plan == PlanVersion(dearer.id, 1)
    assert (changed.period_end_us, changed.starts_us) == (row.period_end_us, row.starts_us)
    paid = await payments.of_subscription(here.store, row.id)
    assert {(each.plan_slug, each.amount) for each in paid} == {("pro", 500), ("max", preview.amount_due)}
    back = await plan_change.change(here.sales, changed, here.plan.id, here.by())
    assert (back.plan, back.next_plan_id) == (changed.plan, here.plan.id), "a cheaper one begins with the next period"
    here.later(30 * DAY_S)
    await here.sync()
    after = await here.row(row.id)
    assert (after.status, after.plan) == (Status.ACTIVE, row.plan)


async def test_a_change_costs_what_was_shown_though_time_has_passed(here: Shop) -> None:
    dearer = await plans.create(here.store, draft("max", 5000), here.by(), prices=prices(1_900_000))
    row = await here.bought(mode="subscription")
    here.later(10 * DAY_S)
    preview = await plan_change.preview(here.sales, row, dearer.id, here.sales.now_us())
    here.later(14 * 60)
    later = await plan_change.preview(here.sales, row, dearer.id, here.sales.now_us())
    assert later.amount_due < preview.amount_due, "the rest of the period is worth less by now"
    shown = Shown(preview.at_us, preview.amount_due)
    changed = await plan_change.change(here.sales, row, dearer.id, here.by(), shown)
    assert changed.plan == PlanVersion(dearer.id, 1)
    paid = await payments.of_subscription(here.store, row.id)
    assert sorted(each.amount for each in paid) == sorted([500, preview.amount_due])


async def test_a_preview_that_is_old_or_wrong_changes_nothing(here: Shop) -> None:
    dearer = await plans.create(here.store, draft("max", 5000), here.by(), prices=prices(1900))
    row = await here.bought(mode="subscription")
    here.later(DAY_S)
    now_us = here.sales.now_us()
    preview = await plan_change.preview(here.sales, row, dearer.id, now_us)
    for shown, reason in (
        (Shown(preview.at_us, preview.amount_due - 1), "preview_changed"),
        (Shown(now_us - 16 * 60_000_000, preview.amount_due), "preview_too_old"),
        (Shown(now_us + 60_000_000, preview.amount_due), "preview_too_old"),
    ):
        with pytest.raises(Conflict) as refused:
            await plan_change.change(here.sales, row, dearer.id, here.by(), shown)
        assert (refused.value.content or {})["reason"] == reason
    here.later(29 * DAY_S - 5 * 60)
    last = await plan_change.preview(here.sales, row, dearer.id, here.sales.now_us())
    here.later(5 * 60)
    with pytest.raises(Conflict, match="not paid yet"):  # a new period has begun
        await plan_change.change(here.sales, row, dearer.id, here.by(), Shown(last.at_us, last.amount_due))
    assert len(here.fake.books.kept["invoices"]) == 2
    assert (await here.row(row.id)).plan == row.plan


async def test_two_clicks_are_one_change_and_a_mended_card_another_try(here: Shop) -> None:
    dearer = await plans.create(here.store, draft("max", 5000), here.by(), prices=prices(1900))
    row = await here.bought(mode="subscription")
    here.later(DAY_S)
    preview = await plan_change.preview(here.sales, row, dearer.id, here.sales.now_us())
    shown = Shown(preview.at_us, preview.amount_due)
    declining(here, row)
    with pytest.raises(Conflict, match="did not go through"):
        await plan_change.change(here.sales, row, dearer.id, here.by(), shown)
    assert (await here.row(row.id)).status is Status.ACTIVE, "a change that is not paid is no renewal that has failed"
    declining(here, row, yes=False)
    twice = [plan_change.change(here.sales, row, dearer.id, here.by(), shown) for _ in range(2)]
    assert {each.plan for each in await asyncio.gather(*twice)} == {PlanVersion(dearer.id, 1)}
    assert sorted(each.state for each in await payments.of_subscription(here.store, row.id)) == ["paid", "paid", "void"]


async def test_a_change_to_a_shorter_plan_ends_with_the_shorter_period(here: Shop) -> None:
    terms = replace(draft().terms, duration_days=365)
    year = await plans.create(here.store, draft("year", terms=terms), here.by(), prices=prices(4900))
    row = await here.bought(mode="subscription", plan=year)
    here.later(10 * DAY_S)
    changed = await plan_change.change(here.sales, row, here.plan.id, here.by())
    assert changed.period_end_us == here.sales.now_us() + 30 * DAY_S * 1_000_000
    here.later(31 * DAY_S)
    await here.fake.deliver()
    renewed = await here.row(row.id)
    assert (renewed.status, renewed.period_end_us) == (Status.ACTIVE, changed.period_end_us + 30 * DAY_S * 1_000_000)
    await customer_acts.tell(here.sales, renewed, Event.STOP)
    here.later(61 * DAY_S)
    await here.sync()
    assert not await here.grants(), "and not for the rest of the year that was given back"


async def test_a_change_that_cannot_be_is_refused(here: Shop) -> None:
    dearer = await plans.create(here.store, draft("max"), here.by(), prices=prices(1900))
    abroad = await plans.create(here.store, draft("eu"), here.by(), prices=[replace(prices()[0], currency="eur")])
    hidden = await plans.create(here.store, draft("own", is_custom=True), here.by(), prices=prices())
    once = await here.bought(ACME)
    row = await here.bought(mode="subscription")
    for who, plan, kind in (
        (once, dearer, Conflict),
        (row, here.plan, Conflict),
        (row, abroad, Unprocessable),
        (row, hidden, NotFound),
    ):
        with pytest.raises(kind):
            await plan_change.change(here.sales, who, plan.id, here.by())
    declining(here, row)
    with pytest.raises(Conflict, match="did not go through"):
        await plan_change.change(here.sales, row, dearer.id, here.by())
    assert (await here.row(row.id)).plan == row.plan


async def test_a_refund_in_full_takes_the_budget_and_one_in_part_does_not(here: Shop) -> None:
    row = await here.bought()
    (charge,) = here.fake.books.kept["charges"].values()
    here.fake.money.refund(charge, 200)
    await here.fake.deliver()
    assert await here.grants()
    here.fake.money.refund(charge, 300)
    await here.fake.deliver()
    assert not await here.grants()
    (paid,) = await payments.of_subscription(here.store, row.id)
    assert (paid.refunded, paid.amount) == (500, 500)
    entries = await audit.page(here.sales.store, Sought(topic="payment"))
    assert [entry.action for entry in entries] == ["payment.refund", "payment.refund", "payment.record"]
    (revenue,) = await payments.revenue(here.store, 0, 2**60, "month")
    assert (revenue.gross, revenue.refunded, revenue.payments) == (500, 500, 1)


async def test_a_dispute_freezes_until_it_is_decided(here: Shop) -> None:
    row = await here.bought(mode="subscription")
    (charge,) = here.fake.books.kept["charges"].values()
    dispute = here.fake.money.dispute(charge)
    await here.fake.deliver()
    assert ((await here.row(row.id)).status, await here.grants()) == (Status.PAUSED, False)
    here.fake.money.decide(dispute, "won")
    await here.fake.deliver()
    assert ((await here.row(row.id)).status, await here.grants()) == (Status.ACTIVE, True)


async def test_the_portal_is_of_whom_it_was_asked_for(here: Shop) -> None:
    await here.bought(ACME, mode="subscription")
    await here.bought(mode="subscription")
    for scope in (ACME, ALICE):
        url = await customer_acts.portal(here.sales, scope, "alice", "https://shop.test/", here.by())
        portal = here.fake.books.get("portals", url.rsplit("/", 1)[1])
        customer = here.fake.books.get("customers", portal["customer"])
        assert customer["metadata"]["scope_id"] == scope.id
    with pytest.raises(Unprocessable):
        await customer_acts.portal(here.sales, ALICE, "alice", "http://elsewhere.test/", here.by())


async def test_what_changed_in_the_portal_is_seen(here: Shop) -> None:
    row = await here.bought(mode="subscription")
    dearer = await plans.create(here.store, draft("max"), here.by(), prices=prices(1900))
    await here.sync(full=True)
    of = here.fake.books.get("subscriptions", row.external_id or "")
    price = next(
        each for each in here.fake.books.kept["prices"].values() if each["lookup_key"] == f"gw_{dearer.id}_usd_renewed"
    )
    here.fake.selling.update(of, {"items": [{"id": of["items"]["data"][0]["id"], "price": price["id"]}]})
    await here.fake.deliver()
    assert (await here.row(row.id)).plan == PlanVersion(dearer.id, 1)
