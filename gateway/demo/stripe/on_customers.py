"""Requests about customers: who they are, their cards, their portal."""

from gateway.demo.stripe import objects
from gateway.demo.stripe.act import Acts, Form
from gateway.demo.stripe.objects import Object, listed
from gateway.demo.stripe.selling import Selling


def _make_customer(selling: Selling, _: list[str], form: Form) -> Object:
    books = selling.books
    made = books.keep("customers", objects.customer(books.id("cus"), books.now, form), "customer.created")
    use_card(
        selling,
        made["id"],
        (form.get("invoice_settings") or {}).get("default_payment_method") or form.get("payment_method"),
    )
    return made


def use_card(selling: Selling, customer: str, card: str | None) -> None:
    """A customer leaves a card. The names of Stripe's test cards say what the bank will say."""
    if card is None:
        return
    selling.books.carded.add(customer)
    if "Fail" in card or "Declined" in card or "Required" in card:
        selling.books.declining.add(customer)
    if "Required" in card:
        selling.books.wary.add(customer)


def _delete_customer(selling: Selling, ids: list[str], _: Form) -> Object:
    found = selling.books.customer(ids[0])
    for each in selling.books.of("subscriptions", customer=ids[0]):
        selling.money.end(each)
    found["deleted"] = True
    return {"id": ids[0], "object": "customer", "deleted": True}


def _get_customer(selling: Selling, ids: list[str], _: Form) -> Object:
    found = selling.books.get("customers", ids[0])
    return {"id": ids[0], "object": "customer", "deleted": True} if found.get("deleted") else found


def _make_method(selling: Selling, _: list[str], form: Form) -> Object:
    books = selling.books
    made = objects.payment_method(books.id("pm"), books.now, None)
    if form.get("type") == "sepa_debit":
        made["type"] = "sepa_debit"
        books.kept["accounts"][made["id"]] = {"iban": form["sepa_debit"]["iban"]}
    return books.keep("payment_methods", made)


def _attach_card(selling: Selling, ids: list[str], form: Form) -> Object:
    use_card(selling, form["customer"], ids[0])
    return objects.payment_method(selling.books.id("pm"), selling.books.now, form["customer"])


def _portal(selling: Selling, _: list[str], form: Form) -> Object:
    books = selling.books
    customer = books.customer(form["customer"])["id"]
    made = {
        "id": books.id("bps"),
        "object": "billing_portal.session",
        "configuration": "bpc_not_real",
        "created": books.now,
        "customer": customer,
        "flow": None,
        "livemode": False,
        "locale": None,
        "on_behalf_of": None,
        "return_url": form.get("return_url"),
    }
    return books.keep("portals", {**made, "url": f"{selling.url}/portal/{made['id']}"})


def _portals(selling: Selling, _: list[str], __: Form) -> Object:
    """The settings of the portal: those that it has once somebody has saved them."""
    off = {"enabled": False}
    features = {
        "customer_update": {"enabled": False, "allowed_updates": []},
        "invoice_history": off,
        "payment_method_update": {"enabled": True, "payment_method_configuration": None},
        "subscription_cancel": {
            "enabled": True,
            "mode": "at_period_end",
            "proration_behavior": "none",
            "cancellation_reason": {"enabled": False, "options": ["other"]},
        },
        "subscription_update": {
            "enabled": selling.books.switching,
            "billing_cycle_anchor": None,
            "default_allowed_updates": [],
            "proration_behavior": "none",
            "schedule_at_period_end": {"conditions": []},
            "trial_update_behavior": "end_trial",
        },
    }
    made = {
        "id": "bpc_not_real",
        "object": "billing_portal.configuration",
        "active": True,
        "application": None,
        "business_profile": {"headline": None, "privacy_policy_url": None, "terms_of_service_url": None},
        "created": 0,
        "default_return_url": None,
        "features": features,
        "is_default": True,
        "livemode": False,
        "login_page": {"enabled": False, "url": None},
        "metadata": {},
        "name": None,
        "updated": 0,
    }
    return listed([made], "/v1/billing_portal/configurations")


ACTS: Acts = (
    ("GET billing_portal/configurations", _portals),
    ("POST customers", _make_customer),
    ("GET customers/*", _get_customer),
    ("DELETE customers/*", _delete_customer),
    ("POST payment_methods", _make_method),
    ("POST payment_methods/*/attach", _attach_card),
    ("POST billing_portal/sessions", _portal),
)
