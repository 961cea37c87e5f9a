"""Invoices as objects, with their lines and payments."""

from typing import Any

from gateway.demo.stripe.objects import Object, listed

_LINES = 10
"""So many an invoice itself shows; the others are asked for."""


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
    return {
        "id": id_,
        "object": "invoice",
        "created": now,
        "currency": currency,
        "customer": customer["id"],
        "description": None,
        "lines": listed(lines[:_LINES], f"/v1/invoices/{id_}/lines", has_more=len(lines) > _LINES),
        "livemode": False,
        "metadata": {},
        "parent": _parent(of),
        "period_end": now,
        "period_start": now,
        "status": "draft",
        "status_transitions": dict.fromkeys(("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")),
        **_amounts(sum(each["amount"] for each in lines), customer["balance"]),
        **_collection(),
        **_unused(),
    }


def _parent(of: Object | None) -> Any:  # noqa: ANN401  (JSON)
    return of and {
        "type": "subscription_details",
        "quote_details": None,
        "subscription_details": {"subscription": of["id"], "metadata": dict(of["metadata"])},
    }


def _amounts(total: int, balance: int) -> Object:
    """What it is about; ``balance`` below zero is what the customer has to their credit."""
    due = max(total + min(balance, 0), 0)
    return {
        "amount_due": due,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_paid_off_stripe": 0,
        "amount_remaining": due,
        "amount_shipping": 0,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "starting_balance": balance,
        "subtotal": total,
        "total": total,
    }


def _collection() -> Object:
    """How it is paid: nobody has tried yet."""
    return {
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": True,
        "billing_reason": "manual",
        "collection_method": "charge_automatically",
        "hosted_invoice_url": None,
        "next_payment_attempt": None,
        "payment_settings": dict.fromkeys(("default_mandate", "payment_method_options", "payment_method_types")),
    }


def _unused() -> Object:
    """What the document asks for and nothing here uses."""
    return {
        "automatic_tax": {"enabled": False, **dict.fromkeys(("liability", "status", "disabled_reason", "provider"))},
        "default_tax_rates": [],
        "discounts": [],
        "issuer": {"type": "self"},
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
