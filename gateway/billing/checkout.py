"""Buying: an order of ours first, then a page of the provider's on which it is paid.

The order is there before anybody can pay, so a payment always finds it. The page's key is that of our row: asking
twice, or again because an answer was lost, opens one page.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import NamedTuple

from gateway.billing import once, pages
from gateway.billing.sales import Sales, asking
from gateway.billing.settle import settle
from gateway.core.problems import Conflict, NotFound, Problem, Unprocessable
from gateway.core.sale import Mode, Order, Tag
from gateway.core.scope import Scope
from gateway.core.subscription import PlanVersion, Status
from gateway.payments.port import Item, Wish
from gateway.store import customers, orders, plans, subscriptions
from gateway.store.mandate import Mandate
from gateway.store.orders import CheckoutRow, Ordered, Placed
from gateway.store.rows import PlanRow, PriceRow, SubscriptionRow
from gateway.store.store import Act

_BEGUN = (Status.ACTIVE, Status.TRIALING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """What a customer wants to buy, for whom, and where to come back to. ``currency`` ``None``: the plan's default."""

    plan_id: str
    currency: str | None
    scope: Scope
    user_id: str
    mode: Mode
    success_url: str
    cancel_url: str


class Page(NamedTuple):
    """Where to pay. ``url`` empty: nowhere (any more), it may be paid already."""

    url: str
    external_id: str
    subscription_id: str


async def buy(sales: Sales, purchase: Purchase, by: Mandate) -> Page:
    """Order it, and open a page. Older pages for the same scope are closed.

    Raises ``NotFound`` (plan), ``Conflict`` (inactive, no price, being paid already), ``Unprocessable`` (URLs), and
    what ``asking`` raises.
    """
    sales.check_return(purchase.success_url, "success_url")
    sales.check_return(purchase.cancel_url, "cancel_url")
    plan = await plans.get(sales.store, purchase.plan_id)
    price = _price(plan, purchase.currency)
    with asking():
        seller = (await sales.provider.admitted()).name
    held, page, others = await _ordered(sales, purchase, plan, price, seller, by)
    closed = [each for other in others if (each := await pages.close_older(sales, other)) is not None]
    same = [each for each in closed if _wish_of(each.held) == _wish_of(held)]
    waits = any(each.waits for each in same)
    paid = purchase.mode == "subscription" and any(each.held.subscription.status in _BEGUN for each in same)
    if waits or paid:
        if page.external_id is None:
            await pages.withdraw(sales, page, by)
        await pages.close_older(sales, held)
        pages.refuse_second() if waits else pages.refuse_paid()
    return await _open(sales, held.subscription, page, item_of(plan, price, purchase.mode), by)


async def resume(sales: Sales, row: SubscriptionRow, success_url: str, cancel_url: str, by: Mandate) -> Page:
    """The page of an order that waits for its payment; a new one if the last has closed. Raises as ``buy``."""
    sales.check_return(success_url, "success_url")
    sales.check_return(cancel_url, "cancel_url")
    with asking():
        row = (await settle(sales, row.id)).subscription
    held = await orders.get(sales.store, row.id)
    if pages.under_way(held):
        pages.refuse_second()
    if row.status is not Status.PENDING or not isinstance(row.plan, PlanVersion):
        return Page("", row.checkout_id or "", row.id)
    plan = await plans.get(sales.store, row.plan.plan_id)
    if plan.version != row.plan.version:
        raise Conflict("This plan has changed since it was ordered. Order it again.")
    price = _price(plan, held.order.currency)
    page = pages.usable(held, by.now_us, None)
    if page is None:
        page = await _instead(sales, held, (success_url, cancel_url), by)
        if page is None:
            return Page("", row.checkout_id or "", row.id)  # it was paid just now: there is nothing to pay twice
    return await _open(sales, row, page, item_of(plan, price, row.mode), by)


async def _instead(sales: Sales, held: Ordered, urls: tuple[str, str], by: Mandate) -> CheckoutRow | None:
    """A page in the place of the older ones, which are closed; ``None``: the order was paid meanwhile.

    It is there before they are closed, so that the order is not dropped with the last of them.
    """
    async with sales.store.write(by) as act:
        page = await pages.new(act, held.subscription.id, sales, urls)
    try:
        with asking():
            now, waits = await pages.close(sales, held)
    except Problem:
        await pages.withdraw(sales, page, by)
        raise
    if now.subscription.status is Status.PENDING and not waits:
        return page
    await pages.withdraw(sales, page, by)
    if waits:
        pages.refuse_second()
    return None


def item_of(plan: PlanRow, price: PriceRow, mode: Mode) -> Item:
    """A plan at a price, as a provider sells it."""
    return Item(
        plan_id=plan.id,
        slug=plan.slug,
        name=plan.name,
        description=plan.description,
        currency=price.currency,
        amount=price.amount,
        days=plan.terms.duration_days,
        mode=mode,
    )


def _price(plan: PlanRow, currency: str | None) -> PriceRow:
    if plan.is_custom:
        raise NotFound("There is no such plan.")  # made for somebody: an admin gives it
    if not plan.active:
        raise Conflict("This plan is not sold any more.")
    wanted = None if currency is None else currency.lower()
    for price in plan.prices:
        if price.currency == wanted or (wanted is None and price.is_default):
            return price
    said = "no default price; name a currency" if wanted is None else f"no price in {wanted}"
    raise Unprocessable(f"This plan has {said}.", content={"fields": [{"field": "currency", "problem": said}]})


async def _check_currency(act: Act, sales: Sales, purchase: Purchase, currency: str) -> None:
    """A provider's customer has one currency for all that renews. Raises ``Conflict`` for another one."""
    others = await orders.renewing_in(act.connection, purchase.scope, sales.provider.name) - {currency}
    if others:
        known = ", ".join(sorted(others))
        raise Conflict(
            f"What renews for one customer is paid in one currency, here {known}. Choose that, or buy this once.",
            content={"reason": "other_currency", "currencies": sorted(others)},
        )


async def _ordered(
    sales: Sales, purchase: Purchase, plan: PlanRow, price: PriceRow, seller: str, by: Mandate
) -> tuple[Ordered, CheckoutRow, Sequence[Ordered]]:
    """The order and the page to be opened, and the orders whose place it takes. One transaction: two clicks see one."""
    urls = (purchase.success_url, purchase.cancel_url)
    version = PlanVersion(plan.id, plan.version)
    wish = (version, purchase.mode, price.currency, price.amount)
    async with sales.store.write(by) as act:
        if purchase.mode == "subscription":
            await _check_currency(act, sales, purchase, price.currency)
        waiting = await orders.waiting(act.connection, purchase.scope, purchase.user_id, sales.provider.name, seller)
        same = [held for held in waiting if _wish_of(held) == wish]
        if any(map(pages.under_way, same)):
            pages.refuse_second()
        for held in same:
            if (page := pages.usable(held, by.now_us, urls)) is not None:
                return held, page, [other for other in waiting if other is not held]
        placed = Placed(
            plan=version,
            scope=purchase.scope,
            user_id=purchase.user_id,
            mode=purchase.mode,
            provider=sales.provider.name,
            currency=price.currency,
            amount=price.amount,
            account=seller,
        )
        row = await orders.place(act, placed)
        page = await pages.new(act, row.id, sales, urls)
        await orders.set_order(act, row.id, due_us=by.now_us + sales.policy.pending_us)
        return await orders.read(act.connection, row.id), page, waiting


def _wish_of(held: Ordered) -> tuple[object, ...]:
    row, order = held.subscription, held.order
    return row.plan, row.mode, order.currency, order.amount


async def _open(sales: Sales, row: SubscriptionRow, page: CheckoutRow, item: Item, by: Mandate) -> Page:
    """Have the page opened, unless it is. Lost answers cost nothing: the same key gives the same page."""
    if page.external_id is not None and page.url is not None:
        return Page(page.url, page.external_id, row.id)
    async with sales.turn(f"open {page.id}"):
        trial_days = await once.offered(sales, row, page, item, by)
        with asking():
            order = await _opened(sales, row, replace(page, trial_days=trial_days), item, by)
        async with sales.store.write(by) as act:
            before = (await orders.read(act.connection, row.id)).checkouts
            replaced = any(each.id == page.id and each.state == "expired" for each in before)
            values = {"external_id": order.id, "url": order.url, "state": order.state.value}
            await orders.set_checkout(act, page.id, **values)
            held = await orders.read(act.connection, row.id)
            if held.subscription.status is Status.PENDING:
                named = lambda old: subscriptions.renamed(old, order.id)  # noqa: E731
                await subscriptions.change(act, held.subscription, named, "order")
        if replaced:
            with asking():
                await pages.close_opened(sales, row.id, order.id)
    return Page(order.url or "", order.id, row.id)


async def _opened(sales: Sales, row: SubscriptionRow, page: CheckoutRow, item: Item, by: Mandate) -> Order:
    customer = await customer_of(sales, row.scope, row.user_id, by)
    wish = Wish(
        key=f"checkout-{page.id}",
        tag=Tag(row.id, item.plan_id, row.scope, row.user_id),
        item=item,
        customer=customer,
        success_url=page.success_url,
        cancel_url=page.cancel_url,
        expires_us=page.expires_us,
        trial_days=page.trial_days or 0,
    )
    return await sales.provider.open_order(wish)


async def customer_of(sales: Sales, scope: Scope, user_id: str | None, by: Mandate) -> str:
    """Who the scope is at the provider: a customer per user and per workspace. Raises ``ProviderError``."""
    name = sales.provider.name
    async with sales.turn(f"customer {scope}"):
        known = await customers.find(sales.store, name, scope)
        # An id may be as long as a key may be: hashed, it always fits.
        key = blake2b(f"{scope} {known}".encode(), digest_size=16).hexdigest()
        found = await sales.provider.ensure_customer(known, scope, user_id, f"customer-{key}")
        if found != known:
            await customers.put(sales.store, name, scope, found, by)
    return found
