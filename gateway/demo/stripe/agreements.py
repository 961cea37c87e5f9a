"""Subscriptions and invoices as objects, and the calendar of their periods."""

import calendar
from datetime import UTC, datetime
from typing import Any

from gateway.demo.stripe.objects import Object, listed

_SECONDS = {"day": 86_400, "week": 7 * 86_400}
_MONTHS = {"month": 1, "year": 12}
_LINES = 10
"""So many an invoice itself shows; the others are asked for."""


def next_end(start: int, recurring: Object) -> int:
    """When a period that starts at ``start`` ends."""
    count, unit = recurring["interval_count"], recurring["interval"]
    if unit in _SECONDS:
        return int(start + count * _SECONDS[unit])
    at = datetime.fromtimestamp(start, UTC)
    months = at.year * 12 + at.month - 1 + count * _MONTHS[unit]
    year, month = divmod(months, 12)
    day = min(at.day, calendar.monthrange(year, month + 1)[1])
    return int(at.replace(year=year, month=month + 1, day=day).timestamp())


def subscription(id_: str, item_id: str, now: int, *, customer: str, price: Object, said: Object) -> Object:
    """A subscription to one price, incomplete until it is paid."""
    trial_days = int(said.get("trial_period_days", 0))
    end = now + trial_days * 86_400 if trial_days else next_end(now, price["recurring"])
    return {
        "id": id_,
        "object": "subscription",
        "automatic_tax": {"enabled": False, "liability": None, "disabled_reason": None},
        "billing_cycle_anchor": end if trial_days else now,
        "billing_mode": {"type": "flexible", "flexible": None},
        "billing_schedules": [],
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "collection_method": "charge_automatically",
        "created": now,
        "currency": price["currency"],
        "customer": customer,
        "description": said.get("description"),
        "discounts": [],
        "ended_at": None,
        "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
        "items": listed([item(item_id, now, id_, price, now, end)], f"/v1/subscription_items?subscription={id_}"),
        "latest_invoice": None,
        "livemode": False,
        "metadata": said.get("metadata") or {},
        "pending_update": None,
        "start_date": now,
        "status": "trialing" if trial_days else "incomplete",
        "trial_end": end if trial_days else None,
        "trial_settings": said.get("trial_settings"),
        "trial_start": now if trial_days else None,
    }


def item(id_: str, now: int, of: str, price: Object, start: int, end: int) -> Object:
    """What a subscription is to, and its present period."""
    return {
        "id": id_,
        "object": "subscription_item",
        "created": now,
        "current_period_end": end,
        "current_period_start": start,
        "discounts": [],
        "metadata": {},
        "price": price,
        "quantity": 1,
        "subscription": of,
        "tax_rates": [],
    }


def line(
    id_: str, amount: int, currency: str, description: str, *, period: tuple[int, int], price: Object | None = None
) -> Object:
    """A line of an invoice. ``period``: its start and its end."""
    priced = price and {
        "type": "price_details",
        "price_details": {"price": price["id"], "product": price["product"]},
        "unit_amount_decimal": str(price["unit_amount"]),
    }
    return {
        "id": id_,
        "object": "line_item",
        "amount": amount,
        "currency": currency,
        "description": description,
        "discountable": True,
        "discounts": [],
        "livemode": False,
        "metadata": {},
        "parent": None,
        "period": {"start": period[0], "end": period[1]},
        "pricing": priced,
        "subtotal": amount,
    }


def of_item(line_: Object, subscription: Object, *, proration: bool = False, credits_: str | None = None) -> Object:
    """The same as a line of a subscription's item. ``credits_``: the invoice of which it gives a part back."""
    credited = credits_ and {"invoice": credits_, "invoice_line_items": []}
    details = {
        "invoice_item": None,
        "proration": proration,
        "proration_details": {"credited_items": credited} if proration else None,
        "subscription": subscription["id"],
    }
    kind = "invoice_item_details" if proration else "subscription_item_details"
    own = {"invoice_item": line_["id"]} if proration else {"subscription_item": subscription["items"]["data"][0]["id"]}
    none = {"invoice_item_details": None, "subscription_item_details": None}
    return {**line_, "parent": {"type": kind, **none, kind: {**details, **own}}}


def beside(line_: Object) -> Object:
    """The same as a line of something that is sold beside a subscription."""
    details = {"invoice_item": line_["id"], "proration": False, "proration_details": None, "subscription": None}
    parent = {"type": "invoice_item_details", "invoice_item_details": details, "subscription_item_details": None}
    return {**line_, "parent": parent}


def invoice(id_: str, now: int, *, customer: Object, currency: str, lines: list[Object], of: Object | None) -> Object:
    """A draft. What the customer has to their credit is taken off when it is made."""
    total = sum(each["amount"] for each in lines)
    due = max(total + min(customer["balance"], 0), 0)
    parent: Any = of and {
        "type": "subscription_details",
        "quote_details": None,
        "subscription_details": {"subscription": of["id"], "metadata": dict(of["metadata"])},
    }
    return {
        "id": id_,
        "object": "invoice",
        "amount_due": due,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_paid_off_stripe": 0,
        "amount_remaining": due,
        "amount_shipping": 0,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": True,
        "automatic_tax": {
            "enabled": False,
            "liability": None,
            "status": None,
            "disabled_reason": None,
            "provider": None,
        },
        "billing_reason": "manual",
        "collection_method": "charge_automatically",
        "created": now,
        "currency": currency,
        "customer": customer["id"],
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "hosted_invoice_url": None,
        "issuer": {"type": "self"},
        "lines": listed(lines[:_LINES], f"/v1/invoices/{id_}/lines", has_more=len(lines) > _LINES),
        "livemode": False,
        "metadata": {},
        "next_payment_attempt": None,
        "parent": parent,
        "payment_settings": {"default_mandate": None, "payment_method_options": None, "payment_method_types": None},
        "period_end": now,
        "period_start": now,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "starting_balance": customer["balance"],
        "status": "draft",
        "status_transitions": {
            "finalized_at": None,
            "marked_uncollectible_at": None,
            "paid_at": None,
            "voided_at": None,
        },
        "subtotal": total,
        "total": total,
    }


def invoice_payment(id_: str, now: int, of: Object, intent: str) -> Object:
    """That a PaymentIntent pays an invoice."""
    return {
        "id": id_,
        "object": "invoice_payment",
        "amount_paid": of["amount_due"],
        "amount_requested": of["amount_due"],
        "created": now,
        "currency": of["currency"],
        "invoice": of["id"],
        "is_default": True,
        "livemode": False,
        "payment": {"type": "payment_intent", "payment_intent": intent},
        "status": "paid",
        "status_transitions": {"canceled_at": None, "paid_at": now},
    }
