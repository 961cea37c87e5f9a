"""What a customer has when a renewal has failed and the grace is over: a companion of the subscription.

It is a subscription of its own, given by the gateway, which begins when the grace ends and is over when the renewal is
paid or the subscription ends. So the budgets know nothing of payments.
"""

from gateway.billing.sales import Sales
from gateway.core.reconcile import Terms
from gateway.core.subscription import Event, PlanVersion, Status, Word
from gateway.store import plans, subscribed, subscriptions
from gateway.store.rows import SubscriptionDraft, SubscriptionRow
from gateway.store.store import Act

PROVIDER = "grace"
"""In place of a provider's name: nobody paid for this."""
_UNMET = frozenset({Status.PAST_DUE, Status.UNPAID})
_HUNDRED = 100


async def follow(act: Act, sales: Sales, row: SubscriptionRow, terms: Terms, before: Status) -> None:
    """Give the companion, or end it, as ``row`` stands now. One given before ``then`` became ``off`` ends as well.

    ``before``: what the row was until now. While it stays unmet, one that an admin has ended is not given again.
    """
    if terms.mode == "payment":
        return
    running = await subscribed.companions(act.connection, PROVIDER, row.id)
    unmet = row.status in _UNMET and row.period_end_us is not None and sales.policy.then.kind != "off"
    if unmet and not running:
        name = f"{row.id}:{row.period_end_us}"
        if await subscribed.by_provider(act.connection, PROVIDER, checkout_id=name) is not None:
            if before in _UNMET:
                return
            name += f":{row.revision}"  # it was met meanwhile, and is unmet again
        draft = await _companion(act, row, sales, terms, name)
        if draft is not None:
            await subscriptions.add(act, draft)
    elif not unmet:
        for each in running:
            word = Word(Event.END, act.now_us)
            await subscriptions.change(act, each, lambda old, word=word: subscriptions.advanced(old, word), "end")  # type: ignore[misc]


async def _companion(act: Act, row: SubscriptionRow, sales: Sales, terms: Terms, name: str) -> SubscriptionDraft | None:
    """``None``: there is nothing to take a part of."""
    then = sales.policy.then
    of: PlanVersion | str = row.plan
    override = None
    if then.kind == "plan":
        of = then.plan or of
    elif (override := await _part(act, row, then.percent)) is None:
        return None
    return SubscriptionDraft(
        plan=of,
        scope=row.scope,
        user_id=row.user_id,
        status=Status.ACTIVE,
        starts_us=(row.period_end_us or 0) + terms.grace_us,
        ends_us=None,
        throughput_override=override,
        provider=PROVIDER,
        checkout_id=name,
    )


async def _part(act: Act, row: SubscriptionRow, percent: int) -> int | None:
    """So much of the throughput that the subscription has; ``None``: it has none, or no end of it."""
    if not isinstance(row.plan, PlanVersion):
        return None
    plan = (await plans.read_as_held(act.connection, {row.plan}))[row.plan].plan
    limit = plan.throughput
    if limit is None or not plan.takes_override:
        return None
    amount = limit.amount if row.throughput_override is None else row.throughput_override
    return max(1, amount * percent // _HUNDRED) if amount > 0 else None
