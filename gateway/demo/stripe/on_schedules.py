"""Requests about Subscription Schedules: another price from the next period on."""

from gateway.demo.stripe import agreements, schedules
from gateway.demo.stripe.act import Acts, Form
from gateway.demo.stripe.books import refused
from gateway.demo.stripe.objects import Object
from gateway.demo.stripe.selling import Selling


def _phase(price: str, currency: str, start: int, end: int) -> Object:
    item = {"discounts": [], "metadata": {}, "price": price, "quantity": 1, "tax_rates": []}
    return {
        "add_invoice_items": [],
        "currency": currency,
        "discounts": [],
        "end_date": end,
        "items": [item],
        "metadata": {},
        "proration_behavior": "none",
        "start_date": start,
    }


def _make(selling: Selling, _: list[str], form: Form) -> Object:
    """From a subscription that runs: with one phase, its present period."""
    books = selling.books
    of = books.get("subscriptions", form["from_subscription"])
    if of["schedule"] is not None:
        raise refused("You cannot migrate a subscription that is already attached to a schedule.")
    item = of["items"]["data"][0]
    start, end = item["current_period_start"], item["current_period_end"]
    made = {
        "id": books.id("sub_sched"),
        "object": "subscription_schedule",
        "application": None,
        "billing_mode": of["billing_mode"],
        "canceled_at": None,
        "completed_at": None,
        "created": books.now,
        "current_phase": {"start_date": start, "end_date": end},
        "customer": of["customer"],
        "default_settings": {"billing_cycle_anchor": "automatic", "invoice_settings": {"issuer": {"type": "self"}}},
        "end_behavior": "release",
        "livemode": False,
        "metadata": {},
        "phases": [_phase(item["price"]["id"], of["currency"], start, end)],
        "released_at": None,
        "released_subscription": None,
        "status": "active",
        "subscription": of["id"],
    }
    of["schedule"] = made["id"]
    return books.keep("schedules", made, "subscription_schedule.created")


def _update(selling: Selling, ids: list[str], form: Form) -> Object:
    books = selling.books
    found = books.get("schedules", ids[0])
    if found["status"] != "active":
        raise refused("You can only update a schedule that is not started or active.")
    phases: list[Object] = []
    for said in form["phases"]:
        price = books.get("prices", said["items"][0]["price"])
        start = int(said["start_date"]) if "start_date" in said else phases[-1]["end_date"]
        end = int(said["end_date"]) if "end_date" in said else agreements.next_end(start, _recurring(said["duration"]))
        phases.append(_phase(price["id"], price["currency"], start, end))
    found |= {"phases": phases, "metadata": dict(form.get("metadata") or {}), "end_behavior": form["end_behavior"]}
    books.tell("subscription_schedule.updated", found)
    return found


def _recurring(duration: Form) -> Object:
    return {"interval": duration["interval"], "interval_count": int(duration.get("interval_count", 1))}


def _release(selling: Selling, ids: list[str], _: Form) -> Object:
    found = selling.books.get("schedules", ids[0])
    if found["status"] != "active":
        raise refused(f"You cannot release a schedule that is {found['status']}.")
    schedules.let_go(selling.books, found)
    return found


ACTS: Acts = (
    ("POST subscription_schedules", _make),
    ("POST subscription_schedules/*", _update),
    ("POST subscription_schedules/*/release", _release),
)
