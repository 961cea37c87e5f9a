"""Requests about Subscription Schedules: another price from the next period on."""

from gateway.demo.stripe import agreements, objects, schedules
from gateway.demo.stripe.act import Acts, Form
from gateway.demo.stripe.books import refused
from gateway.demo.stripe.objects import Object
from gateway.demo.stripe.selling import Selling


def _make(selling: Selling, _: list[str], form: Form) -> Object:
    """From a subscription that runs: with one phase, its present period."""
    books = selling.books
    of = books.get("subscriptions", form["from_subscription"])
    if of["schedule"] is not None:
        raise refused("You cannot migrate a subscription that is already attached to a schedule.")
    made = {
        "id": books.id("sub_sched"),
        "object": "subscription_schedule",
        "application": None,
        "billing_mode": of["billing_mode"],
        "canceled_at": None,
        "completed_at": None,
        "created": books.now,
        "current_phase": None,
        "customer": of["customer"],
        "default_settings": {"billing_cycle_anchor": "automatic", "invoice_settings": {"issuer": {"type": "self"}}},
        "end_behavior": "release",
        "livemode": False,
        "metadata": {},
        "phases": [schedules.phase_of(of)],
        "released_at": None,
        "released_subscription": None,
        "status": "active",
        "subscription": of["id"],
    }
    schedules.enter(books, made, made["phases"][0])
    of["schedule"] = made["id"]
    return books.keep("schedules", made, "subscription_schedule.created")


def _update(selling: Selling, ids: list[str], form: Form) -> Object:
    """Phases that are over can be left out; the others are what is said of them now, and what is not said is unset.

    That of the running phase is so on the subscription, at once.
    """
    books = selling.books
    found = books.get("schedules", ids[0])
    if found["status"] != "active":
        raise refused("You can only update a schedule that is not started or active.")
    if "phases" in form:
        made: list[Object] = []
        for said in form["phases"]:
            start = int(said["start_date"]) if "start_date" in said else made[-1]["end_date"]
            made.append(_phase(selling, found, said, start))
        if made[0]["start_date"] != found["current_phase"]["start_date"]:
            raise refused("You can not modify the start date of the current phase.")
        found["phases"] = made
        schedules.enter(books, found, made[0])
    found["metadata"] = objects.edited(found["metadata"], form.get("metadata") or {})
    found["end_behavior"] = form.get("end_behavior", found["end_behavior"])
    books.tell("subscription_schedule.updated", found)
    return found


def _phase(selling: Selling, schedule: Object, said: Form, start: int) -> Object:
    books, of = selling.books, selling.books.get("subscriptions", schedule["subscription"])
    price = books.get("prices", said["items"][0]["price"])
    end = int(said["end_date"]) if "end_date" in said else _end(start, said["duration"])
    item = {
        "discounts": _discounts(of["items"]["data"][0], of, said["items"][0]),
        "metadata": dict(said["items"][0].get("metadata") or {}),
        "price": price["id"],
        "quantity": int(said["items"][0].get("quantity", 1)),
        "tax_rates": [books.get("tax_rates", each) for each in said["items"][0].get("tax_rates") or []],
    }
    return {
        "add_invoice_items": [],
        "currency": price["currency"],
        "default_tax_rates": [books.get("tax_rates", each) for each in said.get("default_tax_rates") or []],
        "description": said.get("description"),
        "discounts": _discounts(of, of, said),
        "end_date": end,
        "items": [item],
        "metadata": dict(said.get("metadata") or {}),
        "proration_behavior": said.get("proration_behavior", "create_prorations"),
        "start_date": start,
    }


def _end(start: int, lasts: Form) -> int:
    recurring = {"interval": lasts["interval"], "interval_count": int(lasts.get("interval_count", 1))}
    return agreements.next_end(start, recurring)


def _discounts(has: Object, of: Object, said: Form) -> list[Object]:
    """Discounts that run on: of itself, or of its subscription."""
    named = [each["discount"] for each in said.get("discounts") or []]
    if unknown := set(named) - {*has["discounts"], *of["discounts"]}:
        raise refused(f"No such discount: '{min(unknown)}'", "resource_missing")
    return schedules.running_on(named)


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
