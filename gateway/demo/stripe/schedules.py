"""What the schedule of a subscription does in the fake Stripe when a period ends."""

from gateway.demo.stripe.books import Books
from gateway.demo.stripe.objects import Object


def let_go(books: Books, schedule: Object) -> None:
    """Schedule no more; the subscription stays as it is now."""
    of = books.get("subscriptions", schedule["subscription"])
    released = {"status": "released", "released_at": books.now, "released_subscription": of["id"]}
    schedule |= {**released, "subscription": None, "current_phase": None}
    of["schedule"] = None
    books.tell("subscription_schedule.released", schedule)


def begin_period(books: Books, subscription: Object) -> None:
    """The phase of the period that begins now: its price. After the last one nothing is scheduled any more."""
    schedule = books.kept["schedules"].get(subscription["schedule"] or "")
    if schedule is None:
        return
    end = subscription["items"]["data"][0]["current_period_end"]
    phase = next((each for each in schedule["phases"] if each["start_date"] == end), None)
    if phase is None:
        let_go(books, schedule)
        return
    schedule["current_phase"] = {"start_date": phase["start_date"], "end_date": phase["end_date"]}
    subscription["items"]["data"][0]["price"] = books.get("prices", phase["items"][0]["price"])
