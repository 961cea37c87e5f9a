"""Requests about sales: checkouts and subscriptions."""

from gateway.demo.stripe import bills, changes
from gateway.demo.stripe.act import Acts, Form
from gateway.demo.stripe.books import Refusal, missing
from gateway.demo.stripe.objects import Object
from gateway.demo.stripe.selling import Selling


def _confirm_page(selling: Selling, ids: list[str], form: Form) -> Object:
    session = selling.books.get("sessions", ids[0])
    account = selling.books.kept["accounts"].get(form.get("payment_method", ""))
    if not selling.confirm(session, delayed=account is not None):
        raise Refusal(402, "card_error", "Your card was declined.", code="card_declined")
    if account is not None:
        selling.settle(session, paid=not account["iban"].startswith("IT"))  # Stripe's test account that fails
    return session


def _subscribe(selling: Selling, _: list[str], form: Form) -> Object:
    customer = selling.books.customer(form["customer"])["id"]
    price = selling.books.price(form["items"][0], selling.product)
    return selling.subscribe(customer, price, form, waits=form.get("payment_behavior") == "default_incomplete")


def _end(selling: Selling, ids: list[str], _: Form) -> Object:
    found = selling.books.get("subscriptions", ids[0])
    if found["status"] in ("canceled", "incomplete_expired"):
        raise missing("subscription", ids[0])
    selling.money.end(found)
    return found


def _preview(selling: Selling, _: list[str], form: Form) -> Object:
    books = selling.books
    subscription = books.get("subscriptions", form["subscription"])
    details = form["subscription_details"]
    price = books.get("prices", details["items"][0]["price"])
    lines = changes.proration(selling, subscription, price, int(details.get("proration_date", books.now)))
    customer = books.customer(subscription["customer"])
    return bills.invoice(
        "upcoming_in_preview",
        books.now,
        customer=customer,
        currency=subscription["currency"],
        lines=lines,
        of=subscription,
    )


ACTS: Acts = (
    ("POST checkout/sessions", lambda selling, _, form: selling.open(form)),
    ("POST checkout/sessions/*/expire", lambda selling, ids, _: selling.expire(selling.books.get("sessions", ids[0]))),
    ("GET payment_pages/*", lambda selling, ids, _: selling.books.get("sessions", ids[0])),
    ("POST payment_pages/*/confirm", _confirm_page),
    ("POST subscriptions", _subscribe),
    (
        "POST subscriptions/*",
        lambda selling, ids, form: selling.update(selling.books.get("subscriptions", ids[0]), form),
    ),
    ("DELETE subscriptions/*", _end),
    ("POST invoices/create_preview", _preview),
)
