"""More is asked of Stripe than it answers: customers go first, nobody waits for long, and nothing is lost."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from unittest.mock import AsyncMock

import orjson
import pytest

from gateway.billing import customer_acts, inbox
from gateway.billing.sales import Sales
from gateway.core.problems import StoreUnavailable, Unavailable
from gateway.core.scope import Scope
from gateway.core.subscription import Status
from gateway.demo.stripe.delivery import signature
from gateway.demo.stripe.server import Fault
from gateway.payments.attended import somebody_waits
from gateway.payments.port import Signal
from gateway.payments.stripe.pace import Pace
from gateway.store import orders, signals, syncs
from gateway.store.listing import Listing
from gateway.store.signals import SignalRow
from gateway.tasks import Tasks
from tests.billing.shop import SECRET, Shop, another, draft, shop
from tests.payments.stripe.hours import Hours

MINUTE = 60
BUSY = "So much is asked of the payment provider just now that this would wait too long."


@pytest.fixture
def hours() -> Hours:
    return Hours()


@pytest.fixture
def pace(hours: Hours) -> Pace:
    return Pace(1000, now_us=hours.read, sleep=hours.jump)


@pytest.fixture
async def here(tmp_path: Path, migrated_file: Path, pace: Pace) -> AsyncIterator[Shop]:
    async with shop(tmp_path, migrated_file, pace=pace) as running:
        yield running


def left_alone(pace: Pace) -> None:
    """Stripe wants not to be asked for minutes."""
    pace.slow_down(5 * MINUTE)


def taken_up(hours: Hours) -> None:
    hours.now_us += 5 * MINUTE * 1_000_000


class Told(Pace):
    """Tells for whom each turn is."""

    def __init__(self) -> None:
        super().__init__(1_000_000)
        self.waited: list[bool] = []

    async def turn(self) -> None:
        self.waited.append(somebody_waits())
        await super().turn()

    def since(self) -> set[bool]:
        """Whether somebody has waited, of all turns since this was asked before."""
        said, self.waited = set(self.waited), []
        return said


async def test_customers_have_turns_of_their_own_and_webhooks_and_syncs_wait_in_line(
    tmp_path: Path, migrated_file: Path
) -> None:
    pace = Told()
    async with shop(tmp_path, migrated_file, pace=pace) as here:
        page = await here.buy()
        assert here.pay(page)
        assert pace.since() == {True}
        await here.fake.deliver()
        assert pace.since() == {False}
        second = await here.buy(mode="subscription", plan=await another(here, draft("max")))
        assert here.pay(second)
        here.webhooks.waiting.clear()
        await customer_acts.sync(here.sales, await here.row(second.subscription_id))
        assert pace.since() == {True}, "the page that a customer comes back to"
        await here.sync(dry_run=True)
        assert pace.since() == {False}
        await here.sync(full=True)
        assert pace.since() == {False}


async def test_a_customer_is_told_when_to_try_again_and_then_buys_once(here: Shop, hours: Hours, pace: Pace) -> None:
    left_alone(pace)
    with pytest.raises(Unavailable) as told:
        await here.buy()
    assert told.value.message == f"{BUSY} Try again shortly."
    assert (told.value.content, told.value.headers) == ({"reason": "busy"}, ((b"Retry-After", b"5"),))
    taken_up(hours)
    page = await here.buy()
    assert here.pay(page)
    await here.fake.deliver()
    assert [row.status for row in await here.rows()] == [Status.ACTIVE]
    assert len(here.fake.books.kept["sessions"]) == 1


async def test_a_webhook_is_kept_while_stripe_is_busy_and_acted_on_later(here: Shop, hours: Hours, pace: Pace) -> None:
    page = await here.buy()
    assert here.pay(page)
    left_alone(pace)
    for _ in range(4):
        await here.fake.deliver()
        await inbox.act_on_due(here.sales)
        here.later(MINUTE)
    assert here.webhooks.refused == [], "each was answered well"
    (row,) = await signals.page(here.store, Listing(limit=10))
    assert (row.state, row.attempts, row.problem) == ("failed", 0, BUSY)
    assert row.next_us is not None
    assert row.next_us <= here.sales.now_us(), "it has not begun to wait longer and longer: it was no attempt"
    taken_up(hours)
    assert await inbox.act_on_due(here.sales) == 1
    assert (await here.row(page.subscription_id)).status is Status.ACTIVE


async def test_a_sync_stops_where_stripe_is_busy_and_goes_on_from_there(here: Shop, hours: Hours, pace: Pace) -> None:
    await here.sync()
    page = await here.buy()
    assert here.pay(page)
    here.webhooks.waiting.clear()
    before = await syncs.get(here.store, "stripe")
    left_alone(pace)
    run = await here.sync()
    assert (run.cut, run.problems) == (True, [BUSY])
    after = await syncs.get(here.store, "stripe")
    assert (after.cursor, after.cursor_us) == (before.cursor, before.cursor_us)
    taken_up(hours)
    await here.sync()
    assert (await here.row(page.subscription_id)).status is Status.ACTIVE


async def test_a_sale_that_stripe_was_too_busy_for_is_not_put_off(here: Shop) -> None:
    await here.sync()
    pages = [await here.buy(), await here.buy(Scope("user", "bob"), user_id="bob")]
    for page in pages:
        here.pay(page)
    here.webhooks.waiting.clear()
    here.fake.books.events.clear()
    here.later(11 * MINUTE)
    here.fake.faults.append(Fault("checkout/sessions/", 429, method="GET"))
    assert (await here.sync()).problems == [BUSY]
    held = [(await orders.get(here.store, page.subscription_id)).order for page in pages]
    assert [order.problem for order in held] == [None, None]
    await here.sync()
    assert [(await here.row(page.subscription_id)).status for page in pages] == [Status.ACTIVE] * 2


async def test_comparing_everything_goes_on_where_stripe_became_busy(here: Shop, hours: Hours) -> None:
    page = await here.buy()
    assert here.pay(page)
    here.webhooks.waiting.clear()
    here.fake.books.events.clear()
    here.fake.faults.append(Fault("checkout/sessions/", 429, method="GET"))
    assert (await here.sync(full=True)).cut
    assert (await syncs.get(here.store, "stripe")).walk is not None
    here.later(11 * MINUTE)
    taken_up(hours)
    await here.sync()
    assert (await syncs.get(here.store, "stripe")).walk is None
    assert (await here.row(page.subscription_id)).status is Status.ACTIVE


async def test_of_a_flood_only_so_many_are_acted_on_at_once_and_the_rest_in_turn(here: Shop) -> None:
    page = await here.buy()
    here.pay(page)
    (event,) = [each for each in here.webhooks.waiting if each["type"] == "checkout.session.completed"]
    tasks = Tasks()
    async with here.sales.turn(page.subscription_id):  # so that none of them is done yet
        for number in range(inbox.MOST_AT_ONCE * 2):
            body = orjson.dumps({**event, "id": f"evt_{number}"})
            signed = signature(body, SECRET, here.fake.books.now)
            row = await inbox.receive(here.sales, {"stripe-signature": signed}, body)
            assert row is not None
            inbox.act_soon(here.sales, row, tasks)
        assert len(tasks) == inbox.MOST_AT_ONCE
    await tasks.finish(30)
    states = Counter(row.state for row in await signals.page(here.store, Listing(limit=200)))
    assert states == {"done": inbox.MOST_AT_ONCE, "received": inbox.MOST_AT_ONCE}
    assert here.sales.wanted.is_set(), "the job need not wait for its time"
    await here.sync()
    assert {row.state for row in await signals.page(here.store, Listing(limit=200))} == {"done"}


async def test_one_turn_of_what_is_due_ends_so_that_the_sync_has_its_own(
    here: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "MOST_DUE", 5)
    monkeypatch.setattr(inbox, "_BATCH", 4)
    for number in range(12):
        said = Signal(f"evt_{number}", "price.updated", "catalog", "p", here.sales.now_us(), True, None, "{}")
        assert await inbox.keep(here.sales, said)
    here.later(MINUTE)
    assert [await inbox.act_on_due(here.sales) for _ in range(3)] == [8, 4, 0]


@pytest.mark.parametrize("lost", [False, True], ids=["kept", "lost"])
async def test_of_what_waits_some_are_acted_on_at_once_each_once(
    here: Shop, monkeypatch: pytest.MonkeyPatch, *, lost: bool
) -> None:
    await here.sync()
    pages = [await here.buy(Scope("user", f"u{number}"), user_id=f"u{number}") for number in range(12)]
    for page in pages:
        assert here.pay(page)
    if not lost:
        monkeypatch.setattr(inbox, "act_on", AsyncMock())
        await here.fake.deliver()
        monkeypatch.undo()
    here.webhooks.waiting.clear()
    under_way, most = set[asyncio.Task[object] | None](), 0

    async def seen(sales: Sales, row: SignalRow, note: inbox.Note | None = None) -> SignalRow:
        nonlocal most
        under_way.add(asyncio.current_task())
        most = max(most, len(under_way))
        try:
            return await act_on(sales, row, note)
        finally:
            under_way.discard(asyncio.current_task())

    act_on = inbox.act_on
    monkeypatch.setattr(inbox, "act_on", seen)
    here.later(MINUTE)
    if lost:
        assert len((await here.sync()).changes) == len(pages)
    else:
        assert await inbox.act_on_due(here.sales) == len(pages)
    assert most == inbox._AT_ONCE
    assert [(await here.row(page.subscription_id)).status for page in pages] == [Status.ACTIVE] * len(pages)
    assert {row.attempts for row in await signals.page(here.store, Listing(limit=100))} == {1}


async def test_that_the_store_goes_away_ends_what_is_acted_on_and_loses_nothing(
    here: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        said = Signal(f"evt_{number}", "price.updated", "catalog", "p", here.sales.now_us(), True, None, "{}")
        assert await inbox.keep(here.sales, said)
    here.later(MINUTE)
    tried = AsyncMock(side_effect=StoreUnavailable("away"))
    with monkeypatch.context() as away:
        away.setattr(inbox, "act_on", tried)
        with pytest.raises(StoreUnavailable):
            await inbox.act_on_due(here.sales)
    assert tried.await_count == inbox._AT_ONCE, "what cannot be written down is not begun"
    assert await inbox.act_on_due(here.sales) == 30
