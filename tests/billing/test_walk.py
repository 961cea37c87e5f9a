"""Comparing everything, slice by slice: other work goes on meanwhile, and a restart begins nothing anew."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.billing.run import Run
from gateway.billing.sync import Syncer
from gateway.core.scope import Scope
from gateway.core.subscription import Status
from gateway.demo.stripe.server import Fault
from gateway.selling import Selling
from gateway.store import orders, payments, syncs
from gateway.store.store import Act
from gateway.tasks import Tasks
from tests.billing.shop import DAY_S, Shop, shop


@pytest.fixture
async def here(tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    monkeypatch.setattr("gateway.billing.sync.SLICE", 2)
    async with shop(tmp_path, migrated_file) as running:
        yield running


async def fence(_act: Act) -> None:
    """Nobody else does the job."""


async def bought_unheard(here: Shop, count: int) -> list[str]:
    """Paid, and nobody told us; nor is anything due for a look yet."""
    ids = []
    for number in range(count):
        page = await here.buy(Scope("user", f"u{number}"), mode="subscription", user_id=f"u{number}")
        here.pay(page)
        ids.append(page.subscription_id)
    here.webhooks.waiting.clear()
    here.fake.books.events.clear()
    return ids


async def active(here: Shop, ids: list[str]) -> int:
    return sum([(await here.row(id_)).status is Status.ACTIVE for id_ in ids])


async def test_everything_is_compared_slice_by_slice_and_a_restart_goes_on(here: Shop) -> None:
    ids = await bought_unheard(here, 5)
    reached = []
    while await here.syncer.step(fence):
        reached.append(await active(here, ids))
        here.later(1)
        here.syncer = Syncer(here.sales)  # a process that starts knows only what is kept
    assert reached == [2, 4, 5]
    row = await syncs.get(here.store, "stripe")
    assert row.walk is None
    assert row.full_us is not None
    whole = row.runs[0]
    assert (whole["full"], whole["changed"], whole["cut"], whole["problems"]) == (True, 5, False, [])
    assert not await here.syncer.step(fence), "and once is enough"


async def test_what_happens_meanwhile_is_not_kept_waiting(here: Shop) -> None:
    await bought_unheard(here, 5)
    assert await here.syncer.step(fence)
    page = await here.buy(Scope("user", "late"), user_id="late")
    here.pay(page)
    here.webhooks.waiting.clear()
    assert await here.syncer.step(fence)
    assert (await here.row(page.subscription_id)).status is Status.ACTIVE
    assert (await syncs.get(here.store, "stripe")).walk is not None


async def test_what_is_asked_for_while_stripe_is_away_is_done_when_it_is_back(here: Shop) -> None:
    selling = Selling(here.sales, Tasks(), demo=False)
    await selling.syncer.run(full=True)
    before_us = (await syncs.get(here.store, "stripe")).full_us or 0
    here.later(1)
    await selling.syncer.ask(full=True, dry_run=False)
    here.fake.faults.append(Fault("events", 429, method="GET"))
    assert not await selling._turn(fence, Tasks())
    assert (await syncs.get(here.store, "stripe")).full_us == before_us, "it could not even begin"
    here.later(601)
    while await selling._turn(fence, Tasks()):
        here.later(1)
    row = await syncs.get(here.store, "stripe")
    assert ((row.full_us or 0) > before_us, row.walk, row.asked) == (True, None, None)


async def test_that_stripe_has_forgotten_where_we_were_is_known_although_it_goes_away_just_then(here: Shop) -> None:
    await here.sync()
    await here.bought(Scope("user", "one"), user_id="one")
    here.later(3600)
    await here.sync()
    before_us = (await syncs.get(here.store, "stripe")).full_us or 0
    here.fake.books.events.clear()
    async with here.store.write(here.by()) as act:
        await syncs.change(act, "stripe", drift_due=True)
    here.fake.faults.append(Fault("products", 429, method="GET"))
    assert (await here.sync()).cut
    assert ((await syncs.get(here.store, "stripe")).full_us, here.fake.faults) == (before_us, [])
    here.later(601)
    await here.sync()
    assert ((await syncs.get(here.store, "stripe")).full_us or 0) > before_us


async def test_a_place_that_is_gone_begins_anew(here: Shop) -> None:
    ids = await bought_unheard(here, 3)
    assert await here.syncer.step(fence)
    kept = (await syncs.get(here.store, "stripe")).walk
    async with here.store.write(here.by()) as act:
        await syncs.change(act, "stripe", walk={**(kept or {}), "place": "subscriptions sub_that_is_gone"})
    assert not await here.syncer.step(fence), "it waits a while before it tries again"
    here.later(601)
    while await here.syncer.step(fence):
        here.later(1)
    assert await active(here, ids) == 3
    assert (await syncs.get(here.store, "stripe")).full_us is not None


async def test_a_run_that_is_asked_for_is_asked_for_once_and_wakes_whoever_waits(here: Shop) -> None:
    for full, dry_run in ((True, False), (False, True), (True, False)):
        await here.syncer.ask(full=full, dry_run=dry_run)
    assert here.sales.wanted.is_set()
    async with here.store.write(here.by()) as act:
        assert await syncs.take_asked(act, "stripe") == {"full", "dry"}
        assert await syncs.take_asked(act, "stripe") == frozenset()


async def test_a_dry_run_is_kept_with_the_others_and_changes_nothing_else(here: Shop) -> None:
    ids = await bought_unheard(here, 3)
    await here.syncer.dry(fence, full=True)
    row = await syncs.get(here.store, "stripe")
    assert (row.runs[0]["dry_run"], row.runs[0]["changed"], row.full_us) == (True, 3, None)
    assert await active(here, ids) == 0


async def test_a_dry_run_looks_at_all_that_is_due(here: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.billing.sync._BATCH", 2)
    await here.sync()
    ids = await bought_unheard(here, 5)
    here.later(11 * 60)
    run = await here.sync(dry_run=True)
    assert (run.full, run.compared, set(run.changes)) == (False, 5, set(ids))
    assert await orders.count_overdue(here.store, "stripe", here.sales.now_us()) == 5


async def test_a_long_run_names_the_first_and_counts_all() -> None:
    run = Run(0, problems=[str(number) for number in range(205)])
    assert run.kept()["problems"][-2:] == ["199", "and 5 more"]


async def test_runs_that_find_nothing_do_not_push_out_those_that_did(here: Shop) -> None:
    await here.sync()
    page = await here.buy()
    here.pay(page)
    here.webhooks.waiting.clear()
    await here.sync()
    for _ in range(30):
        here.later(60)
        await here.sync()
    runs = (await syncs.get(here.store, "stripe")).runs
    assert [each["changed"] for each in runs] == [0, 1, 0]
    assert runs[0]["started_us"] == here.sales.now_us()


async def test_a_long_absence_is_read_in_parts_each_of_which_is_kept(
    here: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.billing.happenings._MOST", 4)
    await here.sync(full=True)
    here.later(1)
    page = await here.buy()
    here.pay(page)
    here.webhooks.waiting.clear()
    here.later(3600)
    cursors = []
    while await here.syncer.step(fence):
        cursors.append(str((await syncs.get(here.store, "stripe")).cursor))
    told = [event["id"] for event in here.fake.books.events]
    assert len(cursors) > 1
    assert cursors == sorted(set(cursors)), "each goes on where the one before it ended"
    assert (await syncs.get(here.store, "stripe")).cursor == told[-1]
    assert (await here.row(page.subscription_id)).status is Status.ACTIVE


async def test_many_sales_that_are_due_at_once_are_looked_at_in_parts(
    here: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.billing.sync._MOST_DUE", 2)
    monkeypatch.setattr("gateway.billing.sync._BATCH", 1)
    await here.sync(full=True)
    ids = await bought_unheard(here, 5)
    here.later(11 * 60)
    reached = []
    while await here.syncer.step(fence):
        reached.append(await active(here, ids))
    assert (reached, await active(here, ids)) == ([2, 4], 5)


async def test_what_was_bought_once_and_ran_out_long_ago_is_looked_at_no_more(here: Shop) -> None:
    row = await here.bought()
    here.later(31 * DAY_S)
    charge = next(iter(here.fake.books.kept["charges"].values()))
    here.fake.money.refund(charge, 100)
    here.webhooks.waiting.clear()
    here.fake.books.events.clear()
    seen = await here.sync(full=True)
    (paid,) = await payments.page(here.store, 10, scope=row.scope, before=None)
    assert (seen.compared, paid.refunded) == (1, 100), "money that went back is noticed after its time, too"
    here.later(180 * DAY_S)
    seen = await here.sync(full=True)
    assert (seen.compared, seen.problems) == (0, [])
    assert (await here.row(row.id)).status is Status.ACTIVE
    here.fake.money.refund(charge, None)
    await here.fake.deliver()
    assert (await here.row(row.id)).status is Status.UNPAID, "unless somebody tells of it"
