"""Buying and paying: checkouts, and what customers do with what they have bought, at the payment provider."""

from gateway.api.call import Call
from gateway.api.checkout_models import (
    ChangePreview,
    Checkout,
    CheckoutRequest,
    PlanChange,
    PlanChangeOrder,
    Portal,
    PortalRequest,
    PreviewLine,
    Urls,
)
from gateway.api.desk import Desk
from gateway.api.fields import ById
from gateway.api.owned import owned
from gateway.api.reply import TEXT, Reply
from gateway.api.route import Policy, Who, route
from gateway.api.subscription_models import Subscription
from gateway.api.subscriptions import told_reply
from gateway.billing import checkout, customer_acts, plan_change
from gateway.billing.checkout import Page, Purchase
from gateway.billing.plan_change import Shown
from gateway.billing.sales import Sales
from gateway.core.problems import Forbidden, Unavailable, Unprocessable
from gateway.core.scope import Scope


async def start_checkout(call: Call, desk: Desk) -> Reply:
    """Order a plan, and get the page on which it is paid."""
    said, sales = call.body(CheckoutRequest), selling(desk)
    if call.caller.workspace is None and said.scope == "workspace":
        raise Forbidden("Name the workspace in the request's workspace header, so that it is seen who may buy for it.")
    if said.workspace_id is not None and call.caller.workspace not in (None, said.workspace_id):
        problem = "is not the workspace that the request's workspace header names"
        fault = {"field": "workspace_id", "problem": problem}
        raise Unprocessable(f"For whom is this? workspace_id {problem}.", content={"fields": [fault]})
    user = buyer(call)
    scope = call.caller.scope if call.caller.workspace is not None else Scope("user", user)
    purchase = Purchase(
        plan_id=said.plan_id,
        currency=said.currency,
        scope=scope,
        user_id=user,
        mode=said.payment_mode,
        success_url=said.success_url,
        cancel_url=said.cancel_url,
    )
    return _page(await checkout.buy(sales, purchase, call.mandate))


async def resume_checkout(call: Call, desk: Desk) -> Reply:
    """The page of an order that is not paid yet."""
    said, sales = call.body(Urls), selling(desk)
    row, _ = await owned(call, desk, call.query(ById).id)
    return _page(await checkout.resume(sales, row, said.success_url, said.cancel_url, call.mandate))


async def sync_subscription(call: Call, desk: Desk) -> Reply:
    """See at the payment provider how a subscription stands."""
    row, _ = await owned(call, desk, call.query(ById).id, Policy.READ)
    return await told_reply(desk, await customer_acts.sync(selling(desk), row))


async def change_plan(call: Call, desk: Desk) -> Reply:
    """Change to another plan, for what the preview said: a dearer one now, another with the next period.

    To the plan that it is to now: what was chosen for the next period is taken back.
    """
    row, _ = await owned(call, desk, call.params["id"])
    said = call.body(PlanChangeOrder)
    shown = Shown(said.shown_at, said.amount_due, said.begins_at, said.amount_then)
    return await told_reply(desk, await plan_change.change(selling(desk), row, said.plan_id, call.mandate, shown))


async def retry_payment(call: Call, desk: Desk) -> Reply:
    """Where to pay what is due for a subscription whose renewal failed."""
    row, _ = await owned(call, desk, call.query(ById).id)
    return Reply((await customer_acts.pay_url(selling(desk), row)).encode(), type=TEXT)


async def preview_change(call: Call, desk: Desk) -> Reply:
    """What another plan would cost now."""
    row, _ = await owned(call, desk, call.params["id"])
    found = await plan_change.preview(selling(desk), row, call.body(PlanChange).plan_id, call.now_us)
    lines = [PreviewLine(description=line.description, amount=line.amount) for line in found.lines]
    return Reply(
        ChangePreview(
            amount_due=found.amount_due,
            currency=found.currency,
            lines=lines,
            shown_at=found.at_us,
            begins_at=found.begins_us,
            amount_then=found.amount_then,
        )
    )


async def open_portal(call: Call, desk: Desk) -> Reply:
    """A page of the provider's on which cards and invoices are managed."""
    url = call.body(PortalRequest).return_url
    return Reply(
        Portal(url=await customer_acts.portal(selling(desk), call.caller.scope, call.caller.user, url, call.mandate))
    )


def selling(desk: Desk) -> Sales:
    """What sells. Raises ``Unavailable`` where nothing is sold, as a wacraft server answers then."""
    if desk.sales is None:
        raise Unavailable("Nothing is sold here: no payment provider is configured (`payments`).")
    return desk.sales


def buyer(call: Call) -> str:
    """Who buys. Raises ``Forbidden`` for a credential that is no user's."""
    if call.caller.user is None:
        raise Forbidden("A user buys, for themselves or for a workspace: use a user's credential.")
    return call.caller.user


def _page(page: Page) -> Reply:
    shown = Checkout(checkout_url=page.url, external_id=page.external_id, subscription_id=page.subscription_id)
    return Reply(shown)


ROUTES = (
    route(
        "POST",
        "/subscription/checkout",
        start_checkout,
        who=Who.USER,
        policy=Policy.MANAGE,
        takes=CheckoutRequest,
        tells=Checkout,
    ),
    route(
        "POST",
        "/subscription/checkout-url",
        resume_checkout,
        who=Who.USER,
        policy=Policy.MANAGE,
        asks=ById,
        takes=Urls,
        tells=Checkout,
    ),
    route(
        "POST",
        "/subscription/retry",
        retry_payment,
        who=Who.USER,
        policy=Policy.MANAGE,
        asks=ById,
        media="text/plain",
    ),
    route(
        "POST",
        "/subscription/{id}/preview",
        preview_change,
        who=Who.USER,
        policy=Policy.MANAGE,
        takes=PlanChange,
        tells=ChangePreview,
    ),
    route(
        "POST",
        "/subscription/sync",
        sync_subscription,
        who=Who.USER,
        policy=Policy.READ,
        asks=ById,
        tells=Subscription,
    ),
    route(
        "POST",
        "/subscription/{id}/change",
        change_plan,
        who=Who.USER,
        policy=Policy.MANAGE,
        takes=PlanChangeOrder,
        tells=Subscription,
    ),
    route("POST", "/portal", open_portal, who=Who.USER, policy=Policy.MANAGE, takes=PortalRequest, tells=Portal),
)
