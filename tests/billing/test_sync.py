"""The sync: what it reads, what it looks at, and that nothing stops it for long."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.core.problems import PreconditionFailed
from gateway.core.subscription import PlanVersion, Status
from gateway.demo.stripe import objects
from gateway.demo.stripe.server import Fault
from gateway.store import orders, plans, signals, syncs
from gateway.store import prices as stored_prices
from gateway.store.listing import Listing
from gateway.store.store import Act
from tests.billing.shop import ACME, DAY_S, POLICY, Shop, shop


@pytest.fixture
async def here(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Shop]:
    async with shop(tmp_path, migrated_file) as running:
        yield running


async def test_the_first_run_compares_everything_and_the_next_only_what_is_new(here: Shop) -> None:
    page = await here.buy()
    here.pay(page)
    here.webhooks.waiting.clear()
    first = await here.sync()
    assert (first.full, (await here.row(page.subscription_id)).status) == (True, Status.ACTIVE)
    here.later(3600)
    await here.sync()
    before = len(here.fake.requests)
    third = await here.sync()
    assert (third.full, third.happenings, third.compared) == (False, 0, 0)
    assert len(here.fake.requests) - before == 1, "one question, when nothing has happened"


async def test_what_no_webhook_told_is_read_from_the_list_of_events_once(here: Shop) -> None:
    await here.sync()
    page = await here.buy()
    here.pay(page)
    here.webhooks.waiting.clear()
    run = await here.sync()
    assert (await here.row(page.subscription_id)).status is Status.ACTIVE
    assert list(run.changes) == [page.subscription_id]
    kept = await signals.page(here.store, Listing(limit=1000))
    assert [row.kind for row in kept] == ["checkout.session.completed"], "the rest is nothing that we act on"
    await here.sync()
    assert len(await signals.page(here.store, Listing(limit=1000))) == len(kept)


async def test_where_nothing_happens_for_days_it_is_known_that_nothing_has(here: Shop) -> None:
    await here.bought()
    for day in range(40):
        await here.sync()
        row = await syncs.get(here.store, "stripe")
        assert row.cursor_us is not None
        assert here.sales.now_us() - row.cursor_us <= 300_000_000, "and nobody is alarmed by a quiet week"
        here.later(DAY_S)
        if day == 31:  # Stripe keeps events for a month
            here.fake.books.events.clear()
    page = await here.buy()
    here.pay(page)
    here.webhooks.waiting.clear()
    run = await here.sync()
    assert (list(run.changes), run.problems) == ([page.subscription_id], [])


async def test_an_unpaid_order_is_looked_up_even_if_stripe_has_no_events(here: Shop) -> None:
    await here.sync()
    page = await here.buy()
    here.pay(page)
    here.webhooks.waiting.clear()
    here.fake.books.events.clear()
    await here.sync()
    assert (await here.row(page.subscription_id)).status is Status.PENDING, "it is left alone for a while"
    here.later(11 * 60)
    await here.sync()
    assert (await here.row(page.subscription_id)).status is Status.ACTIVE


async def test_a_renewal_that_nobody_told_is_noticed_after_the_slack(here: Shop) -> None:
    row = await here.bought(mode="subscription")
    await here.sync()
    here.later(30 * DAY_S + 2 * 3600)
    here.webhooks.waiting.clear()
    here.fake.books.events.clear()
    here.sales.policy = replace(POLICY)
    await here.sync()
    assert ((await here.row(row.id)).period_end_us or 0) > (row.period_end_us or 0)


async def test_a_cursor_that_stripe_has_forgotten_means_comparing_everything(here: Shop) -> None:
    await here.sync()
    await here.bought()
    here.later(3600)
    await here.sync()
    page = await here.buy(ACME)
    here.pay(page)
    here.webhooks.waiting.clear()
    here.fake.books.events.clear()
    run = await here.sync()
    assert (run.full, run.problems) == (True, [])
    assert (await here.row(page.subscription_id)).status is Status.ACTIVE


async def test_one_sale_that_cannot_be_read_does_not_stop_the_others(here: Shop) -> None:
    await here.sync()
    pages = [await here.buy(), await here.buy(ACME)]
    for page in pages:
        here.pay(page)
    here.webhooks.waiting.clear()
    here.fake.books.events.clear()
    here.later(3600)
    here.fake.faults.append(Fault(f"checkout/sessions/{pages[0].external_id}", 500, method="GET"))
    run = await here.sync()
    assert len(run.problems) == 1
    states = [(await here.row(page.subscription_id)).status for page in pages]
    assert states == [Status.PENDING, Status.ACTIVE]
    held = await orders.get(here.store, pages[0].subscription_id)
    assert held.order.problem is not None
    here.later(2 * 3600)
    await here.sync()
    assert (await here.row(pages[0].subscription_id)).status is Status.ACTIVE


async def test_when_stripe_is_away_the_run_says_so_and_the_cursor_stays(here: Shop) -> None:
    await here.sync()
    before = await syncs.get(here.store, "stripe")
    here.fake.faults += [Fault("events", 429, method="GET")]
    run = await here.sync()
    assert run.problems == ["So much is asked of the payment provider just now that this would wait too long."]
    after = await syncs.get(here.store, "stripe")
    assert (after.cursor, len(after.runs)) == (before.cursor, len(before.runs) + 1)


async def test_a_dry_run_changes_nothing(here: Shop) -> None:
    page = await here.buy()
    here.pay(page)
    here.webhooks.waiting.clear()
    run = await here.sync(full=True, dry_run=True)
    assert run.changes[page.subscription_id][0] == "status: pending → active"
    assert (await here.row(page.subscription_id)).status is Status.PENDING
    assert await signals.page(here.store, Listing()) == ()
    assert (await syncs.get(here.store, "stripe")).runs == ()


async def test_a_dry_run_of_what_is_new_names_what_a_run_then_changes(here: Shop) -> None:
    row = await here.bought()
    await here.bought(ACME)
    here.later(3600)
    await here.sync()
    charge, _ = here.fake.books.kept["charges"].values()
    here.fake.money.refund(charge, None)
    product = here.fake.books.get("products", f"gw_{here.plan.id}")
    product["name"] = "Something else"
    here.later(400)
    here.fake.books.tell("product.updated", product)
    here.webhooks.waiting.clear()
    before = await syncs.get(here.store, "stripe")
    dry = await here.sync(dry_run=True)
    assert (dry.full, dry.compared, list(dry.changes), dry.changed) == (False, 1, [row.id], 1)
    assert dry.drift == [f"gw_{here.plan.id}: is called 'Something else' and not 'Pro'"]
    assert await syncs.get(here.store, "stripe") == before, "the cursor is where it was"
    assert (await here.row(row.id)).status is Status.ACTIVE
    wet = await here.sync()
    assert (wet.changes, wet.drift, wet.happenings) == (dry.changes, dry.drift, dry.happenings)
    again = await here.sync(dry_run=True)
    assert (again.compared, again.changes) == (0, {}), "what was acted on is no news"


async def test_a_dry_run_also_looks_at_what_waits_in_the_inbox_and_says_what_fits_nothing(here: Shop) -> None:
    await here.sync()
    page = await here.buy()
    here.fake.faults.append(Fault(f"checkout/sessions/{page.external_id}", 500, method="GET"))
    here.pay(page)
    await here.fake.deliver()
    (kept,) = await signals.page(here.store, Listing())
    assert kept.state == "failed"
    here.later(120)
    dry = await here.sync(dry_run=True)
    assert list(dry.changes) == [page.subscription_id]
    row = await here.bought(ACME, mode="subscription")
    agreement = here.fake.books.get("subscriptions", row.external_id or "")
    agreement |= {"id": "sub_gone", "metadata": {**agreement["metadata"], "subscription_id": "gone"}}
    here.fake.books.tell("customer.subscription.updated", agreement)
    here.webhooks.waiting.clear()
    dry = await here.sync(dry_run=True)
    told = "customer.subscription.updated sub_gone: it is about the subscription gone, which is not here"
    assert (list(dry.changes), dry.problems) == ([page.subscription_id], [told])
    here.fake.faults.append(Fault("events", 429, method="GET"))
    assert (await here.sync(dry_run=True)).cut


async def test_what_stripe_sold_for_us_and_is_not_here_is_a_problem(here: Shop) -> None:
    row = await here.bought(mode="subscription")
    here.fake.books.get("subscriptions", row.external_id or "")["metadata"]["subscription_id"] = "gone"
    here.fake.books.get("subscriptions", row.external_id or "")["id"] = "sub_gone"
    run = await here.sync(full=True)
    assert "the provider has sold gone, which is not here" in run.problems
    assert here.sales.counts.unmatched >= 1


async def test_edits_made_in_the_dashboard_are_named_and_put_right(here: Shop) -> None:
    await here.sync(full=True)
    product = here.fake.books.get("products", f"gw_{here.plan.id}")
    product["name"] = "Something else"
    run = await here.sync(full=True, dry_run=True)
    assert run.drift == [f"gw_{here.plan.id}: is called 'Something else' and not 'Pro'"]
    await here.sync(full=True)
    assert product["name"] == "Pro"
    await plans.update(here.store, here.plan.id, lambda old: replace(old, active=False), here.by())
    run = await here.sync(full=True)
    assert {each.partition(": ")[2] for each in run.drift} == {"is not sold any more"}


async def test_a_price_that_is_edited_here_is_soon_the_one_at_stripe(here: Shop) -> None:
    await here.sync(full=True)
    price = here.plan.prices[0]
    await stored_prices.update(here.store, here.plan.id, price.id, lambda old: replace(old, amount=900), here.by())
    run = await here.sync()
    assert [line.partition(": ")[2] for line in run.drift] == ["costs 500 usd and not 900 usd"] * 2
    sold = {each["unit_amount"] for each in here.fake.books.kept["prices"].values() if each["active"]}
    assert sold == {900, 500}, "yen are as they were"
    assert (await syncs.get(here.store, "stripe")).drift == ()
    await here.sync()
    assert len([path for _, path in here.fake.requests if path == "prices"]) > 0
    made = len(here.fake.books.kept["prices"])
    await here.sync()
    assert len(here.fake.books.kept["prices"]) == made == 6, "and once is enough"


async def test_a_description_that_is_edited_here_is_soon_the_one_at_stripe(here: Shop) -> None:
    await here.sync(full=True)
    said = "Five thousand units an hour."
    await plans.update(here.store, here.plan.id, lambda old: replace(old, description=said), here.by())
    run = await here.sync()
    assert run.drift == [f"gw_{here.plan.id}: is described in other words than here"]
    assert here.fake.books.get("products", f"gw_{here.plan.id}")["description"] == said
    assert (await syncs.get(here.store, "stripe")).drift == ()


async def test_a_plan_that_somebody_wrote_into_the_metadata_of_a_price_is_told_and_sells_nothing_else(
    here: Shop,
) -> None:
    await here.sync(full=True)
    here.later(1)
    price = next(each for each in here.fake.books.kept["prices"].values() if each["recurring"])
    price["metadata"] = {**price["metadata"], "plan_id": "somebody-elses"}
    here.fake.books.tell("price.updated", price)
    await here.fake.deliver()
    await here.sync()
    (told,) = (await syncs.get(here.store, "stripe")).drift
    assert told.endswith(f"says plan_id 'somebody-elses' in its metadata and not '{here.plan.id}'")
    row = await here.bought(mode="subscription", currency=price["currency"])
    assert (row.status, row.plan) == (Status.ACTIVE, PlanVersion(here.plan.id, here.plan.version))
    await here.sync(full=True)
    assert price["metadata"]["plan_id"] == here.plan.id
    assert (await syncs.get(here.store, "stripe")).drift == ()


async def test_a_look_at_the_catalog_that_failed_is_taken_again(here: Shop) -> None:
    await here.sync(full=True)
    async with here.store.write(here.by()) as act:
        await syncs.change(act, "stripe", drift_due=True)
    here.fake.faults.append(Fault("products", 500, method="GET"))
    assert (await here.sync()).cut
    assert (await syncs.get(here.store, "stripe")).drift_due
    await here.sync()
    assert not (await syncs.get(here.store, "stripe")).drift_due


async def test_an_edit_in_the_dashboard_is_told_until_it_is_put_right(here: Shop) -> None:
    await here.sync(full=True)
    here.later(1)
    product = here.fake.books.get("products", f"gw_{here.plan.id}")
    product["name"] = "Something else"
    here.fake.books.tell("product.updated", product)
    await here.fake.deliver()
    assert (await syncs.get(here.store, "stripe")).drift_due, "noticed at once"
    await here.sync()
    row = await syncs.get(here.store, "stripe")
    told = (f"gw_{here.plan.id}: is called 'Something else' and not 'Pro'",)
    assert (row.drift, row.drift_us, row.drift_due) == (told, here.sales.now_us(), False)
    assert product["name"] == "Something else", "it is told, and somebody decides"
    await here.sync(full=True)
    assert ((await syncs.get(here.store, "stripe")).drift, product["name"]) == ((), "Pro")


async def test_what_somebody_sells_on_our_product_is_told_and_what_we_made_ourselves_is_no_news(here: Shop) -> None:
    await here.sync(full=True)
    await here.fake.deliver()
    made = [event["type"] for event in here.fake.books.events if event["type"].endswith(".created")]
    assert {"product.created", "price.created"} <= set(made)
    assert not (await syncs.get(here.store, "stripe")).drift_due
    said = {"currency": "usd", "unit_amount": "1", "metadata": {"app": "somebody else's"}}
    books, product = here.fake.books, f"gw_{here.plan.id}"
    books.keep("prices", objects.price("price_strange", books.now, said, product), "price.created")
    await here.fake.deliver()
    assert (await syncs.get(here.store, "stripe")).drift_due, "noticed at once"
    await here.sync()
    told = (f"price_strange: was put on {product} by somebody else",)
    assert (await syncs.get(here.store, "stripe")).drift == told
    await here.sync(full=True)
    assert (await syncs.get(here.store, "stripe")).drift == told, "it is not ours to take away"
    assert books.get("prices", "price_strange")["active"]


async def test_a_gateway_that_lost_its_lease_keeps_no_cursor(here: Shop) -> None:
    async def fence(_act: Act) -> None:
        raise PreconditionFailed("Somebody else does the job.")

    with pytest.raises(PreconditionFailed):
        await here.syncer.step(fence)
    row = await syncs.get(here.store, "stripe")
    assert (row.cursor, row.cursor_us, row.runs, row.walk) == (None, None, (), None)


async def test_what_is_wrong_with_one_plan_or_sale_does_not_make_every_run_a_full_one(here: Shop) -> None:
    price = here.plan.prices[0]
    terms = replace(here.plan.terms, duration_days=2000)
    await plans.update(here.store, here.plan.id, lambda old: replace(old, terms=terms), here.by())
    row = await here.bought()
    session = here.fake.books.get("sessions", row.checkout_id or "")
    session["metadata"]["subscription_id"], session["id"] = "gone", "cs_gone"
    run = await here.sync()
    assert any("every three years at most" in each for each in run.drift)
    assert (run.full, run.cut, bool(run.problems), price.currency) == (True, False, True, "usd")
    assert not (await here.sync()).full


async def test_a_full_run_that_was_cut_short_is_tried_again_after_a_while(here: Shop) -> None:
    here.fake.faults.append(Fault("subscriptions", 500, method="GET"))
    assert (await here.sync()).cut
    assert not (await here.sync()).full
    here.later(601)
    again = await here.sync()
    assert (again.full, again.cut) == (True, False)


async def test_a_key_of_another_account_ends_nobodys_subscription(here: Shop) -> None:
    page = await here.buy(mode="subscription")
    here.pay(page)
    await here.sync()
    row = await here.row(page.subscription_id)
    assert (row.status, row.external_id is not None) == (Status.ACTIVE, True)
    sold = here.fake.books.kept["subscriptions"].pop(row.external_id or "")
    run = await here.sync(full=True)
    assert any("Is this the key of the account" in problem for problem in run.problems)
    assert (await here.row(page.subscription_id)).status is Status.ACTIVE
    here.fake.books.kept["subscriptions"][sold["id"]] = sold
    here.later(2 * 3600)
    assert not (await here.sync(full=True)).problems
    assert (await here.row(page.subscription_id)).status is Status.ACTIVE


async def test_a_sale_that_cannot_be_understood_keeps_no_other_waiting(here: Shop) -> None:
    odd, sound = await here.buy(mode="subscription"), await here.buy(mode="subscription", scope=ACME)
    here.pay(odd)
    await here.sync()
    here.pay(sound)
    here.webhooks.waiting.clear()
    row = await here.row(odd.subscription_id)
    here.fake.books.get("subscriptions", row.external_id or "")["items"]["data"].clear()
    run = await here.sync(full=True)
    assert any(problem.startswith(f"{odd.subscription_id}: ") for problem in run.problems)
    assert (await here.row(sound.subscription_id)).status is Status.ACTIVE
