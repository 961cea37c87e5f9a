"""Two pages of one order, both paid: one agreement counts; the other is charged no more, and its money is told of."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.billing import checkout, pages
from gateway.billing.checkout import Page
from gateway.billing.surplus import Kept, read_back
from gateway.core.sale import Mode, Tag
from gateway.core.subscription import Status
from gateway.payments.port import Wish
from gateway.store import orders, payments
from gateway.store.rows import SubscriptionRow
from tests.billing.shop import ALICE, DAY_S, Shop, shop


@pytest.fixture
async def here(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Shop]:
    async with shop(tmp_path, migrated_file) as running:
        yield running


async def second_page(here: Shop, page: Page, mode: Mode = "payment", *, known: bool = False) -> str:
    """A second page of an order, and its name at Stripe; ``known``: the order knows of it as well."""
    session = here.fake.books.get("sessions", page.external_id)
    wish = Wish(
        key="another",
        tag=Tag(page.subscription_id, here.plan.id, ALICE, "alice"),
        item=checkout.item_of(here.plan, here.plan.prices[0], mode),
        customer=session["customer"],
        success_url="https://shop.test/ok",
        cancel_url="https://shop.test/no",
        expires_us=session["expires_at"] * 1_000_000,
    )
    second = await here.sales.provider.open_order(wish)
    if known:
        async with here.store.write(here.by()) as act:
            row = await pages.new(act, page.subscription_id, here.sales, ("https://shop.test/", "https://shop.test/"))
            await orders.set_checkout(act, row.id, external_id=second.id, url=second.url, state="open")
    return second.id


async def paid_twice(here: Shop, mode: Mode = "subscription", *, told: bool = True) -> SubscriptionRow:
    """A second page is opened behind our back, as a crash at the wrong moment leaves one; both are paid."""
    page = await here.buy(mode=mode)
    second = await second_page(here, page, mode)
    assert here.pay(page)
    assert here.fake.selling.confirm(here.fake.books.get("sessions", second))
    if told:
        await here.fake.deliver()
    return await here.row(page.subscription_id)


async def told(here: Shop) -> tuple[Kept, ...]:
    rows = await orders.paid_twice(here.store, "stripe")
    return tuple(kept for row in rows for kept in read_back(row.surplus))


async def test_the_second_agreement_is_ended_and_told_until_its_money_is_given_back(here: Shop) -> None:
    row = await paid_twice(here)
    states = {each["id"]: each["status"] for each in here.fake.books.kept["subscriptions"].values()}
    assert sorted(states.values()) == ["active", "canceled"]
    assert (row.status, states[row.external_id or ""]) == (Status.ACTIVE, "active")
    (kept,) = await told(here)
    assert (states[kept.agreement], kept.amount, kept.currency) == ("canceled", 500, "usd")
    assert await here.grants()
    paid = await payments.of_subscription(here.store, row.id)
    assert [each.amount for each in paid] == [500, 500], "what came in is what came in"

    invoice = next(
        each
        for each in here.fake.books.kept["invoices"].values()
        if each["parent"]["subscription_details"]["subscription"] == kept.agreement
    )
    (settled,) = here.fake.books.of("invoice_payments", invoice=invoice["id"])
    intent = here.fake.books.get("payment_intents", settled["payment"]["payment_intent"])
    here.fake.money.refund(here.fake.books.get("charges", intent["latest_charge"]), None)
    await here.fake.deliver()
    assert await told(here) == ()
    assert sorted(each.refunded for each in await payments.of_subscription(here.store, row.id)) == [0, 500]
    assert (await here.row(row.id)).status is Status.ACTIVE


async def test_only_one_of_them_is_charged_again(here: Shop) -> None:
    row = await paid_twice(here)
    here.later(31 * DAY_S)
    await here.fake.deliver()
    assert len(await payments.of_subscription(here.store, row.id)) == 3
    assert (await here.row(row.id)).status is Status.ACTIVE
    assert len(await told(here)) == 1, "nobody has given it back yet"


async def test_a_dry_run_ends_nothing(here: Shop) -> None:
    await paid_twice(here, told=False)
    await here.sync(full=True, dry_run=True)
    assert {each["status"] for each in here.fake.books.kept["subscriptions"].values()} == {"active"}
    await here.sync(full=True)
    assert len(await told(here)) == 1


async def test_what_is_bought_once_and_paid_twice_lasts_twice(here: Shop) -> None:
    row = await paid_twice(here, "payment")
    assert await told(here) == ()
    assert (row.ends_us or 0) - row.starts_us == 60 * DAY_S * 1_000_000
