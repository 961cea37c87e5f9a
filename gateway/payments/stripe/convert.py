"""Stripe's objects as values of ours. Read defensively: what we do not need is not looked at."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gateway.core.sale import (
    Agreement,
    AgreementState,
    Dispute,
    Mode,
    Order,
    OrderState,
    PaymentState,
    Receipt,
    Tag,
)
from gateway.core.scope import Scope
from gateway.payments.port import ProviderError
from gateway.payments.stripe import lines, phases
from gateway.payments.stripe.amounts import from_stripe
from gateway.payments.stripe.catalog import plan_of_product

Json = Mapping[str, Any]
_SECOND_US = 1_000_000

_AGREEMENTS = {
    "incomplete": AgreementState.INCOMPLETE,
    "incomplete_expired": AgreementState.ENDED,
    "trialing": AgreementState.TRIALING,
    "active": AgreementState.ACTIVE,
    "past_due": AgreementState.PAST_DUE,
    "unpaid": AgreementState.UNPAID,
    "paused": AgreementState.PAUSED,
    "canceled": AgreementState.ENDED,
}
_INVOICES = {
    "open": PaymentState.OPEN,
    "paid": PaymentState.PAID,
    "void": PaymentState.VOID,
    "uncollectible": PaymentState.VOID,
}
_UNITS = {"day": 1, "week": 7, "month": 30, "year": 365}
_INTENTS = {"succeeded": PaymentState.PAID, "processing": PaymentState.PROCESSING, "canceled": PaymentState.VOID}
_DISPUTES = {"lost": Dispute.LOST, "won": Dispute.WON, "needs_response": Dispute.OPEN, "under_review": Dispute.OPEN}
"""A warning is an inquiry: no money has moved."""


def instant(seconds: int | None) -> int | None:
    """Stripe's seconds as microseconds."""
    return None if seconds is None else seconds * _SECOND_US


def id_of(value: object) -> str | None:
    """The id of what is there as an id or, expanded, as the object."""
    if isinstance(value, Mapping):
        value = value.get("id")
    return value if isinstance(value, str) else None


def metadata(tag: Tag, app: str) -> dict[str, str]:
    """A tag as it is written on Stripe's objects."""
    said = {
        "app": app,
        "subscription_id": tag.subscription,
        "plan_id": tag.plan_id,
        "scope": tag.scope.kind,
        "scope_id": tag.scope.id,
    }
    return said if tag.user_id is None else {**said, "user_id": tag.user_id}


def tag_of(said: object, app: str) -> Tag | None:
    """The tag in an object's metadata; ``None``: it is not ours."""
    if not isinstance(said, Mapping) or said.get("app") != app:
        return None
    found = [said.get(name) for name in ("subscription_id", "plan_id", "scope", "scope_id")]
    if not all(isinstance(each, str) and each for each in found):
        return None
    subscription, plan_id, kind, scope_id = map(str, found)
    return Tag(subscription, plan_id, Scope(kind, scope_id), said.get("user_id"))


def order(session: Json, app: str) -> Order:
    """A Checkout Session; ``payment_intent`` is best expanded."""
    mode: Mode = "subscription" if session["mode"] == "subscription" else "payment"
    return Order(
        id=session["id"],
        state=_order_state(session),
        mode=mode,
        tag=tag_of(session.get("metadata"), app),
        url=session.get("url"),
        agreement=id_of(session.get("subscription")),
        payment=id_of(session.get("payment_intent")) if mode == "payment" else None,
    )


def _order_state(session: Json) -> OrderState:
    match session.get("status"):
        case "open":
            return OrderState.OPEN
        case "expired":
            return OrderState.EXPIRED
    if session["payment_status"] != "unpaid":
        return OrderState.PAID
    intent = session.get("payment_intent")
    if isinstance(intent, Mapping) and intent["status"] in ("requires_payment_method", "canceled"):
        return OrderState.FAILED
    return OrderState.PROCESSING


def only_item(subscription: Json) -> Json:
    """What a subscription is to. Raises ``ProviderError`` if it is to several things."""
    items = subscription["items"]["data"]
    if len(items) != 1:
        raise ProviderError("This subscription has several items at Stripe; change it there.", code="items")
    found: Json = items[0]
    return found


def agreement(subscription: Json, app: str) -> Agreement:
    """A Subscription. Its period is that of its items: since 2025-03-31 it has none of its own."""
    items = subscription["items"]["data"]
    price, schedule = items[0]["price"] if items else {}, phases.running(subscription)
    ends_at, until = subscription.get("cancel_at"), max(item["current_period_end"] for item in items)
    return Agreement(
        id=subscription["id"],
        state=_AGREEMENTS.get(subscription["status"], AgreementState.INCOMPLETE),
        tag=tag_of(subscription.get("metadata"), app),
        plan_id=_plan_of_price(price),
        period_start_us=min(item["current_period_start"] for item in items) * _SECOND_US,
        period_end_us=until * _SECOND_US,
        # A portal, or flexible billing, says the same as an instant.
        stopping=bool(subscription["cancel_at_period_end"]) or (ends_at is not None and ends_at <= until),
        next_plan_id=phases.agreed_next(schedule, app),
        scheduled=schedule is not None and not phases.is_ours(schedule, app),
        amount=from_stripe(price["unit_amount"], price["currency"]) if price.get("unit_amount") is not None else None,
        days=_days(price.get("recurring") or {}),
        ended_us=instant(subscription.get("ended_at")),
    )


def _plan_of_price(price: Json) -> str | None:
    """The plan whose product it is: the id of a product cannot be edited, as a price's metadata can."""
    of_product = plan_of_product(id_of(price.get("product")) or "")
    return of_product or (price.get("metadata") or {}).get("plan_id")


def _days(recurring: Json) -> int:
    return _UNITS.get(recurring.get("interval", ""), 0) * int(recurring.get("interval_count", 0))


def bought_once(intent: Json, disputes: Iterable[Json]) -> Receipt:
    """A PaymentIntent with its ``latest_charge`` expanded."""
    charge, currency = intent.get("latest_charge"), intent["currency"]
    charge = charge if isinstance(charge, Mapping) else {}
    state = _INTENTS.get(intent["status"], PaymentState.OPEN)
    return Receipt(
        id=intent["id"],
        state=state,
        amount=from_stripe(intent["amount"], currency),
        currency=currency,
        created_us=intent["created"] * _SECOND_US,
        paid_us=instant(charge.get("created")) if state is PaymentState.PAID else None,
        description=intent.get("description"),
        **_of_charges([charge] if charge else [], disputes),
    )


def agreed(invoice: Json, charges: Iterable[Json], disputes: Iterable[Json]) -> Receipt | None:
    """An Invoice of a Subscription with its ``payments`` expanded; ``None``: a draft, nobody owes it yet."""
    state = _INVOICES.get(invoice.get("status") or "")
    if state is None:
        return None
    currency, found = invoice["currency"], invoice["lines"]["data"]
    bought = lines.bought(found)
    until = max((line["period"]["end"] for line in bought), default=None)
    paid_with = _paid_with(invoice)
    due = invoice["amount_paid"] if state is PaymentState.PAID else invoice["amount_due"]
    return Receipt(
        id=invoice["id"],
        state=state,
        amount=from_stripe(due, currency),
        currency=currency,
        created_us=invoice["created"] * _SECOND_US,
        paid_us=instant(invoice["status_transitions"].get("paid_at")),
        period_start_us=instant(min((line["period"]["start"] for line in bought), default=None)),
        period_end_us=instant(until),
        description=invoice.get("description") or next((each.get("description") for each in (*bought, *found)), None),
        pay_url=invoice.get("hosted_invoice_url") if state is PaymentState.OPEN else None,
        plan_id=next((plan for line in bought if (plan := lines.plan_of(line)) is not None), None),
        credited=(invoice.get("starting_balance") or 0) < 0 or any(line["amount"] < 0 for line in found),
        changes=lines.changes(found, bought, due),
        **_of_charges([each for each in charges if each["paid"] and not paid_with.isdisjoint(_names(each))], disputes),
    )


def _paid_with(invoice: Json) -> set[str]:
    """The ids of the payments and charges that paid an invoice; what was paid past Stripe has none."""
    payments = [each["payment"] for each in (invoice.get("payments") or {"data": []})["data"]]
    return {name for each in payments for kind in ("payment_intent", "charge") if (name := id_of(each.get(kind)))}


def _names(charge: Json) -> set[str]:
    return {name for name in (charge["id"], id_of(charge.get("payment_intent"))) if name}


def tag_of_invoice(invoice: Json, app: str) -> Tag | None:
    """The tag of the Subscription that an Invoice is of, as it was when the Invoice was made."""
    details = (invoice.get("parent") or {}).get("subscription_details") or {}
    return tag_of(details.get("metadata"), app)


def subscription_of(invoice: Json) -> str | None:
    """The Subscription that an Invoice is of: named in ``parent`` since 2025-03-31."""
    parent = invoice.get("parent") or {}
    return id_of((parent.get("subscription_details") or {}).get("subscription"))


def _of_charges(charges: Sequence[Json], disputes: Iterable[Json]) -> dict[str, Any]:
    """What became of the money: of all charges together, where a payment took several."""
    if not charges:
        return {}
    ids = {charge["id"] for charge in charges}
    of_them = [_DISPUTES.get(each["status"], Dispute.NONE) for each in disputes if id_of(each["charge"]) in ids]
    last = max(charges, key=lambda charge: charge["created"])
    return {
        "refunded": sum(from_stripe(charge["amount_refunded"], charge["currency"]) for charge in charges),
        "dispute": next((each for each in (Dispute.LOST, Dispute.OPEN, Dispute.WON) if each in of_them), Dispute.NONE),
        "method": (last.get("payment_method_details") or {}).get("type"),
        "receipt_url": last.get("receipt_url"),
    }
