"""Two gateways sell from one store: each is told everything, each syncs, and customers meet now this one, now that."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import ClientSession

from gateway.billing import checkout, plan_change
from gateway.billing.checkout import Page
from gateway.billing.memory import StoreMemory
from gateway.billing.sales import Sales
from gateway.billing.sync import Syncer
from gateway.core.problems import Problem
from gateway.core.subscription import Status
from gateway.demo.stripe.delivery import Trouble
from gateway.payments.stripe.client import Access
from gateway.payments.stripe.provider import Config, StripeProvider
from gateway.store import payments
from tests.billing.shop import DAY_S, SECRET, Shop, another, draft, prices, running, shop, webhook

URLS = ("https://shop.test/ok", "https://shop.test/no")


@pytest.fixture
async def both(tmp_path: Path, migrated_file: Path) -> AsyncIterator[tuple[Shop, Shop]]:
    """One shop through two gateways; what the fake tells, it tells both, twice, in any order."""
    async with shop(tmp_path, migrated_file) as here:
        access = Access(api_key="sk_test_" + "0" * 24, base=here.fake.url, timeout_s=5, retries=0)
        memory = StoreMemory(here.store, "stripe", here.sales.now_us)
        provider = StripeProvider(Config(access=access, secrets=(SECRET,)), memory)
        sales = Sales(here.store, provider, here.sales.policy, here.sales.now_us)
        runner = await webhook(sales)
        second = here.fake.subscribe(f"http://127.0.0.1:{runner.addresses[0][1]}/", SECRET)
        second._now = here.webhooks._now
        for each in (here.webhooks, second):
            each.trouble = Trouble(duplicate=1.0, shuffle=True)
        try:
            yield here, replace(here, sales=sales, syncer=Syncer(sales), webhooks=second)
        finally:
            await runner.cleanup()
            await provider.close()


async def told(*shops: Shop) -> None:
    """Both are told at the same time, and sync meanwhile."""
    async with ClientSession() as session:
        sending = [each.webhooks.send_all(each.fake.chance, session) for each in shops]
        await asyncio.gather(*sending, *(each.sync() for each in shops))
    for each in shops:
        assert each.webhooks.refused == []


async def bought(here: Shop, there: Shop) -> Page:
    """Ordered by a double click that two gateways heard, and paid."""
    page, same = await asyncio.gather(here.buy(mode="subscription"), there.buy(mode="subscription"))
    assert page == same
    assert len(here.fake.books.kept["sessions"]) == len(here.fake.books.kept["customers"]) == 1
    assert here.pay(page)
    await told(here, there)
    return page


async def test_what_both_are_told_is_done_once(both: tuple[Shop, Shop]) -> None:
    here, there = both
    page = await bought(here, there)
    row = await here.row(page.subscription_id)
    assert (row.status, [row.external_id]) == (Status.ACTIVE, running(here))
    customer = here.fake.books.get("subscriptions", row.external_id or "")["customer"]
    here.fake.books.declining.add(customer)
    here.later(31 * DAY_S)
    await told(here, there)
    assert (await here.row(row.id)).status is Status.PAST_DUE
    here.fake.books.declining.discard(customer)
    here.later(5 * DAY_S)
    await told(here, there)
    renewed = await here.row(row.id)
    assert (renewed.status, await here.grants()) == (Status.ACTIVE, True)
    paid = await payments.of_subscription(here.store, row.id)
    assert sorted((each.amount, each.state) for each in paid) == [(500, "paid")] * 2
    assert len(await here.rows()) == 1, "and nobody has been given anything twice"


async def test_a_change_at_one_of_them_is_one_change_whatever_the_other_hears(both: tuple[Shop, Shop]) -> None:
    here, there = both
    page = await bought(here, there)
    dearer = await another(here, draft("max", 5000), prices(1900))
    here.later(DAY_S)

    async def change(at: Shop) -> str:
        try:
            row = await at.row(page.subscription_id)
            return str((await plan_change.change(at.sales, row, dearer.id, at.by())).status)
        except Problem as problem:
            return problem.code

    said = await asyncio.gather(change(here), change(there), told(here, there))
    assert Status.ACTIVE in said
    await told(here, there)
    row = await here.row(page.subscription_id)
    assert row.plan.plan_id == dearer.id  # type: ignore[union-attr]
    assert len(here.fake.books.kept["charges"]) == 2, "the plan, and the difference once"


@pytest.mark.parametrize("paid", ["one page", "both pages"])
async def test_an_order_that_both_take_up_again_begins_once(both: tuple[Shop, Shop], paid: str) -> None:
    here, there = both
    first = await here.buy(mode="subscription")
    here.later(23 * 3600 - 120)
    row = await here.row(first.subscription_id)
    again = [checkout.resume(each.sales, row, *URLS, each.by()) for each in both]
    found = await asyncio.gather(*again, return_exceptions=True)
    pages = {page.external_id: page for page in found if isinstance(page, Page)}
    books = here.fake.books
    open_ = [each for each in pages.values() if books.get("sessions", each.external_id)["status"] == "open"]
    if not open_:  # each has closed the other's: nobody can pay, and who asks once more can
        open_ = [await checkout.resume(here.sales, row, *URLS, here.by())]
    for page in open_ if paid == "both pages" else open_[:1]:
        assert here.pay(page)
    await told(here, there)
    await told(here, there)
    row = await here.row(first.subscription_id)
    assert (row.status, [row.external_id]) == (Status.ACTIVE, running(here))
    assert await here.grants()
