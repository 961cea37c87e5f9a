"""Requests about what is sold and by whom: the account, products, prices, webhook endpoints."""

from gateway.demo.stripe import objects
from gateway.demo.stripe.act import Acts, Form
from gateway.demo.stripe.books import refused
from gateway.demo.stripe.form import flag
from gateway.demo.stripe.objects import Object
from gateway.demo.stripe.selling import Selling


def _edit_product(selling: Selling, ids: list[str], form: Form) -> Object:
    found = selling.books.get("products", ids[0])
    found |= {name: form[name] or None for name in ("name", "description") if name in form}
    _mark(found, form)
    if "active" in form:
        found["active"] = flag(form["active"])
    selling.books.tell("product.updated", found)
    return found


def _make_price(selling: Selling, _: list[str], form: Form) -> Object:
    books = selling.books
    if "product_data" in form:
        product = selling.product(form["product_data"])
    else:
        product = books.get("products", form["product"])
    for other in books.of("prices", lookup_key=form.get("lookup_key")) if form.get("lookup_key") else []:
        if not flag(form.get("transfer_lookup_key")):
            raise refused("A price already uses that lookup key.")
        other["lookup_key"] = None
    return books.keep("prices", objects.price(books.id("price"), books.now, form, product["id"]), "price.created")


def _edit_price(selling: Selling, ids: list[str], form: Form) -> Object:
    found = selling.books.get("prices", ids[0])
    if "active" in form:
        found["active"] = flag(form["active"])
    _mark(found, form)
    selling.books.tell("price.updated", found)
    return found


def _mark(found: Object, form: Form) -> None:
    """Metadata that are not named stay; one without a value goes."""
    marks = {**found["metadata"], **form.get("metadata", {})}
    found["metadata"] = {name: value for name, value in marks.items() if value}


def _account(selling: Selling, _: list[str], __: Form) -> Object:
    return {
        "id": selling.books.account,
        "object": "account",
        "charges_enabled": True,
        "payouts_enabled": True,
        "country": "US",
        "default_currency": "usd",
    }


def _make_endpoint(selling: Selling, _: list[str], form: Form) -> Object:
    books = selling.books
    made = {
        "id": books.id("we"),
        "object": "webhook_endpoint",
        "api_version": form.get("api_version"),
        "created": books.now,
        "enabled_events": list(form["enabled_events"]),
        "livemode": False,
        "metadata": {},
        "status": "enabled",
        "url": form["url"],
    }
    return books.keep("endpoints", made)


ACTS: Acts = (
    ("GET account", _account),
    ("POST products", lambda selling, _, form: selling.product(form)),
    ("POST products/*", _edit_product),
    ("POST prices", _make_price),
    ("POST prices/*", _edit_price),
    ("POST webhook_endpoints", _make_endpoint),
)
