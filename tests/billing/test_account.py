"""Whose key it is: what was sold through one account, or in the sandbox, is not asked of another."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.billing import customer_acts
from gateway.billing.memory import StoreMemory
from gateway.billing.sync import Syncer
from gateway.core.problems import Conflict, Unavailable
from gateway.core.subscription import Event, PlanVersion, Status
from gateway.demo.stripe.server import FakeStripe
from gateway.payments.port import Account, Provider, Strange
from gateway.payments.stripe.client import Access
from gateway.payments.stripe.provider import Config, StripeProvider
from gateway.store import orders, syncs
from tests.billing.shop import ALICE, SECRET, START_S, Shop, shop

KEY = "sk_test_" + "0" * 24


@pytest.fixture
async def here(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Shop]:
    async with shop(tmp_path, migrated_file) as running:
        yield running


def opened(here: Shop, base: str, account: str | None = None) -> Provider:
    access = Access(api_key=KEY, base=base, timeout_s=5, retries=0, account=account)
    return StripeProvider(
        Config(access=access, secrets=(SECRET,)), StoreMemory(here.store, "stripe", here.sales.now_us)
    )


@asynccontextmanager
async def another_key(here: Shop, *, live: bool = False) -> AsyncIterator[FakeStripe]:
    """The gateway starts again with a key of another account."""
    other, before = FakeStripe(now=lambda: START_S, automatic=False), here.sales.provider
    await other.start()
    other.books.account, other.books._count = "acct_other", 10_000  # ids of its own
    here.sales.provider = opened(here, other.url)
    if live:
        here.sales.provider._client._access = Access(api_key="sk_live_" + "0" * 24)  # type: ignore[attr-defined]
    here.syncer = Syncer(here.sales)
    try:
        yield other
    finally:
        await here.sales.provider.close()
        await other.close()
        here.sales.provider = before


async def ordered(here: Shop) -> None:
    """Something was sold, at no account's that is known."""
    plan = PlanVersion(here.plan.id, here.plan.version)
    money = {"provider": "stripe", "currency": "usd", "amount": 500}
    async with here.store.write(here.by()) as act:
        await orders.place(act, orders.Placed(plan=plan, scope=ALICE, user_id="alice", mode="payment", **money))  # type: ignore[arg-type]


async def test_while_nothing_was_sold_a_key_may_be_exchanged_for_another(here: Shop) -> None:
    memory = StoreMemory(here.store, "stripe", here.sales.now_us)
    for account in (Account("acct_1", test=True), Account("acct_2", test=False)):
        await memory.admit(account)
        assert (await syncs.get(here.store, "stripe")).account == account.name
    await ordered(here)
    with pytest.raises(Strange):
        await memory.admit(Account("acct_1", test=True))


async def test_the_first_key_says_through_whom_is_sold(here: Shop) -> None:
    assert (await syncs.get(here.store, "stripe")).account is None
    row = await here.bought()
    assert (await syncs.get(here.store, "stripe")).account == "acct_not_real/test"
    assert (await orders.get(here.store, row.id)).order.account == "acct_not_real/test"


async def test_a_key_of_another_account_asks_and_changes_nothing_and_says_the_way_out(here: Shop) -> None:
    row = await here.bought(mode="subscription")
    async with another_key(here) as other:
        run = await here.sync(full=True)
        assert (run.cut, len(run.problems)) == (True, 1)
        assert "acct_other (sandbox)" in run.problems[0]
        assert "acct_not_real (sandbox)" in run.problems[0]
        assert "weighbridge sync --move-account" in run.problems[0]
        with pytest.raises(Unavailable, match="not set up as it was") as refused:
            await here.buy()
        assert "acct_" not in str(refused.value), "that is nothing for customers"
        with pytest.raises(Unavailable):
            await customer_acts.tell(here.sales, row, Event.END)
        assert {path for _, path in other.requests} == {"account"}
        assert len(await here.rows()) == 1, "nothing was ordered"
    assert await here.row(row.id) == row
    assert (await here.sync(full=True)).problems == []


async def test_a_live_key_does_not_take_up_what_the_sandbox_sold(here: Shop) -> None:
    await here.bought()
    async with another_key(here, live=True) as other:
        other.books.account = "acct_not_real"
        with pytest.raises(Strange, match=r"acct_not_real \(live\).*acct_not_real \(sandbox\)"):
            await here.sales.provider.admitted()


async def test_after_moving_on_new_sales_are_of_the_new_account_and_old_ones_are_left_alone(here: Shop) -> None:
    old = await here.bought(mode="subscription")
    async with another_key(here) as other:
        async with here.store.write(here.by()) as act:
            await syncs.move(act, "stripe", "acct_not_real/test", "acct_other/test")
        page = await here.buy()
        assert other.selling.confirm(other.books.get("sessions", page.external_id))
        run = await here.sync(full=True)
        assert (run.problems, run.compared) == ([], 1)
        assert (await here.row(page.subscription_id)).status is Status.ACTIVE
        assert (await here.row(old.id)).status is Status.ACTIVE
        with pytest.raises(Conflict):
            await customer_acts.tell(here.sales, old, Event.STOP)
        await customer_acts.tell(here.sales, old, Event.END)  # of a sandbox: nobody pays for it


async def test_the_account_that_is_configured_has_to_be_that_of_the_key(here: Shop) -> None:
    for account, fits in (("acct_not_real", True), ("acct_else", False)):
        provider = opened(here, here.fake.url, account)
        try:
            if fits:
                assert (await provider.admitted()).id == account
            else:
                with pytest.raises(Strange, match=r"payments\.stripe\.account says acct_else"):
                    await provider.admitted()
        finally:
            await provider.close()


async def test_a_restricted_key_that_may_not_say_whose_it_is_sells_in_its_mode(here: Shop) -> None:
    memory = StoreMemory(here.store, "stripe", here.sales.now_us)
    await memory.admit(Account(None, test=True))
    await ordered(here)
    with pytest.raises(Strange):
        await memory.admit(Account(None, test=False))
    await memory.admit(Account("acct_1", test=True))
    assert (await syncs.get(here.store, "stripe")).account == "acct_1/test"
    await memory.admit(Account(None, test=True))
    assert (await syncs.get(here.store, "stripe")).account == "acct_1/test"
