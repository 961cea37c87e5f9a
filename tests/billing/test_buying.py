"""From the wish to buy to the budget, and everything that can go wrong between."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.billing import checkout, customer_acts, inbox
from gateway.billing.settle import settle
from gateway.core.problems import Conflict, NotFound, Unavailable, Unprocessable
from gateway.core.sale import Order
from gateway.core.subscription import Status
from gateway.demo.stripe.server import Fault
from gateway.payments.port import Wish
from gateway.payments.stripe.signals import EVENTS
from gateway.store import orders, payments, plans, signals
from gateway.store import prices as stored
from gateway.store.listing import Listing
from tests.billing.shop import ACME, ALICE, DAY_S, POLICY, Shop, draft, prices, shop

DAYS = {"interval": "day", "interval_count": 30}


@pytest.fixture
async def here(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Shop]:
    async with shop(tmp_path, migrated_file) as running:
        yield running


async def test_what_is_paid_grants_from_the_payment_on_for_the_plans_days(here: Shop) -> None:
    page = await here.buy()
    assert (await here.row(page.subscription_id)).status is Status.PENDING
    assert not await here.grants()
    here.later(600)
    assert here.pay(page)
    await here.fake.deliver()
    row = await here.row(page.subscription_id)
    assert (row.status, row.checkout_id) == (Status.ACTIVE, page.external_id)
    paid_us = here.sales.now_us()
    assert (row.starts_us, row.ends_us) == (paid_us, paid_us + 30 * DAY_S * 1_000_000)
    (paid,) = await payments.of_subscription(here.store, row.id)
    assert (paid.state, paid.amount, paid.currency, paid.plan_slug, bool(paid.receipt_url)) == (
        "paid",
        500,
        "usd",
        "pro",
        True,
    )


async def test_a_subscription_renews_for_the_workspace_it_was_bought_for(here: Shop) -> None:
    row = await here.bought(ACME, mode="subscription")
    assert (row.status, row.scope, row.user_id) == (Status.ACTIVE, ACME, "alice")
    here.later(30 * DAY_S + 3600)
    await here.fake.deliver()
    renewed = await here.row(row.id)
    assert (renewed.period_end_us or 0) - (row.period_end_us or 0) == 30 * DAY_S * 1_000_000
    assert renewed.starts_us == row.starts_us
    assert len(await payments.of_subscription(here.store, row.id)) == 2


async def test_two_clicks_are_one_order(here: Shop) -> None:
    first, second, third = await asyncio.gather(here.buy(), here.buy(), here.buy())
    assert first == second == third
    assert len(await here.rows()) == len(here.fake.books.kept["sessions"]) == 1


async def test_another_wish_closes_the_page_of_the_one_before(here: Shop) -> None:
    other = await plans.create(here.store, draft("max"), here.by(), prices=prices(900))
    before = await here.buy()
    await here.buy(plan=other)
    assert here.fake.books.get("sessions", before.external_id)["status"] == "expired"
    assert (await here.row(before.subscription_id)).status is Status.CANCELLED


async def test_an_answer_that_got_lost_costs_nothing(here: Shop) -> None:
    here.fake.faults.append(Fault("checkout/sessions", 500, after=True))
    with pytest.raises(Unavailable):
        await here.buy()
    page = await here.buy()
    assert len(here.fake.books.kept["sessions"]) == 1, "what was made before it failed is found"
    here.pay(page)
    await here.fake.deliver()
    assert (await here.row(page.subscription_id)).status is Status.ACTIVE


async def test_a_failure_that_is_repeated_for_a_day_is_bought_past(here: Shop) -> None:
    here.fake.faults += [Fault("customers", 500), Fault("checkout/sessions", 500)]
    for _ in range(2):
        with pytest.raises(Unavailable):
            await here.buy()
    first, second = await asyncio.gather(here.buy(), here.buy())
    assert first == second, "a double click is one page under the new key, too"
    assert len(here.fake.books.kept["sessions"]) == len(await here.rows()) == 1


async def test_a_page_that_was_never_opened_is_given_up_when_it_would_close_too_soon(here: Shop) -> None:
    here.fake.faults.append(Fault("checkout/sessions", 500))
    with pytest.raises(Unavailable):
        await here.buy()
    here.later(22 * 3600 + 40 * 60)
    page = await here.buy()
    assert page.url
    assert here.pay(page)
    await here.fake.deliver()
    assert [each.status for each in await here.rows()].count(Status.ACTIVE) == 1


async def test_a_new_page_for_an_order_leaves_no_old_one_to_pay(here: Shop) -> None:
    before = await here.buy()
    here.later(DAY_S - 3600 - 240)
    row = await here.row(before.subscription_id)
    after = await checkout.resume(here.sales, row, "https://shop.test/ok", "https://shop.test/no", here.by())
    states = [here.fake.books.get("sessions", page.external_id)["status"] for page in (before, after)]
    assert states == ["expired", "open"]


async def test_an_order_that_is_paid_while_it_is_taken_up_again_is_not_paid_twice(here: Shop) -> None:
    before = await here.buy(mode="subscription")
    here.later(DAY_S - 3600 - 240)
    row = await here.row(before.subscription_id)

    def paid_once_it_was_read(_method: str, path: str, *_: object) -> None:
        if path == f"checkout/sessions/{before.external_id}" and not here.fake.money.ledger:
            here.pay(before)

    here.fake.on_request = paid_once_it_was_read
    after = await checkout.resume(here.sales, row, "https://shop.test/ok", "https://shop.test/no", here.by())
    assert after.url == ""
    assert (await here.row(row.id)).status is Status.ACTIVE
    assert len(here.fake.books.kept["sessions"]) == 1


async def test_a_page_whose_name_never_reached_us_still_finds_its_order(here: Shop) -> None:
    here.fake.faults.append(Fault("checkout/sessions", 0, after=True))
    with pytest.raises(Unavailable):
        await here.buy()
    session = next(iter(here.fake.books.kept["sessions"].values()))
    here.fake.selling.confirm(session)
    await here.fake.deliver()
    (row,) = await here.rows()
    assert (row.status, row.checkout_id) == (Status.ACTIVE, session["id"])


async def test_what_renews_is_paid_in_one_currency(here: Shop) -> None:
    row = await here.bought(mode="subscription")
    with pytest.raises(Conflict, match="one currency, here usd") as refused:
        await here.buy(mode="subscription", currency="jpy")
    assert refused.value.content == {"reason": "other_currency", "currencies": ["usd"]}
    assert (await here.bought(currency="jpy")).status is Status.ACTIVE, "once is another matter"
    here.fake.money.end(here.fake.books.get("subscriptions", row.external_id or ""))
    await here.fake.deliver()
    assert (await here.bought(mode="subscription", currency="jpy")).status is Status.ACTIVE


async def test_the_success_page_confirms_before_the_webhook_does(here: Shop) -> None:
    page = await here.buy()
    here.pay(page)
    row = await customer_acts.sync(here.sales, await here.row(page.subscription_id))
    assert row.status is Status.ACTIVE
    await here.fake.deliver()
    assert await here.row(row.id) == row


async def test_money_that_is_on_its_way_grants_when_it_has_come(here: Shop) -> None:
    page = await here.buy()
    here.pay(page, delayed=True)
    await here.fake.deliver()
    assert (await here.row(page.subscription_id)).status is Status.PENDING
    here.later(3 * DAY_S)
    here.fake.selling.settle(here.fake.books.get("sessions", page.external_id), paid=True)
    await here.fake.deliver()
    assert (await here.row(page.subscription_id)).status is Status.ACTIVE


async def test_an_order_is_taken_up_again_until_its_page_has_closed(here: Shop) -> None:
    page = await here.buy()
    urls = ("https://shop.test/ok", "https://shop.test/no")
    row = await here.row(page.subscription_id)
    assert await checkout.resume(here.sales, row, *urls, here.by()) == page
    here.later(2 * DAY_S)
    assert (await checkout.resume(here.sales, row, *urls, here.by())).url == "", "dropped: order it again"
    assert (await here.row(row.id)).status is Status.CANCELLED


@pytest.mark.parametrize(
    "url", ["http://shop.test/", "javascript:alert(1)", "https://a@shop.test/", "//shop.test", "https://"]
)
async def test_customers_are_sent_to_https_pages_only(here: Shop, url: str) -> None:
    with pytest.raises(Unprocessable, match="success_url must be an https URL"):
        await here.buy(success_url=url)


async def test_customers_are_sent_to_listed_origins_only_where_there_is_a_list(here: Shop) -> None:
    for half in ("https://[x", "https://[::1", "https://a]b/"):
        with pytest.raises(Unprocessable, match="success_url must be an https URL"):
            here.sales.check_return(half, "success_url")
    here.sales.policy = replace(POLICY, return_origins=frozenset({"http://localhost:3000"}))
    await here.buy(success_url="http://localhost:3000/ok", cancel_url="http://localhost:3000/no")
    for url in ("https://shop.test/ok", "http://localhost:30001/", "http://localhost:3000.evil.test/"):
        with pytest.raises(Unprocessable, match=r"not among payments\.return_origins"):
            await here.buy(success_url=url)


async def test_only_what_is_on_sale_can_be_bought(here: Shop) -> None:
    custom = await plans.create(here.store, draft("own", is_custom=True), here.by(), prices=prices())
    old = await plans.create(here.store, draft("old", active=False), here.by(), prices=prices())
    with pytest.raises(NotFound):
        await here.buy(plan=custom)
    with pytest.raises(Conflict, match="not sold any more"):
        await here.buy(plan=old)
    with pytest.raises(Unprocessable, match="no price in eur"):
        await here.buy(currency="eur")
    page = await here.buy(currency="JPY")
    assert here.fake.books.get("sessions", page.external_id)["currency"] == "jpy"


async def test_a_customer_who_was_deleted_can_still_buy(here: Shop) -> None:
    row = await here.bought()
    session = here.fake.books.get("sessions", row.checkout_id or "")
    await here.sales.provider._client.delete(f"customers/{session['customer']}")  # type: ignore[attr-defined]
    assert (await here.bought(mode="subscription")).status is Status.ACTIVE


async def test_a_new_price_is_what_the_next_buyer_pays(here: Shop) -> None:
    await here.bought()
    price = here.plan.prices[0]
    await stored.update(here.store, here.plan.id, price.id, lambda old: replace(old, amount=900), here.by())
    page = await here.buy()
    assert here.fake.books.get("sessions", page.external_id)["amount_total"] == 900


async def test_a_message_that_matches_nothing_is_kept_and_tried_again(here: Shop) -> None:
    here.pay(await here.buy())
    here.webhooks.waiting = [event for event in here.webhooks.waiting if event["type"] == "checkout.session.completed"]
    for event in here.webhooks.waiting:
        event["data"]["object"]["metadata"]["subscription_id"] = "lost"
        event["data"]["object"]["id"] = "cs_lost"
    await here.fake.deliver()
    (failed,) = await signals.page(here.store, Listing(), state="failed")
    assert failed.problem == "it is about the subscription lost, which is not here"
    assert (failed.next_us or 0) > here.sales.now_us()
    assert here.sales.counts.unmatched == 1
    again = await inbox.replay(here.sales, failed.id)
    assert (again.state, again.attempts) == ("failed", 2)


async def test_what_is_paid_for_a_plan_that_was_sold_by_hand_in_the_dashboard_is_told(here: Shop) -> None:
    await here.bought(mode="subscription")
    client = here.sales.provider._client  # type: ignore[attr-defined]
    (price,) = [each for each in here.fake.books.kept["prices"].values() if each["lookup_key"].endswith("_renewed")]
    theirs = await client.post(
        "prices", currency="usd", unit_amount=700, product_data={"name": "Theirs"}, recurring=DAYS
    )
    for each in (price, theirs):
        customer = await client.post("customers", description="somebody")
        await client.post("payment_methods/pm_card_visa/attach", customer=customer["id"])
        said = {"customer": customer["id"], "items": [{"price": each["id"]}], "default_payment_method": "pm_card_visa"}
        await client.post("subscriptions", **said)
    await here.fake.deliver()
    (failed,) = await signals.page(here.store, Listing(), state="failed")
    assert (failed.kind, here.sales.counts.unmatched) == ("invoice.paid", 1)
    assert failed.problem == "it pays for the plan pro, and was not sold here: give the plan by hand, or refund it"


async def test_messages_come_twice_and_of_other_shops_and_count_for_nothing(here: Shop) -> None:
    row = await here.bought()
    here.webhooks.waiting = list(here.fake.books.events)
    await here.fake.deliver()
    assert await here.row(row.id) == row
    assert here.webhooks.refused == [], "each was answered with success"
    inbox_ = await signals.page(here.store, Listing(limit=100))
    assert {each.state for each in inbox_} == {"done"}
    assert {each.kind for each in inbox_} <= set(EVENTS), "what nobody acts on is not kept"
    assert here.sales.counts.signals["ignored"] > 0, "but counted"


async def test_what_failed_for_a_while_is_acted_on_later(here: Shop) -> None:
    page = await here.buy()
    here.pay(page)
    here.fake.faults += [Fault("", 500, method="GET") for _ in range(40)]
    await here.fake.deliver()
    assert (await here.row(page.subscription_id)).status is Status.PENDING
    here.fake.faults.clear()
    here.later(3600)
    assert await inbox.act_on_due(here.sales) > 0
    assert (await here.row(page.subscription_id)).status is Status.ACTIVE


async def test_the_last_to_write_has_read_last(here: Shop) -> None:
    page = await here.buy()
    here.pay(page)
    rows = await asyncio.gather(*(settle(here.sales, page.subscription_id) for _ in range(8)))
    assert {each.subscription.status for each in rows} == {Status.ACTIVE}
    held = await orders.get(here.store, page.subscription_id)
    assert held.order.reads == 8
    assert held.subscription.scope == ALICE


async def test_the_same_on_either_database(tmp_path: Path, store_url: str) -> None:
    async with shop(tmp_path, None, url=store_url) as here:
        await here.sync()
        rows = await asyncio.gather(*(here.bought(scope, mode="subscription") for scope in (ALICE, ACME)))
        here.later(31 * DAY_S)
        await here.sync()
        for row in rows:
            renewed = await here.row(row.id)
            assert (renewed.status, (renewed.period_end_us or 0) > (row.period_end_us or 0)) == (Status.ACTIVE, True)
            assert len(await payments.of_subscription(here.store, row.id)) == 2
        assert (await here.sync(full=True, dry_run=True)).changes == {}


async def test_of_two_windows_with_one_order_each_only_the_later_can_be_paid(
    here: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, go_on, open_order = asyncio.Event(), asyncio.Event(), here.sales.provider.open_order

    async def slowly(wish: Wish) -> Order:
        order = await open_order(wish)
        opened.set()
        await go_on.wait()
        return order

    with monkeypatch.context() as patch:
        patch.setattr(here.sales.provider, "open_order", slowly)
        first = asyncio.create_task(here.buy(mode="subscription"))
        await opened.wait()
    second = await here.buy(mode="subscription", success_url="https://shop.test/elsewhere")
    go_on.set()
    with pytest.raises(Conflict, match="taken the place") as refused:
        await first
    assert (refused.value.content or {})["reason"] == "page_replaced"
    states = [each["status"] for each in here.fake.books.kept["sessions"].values()]
    assert sorted(states) == ["expired", "open"]
    assert here.pay(second)
    await here.fake.deliver()
    assert sorted(row.status for row in await here.rows()) == [Status.ACTIVE, Status.CANCELLED]
    assert len(here.fake.books.kept["charges"]) == 1
