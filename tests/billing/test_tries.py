"""A first try that the bank refuses leaves a bill and an open page; a bank debit is under way for days."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.billing import checkout, customer_acts
from gateway.billing.checkout import Page
from gateway.core.problems import Conflict, Problem
from gateway.core.subscription import Event, Status
from gateway.demo.stripe.server import Fault
from gateway.store import orders
from tests.billing.shop import DAY_S, Shop, shop

HOUR_S = 3_600
URLS = ("https://shop.test/ok", "https://shop.test/no")


@pytest.fixture
async def here(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Shop]:
    async with shop(tmp_path, migrated_file) as running:
        yield running


def session_of(here: Shop, page: Page) -> Any:
    return here.fake.books.get("sessions", page.external_id)


async def declined(here: Shop) -> Page:
    """The bank says no, and the customer leaves the page open."""
    page = await here.buy(mode="subscription")
    customer = session_of(here, page)["customer"]
    here.fake.books.declining.add(customer)
    assert not here.pay(page)
    here.fake.books.declining.discard(customer)
    await here.fake.deliver()
    return page


async def debited(here: Shop) -> Page:
    """Paid by a bank debit, whose money is not there yet."""
    page = await here.buy(mode="subscription")
    assert here.pay(page, delayed=True)
    await here.fake.deliver()
    return page


async def again(here: Shop, page: Page) -> Page:
    return await checkout.resume(here.sales, await here.row(page.subscription_id), *URLS, here.by())


def states(here: Shop) -> list[str]:
    return sorted(each["status"] for each in here.fake.books.kept["subscriptions"].values())


def expire_tries(here: Shop) -> None:
    for each in here.fake.books.kept["subscriptions"].values():
        if each["status"] == "incomplete":
            here.fake.money.end(each)


async def test_what_a_refused_try_has_left_does_not_drop_the_order_whose_page_is_paid_later(here: Shop) -> None:
    page = await declined(here)
    expire_tries(here)
    await here.fake.deliver()
    assert (await here.row(page.subscription_id)).status is Status.PENDING
    assert here.pay(page)
    await here.fake.deliver()
    await here.sync(full=True)
    assert states(here) == ["active", "incomplete_expired"]
    assert await here.grants()


async def test_an_order_that_was_thought_to_be_over_begins_with_the_page_that_was_paid(here: Shop) -> None:
    page = await declined(here)
    expire_tries(here)
    here.fake.selling.expire(session_of(here, page))
    await here.fake.deliver()
    assert (await here.row(page.subscription_id)).status is Status.CANCELLED
    session_of(here, page)["status"] = "open"  # its last payment and its end cross
    assert here.pay(page)
    await here.fake.deliver()
    assert states(here) == ["active", "incomplete_expired"]
    assert await here.grants()


async def test_an_order_is_dropped_once_neither_its_page_nor_its_bill_can_be_paid(here: Shop) -> None:
    page = await declined(here)
    here.later(DAY_S)
    await here.sync(full=True)
    assert states(here) == ["incomplete_expired"]
    assert (await here.row(page.subscription_id)).status is Status.CANCELLED


async def test_the_bill_of_a_refused_try_is_ended_once_the_page_is_paid(here: Shop) -> None:
    page = await declined(here)
    assert here.pay(page)
    await here.fake.deliver()
    assert states(here) == ["active", "incomplete_expired"]
    assert await here.grants()


async def test_the_bill_of_a_refused_try_can_be_paid_itself(here: Shop) -> None:
    page = await declined(here)
    (bill,) = [each for each in here.fake.books.kept["invoices"].values() if each["status"] == "open"]
    assert here.fake.money.pay(bill)
    await here.fake.deliver()
    assert (await here.row(page.subscription_id)).status is Status.ACTIVE


async def test_an_order_in_the_place_of_a_refused_one_leaves_no_bill_of_it(here: Shop) -> None:
    page = await declined(here)
    second = await here.buy(mode="subscription", success_url="https://shop.test/other")
    assert second.subscription_id != page.subscription_id
    assert states(here) == ["incomplete_expired"]
    assert (await here.row(page.subscription_id)).status is Status.CANCELLED


async def test_an_order_that_its_customer_drops_leaves_no_bill(here: Shop) -> None:
    page = await declined(here)
    await customer_acts.tell(here.sales, await here.row(page.subscription_id), Event.STOP)
    assert states(here) == ["incomplete_expired"]


@pytest.mark.parametrize("act", ["drop", "resume", "buy"])
async def test_a_bill_that_is_paid_at_the_last_moment_is_not_ended_nor_sold_twice(here: Shop, act: str) -> None:
    page = await declined(here)
    here.later(23 * HOUR_S - 120)
    await here.fake.deliver()
    (bill,) = [each for each in here.fake.books.kept["invoices"].values() if each["status"] == "open"]
    judge = here.fake.on_request
    assert judge is not None

    def paid_after_it_was_read(method: str, path: str, form: Any, status: int, answer: Any) -> None:
        judge(method, path, form, status, answer)
        if path.startswith("subscriptions/") and form.get("expand") == ["latest_invoice"] and bill["status"] == "open":
            assert here.fake.money.pay(bill)

    here.fake.on_request = paid_after_it_was_read
    if act == "resume":
        assert (await again(here, page)).url == "", "there is nothing to pay"
    elif act == "buy":
        with pytest.raises(Conflict, match="paid just now"):
            await here.buy(mode="subscription", success_url="https://shop.test/other")
    else:
        with pytest.raises(Conflict, match="paid just now"):
            await customer_acts.tell(here.sales, await here.row(page.subscription_id), Event.STOP)
    assert states(here) == ["active"]
    assert (await here.row(page.subscription_id)).status is Status.ACTIVE
    assert [each["status"] for each in here.fake.books.kept["sessions"].values()] == ["expired"]


async def test_a_bill_that_is_being_paid_is_neither_ended_nor_sold_again(here: Shop) -> None:
    page = await declined(here)
    here.later(23 * HOUR_S - 120)
    await here.fake.deliver()
    (bill,) = [each for each in here.fake.books.kept["invoices"].values() if each["status"] == "open"]
    here.fake.faults.append(Fault(f"invoices/{bill['id']}/void", 400))  # its payment is being processed
    with pytest.raises(Conflict, match="on its way"):
        await again(here, page)
    assert states(here) == ["incomplete"]
    held = await orders.get(here.store, page.subscription_id)
    assert (held.subscription.status, [each.state for each in held.checkouts]) == (
        Status.PENDING,
        ["expired", "expired"],
    )
    assert here.fake.money.pay(bill)
    await here.fake.deliver()
    assert await here.grants()


async def test_a_page_that_is_about_to_close_is_replaced_and_the_order_goes_on(here: Shop) -> None:
    page = await declined(here)
    here.later(23 * HOUR_S - 120)
    second = await again(here, page)
    assert (second.subscription_id, second.url != "") == (page.subscription_id, True)
    assert second.external_id != page.external_id
    assert session_of(here, page)["status"] == "expired"
    assert (await here.row(page.subscription_id)).status is Status.PENDING
    assert here.pay(second)
    await here.fake.deliver()
    assert await here.grants()


async def test_a_page_that_cannot_be_closed_is_not_replaced(here: Shop) -> None:
    page = await here.buy(mode="subscription")
    here.later(23 * HOUR_S - 120)
    here.fake.faults.extend(Fault("checkout/sessions", 500) for _ in range(9))
    with pytest.raises(Problem):
        await again(here, page)
    here.fake.faults.clear()
    held = await orders.get(here.store, page.subscription_id)
    assert [each.state for each in held.checkouts] == ["open", "expired"]


async def test_an_order_whose_money_is_on_its_way_is_not_sold_again(here: Shop) -> None:
    page = await debited(here)
    for act in (again(here, page), here.buy(mode="subscription"), here.buy(mode="subscription", success_url=URLS[1])):
        with pytest.raises(Conflict, match="on its way") as refused:
            await act
        assert refused.value.content == {"reason": "payment_under_way"}
    assert len(here.fake.books.kept["sessions"]) == 1
    here.fake.selling.settle(session_of(here, page), paid=True)
    await here.fake.deliver()
    assert await here.grants()


async def test_money_that_went_on_its_way_unheard_of_is_not_sold_again_either(here: Shop) -> None:
    page = await here.buy(mode="subscription")
    assert here.pay(page, delayed=True)
    with pytest.raises(Conflict, match="on its way"):
        await here.buy(mode="subscription", success_url="https://shop.test/other")
    assert len(here.fake.books.kept["sessions"]) == 1
    found = {row.id: row.status for row in await here.rows()}
    assert found.pop(page.subscription_id) is Status.PENDING
    assert set(found.values()) == {Status.CANCELLED}, "the order that was made for it is dropped"


async def test_a_debit_that_goes_on_its_way_while_its_page_is_replaced_is_not_sold_again(here: Shop) -> None:
    page = await here.buy(mode="subscription")
    here.later(23 * HOUR_S - 120)
    close = here.sales.provider.expire_order

    async def paid_first(id_: str) -> Any:
        here.fake.selling.confirm(session_of(here, page), delayed=True)
        return await close(id_)

    here.sales.provider.expire_order = paid_first  # type: ignore[method-assign]
    with pytest.raises(Conflict, match="on its way"):
        await again(here, page)
    assert len(here.fake.books.kept["sessions"]) == 1
    held = await orders.get(here.store, page.subscription_id)
    assert [each.state for each in held.checkouts] == ["processing", "expired"]


async def test_something_else_can_be_bought_while_money_is_on_its_way(here: Shop) -> None:
    await debited(here)
    assert (await here.buy(mode="payment")).url


async def test_a_debit_that_fails_gives_nothing_and_the_same_can_be_ordered_again(here: Shop) -> None:
    page = await debited(here)
    assert not await here.grants()
    here.fake.selling.settle(session_of(here, page), paid=False)
    await here.fake.deliver()
    assert (await here.row(page.subscription_id)).status is Status.CANCELLED
    assert (await here.buy(mode="subscription")).url


async def test_of_two_agreements_that_which_is_paid_counts(here: Shop) -> None:
    page = await debited(here)
    kept = here.fake.books.kept["said"][page.external_id]
    said = kept["said"]["subscription_data"]
    made = here.fake.selling.subscribe(session_of(here, page)["customer"], kept["lines"][0][0], said)
    await here.fake.deliver()
    row = await here.row(page.subscription_id)
    assert (row.status, row.external_id) == (Status.ACTIVE, made["id"])
    assert states(here) == ["active", "canceled"]
    assert await here.grants()
