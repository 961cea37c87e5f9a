"""Stripe's events: whether one is Stripe's, what it is about, and whose that is."""

import hmac
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import orjson

from gateway.core.sale import Tag
from gateway.payments.port import BadSignature, Owner, Signal, Subject
from gateway.payments.stripe.catalog import named_by_us, plan_of_product
from gateway.payments.stripe.convert import id_of, subscription_of, tag_of, tag_of_invoice

TOLERANCE_US = 300_000_000
"""How old, or how far ahead of our clock, a delivery may be."""
_SECOND_US = 1_000_000
_SIGNATURES = 16
"""A header with more was not written by Stripe, which sends one per secret in use."""

EVENTS = (
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
    "customer.subscription.created",
    "customer.subscription.updated",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "customer.subscription.trial_will_end",
    "customer.subscription.pending_update_applied",
    "customer.subscription.pending_update_expired",
    "subscription_schedule.updated",
    "subscription_schedule.released",
    "invoice.paid",
    "invoice.payment_failed",
    "invoice.payment_action_required",
    "invoice.voided",
    "invoice.marked_uncollectible",
    "invoice.finalization_failed",
    "charge.refunded",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "product.created",
    "product.updated",
    "product.deleted",
    "price.created",
    "price.updated",
    "price.deleted",
)
"""What the webhook endpoint is to be subscribed to; all else is answered and forgotten."""

_SUBJECTS: Mapping[str, Subject] = {
    "checkout.session": "order",
    "subscription": "agreement",
    "subscription_schedule": "agreement",
    "invoice": "payment",
    "charge": "payment",
    "refund": "payment",
    "dispute": "payment",
    "payment_intent": "payment",
    "product": "catalog",
    "price": "catalog",
}

ALARMING = frozenset({"invoice.finalization_failed", "charge.dispute.created", "refund.failed"})
"""What a person has to see to: an invoice that cannot be made (tax), a dispute with its deadline, lost money."""


def verify(header: str, body: bytes, secrets: Sequence[str], now_us: int) -> None:
    """Raises ``BadSignature`` unless one of ``secrets`` signed this body lately (``t=…,v1=…[,v1=…]``)."""
    pairs = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    signed = [value for name, _, value in pairs if name == "v1"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit()) or not 0 < len(signed) <= _SIGNATURES:
        raise BadSignature
    if abs(now_us - int(times[0]) * _SECOND_US) > TOLERANCE_US:
        raise BadSignature
    text = times[0].encode() + b"." + body
    expected = [hmac.new(secret.encode(), text, "sha256").hexdigest() for secret in secrets]
    matches = [hmac.compare_digest(one.encode(), other.encode()) for one in expected for other in signed]
    if not any(matches):
        raise BadSignature


def signal_of(text: bytes | str) -> Signal:
    """An event. Raises ``ValueError`` for what is none."""
    try:
        event: dict[str, Any] = orjson.loads(text)
        about = event["data"]["object"]
        return Signal(
            key=str(event["id"]),
            kind=str(event["type"]),
            subject=_subject(event["type"], about),
            id=str(about.get("id", "")),
            created_us=int(event["created"]) * _SECOND_US,
            test=not event["livemode"],
            account=event.get("account"),
            text=text if isinstance(text, str) else text.decode(),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError("this is no event of Stripe's") from error


def _subject(kind: str, about: Mapping[str, Any]) -> Subject:
    """What an event is about; nothing of ours, if nobody has asked for it, or if it tells us what we did ourselves."""
    if kind not in EVENTS or (kind.endswith(".created") and _made_here(about)):
        return "other"
    return _SUBJECTS.get(about.get("object", ""), "other")


def _made_here(about: Mapping[str, Any]) -> bool:
    """Whether a product or a price has the name that we give it. Who takes a price's name away changes that one."""
    name = about.get("lookup_key") if about.get("object") == "price" else about.get("id")
    plan_id = (about.get("metadata") or {}).get("plan_id")
    return about.get("object") in ("product", "price") and bool(plan_id) and named_by_us(str(name), str(plan_id))


Trace = tuple[Literal["owner"], Owner] | tuple[Literal["intent"], str]


def traced(signal: Signal, app: str) -> Trace:
    """Whom an event is about as far as it says itself, or the payment intent that leads to them."""
    about = orjson.loads(signal.text)["data"]["object"]
    tag: Tag | None = tag_of(about.get("metadata"), app)
    named = None if tag is None else tag.subscription
    match about.get("object"):
        case "checkout.session" if tag is not None:
            return "owner", Owner(named, order=about["id"], agreement=id_of(about.get("subscription")))
        case "subscription":
            return "owner", Owner(named, agreement=about["id"])
        case "subscription_schedule":
            return "owner", Owner(agreement=id_of(about["subscription"]) or id_of(about["released_subscription"]))
        case "invoice":
            tag, of = tag_of_invoice(about, app), subscription_of(about)
            named = None if tag is None else tag.subscription
            return "owner", Owner(named, agreement=of, plan=_paid_for(about) if tag is None and of else None)
        case "charge" | "refund" | "dispute" | "payment_intent" if named is None:
            intent = about["id"] if about["object"] == "payment_intent" else id_of(about.get("payment_intent"))
            return ("owner", Owner()) if intent is None else ("intent", intent)
        case _:
            return "owner", Owner(named)


def _paid_for(invoice: Mapping[str, Any]) -> str | None:
    """The plan whose product was paid for, by whoever. Also what was sold by hand, in the dashboard, is on it."""
    if invoice.get("status") != "paid" or not invoice.get("amount_paid"):
        return None
    products = [((line.get("pricing") or {}).get("price_details") or {}).get("product") for line in _lines(invoice)]
    return next((plan for each in products if each and (plan := plan_of_product(str(each)))), None)


def _lines(invoice: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = (invoice.get("lines") or {}).get("data") or ()
    return found
