"""Subscription Schedules read: whose one is, which plan it waits for, and its phases as a request writes them.

What an update does not say of a phase is unset, and of the phase that runs it is unset on the subscription, at once:
coupons, quantities, tax rates. So a phase is said whole.
"""

from collections.abc import Iterable, Mapping
from typing import Any

Json = Mapping[str, Any]

_RUNNING = ("not_started", "active")
PHASE = (
    "application_fee_percent",
    "automatic_tax",
    "billing_cycle_anchor",
    "billing_thresholds",
    "collection_method",
    "default_payment_method",
    "default_tax_rates",
    "description",
    "discounts",
    "end_date",
    "invoice_settings",
    "items",
    "metadata",
    "on_behalf_of",
    "proration_behavior",
    "start_date",
    "transfer_data",
    "trial_end",
)
"""What an answer says of a phase and a request can. Not what was to be billed at its beginning: that is billed."""
ITEM = ("billing_thresholds", "discounts", "metadata", "price", "quantity", "tax_rates")
"""The same of a phase's item."""
_OF_THE_SUBSCRIPTION = (
    "application_fee_percent",
    "automatic_tax",
    "collection_method",
    "default_payment_method",
    "default_tax_rates",
    "description",
    "discounts",
    "on_behalf_of",
    "transfer_data",
)
"""What a subscription says in the same words."""
_OF_THIS_PERIOD = ("billing_cycle_anchor", "end_date", "start_date", "trial_end")
_OF_THIS_PRICE = ("billing_thresholds", "quantity")


def running(subscription: Json) -> Json | None:
    """The schedule of a subscription, expanded; ``None``: it has none, or one that has come to its end."""
    schedule = subscription.get("schedule")
    return schedule if isinstance(schedule, Mapping) and schedule["status"] in _RUNNING else None


def is_ours(schedule: Json, app: str) -> bool:
    """Whether we have made it, also if only half: what it says was to be written in a second request."""
    said = schedule.get("metadata") or {}
    half = not said and len(schedule["phases"]) == 1 and schedule["end_behavior"] == "release"
    return half or said.get("app") == app


def agreed_next(schedule: Json | None, app: str) -> str | None:
    """The plan of the next period, if a schedule of ours still waits for it."""
    if schedule is None or schedule["status"] != "active":
        return None
    said, ends = schedule.get("metadata") or {}, (schedule.get("current_phase") or {}).get("end_date")
    waits = ends is not None and any(each["start_date"] >= ends for each in schedule["phases"])
    return said.get("plan_id") if waits and said.get("app") == app else None


def current(schedule: Json, ends: int) -> Json | None:
    """The phase that runs now, if it ends with the period, at ``ends``."""
    starts = (schedule.get("current_phase") or {}).get("start_date")
    return next((each for each in schedule["phases"] if (each["start_date"], each["end_date"]) == (starts, ends)), None)


def as_it_stands(phase: Json, subscription: Json, item: Json) -> dict[str, Any]:
    """The phase that runs, said so that nothing of its subscription is changed: that may know better by now."""
    known = {**phase, **{name: subscription[name] for name in _OF_THE_SUBSCRIPTION if name in subscription}}
    price = {**phase["items"][0], **{name: item.get(name) for name in ITEM}}
    return _whole(known, PHASE) | {"items": [_whole(price, ITEM)]}


def next_one(now: Json, price: Json, name: str) -> dict[str, Any]:
    """One period at another price, as it was shown: once. All else goes on: coupons, tax rates, how it is collected."""
    recurring, (item,) = price["recurring"], now["items"]
    kept = {each: value for each, value in item.items() if each not in _OF_THIS_PRICE}
    return {
        **{each: value for each, value in now.items() if each not in _OF_THIS_PERIOD},
        "items": [{**kept, "price": price["id"], "quantity": 1}],
        "description": name,
        "duration": {"interval": recurring["interval"], "interval_count": recurring["interval_count"]},
        "proration_behavior": "none",
    }


def _whole(said: Json, names: Iterable[str]) -> dict[str, Any]:
    """What an answer says, as a request says it: ids instead of objects, and nothing that is empty."""
    found = {name: _asked(said.get(name)) for name in names}
    found["discounts"] = [{"discount": _asked(each)} for each in said.get("discounts") or []]  # so they run on
    if isinstance(tax := found.get("automatic_tax"), dict):
        tax.pop("disabled_reason", None)
    return {name: value for name, value in found.items() if value not in (None, [], {})}


def _asked(value: Any) -> Any:  # noqa: ANN401  (JSON)
    if isinstance(value, Mapping):
        if "object" in value and "id" in value:
            return value["id"]
        return {name: said for name, each in value.items() if (said := _asked(each)) not in (None, [], {})}
    return [_asked(each) for each in value] if isinstance(value, list) else value
