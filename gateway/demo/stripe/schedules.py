"""What the schedule of a subscription does in the fake Stripe: when it is made, and when a period ends."""

from collections.abc import Iterable

from gateway.demo.stripe.books import Books
from gateway.demo.stripe.objects import Object


def phase_of(subscription: Object) -> Object:
    """What a subscription is now, for its present period."""
    item = subscription["items"]["data"][0]
    said = {
        "discounts": running_on(item["discounts"]),
        "metadata": dict(item["metadata"]),
        "price": item["price"]["id"],
        "quantity": item["quantity"],
        "tax_rates": list(item["tax_rates"]),
    }
    return {
        "add_invoice_items": [],
        "currency": subscription["currency"],
        "default_tax_rates": list(subscription["default_tax_rates"]),
        "description": subscription["description"],
        "discounts": running_on(subscription["discounts"]),
        "end_date": item["current_period_end"],
        "items": [said],
        "metadata": {},
        "proration_behavior": "create_prorations",
        "start_date": item["current_period_start"],
    }


def running_on(discounts: Iterable[str]) -> list[Object]:
    """Discounts as a phase names them."""
    return [{"coupon": None, "discount": each, "promotion_code": None} for each in discounts]


def enter(books: Books, schedule: Object, phase: Object) -> None:
    """The subscription is what this phase says, and nothing that it does not say."""
    schedule["current_phase"] = {"start_date": phase["start_date"], "end_date": phase["end_date"]}
    of, (said,) = books.get("subscriptions", schedule["subscription"]), phase["items"]
    named = [each["discount"] for each in phase["discounts"]]
    of |= {"discounts": named, "description": phase["description"], "default_tax_rates": phase["default_tax_rates"]}
    of["items"]["data"][0] |= {
        "discounts": [each["discount"] for each in said["discounts"]],
        "price": books.get("prices", said["price"]),
        "quantity": said["quantity"],
        "tax_rates": said["tax_rates"],
    }


def let_go(books: Books, schedule: Object) -> None:
    """Schedule no more; the subscription stays as it is now."""
    of = books.get("subscriptions", schedule["subscription"])
    released = {"status": "released", "released_at": books.now, "released_subscription": of["id"]}
    schedule |= {**released, "subscription": None, "current_phase": None}
    of["schedule"] = None
    books.tell("subscription_schedule.released", schedule)


def begin_period(books: Books, subscription: Object) -> None:
    """The phase of the period that begins now. After the last one nothing is scheduled any more."""
    schedule = books.kept["schedules"].get(subscription["schedule"] or "")
    if schedule is None:
        return
    end = subscription["items"]["data"][0]["current_period_end"]
    phase = next((each for each in schedule["phases"] if each["start_date"] == end), None)
    if phase is None:
        let_go(books, schedule)
        return
    enter(books, schedule, phase)
