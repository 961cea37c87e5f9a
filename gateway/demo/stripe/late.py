"""Payments that take days in the fake Stripe: the money comes, or it does not."""

from gateway.demo.stripe.money import Money
from gateway.demo.stripe.objects import Object


def settle(money: Money, session: Object, *, paid: bool) -> None:
    """What has become of the payment of a page that is complete."""
    settled = _bill if session["subscription"] else _once
    came = settled(money, session, paid=paid)
    if came:
        session["payment_status"] = "paid"
    money.books.tell(f"checkout.session.async_payment_{'succeeded' if came else 'failed'}", session)


def _once(money: Money, session: Object, *, paid: bool) -> bool:
    intent = money.books.get("payment_intents", session["payment_intent"])
    if paid and money.take(intent):
        money.note("paid", intent, intent["id"], intent["amount"])
        return True
    intent["status"] = "requires_payment_method"
    return False


def _bill(money: Money, session: Object, *, paid: bool) -> bool:
    """The first bill of what renews; one that was voided meanwhile is not paid any more."""
    books = money.books
    invoice, of = books.get("invoices", session["invoice"]), books.get("subscriptions", session["subscription"])
    if invoice["status"] == "open" and paid and money.pay(invoice):
        return True
    if invoice["status"] == "open" and of["status"] == "active":
        of["status"] = "past_due"
        books.tell("customer.subscription.updated", of)
    return bool(invoice["status"] == "paid")
