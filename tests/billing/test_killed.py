"""A gateway that is killed at the worst moment: after Stripe has answered and before we wrote it down, or just after.

A customer's life is lived once for each moment in which the process can die. Whoever was told nothing asks again, and
in the end there is one subscription, which was charged what it costs, once.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from gateway.billing import checkout, customer_acts, plan_change, subscriptions
from gateway.billing.sales import Sales
from gateway.billing.settle import settle
from gateway.billing.subscriptions import Viewer
from gateway.billing.sync import Syncer
from gateway.core.problems import Problem
from gateway.core.subscription import Event, Status
from gateway.payments.stripe.client import Client
from gateway.store.rows import SubscriptionRow
from tests.billing.fair import Fair, fair
from tests.billing.shop import DAY_S, Shop, charged, running

pytestmark = pytest.mark.slow
T = TypeVar("T")
MAX, MONTH = 1, 4


class Killed(BaseException):
    """Nobody catches it, as nobody outlives SIGKILL."""


class Reaper:
    """Ends the process after ``at`` writes, to Stripe or to the store."""

    def __init__(self, at: int) -> None:
        self.at, self.count = at, 0

    def tick(self) -> None:
        self.count += 1
        if self.count == self.at:
            raise Killed


@pytest.fixture(scope="module")
def stand(migrated_file: Path) -> Iterator[Fair]:
    with fair(migrated_file) as found:
        yield found


def haunt(here: Shop, reaper: Reaper, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the reaper see each write that was done."""
    ask, write = Client._ask, here.store.write

    async def asked(self: Client, method: str, *more: Any) -> Any:
        answer = await ask(self, method, *more)
        if method != "get":
            reaper.tick()
        return answer

    @asynccontextmanager
    async def written(by: Any) -> AsyncIterator[Any]:
        async with write(by) as act:
            yield act
        reaper.tick()

    monkeypatch.setattr(Client, "_ask", asked)
    monkeypatch.setattr(here.store, "write", written)


async def insist(here: Shop, act: Callable[[], Awaitable[T]]) -> T | None:
    """Do it; if that kills the gateway, start another one and do it again. ``None``: it says that it was done."""
    try:
        return await act()
    except Killed:
        assert here.provide is not None
        here.sales = Sales(here.store, here.provide(), here.sales.policy, here.sales.now_us)
        here.syncer = Syncer(here.sales)
    try:
        return await act()
    except Problem:
        return None


async def lived(here: Shop, stand: Fair) -> SubscriptionRow:
    """Orders, lets the page grow old, takes it up again, pays, moves to a dearer plan, stops, and goes on after all."""
    page = await insist(here, lambda: here.buy(mode="subscription", plan=stand.plans[MONTH]))
    assert page is not None
    here.later(23 * 3600 - 120)
    id_, urls = page.subscription_id, ("https://shop.test/ok", "https://shop.test/no")

    async def resumed() -> checkout.Page:
        return await checkout.resume(here.sales, await here.row(id_), *urls, here.by())

    page = await insist(here, resumed)
    assert page is not None
    assert here.pay(page)
    await insist(here, here.sync)
    here.later(15 * DAY_S)  # the trial is over, and what came then is paid
    await insist(here, here.sync)

    async def changed() -> None:
        await plan_change.change(here.sales, await here.row(id_), stand.plans[MAX].id, here.by())

    async def told(row: SubscriptionRow, event: Event) -> None:
        await customer_acts.tell(here.sales, row, event)

    async def stopped() -> None:
        await subscriptions.stop(here.store, id_, Viewer("alice"), here.by(), told)

    async def reactivated() -> None:
        await subscriptions.reactivate(here.store, id_, Viewer("alice"), here.by(), told)

    for act in (changed, stopped, reactivated):
        await insist(here, act)
    here.later(3700)
    await insist(here, here.sync)
    return await here.row(id_)


def test_whenever_it_is_killed_a_customer_is_charged_once_and_has_what_was_paid_for(
    stand: Fair, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play(at: int) -> tuple[int, list[int]]:
        here, reaper = await stand.shop(), Reaper(at)
        with monkeypatch.context() as patch:
            haunt(here, reaper, patch)
            row = await lived(here, stand)
        assert (row.status, row.cancel_at_period_end) == (Status.ACTIVE, False), at
        assert row.plan.plan_id == stand.plans[MAX].id, at  # type: ignore[union-attr]
        assert running(here) == [row.external_id], at
        others = [each.status for each in await here.rows() if each.id != row.id]
        assert set(others) <= {Status.CANCELLED}, at
        assert [each for each in here.fake.books.kept["sessions"].values() if each["status"] == "open"] == [], at
        assert (await settle(here.sales, row.id, dry_run=True)).changes == (), at
        return reaper.count, sorted(charged(here))

    async def all_of_them() -> None:
        moments, paid = await play(0)
        assert moments > 20
        assert len(paid) == 2
        for at in range(1, moments + 1):
            assert (await play(at))[1] == paid, at

    stand.runner.run(all_of_them())


def test_whenever_it_is_killed_what_an_admin_ends_is_ended_everywhere(
    stand: Fair, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play(at: int) -> int:
        here, reaper = await stand.shop(), Reaper(at)
        row = await here.bought(mode="subscription", plan=stand.plans[MONTH])
        here.fake.books.declining.update(here.fake.books.kept["customers"])
        here.later(15 * DAY_S)
        await here.fake.deliver()

        async def told(row: SubscriptionRow, event: Event) -> None:
            await customer_acts.tell(here.sales, row, event)

        with monkeypatch.context() as patch:
            haunt(here, reaper, patch)
            await insist(here, lambda: subscriptions.end(here.store, row.id, here.by(), told))
        assert running(here) == [], at
        assert (await here.row(row.id)).status is Status.CANCELLED, at
        assert {each["status"] for each in here.fake.books.kept["invoices"].values()} <= {"paid", "void", "draft"}, at
        return reaper.count

    async def all_of_them() -> None:
        for at in range(1, await play(0) + 1):
            await play(at)

    stand.runner.run(all_of_them())
