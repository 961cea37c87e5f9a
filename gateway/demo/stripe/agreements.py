"""Subscriptions as objects, and the calendar of their periods."""

import calendar
from datetime import UTC, datetime

from gateway.demo.stripe.objects import Object, listed

_SECONDS = {"day": 86_400, "week": 7 * 86_400}
_MONTHS = {"month": 1, "year": 12}


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
        "default_tax_rates": [],
        "description": said.get("description"),
        "discounts": [],
        "ended_at": None,
        "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
        "items": listed([item(item_id, now, id_, price, now, end)], f"/v1/subscription_items?subscription={id_}"),
        "latest_invoice": None,
        "livemode": False,
        "metadata": said.get("metadata") or {},
        "pending_update": None,
        "schedule": None,
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
