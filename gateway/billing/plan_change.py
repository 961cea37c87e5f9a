"""Changing to another plan: what it would cost, and doing it for what was shown."""

from typing import NamedTuple, TypeGuard

from gateway.billing import once
from gateway.billing.checkout import item_of
from gateway.billing.looking_after import looked_at_after
from gateway.billing.sales import Sales, asking
from gateway.billing.settle import settle
from gateway.core.paid import dearer, runs_paid
from gateway.core.problems import Conflict, NotFound, Unavailable, Unprocessable
from gateway.core.sale import Agreement, AgreementState
from gateway.core.subscription import PlanVersion, Status
from gateway.payments.port import Item, Line, Preview, ProviderError, Scheduled
from gateway.store import orders, plans
from gateway.store.mandate import Mandate
from gateway.store.rows import SubscriptionRow

_SECOND_US = 1_000_000
_AGREED_IS_OFF = "The plan is as it was, and what was agreed for its next period is off: choose that again."
_IN_DOUBT = (
    "The payment provider cannot be reached just now. In a minute or two this shows whether the change was made, and "
    "whether what was agreed for the next period still holds: look at it again then."
)
_OFF = {"reason": "agreed_is_off"}
_PREVIEW_US = 15 * 60 * _SECOND_US
"""For so long a preview can be taken at its word: later the rest of the period is worth less."""


class Shown(NamedTuple):
    """What a preview has said: for which instant it was reckoned, and what is due now, and when it begins."""

    at_us: int
    amount_due: int
    begins_us: int | None = None
    amount_then: int | None = None


class _Wanted(NamedTuple):
    """The plan to change to; ``begins_us``: with the period that begins then, ``None``: at once."""

    item: Item
    begins_us: int | None


async def preview(sales: Sales, row: SubscriptionRow, plan_id: str, at_us: int) -> Preview:
    """What another plan would cost now. Raises a ``Problem``."""
    if _stays(row, plan_id):
        currency = (await orders.get(sales.store, row.id)).order.currency
        return Preview(0, currency, (), at_us)
    return await _costs(sales, row, await _other(sales, row, plan_id), at_us)


async def change(
    sales: Sales, row: SubscriptionRow, plan_id: str, by: Mandate, shown: Shown | None = None
) -> SubscriptionRow:
    """Change to another plan, for what ``preview`` has ``shown``; ``None``: for what it would say now.

    A dearer one now, another with the next period. Raises a ``Problem``: ``Conflict`` also if it would cost something
    else than was shown.
    """
    if _stays(row, plan_id):
        with asking():
            async with looked_at_after(sales, row):
                await sales.provider.stay(row.external_id or "")
            return (await settle(sales, row.id)).subscription
    wanted = await _other(sales, row, plan_id)
    async with once.moving(sales, row, wanted.item, by) as move:
        at_us = by.now_us if shown is None else _still_good(row, shown, by.now_us)
        with asking():
            if shown is not None:
                _check_price(await _costs(sales, row, wanted, at_us), shown)
            move.undone = False  # from here on it may be done, although no answer comes
            try:
                async with looked_at_after(sales, row) as after:
                    changed = await _changed(sales, row, wanted, at_us)
            except ProviderError as error:
                if _is_to(after.found, plan_id):  # only the answer was lost
                    return after.found
                move.undone = not error.retry
                if _lost(row, after.found):
                    raise Conflict(f"This change was not made. {_AGREED_IS_OFF}", content=_OFF) from error
                if after.found is None and row.next_plan_id is not None:
                    raise Unavailable(_IN_DOUBT) from error
                raise
            move.undone = plan_id not in (changed.plan_id, changed.next_plan_id)
            settled = (await settle(sales, row.id)).subscription
        if move.undone and _lost(row, settled):
            raise Conflict(f"The payment did not go through. {_AGREED_IS_OFF}", content=_OFF)
        if move.undone:
            raise Conflict(
                "The payment did not go through, so the plan is as it was. Pay what is due, or try another card."
            )
    return settled


def _is_to(row: SubscriptionRow | None, plan_id: str) -> TypeGuard[SubscriptionRow]:
    """Whether it is to a plan, now or from its next period on."""
    return row is not None and plan_id in (_plan_id(row), row.next_plan_id)


def _lost(before: SubscriptionRow, after: SubscriptionRow | None) -> bool:
    """Whether a change that was not made has cost what was agreed for the next period."""
    return after is not None and before.next_plan_id is not None and after.next_plan_id is None


def _plan_id(row: SubscriptionRow) -> str | None:
    return row.plan.plan_id if isinstance(row.plan, PlanVersion) else None


def _stays(row: SubscriptionRow, plan_id: str) -> bool:
    """Whether what was agreed for the next period is to be taken back."""
    return row.next_plan_id is not None and _plan_id(row) == plan_id


async def _changed(sales: Sales, row: SubscriptionRow, wanted: _Wanted, at_us: int) -> Agreement:
    if wanted.begins_us is not None:
        return await sales.provider.change_later(row.external_id or "", wanted.item)
    key = f"change-{row.id}-{wanted.item.plan_id}-{at_us // _SECOND_US}"  # as exact as what is asked for
    return await sales.provider.change(row.external_id or "", wanted.item, at_us, key)


async def _costs(sales: Sales, row: SubscriptionRow, wanted: _Wanted, at_us: int) -> Preview:
    item = wanted.item
    if wanted.begins_us is not None:
        return Preview(0, item.currency, (Line(item.name, item.amount),), at_us, wanted.begins_us, item.amount)
    with asking():
        return await sales.provider.preview(row.external_id or "", item, at_us)


def _check_price(costs: Preview, shown: Shown) -> None:
    """Raises ``Conflict`` if a change costs something else than was ``shown``, now or then, or begins another time."""
    due = {"amount_due": costs.amount_due, "amount_then": costs.amount_then, "currency": costs.currency}
    if costs.amount_due != shown.amount_due or costs.amount_then != shown.amount_then:
        reason = "This costs something else by now. Look at it again."
    elif costs.begins_us != shown.begins_us:
        reason = "This begins at another time by now. Look at it again."
    else:
        return
    raise Conflict(reason, content={"reason": "preview_changed", **due})


def _still_good(row: SubscriptionRow, shown: Shown, now_us: int) -> int:
    """The instant that a preview was reckoned for. Raises ``Conflict`` if that is too long ago, or not yet."""
    renewed = row.period_end_us is not None and shown.at_us < row.period_end_us <= now_us
    if renewed or not now_us - _PREVIEW_US <= shown.at_us <= now_us + _SECOND_US:
        raise Conflict("This preview is too old. Look at it again.", content={"reason": "preview_too_old"})
    return min(shown.at_us, now_us)


async def _other(sales: Sales, row: SubscriptionRow, plan_id: str) -> _Wanted:
    """The plan to change to, at its price in the currency of the order, and when it begins."""
    if row.provider != sales.provider.name or row.external_id is None or not isinstance(row.plan, PlanVersion):
        raise Conflict("Only a subscription that renews can change its plan. Buy the other one.")
    if row.status not in (Status.ACTIVE, Status.TRIALING):
        raise Conflict("A subscription that is not paid cannot change its plan. Pay first.")
    if plan_id in (row.plan.plan_id, row.next_plan_id):
        raise Conflict("This is its plan already, or will be with its next period.")
    plan = await plans.get(sales.store, plan_id)
    if plan.is_custom or not plan.active:
        raise NotFound("There is no such plan.")
    currency = (await orders.get(sales.store, row.id)).order.currency
    for price in plan.prices:
        if price.currency == currency:
            if row.status is Status.TRIALING and plan.slug not in sales.policy.trials:
                raise once.no_trial()
            item = item_of(plan, price, "subscription")
            return _Wanted(item, await _begins(sales, row.external_id, item))
    raise Unprocessable(f"That plan has no price in {currency}, in which this is paid.")


async def _begins(sales: Sales, agreement_id: str, item: Item) -> int | None:
    """When a change begins. Raises ``Conflict`` while the period that runs is not paid: none of it can be given back.

    And while somebody else has scheduled something for it.

    A renewal is charged about an hour after its period has begun; the row does not know of that period before.
    """
    with asking():
        agreement = await sales.provider.agreement(agreement_id)
        if agreement.scheduled:
            raise Scheduled
        paid = runs_paid(agreement, await sales.provider.receipts(agreement=agreement_id))
    if not paid:
        raise Conflict(
            "The period that runs now is not paid yet: a renewal is charged about an hour after it begins. Try again "
            "then.",
            content={"reason": "renewal_under_way"},
        )
    if agreement.state is AgreementState.TRIALING or dearer(agreement, item.amount, item.days):
        return None
    if agreement.stopping:
        raise Conflict(
            "This ends with its period, and that plan would begin with the next one. Take it up again first.",
            content={"reason": "stopping"},
        )
    return agreement.period_end_us
