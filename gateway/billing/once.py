"""What is given once: a trial, and a plan that costs nothing. Decided before the page opens, in one transaction.

What a page offers is kept with it, so that asking again for the same page asks for the same.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gateway.billing.sales import Sales
from gateway.core.problems import Conflict
from gateway.core.scope import Scope
from gateway.core.subscription import Event, Status, Word
from gateway.payments.port import Item
from gateway.store import claims, orders, subscribed, subscriptions
from gateway.store.mandate import Mandate
from gateway.store.orders import CheckoutRow
from gateway.store.rows import PlanRow, SubscriptionRow
from gateway.store.store import Act


async def offered(sales: Sales, row: SubscriptionRow, page: CheckoutRow, item: Item, by: Mandate) -> int:
    """Days of the trial that a page offers.

    Raises ``Conflict``, and drops the order, if it is for something free that the scope has, or is about to have.
    """
    async with sales.store.write(by) as act:
        held = await orders.read(act.connection, row.id)
        known = next((each.trial_days for each in held.checkouts if each.id == page.id), None)
        if known is not None:
            return known
        if item.amount == 0 and not await claims.take(act, "free", item.plan_id, (row.scope,), row.id):
            if held.subscription.status is Status.PENDING:
                word = Word(Event.STOP, act.now_us)
                await subscriptions.change(
                    act, held.subscription, lambda old: subscriptions.advanced(old, word), "abandon"
                )
            days = None
        else:
            days = await _trial_days(act, sales, row, item)
            await orders.set_checkout(act, page.id, trial_days=days)
    if days is None:
        raise _free_already()
    return days


@dataclass(slots=True)
class Move:
    """A change to another plan. ``undone``: it is certain that nothing was changed."""

    undone: bool = True


@asynccontextmanager
async def moving(sales: Sales, row: SubscriptionRow, item: Item, by: Mandate) -> AsyncIterator[Move]:
    """Take what a change to ``item`` gives, and give it back if the change is ``undone`` in the end.

    Raises ``Conflict`` if that has no trial, or is free and there already.
    """
    fresh, move = await _take_for_move(sales, row, item, by), Move()
    try:
        yield move
    finally:
        if fresh and move.undone:
            async with sales.store.write(by) as act:
                await claims.give_back(act, item.plan_id, row.id)


async def _take_for_move(sales: Sales, row: SubscriptionRow, item: Item, by: Mandate) -> bool:
    """Whether it has not had that before."""
    async with sales.store.write(by) as act:
        fresh = not await claims.has(act, item.plan_id, row.id)
        if row.status is Status.TRIALING and not await _trial_days(act, sales, row, item):
            raise no_trial()
        if item.amount == 0 and not await claims.take(act, "free", item.plan_id, (row.scope,), row.id):
            raise _free_already()
    return fresh


async def had(act: Act, sales: Sales, row: SubscriptionRow, status: Status, to: PlanRow, currency: str) -> None:
    """Who has come to a plan has had what it gives, by whatever way: a change that was declined may be paid later."""
    if any(price.amount == 0 for price in to.prices if price.currency == currency):
        await claims.take(act, "free", to.id, (row.scope,), row.id)
    if status is Status.TRIALING and to.slug in sales.policy.trials:
        await claims.take(act, "trial", to.id, _holders(row), row.id)


def no_trial() -> Conflict:
    """A trial is of its plan: what it costs nothing to try is not a way to something dearer."""
    return Conflict(
        "That plan has no trial, or it was had already. Change when this trial is over, or buy that plan.",
        content={"reason": "no_trial"},
    )


def _free_already() -> Conflict:
    return Conflict(
        "This costs nothing, and it is there already or about to be: take it again when it has ended.",
        content={"reason": "free_once"},
    )


async def _trial_days(act: Act, sales: Sales, row: SubscriptionRow, item: Item) -> int:
    """A trial is for each plan once for each scope, and once for each user, for whomever they buy it."""
    days = sales.policy.trials.get(item.slug, 0)
    if not days or item.mode != "subscription":
        return 0
    if await subscribed.began(act.connection, item.plan_id, row.scope, row.user_id, row.id):
        return 0
    return days if await claims.take(act, "trial", item.plan_id, _holders(row), row.id) else 0


def _holders(row: SubscriptionRow) -> tuple[Scope, ...]:
    buyer = [] if row.user_id is None else [Scope("user", row.user_id)]
    return tuple(dict.fromkeys([row.scope, *buyer]))
