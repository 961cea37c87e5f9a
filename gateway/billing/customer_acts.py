"""What customers do with what they have bought, where the provider has a part in it."""

from typing import NoReturn

from gateway.billing.checkout import customer_of
from gateway.billing.looking_after import looked_at_after
from gateway.billing.pages import end_unpaid
from gateway.billing.sales import Sales, asking
from gateway.billing.settle import settle
from gateway.core.problems import Conflict
from gateway.core.sale import AgreementState, OrderState, PaymentState
from gateway.core.scope import Scope
from gateway.core.subscription import Event, Status
from gateway.payments.port import Account, Strange
from gateway.store import orders
from gateway.store.deeds import PortalOpened, note
from gateway.store.mandate import Mandate
from gateway.store.orders import PAYABLE
from gateway.store.rows import SubscriptionRow


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
            async with looked_at_after(sales, row):
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
    """Where what is due can be paid: it, before what is sold beside it. Raises ``Conflict`` if nothing is."""
    if row.provider != sales.provider.name or row.external_id is None:
        raise Conflict("This does not renew: there is nothing to pay again.")
    with asking():
        receipts = await sales.provider.receipts(agreement=row.external_id)
    due = [receipt for receipt in receipts if receipt.state is PaymentState.OPEN and receipt.pay_url is not None]
    if not due:
        raise Conflict("Nothing is due for this subscription.")
    return max(due, key=lambda each: (each.period_end_us is not None, each.created_us)).pay_url or ""


async def portal(sales: Sales, scope: Scope, user_id: str | None, return_url: str, by: Mandate) -> str:
    """A page of the provider's on which a customer manages cards and invoices. Raises a ``Problem``."""
    sales.check_return(return_url, "return_url")
    await note(sales.store, "portal.open", scope.id, PortalOpened(sales.provider.name), by, scope=scope)
    with asking():
        customer = await customer_of(sales, scope, user_id, by)
        return await sales.provider.portal(customer, return_url)
