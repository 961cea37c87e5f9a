"""Stripe's objects, with every field that its OpenAPI document requires."""

from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]


def listed(items: list[Any], url: str, *, has_more: bool = False) -> Object:
    """A list as Stripe answers it."""
    return {"object": "list", "data": items, "has_more": has_more, "url": url}


def edited(metadata: Object, said: Mapping[str, str]) -> Object:
    """Metadata after an update: what is not named stays, and an empty value takes a name away."""
    return {name: value for name, value in (metadata | dict(said)).items() if value != ""}


def customer(id_: str, now: int, said: Mapping[str, Any]) -> Object:
    """A customer."""
    return {
        "id": id_,
        "object": "customer",
        "created": now,
        "livemode": False,
        "balance": 0,
        "email": said.get("email"),
        "name": said.get("name"),
        "description": said.get("description"),
        "metadata": said.get("metadata") or {},
        "invoice_settings": {
            "default_payment_method": None,
            "custom_fields": None,
            "footer": None,
            "rendering_options": None,
        },
    }


def product(id_: str, now: int, said: Mapping[str, Any]) -> Object:
    """A product."""
    return {
        "id": id_,
        "object": "product",
        "active": True,
        "created": now,
        "updated": now,
        "images": [],
        "livemode": False,
        "marketing_features": [],
        "metadata": said.get("metadata") or {},
        "name": said["name"],
        "description": said.get("description"),
        "url": None,
        "tax_code": None,
        "package_dimensions": None,
        "shippable": None,
    }


def price(id_: str, now: int, said: Mapping[str, Any], product_id: str) -> Object:
    """A price; ``recurring`` if it renews."""
    recurring = said.get("recurring")
    return {
        "id": id_,
        "object": "price",
        "active": True,
        "billing_scheme": "per_unit",
        "created": now,
        "currency": said["currency"].lower(),
        "livemode": False,
        "lookup_key": said.get("lookup_key"),
        "metadata": said.get("metadata") or {},
        "nickname": said.get("nickname"),
        "product": product_id,
        "recurring": recurring
        and {
            "interval": recurring["interval"],
            "interval_count": int(recurring.get("interval_count", 1)),
            "meter": None,
            "trial_period_days": None,
            "usage_type": "licensed",
        },
        "tax_behavior": "unspecified",
        "tiers_mode": None,
        "transform_quantity": None,
        "custom_unit_amount": None,
        "type": "one_time" if recurring is None else "recurring",
        "unit_amount": int(said["unit_amount"]),
        "unit_amount_decimal": str(said["unit_amount"]),
    }


def tax_rate(id_: str, now: int, percentage: float) -> Object:
    """A tax that is put on top."""
    return {
        "id": id_,
        "object": "tax_rate",
        "active": True,
        "created": now,
        "display_name": "VAT",
        "inclusive": False,
        "livemode": False,
        "percentage": percentage,
    }


def session(id_: str, now: int, said: Mapping[str, Any], *, amount: int, currency: str, url: str) -> Object:
    """A Checkout Session."""
    return {
        "id": id_,
        "object": "checkout.session",
        "amount_subtotal": amount,
        "amount_total": amount,
        "automatic_tax": {"enabled": False, "liability": None, "status": None, "provider": None},
        "cancel_url": said.get("cancel_url"),
        "client_reference_id": said.get("client_reference_id"),
        "created": now,
        "currency": currency,
        "custom_fields": [],
        "custom_text": {
            "after_submit": None,
            "shipping_address": None,
            "submit": None,
            "terms_of_service_acceptance": None,
        },
        "customer": said.get("customer"),
        "customer_creation": None if said.get("customer") else "if_required",
        "customer_details": None,
        "customer_email": said.get("customer_email"),
        "expires_at": int(said.get("expires_at", now + 86_400)),
        "invoice": None,
        "livemode": False,
        "metadata": said.get("metadata") or {},
        "mode": said["mode"],
        "payment_intent": None,
        "payment_method_types": ["card"],
        "payment_status": "unpaid",
        "shipping_options": [],
        "status": "open",
        "subscription": None,
        "success_url": said.get("success_url"),
        "ui_mode": "hosted_page",
        "url": url,
    }


def intent(id_: str, now: int, *, amount: int, currency: str, customer: str | None, metadata: Object) -> Object:
    """A PaymentIntent that has not been paid yet."""
    return {
        "id": id_,
        "object": "payment_intent",
        "amount": amount,
        "amount_received": 0,
        "capture_method": "automatic",
        "client_secret": f"{id_}_secret_not_real",
        "confirmation_method": "automatic",
        "created": now,
        "currency": currency,
        "customer": customer,
        "description": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": metadata,
        "payment_method_types": ["card"],
        "status": "requires_payment_method",
    }


def charge(id_: str, now: int, of: Object, receipt_url: str) -> Object:
    """What pays a PaymentIntent. Its metadata is copied once, when it is made."""
    nothing = {"address": None, "email": None, "name": None, "phone": None, "tax_id": None}
    return {
        "id": id_,
        "object": "charge",
        "amount": of["amount"],
        "amount_captured": of["amount"],
        "amount_refunded": 0,
        "billing_details": nothing,
        "captured": True,
        "created": now,
        "currency": of["currency"],
        "customer": of["customer"],
        "description": of["description"],
        "disputed": False,
        "livemode": False,
        "metadata": dict(of["metadata"]),
        "paid": True,
        "payment_intent": of["id"],
        "payment_method_details": {"type": "card"},
        "receipt_url": receipt_url,
        "refunded": False,
        "status": "succeeded",
    }


def payment_method(id_: str, now: int, customer: str | None) -> Object:
    """A card."""
    return {
        "id": id_,
        "object": "payment_method",
        "billing_details": {"address": None, "email": None, "name": None, "phone": None, "tax_id": None},
        "created": now,
        "customer": customer,
        "livemode": False,
        "metadata": {},
        "type": "card",
    }


def event(id_: str, now: int, kind: str, about: Object, version: str) -> Object:
    """What has happened, with the object as it is now."""
    return {
        "id": id_,
        "object": "event",
        "api_version": version,
        "created": now,
        "data": {"object": about},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }
