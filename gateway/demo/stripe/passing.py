"""What the passing of time does in the fake Stripe: pages close, periods end, invoices fall due and are tried again."""

from collections.abc import Callable, Iterator

from gateway.demo.stripe import changes
from gateway.demo.stripe.objects import Object
from gateway.demo.stripe.selling import Selling

DRAFT_S = 3600
"""How long a renewal's invoice stays a draft."""
_INCOMPLETE_S = 23 * 3600

Due = tuple[int, int, Callable[[], object]]


def advance(selling: Selling, until: int) -> None:
    """Let time go to ``until``, and do what falls due on the way, in its order."""
    books = selling.books
    while (due := min(_due(selling), key=lambda each: each[:2], default=None)) is not None and due[0] <= until:
        books.move_to(due[0])
        due[2]()
    books.move_to(until)


def _due(selling: Selling) -> Iterator[Due]:
    books = selling.books
    for number, session in enumerate(books.kept["sessions"].values()):
        if session["status"] == "open":
            yield session["expires_at"], number, lambda session=session: selling.expire(session)  # type: ignore[misc]
    for number, invoice in enumerate(books.kept["invoices"].values()):
        if _becomes_due(invoice):
            yield invoice["created"] + DRAFT_S, number, lambda invoice=invoice: selling.money.pay(invoice)  # type: ignore[misc]
        elif invoice["status"] == "open" and invoice["next_payment_attempt"] is not None:
            yield invoice["next_payment_attempt"], number, lambda invoice=invoice: selling.money.pay(invoice)  # type: ignore[misc]
    for number, (id_, update) in enumerate(books.kept["pending"].items()):
        yield update["expires_at"], number, lambda id_=id_: changes.give_up(selling, books.get("subscriptions", id_))  # type: ignore[misc]
    for number, subscription in enumerate(books.kept["subscriptions"].values()):
        yield from _of_subscription(selling, subscription, number)


def _becomes_due(invoice: Object) -> bool:
    """Whether a draft is owed in a while: not if its subscription has ended meanwhile."""
    return bool(
        invoice["status"] == "draft" and invoice["auto_advance"] and invoice["billing_reason"] == "subscription_cycle"
    )


def _of_subscription(selling: Selling, subscription: Object, number: int) -> Iterator[Due]:
    match subscription["status"]:
        case "trialing" | "active" | "past_due" | "unpaid":
            end = subscription["items"]["data"][0]["current_period_end"]
            yield end, number, lambda: _period_ended(selling, subscription)
        case "incomplete":
            yield subscription["created"] + _INCOMPLETE_S, number, lambda: selling.money.end(subscription)


def _period_ended(selling: Selling, subscription: Object) -> None:
    money = selling.money
    if subscription["cancel_at_period_end"]:
        money.end(subscription)
        return
    if subscription["status"] == "trialing":
        selling.end_trial(subscription)
    else:
        selling.renew(subscription)
    money.books.tell("customer.subscription.updated", subscription)
