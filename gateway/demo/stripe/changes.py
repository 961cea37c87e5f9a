"""A subscription of the fake Stripe to another price: what that costs, the change, and one that nobody paid for."""

from typing import TYPE_CHECKING, Any

from gateway.demo.stripe import agreements, bills
from gateway.demo.stripe.books import refused
from gateway.demo.stripe.objects import Object

if TYPE_CHECKING:
    from gateway.demo.stripe.selling import Selling

_PENDING_S = 23 * 3600
"""How long a change waits for its payment."""


def proration(selling: "Selling", subscription: Object, price: Object, at: int) -> list[Object]:
    """The lines of a change: what is left of the old period goes back, the new price is taken for it.

    Another interval begins a period of its own at once, and is taken whole.
    """
    item = subscription["items"]["data"][0]
    start, end = item["current_period_start"], item["current_period_end"]
    left, whole = min(max(end - at, 0), end - start), end - start
    same = price["recurring"] == item["price"]["recurring"]
    trial = subscription["status"] == "trialing"
    back = 0 if trial else -(item["price"]["unit_amount"] * left // whole)
    taken = price["unit_amount"] * left // whole if same else price["unit_amount"]
    until = end if same or trial else agreements.next_end(at, price["recurring"])
    old = selling.line(item["price"], back, at, end)
    new = selling.line(price, 0 if trial else taken, at, until)
    return [
        bills.of_item(old, subscription, proration=True, credits_=_billed(selling, subscription)),
        bills.of_item(new, subscription, proration=same),
    ]


def _billed(selling: "Selling", subscription: Object) -> str | None:
    """The invoice on which the present price was charged for the present period, a draft too."""
    item = subscription["items"]["data"][0]
    for invoice in selling.books.of("invoices"):
        if selling.money.subscription_of(invoice) is not subscription or invoice["status"] == "void":
            continue
        line = selling.books.lines(invoice["id"])[-1]
        same = line["pricing"] and line["pricing"]["price_details"]["price"] == item["price"]["id"]
        if same and line["period"]["end"] == item["current_period_end"]:
            return str(invoice["id"])
    return None


def reprice(selling: "Selling", subscription: Object, said: Any) -> None:  # noqa: ANN401  (a form)
    """Change to the price that is named, at once or as soon as the difference is paid."""
    given, item = said["items"][0], subscription["items"]["data"][0]
    if given.get("id") not in (None, item["id"]):
        raise refused(f"No such subscription item: '{given['id']}'", "resource_missing")
    price = selling.books.get("prices", given["price"])
    if price["id"] == item["price"]["id"]:
        return
    at = int(said.get("proration_date", selling.books.now))
    if not item["current_period_start"] <= at <= selling.books.now:
        raise refused("The proration_date is outside of the current period.")
    give_up(selling, subscription)
    lines = proration(selling, subscription, price, at)
    invoice = selling.money.draft(subscription, lines, "subscription_update")
    update = {"expires_at": selling.books.now + _PENDING_S, "price": price, "invoice": invoice["id"]}
    selling.books.kept["pending"][subscription["id"]] = update
    if not selling.money.pay(invoice):
        if said.get("payment_behavior") != "pending_if_incomplete":
            selling.money.reprice(subscription, invoice)
            return
        given = {"expires_at": update["expires_at"], "subscription_items": None, "trial_end": None}
        subscription["pending_update"] = given


def give_up(selling: "Selling", subscription: Object) -> None:
    """A change whose difference was not paid in time is off."""
    update = selling.books.kept["pending"].pop(subscription["id"], None)
    if update is None:
        return
    invoice = selling.books.get("invoices", update["invoice"])
    if invoice["status"] == "open":
        selling.money.void(invoice)
    subscription["pending_update"] = None
    selling.books.tell("customer.subscription.pending_update_expired", subscription)
