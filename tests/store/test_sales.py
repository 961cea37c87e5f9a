"""What is sold, on both databases: orders with their pages, the inbox, payments, customers, the sync's cursor."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gateway.core.problems import NotFound
from gateway.core.sale import Dispute, PaymentState, Receipt
from gateway.core.scope import Scope
from gateway.core.subscription import PlanVersion, Status
from gateway.store import attempts, customers, orders, payments, plans, signals, subscribed, subscriptions, syncs
from gateway.store.edits import draft_of
from gateway.store.listing import Listing
from gateway.store.orders import Placed
from gateway.store.rows import SubscriptionDraft, SubscriptionRow
from gateway.store.signals import NewSignal
from gateway.store.store import Store
from gateway.store.syncs import SyncRow
from tests.store.samples import ACME, ALICE, BY, DAY, NOW, pro

S = "stripe"


async def placed(store: Store, scope: Scope = ALICE, pages: int = 1) -> SubscriptionRow:
    found = await plans.page(store, Listing())
    plan = found[0] if found else await plans.create(store, pro(), BY)
    of = PlanVersion(plan.id, plan.version)
    order = Placed(plan=of, scope=scope, user_id=ALICE.id, mode="payment", provider=S, currency="usd", amount=500)
    async with store.write(BY) as act:
        row = await orders.place(act, order)
        for _ in range(pages):
            await orders.add_checkout(act, row.id, S, ("https://a.test/", "https://b.test/"), NOW + DAY)
    return row


async def test_an_order_is_read_with_its_pages_and_found_by_every_name(store: Store) -> None:
    row = await placed(store, pages=2)
    held = await orders.get(store, row.id)
    assert (held.subscription, held.order.amount, len(held.checkouts)) == (row, 500, 2)
    async with store.write(BY) as act:
        await orders.set_checkout(act, held.checkouts[0].id, external_id="cs_1", state="open", url="https://pay.test/")
        await subscriptions.change(act, row, lambda old: subscriptions.renamed(old, "cs_1"), "order")
    names: list[dict[str, Any]] = [
        {"subscription": row.id, "order": None, "agreement": None},
        {"subscription": None, "order": "cs_1", "agreement": None},
        {"subscription": "unknown", "order": "cs_1", "agreement": "sub_unknown"},
    ]
    for named in names:
        assert await orders.find(store, S, **named) == row.id
    assert await orders.find(store, S, subscription=None, order="cs_2", agreement=None) is None
    assert await orders.by_checkout(store, "other", "cs_1") is None
    with pytest.raises(NotFound):
        await orders.get(store, "unknown")


async def test_orders_that_wait_and_those_that_are_due(store: Store) -> None:
    row, other = await placed(store), await placed(store, ACME)
    async with store.read() as connection:
        waiting = await orders.waiting(connection, ALICE, ALICE.id, S, "acct_1")
    assert [held.subscription.id for held in waiting] == [row.id]
    async with store.write(BY) as act:
        await orders.set_order(act, row.id, due_us=NOW + 5, problem="away")
        await orders.set_order(act, other.id, due_us=None)
    assert await orders.due(store, S, NOW + 4, 10) == []
    assert await orders.due(store, S, NOW + 5, 10) == [(NOW + 5, row.id)]
    assert await orders.due(store, S, NOW + 5, 10, after=(NOW + 5, row.id)) == []
    assert await orders.due(store, S, NOW + 5, 10, after=(NOW + 4, row.id)) == [(NOW + 5, row.id)]
    assert await orders.count_overdue(store, S, NOW + 5) == 1
    assert (await orders.count(store, S), await orders.any_of(store, S), await orders.any_of(store, "o")) == (
        2,
        True,
        False,
    )
    first, second = sorted((row.id, other.id))
    assert await orders.all_of(store, S, first, 10) == [second]
    async with store.write(BY) as act:
        await orders.set_order(act, row.id, read_us=NOW, surplus="[]")
    assert [await orders.read_since(store, row.id, at_us) for at_us in (NOW - 1, NOW)] == [True, False]
    assert [each.subscription_id for each in await orders.paid_twice(store, S)] == [row.id]
    assert set(await orders.all_of(store, S)) == {row.id, other.id}
    await subscriptions.cancel(store, other.id, BY)
    assert await orders.all_of(store, S) == [row.id]


def signal(key: str, *, at_us: int = NOW) -> NewSignal:
    given = {"provider": S, "kind": "invoice.paid", "subject": "payment", "subject_id": "in_1", "body": "{}"}
    return NewSignal(**given, key=key, happened_us=at_us)


async def test_what_comes_twice_is_kept_once_also_at_the_same_time(store: Store) -> None:
    kept = await asyncio.gather(*(signals.put(store, signal("evt_1"), NOW, BY) for _ in range(6)))
    assert len([row for row in kept if row is not None]) == 1
    assert len(await signals.page(store, Listing())) == 1


async def test_the_inbox_gives_what_is_due_in_the_order_in_which_it_happened(store: Store) -> None:
    await signals.put(store, signal("late", at_us=NOW + 2), NOW, BY)
    await signals.put(store, signal("early", at_us=NOW + 1), NOW, BY)
    await signals.put(store, signal("later"), NOW + 100, BY)
    due = await signals.due(store, NOW, 10)
    assert [row.key for row in due] == ["early", "late"]
    assert await signals.oldest_open_us(store) == NOW
    await signals.mark(store, due[0].id, BY, state="done", attempts=1, next_us=None, subscription_id=None, problem=None)
    assert await signals.counts(store) == {"done": 1, "received": 2}
    assert [row.key for row in await signals.page(store, Listing(), state="done", kind="invoice.paid")] == ["early"]


async def test_the_inbox_lets_go_of_what_is_over_and_sooner_of_what_was_about_nothing_of_ours(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "MOST_STRANGERS", 3)
    states = ("received", "failed", "given up", "done", *("ignored",) * 6)
    for number, state in enumerate(states):
        row = await signals.put(store, signal(f"evt_{number}"), NOW, BY._replace(now_us=NOW + number))
        assert row is not None
        mark = {"state": "failed", "next_us": None} if state == "given up" else {"state": state}
        await signals.mark(store, row.id, BY, **mark)

    async def left(after_us: int) -> dict[str, int]:
        async with store.write(BY._replace(now_us=NOW + len(states) + after_us)) as act:
            await signals.forget(act)
        return dict(await signals.counts(store))

    assert await left(0) == {"received": 1, "failed": 2, "done": 1, "ignored": 3}, "the newest"
    assert (await signals.page(store, Listing(), state="ignored"))[0].key == "evt_9"
    assert await left(signals.STRANGERS_KEPT_US) == {"received": 1, "failed": 2, "done": 1}
    assert await left(signals.KEPT_US) == {"received": 1, "failed": 1}, "what is not over is not forgotten"


def receipt(id_: str, **more: Any) -> Receipt:
    given: dict[str, Any] = {"state": PaymentState.PAID, "amount": 500, "currency": "usd", "created_us": NOW}
    return Receipt(**{**given, "id": id_, "paid_us": NOW, **more})


async def test_a_payment_is_one_row_as_it_is_now(store: Store) -> None:
    row = await placed(store)
    for receipts, changed in (([receipt("p1")], 1), ([receipt("p1")], 0), ([receipt("p1", refunded=200)], 1)):
        async with store.write(BY) as act:
            assert await payments.put(act, S, row, "pro", receipts) == changed
    (paid,) = await payments.of_subscription(store, row.id)
    assert (paid.amount, paid.refunded, paid.plan_slug, paid.user_id) == (500, 200, "pro", ALICE.id)


async def test_payments_are_paged_without_gaps_and_summed_exactly(store: Store) -> None:
    row = await placed(store)
    many = [receipt(f"p{number}", created_us=NOW + number // 2) for number in range(7)]
    lost = receipt("p7", dispute=Dispute.LOST, currency="jpy")
    async with store.write(BY) as act:
        await payments.put(act, S, row, "pro", [*many, lost])
    seen: list[str] = []
    before: tuple[int, str] | None = None
    while page := await payments.page(store, 3, scope=ALICE, before=before):
        seen += [each.external_id for each in page]
        before = (page[-1].created_us, page[-1].id)
    assert sorted(seen) == [f"p{number}" for number in range(8)]
    assert await payments.page(store, 3, scope=ACME, before=None) == []
    for by in ("plan", "month"):
        yen, dollars = await payments.revenue(store, NOW, NOW + 1, by)
        assert (yen.gross, yen.refunded, dollars.gross, dollars.payments) == (500, 500, 3500, 7)
    assert await payments.revenue(store, NOW + 1, NOW + 2, "plan") == []


async def test_customers_and_the_cursor_are_replaced(store: Store) -> None:
    assert await customers.find(store, S, ALICE) is None
    for name in ("cus_1", "cus_2"):
        await customers.put(store, S, ALICE, name, BY)
        assert await customers.find(store, S, ALICE) == name
    await customers.put(store, S, ACME, "cus_1", BY)
    for cursor in ("evt_1", "evt_2"):
        async with store.write(BY) as act:
            await syncs.change(act, S, cursor=cursor, cursor_us=NOW)
            await syncs.add_run(act, S, {"started_us": NOW}, instead_of=lambda _: True)
        assert await syncs.get(store, S) == SyncRow(S, cursor, NOW, None, ({"started_us": NOW},))


async def test_a_scope_that_had_a_plan_is_remembered_and_companions_are_found(store: Store) -> None:
    row = await placed(store)
    plan_id = row.plan.plan_id if isinstance(row.plan, PlanVersion) else ""
    elsewhere = Scope("workspace", "other")
    async with store.write(BY) as act:
        assert not await subscribed.began(act.connection, plan_id, ALICE, None, "")
        paying: dict[str, Any] = {"period_end_us": NOW, "status": Status.ACTIVE}
        paid = await subscriptions.change(act, row, lambda old: replace(old, **paying), "settle")
        companion = replace(draft_of(SubscriptionDraft, paid), provider="grace", checkout_id=f"{row.id}:1")
        other = await subscriptions.add(act, companion)
        assert [each.id for each in await subscribed.companions(act.connection, "grace", row.id)] == [other.id]
        assert await subscribed.companions(act.connection, "grace", "%") == ()
    async with store.read() as connection:
        assert await subscribed.began(connection, plan_id, ALICE, None, "")
        assert await subscribed.began(connection, plan_id, elsewhere, row.user_id, ""), "who bought it had it as well"
        assert not await subscribed.began(connection, plan_id, elsewhere, "somebody", "")


async def test_sales_of_an_account_that_was_left_are_kept_in_step_no_more(store: Store) -> None:
    row = await placed(store)
    async with store.write(BY) as act:
        await orders.set_order(act, row.id, due_us=NOW)
        await syncs.bind(act, S, "acct_1", None)
    assert await orders.all_of(store, S) == [row.id]
    async with store.write(BY) as act:
        await syncs.move(act, S, "acct_1", "acct_2")
    assert (await orders.all_of(store, S), await orders.due(store, S, NOW, 10), await orders.count(store, S)) == (
        [],
        [],
        0,
    )
    assert (await orders.get(store, row.id)).order.account == "acct_1"
    async with store.write(BY) as act:
        await syncs.move(act, S, "acct_2", "acct_1")
    assert await orders.all_of(store, S) == [row.id]


async def test_a_key_is_used_up_once_by_all_who_met_the_same_failure(store: Store) -> None:
    assert await attempts.count(store, S, "checkout-1") == 0
    for seen, count in ((0, 1), (0, 1), (1, 2)):
        await attempts.use_up(store, S, "checkout-1", seen, BY)
        assert await attempts.count(store, S, "checkout-1") == count
    assert await attempts.count(store, "other", "checkout-1") == 0
    async with store.write(BY._replace(now_us=NOW + attempts.KEPT_US + 1)) as act:
        await attempts.forget(act)
    assert await attempts.count(store, S, "checkout-1") == 0


async def test_who_waits_for_a_sync_is_heard_once(store: Store) -> None:
    async with store.write(BY) as act:
        for word in ("full", "dry", "full"):
            await syncs.ask(act, S, word)
    async with store.write(BY) as act:
        assert await syncs.take_asked(act, S) == {"full", "dry"}
        assert await syncs.take_asked(act, S) == frozenset()
