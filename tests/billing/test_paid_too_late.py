"""What is over can be paid no more; who was quicker has paid for nothing, and that is told until it is given back."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.billing import customer_acts
from gateway.billing.subscriptions import end
from gateway.billing.surplus import Kept
from gateway.core.problems import Conflict
from gateway.core.subscription import Event, Status
from gateway.demo.stripe.server import Fault
from gateway.store import payments
from gateway.store.rows import SubscriptionRow
from tests.billing.shop import DAY_S, Shop, shop
from tests.billing.test_paid_twice import second_page, told


@pytest.fixture
async def here(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Shop]:
    async with shop(tmp_path, migrated_file) as running:
        await running.sync()
        yield running


async def end_it(here: Shop, id_: str) -> SubscriptionRow:
    async def tell(row: SubscriptionRow, event: Event) -> None:
        await customer_acts.tell(here.sales, row, event)

    return await end(here.store, id_, here.by(), tell)


async def owing(here: Shop, *, hours: int = 0) -> tuple[SubscriptionRow, Any]:
    """A subscription whose renewal was not paid, and the bill of that. ``hours``: of work that stand on it as well."""
    row = await here.bought(mode="subscription")
    of = here.fake.books.get("subscriptions", row.external_id or "")
    customer = of["customer"]
    here.fake.books.kept["waiting"][customer] = {"lines": here.fake.selling.work(of, *[100] * hours)}
    here.fake.books.declining.add(customer)
    here.later(30 * DAY_S + 2 * 3600)
    await here.fake.deliver()
    (bill,) = [each for each in here.fake.books.kept["invoices"].values() if each["status"] == "open"]
    here.fake.books.declining.discard(customer)
    return await here.row(row.id), bill


async def test_the_bill_of_what_an_admin_has_ended_can_be_paid_no_more(here: Shop) -> None:
    row, bill = await owing(here)
    await end_it(here, row.id)
    assert bill["status"] == "void"
    await here.fake.deliver()
    with pytest.raises(Conflict, match="Nothing is due"):
        await customer_acts.pay_url(here.sales, row)
    assert not [each for each in await payments.of_subscription(here.store, row.id) if each.pay_url]
    assert await told(here) == ()


async def test_nor_that_of_what_stripe_has_given_up(here: Shop) -> None:
    row, bill = await owing(here)
    here.fake.money.end(here.fake.books.get("subscriptions", row.external_id or ""))
    assert bill["status"] == "open", "Stripe only asks for it no more"
    await here.fake.deliver()
    assert bill["status"] == "void"
    assert (await here.row(row.id)).status is Status.CANCELLED
    assert {each.state for each in await payments.of_subscription(here.store, row.id)} == {"paid", "void"}


async def test_who_pays_in_between_is_told_until_it_is_given_back(here: Shop) -> None:
    row, bill = await owing(here)
    here.fake.money.end(here.fake.books.get("subscriptions", row.external_id or ""))
    here.later(60)
    here.fake.money.pay(bill)
    await here.fake.deliver()
    late = await here.row(row.id)
    assert (late.status, await here.grants()) == (Status.CANCELLED, False)
    assert await told(here) == (Kept(row.external_id or "", 500, "usd"),)
    await here.sync(full=True)
    assert len(await told(here)) == 1
    charge = list(here.fake.books.kept["charges"].values())[-1]
    here.fake.money.refund(charge, 200)
    await here.fake.deliver()
    assert await told(here) == (Kept(row.external_id or "", 300, "usd"),)
    here.fake.money.refund(charge, None)
    await here.fake.deliver()
    assert await told(here) == ()


async def test_a_bill_that_is_being_paid_stands_in_no_ones_way(here: Shop) -> None:
    row, bill = await owing(here)
    here.fake.faults.append(Fault(f"invoices/{bill['id']}/void", 400))
    assert (await end_it(here, row.id)).status is Status.CANCELLED
    await here.fake.deliver()
    assert bill["status"] == "void", "the next reading finds it again"


@pytest.mark.parametrize("lines", [1, 12])
async def test_hours_of_work_billed_beside_it_are_owed_after_its_end_as_before(here: Shop, lines: int) -> None:
    row, renewal = await owing(here)
    of = here.fake.books.get("subscriptions", row.external_id or "")
    work = here.fake.selling.beside(of, *[20_000] * lines)
    await here.fake.deliver()
    assert await customer_acts.pay_url(here.sales, row) == renewal["hosted_invoice_url"], "what keeps it running first"
    await end_it(here, row.id)
    await here.fake.deliver()
    await here.sync(full=True)
    assert (renewal["status"], work["status"]) == ("void", "open")
    assert await customer_acts.pay_url(here.sales, row) == work["hosted_invoice_url"]
    here.later(60)
    here.fake.money.pay(work)
    await here.fake.deliver()
    assert (await here.row(row.id)).status is Status.CANCELLED
    assert 20_000 * lines in [each.amount for each in await payments.of_subscription(here.store, row.id)]
    assert await told(here) == (), "it was paid for work that was done"


async def test_a_renewal_with_many_hours_of_work_on_its_bill_is_still_a_renewal(here: Shop) -> None:
    row, renewal = await owing(here, hours=12)
    assert renewal["lines"]["has_more"], "the line that renews is not among those that come with it"
    await end_it(here, row.id)
    assert renewal["status"] == "void"


@pytest.mark.parametrize("known", [True, False])
async def test_what_was_bought_once_and_has_ended_is_paid_on_no_other_page(here: Shop, *, known: bool) -> None:
    page = await here.buy()
    second = await second_page(here, page, known=known)
    assert here.pay(page)
    await here.fake.deliver()
    await end_it(here, page.subscription_id)
    session = here.fake.books.get("sessions", second)
    if known:
        assert session["status"] == "expired"
        return
    here.later(60)
    assert here.fake.selling.confirm(session)
    await here.fake.deliver()
    row = await here.row(page.subscription_id)
    assert (row.status, await here.grants()) == (Status.CANCELLED, False)
    assert await told(here) == (Kept(session["payment_intent"], 500, "usd"),)
    await here.sync(full=True)
    assert len(await told(here)) == 1
    here.fake.money.refund(list(here.fake.books.kept["charges"].values())[-1], None)
    await here.fake.deliver()
    assert await told(here) == ()
