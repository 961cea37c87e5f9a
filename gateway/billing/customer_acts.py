"""What customers do with what they have bought, where the provider has a part in it."""

from typing import NamedTuple, NoReturn

from gateway.billing import once
from gateway.billing.checkout import customer_of, item_of
from gateway.billing.pages import end_unpaid
from gateway.billing.sales import Sales, asking
from gateway.billing.settle import settle
from gateway.core.paid import runs_paid
from gateway.core.problems import Conflict, NotFound, Unprocessable
from gateway.core.sale import AgreementState, OrderState, PaymentState
from gateway.core.scope import Scope
from gateway.core.subscription import Event, PlanVersion, Status
from gateway.payments.port import Account, Item, Preview, ProviderError, Strange
from gateway.store import orders, plans
from gateway.store.deeds import PortalOpened, note
from gateway.store.mandate import Mandate
from gateway.store.orders import PAYABLE
from gateway.store.rows import SubscriptionRow

_SECOND_US = 1_000_000
_PREVIEW_US = 15 * 60 * _SECOND_US
"""For so long a preview can be taken at its word: later the rest of the period is worth less."""


class Shown(NamedTuple):
    """What a preview has said: for which instant it was reckoned, and what was due. ``None``: the customer says not."""

    at_us: int
    amount_due: int | None = None


async def tell(sales: Sales, row: SubscriptionRow, event: Event) -> None:
    """The provider's part of stopping and of going on; ``END``: of an admin's end. Raises a ``Problem``."""
    if row.provider != sales.provider.name:
        raise Conflict(f"This was bought through {row.provider}, which this gateway does not know now.")
    with asking():
        if event is Event.END and await _unreal_elsewhere(sales, row):
            return
        if row.status is Status.PENDING:
            await _close_pages(sales, row)
        elif event is Event.END and row.mode == "payment":
            await _close_others(sales, row)
        elif row.external_id is not None:
            match event:
                case Event.STOP:
                    await sales.provider.stop(row.external_id)
                case Event.REACTIVATE:
                    await sales.provider.resume(row.external_id)
                case Event.END:
                    await sales.provider.end(row.external_id)


async def _unreal_elsewhere(sales: Sales, row: SubscriptionRow) -> bool:
    """Whether it was sold in a sandbox that the key is not of: nobody pays for it, so it can be ended here alone."""
    order = (await orders.get(sales.store, row.id)).order
    try:
        await sales.check_seller(order)
    except Strange:
        if order.account is None or not Account.named(order.account).test:
            raise
        await sales.provider.admitted()
        return True
    return False


async def _close_pages(sales: Sales, row: SubscriptionRow) -> None:
    """An order that is dropped can be paid no more. Raises ``Conflict`` if it was paid meanwhile."""
    for page in (await orders.get(sales.store, row.id)).checkouts:
        if page.external_id is None:
            continue
        if (await sales.provider.expire_order(page.external_id)).state in (OrderState.PAID, OrderState.PROCESSING):
            await _refuse_paid(sales, row)
    if await end_unpaid(sales, row) not in (None, AgreementState.ENDED):
        await _refuse_paid(sales, row)


async def _refuse_paid(sales: Sales, row: SubscriptionRow) -> NoReturn:
    await settle(sales, row.id)
    raise Conflict("This was paid just now, or is about to be.")


async def _close_others(sales: Sales, row: SubscriptionRow) -> None:
    """What was bought once and is ended is paid on no other page that its order has left."""
    for page in (await orders.get(sales.store, row.id)).checkouts:
        if page.external_id is not None and page.state in PAYABLE:
            await sales.provider.expire_order(page.external_id)


async def sync(sales: Sales, row: SubscriptionRow) -> SubscriptionRow:
    """See at the provider how it stands. Raises a ``Problem``."""
    if row.provider != sales.provider.name:
        raise Conflict("This was not bought through a payment provider: there is nothing to look up.")
    with asking():
        return (await settle(sales, row.id)).subscription


async def pay_url(sales: Sales, row: SubscriptionRow) -> str:
    """Where what is due can be paid. Raises ``Conflict`` if nothing is."""
    if row.provider != sales.provider.name or row.external_id is None:
        raise Conflict("This does not renew: there is nothing to pay again.")
    with asking():
        receipts = await sales.provider.receipts(agreement=row.external_id)
    due = [receipt for receipt in receipts if receipt.state is PaymentState.OPEN and receipt.pay_url is not None]
    if not due:
        raise Conflict("Nothing is due for this subscription.")
    return max(due, key=lambda receipt: receipt.created_us).pay_url or ""


async def preview(sales: Sales, row: SubscriptionRow, plan_id: str, at_us: int) -> Preview:
    """What another plan would cost now. Raises a ``Problem``."""
    item = await _other(sales, row, plan_id)
    with asking():
        return await sales.provider.preview(row.external_id or "", item, at_us)


async def change(
    sales: Sales, row: SubscriptionRow, plan_id: str, by: Mandate, shown: Shown | None = None
) -> SubscriptionRow:
    """Change to another plan now, for what ``preview`` has ``shown``; ``None``: for what it would say now.

    Raises a ``Problem``: ``Conflict`` also if it would cost something else than was shown.
    """
    item = await _other(sales, row, plan_id)
    async with once.moving(sales, row, item, by) as move:
        at_us = by.now_us if shown is None else _still_good(row, shown, by.now_us)
        with asking():
            if shown is not None and shown.amount_due is not None:
                await _check_price(sales, row, item, at_us, shown.amount_due)
            key = f"change-{row.id}-{plan_id}-{at_us // _SECOND_US}"  # as exact as what is asked for
            move.undone = False  # from here on it may be done, although no answer comes
            try:
                changed = await sales.provider.change(row.external_id or "", item, at_us, key)
            except ProviderError as error:
                move.undone = not error.retry
                raise
            move.undone = changed.plan_id != plan_id
            settled = (await settle(sales, row.id)).subscription
        if move.undone:
            raise Conflict(
                "The payment did not go through, so the plan is as it was. Pay what is due, or try another card."
            )
    return settled


async def _check_price(sales: Sales, row: SubscriptionRow, item: Item, at_us: int, shown: int) -> None:
    """Raises ``Conflict`` if a change costs something else than was ``shown``."""
    costs = await sales.provider.preview(row.external_id or "", item, at_us)
    if costs.amount_due != shown:
        raise Conflict(
            "This costs something else by now. Look at it again.",
            content={"reason": "preview_changed", "amount_due": costs.amount_due, "currency": costs.currency},
        )


def _still_good(row: SubscriptionRow, shown: Shown, now_us: int) -> int:
    """The instant that a preview was reckoned for. Raises ``Conflict`` if that is too long ago, or not yet."""
    renewed = row.period_end_us is not None and shown.at_us < row.period_end_us <= now_us
    if renewed or not now_us - _PREVIEW_US <= shown.at_us <= now_us + _SECOND_US:
        raise Conflict("This preview is too old. Look at it again.", content={"reason": "preview_too_old"})
    return min(shown.at_us, now_us)


async def portal(sales: Sales, scope: Scope, user_id: str | None, return_url: str, by: Mandate) -> str:
    """A page of the provider's on which a customer manages cards and invoices. Raises a ``Problem``."""
    sales.check_return(return_url, "return_url")
    await note(sales.store, "portal.open", scope.id, PortalOpened(sales.provider.name), by, scope=scope)
    with asking():
        customer = await customer_of(sales, scope, user_id, by)
        return await sales.provider.portal(customer, return_url)


async def _other(sales: Sales, row: SubscriptionRow, plan_id: str) -> Item:
    """The plan to change to, at its price in the currency of the order."""
    if row.provider != sales.provider.name or row.external_id is None or not isinstance(row.plan, PlanVersion):
        raise Conflict("Only a subscription that renews can change its plan. Buy the other one.")
    if row.status not in (Status.ACTIVE, Status.TRIALING):
        raise Conflict("A subscription that is not paid cannot change its plan. Pay first.")
    if row.plan.plan_id == plan_id:
        raise Conflict("This is its plan already.")
    plan = await plans.get(sales.store, plan_id)
    if plan.is_custom or not plan.active:
        raise NotFound("There is no such plan.")
    currency = (await orders.get(sales.store, row.id)).order.currency
    for price in plan.prices:
        if price.currency == currency:
            if row.status is Status.TRIALING and plan.slug not in sales.policy.trials:
                raise once.no_trial()
            await _check_paid(sales, row.external_id)
            return item_of(plan, price, "subscription")
    raise Unprocessable(f"That plan has no price in {currency}, in which this is paid.")


async def _check_paid(sales: Sales, agreement: str) -> None:
    """What is not paid cannot be given back for something else. Raises ``Conflict`` while the period is not paid yet.

    A renewal is charged about an hour after its period has begun; the row does not know of that period before.
    """
    with asking():
        if runs_paid(await sales.provider.agreement(agreement), await sales.provider.receipts(agreement=agreement)):
            return
    raise Conflict(
        "The period that runs now is not paid yet: a renewal is charged about an hour after it begins. Try again then.",
        content={"reason": "renewal_under_way"},
    )
