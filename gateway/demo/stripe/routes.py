"""The requests that the fake Stripe answers: those of the gateway, and those of the official CLI's scenarios."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway.demo.stripe import agreements, objects
from gateway.demo.stripe.books import Refusal, missing
from gateway.demo.stripe.form import flag
from gateway.demo.stripe.objects import Object, listed
from gateway.demo.stripe.selling import Selling, refused

Form = Mapping[str, Any]
Answerer = Callable[[Selling, list[str], Form], Object]

_DEFAULT_PAGE, _LARGEST_PAGE = 10, 100
_FILTERS = ("customer", "subscription", "charge", "payment_intent", "status", "active", "product", "invoice")
_KINDS = {
    "customers": "customers",
    "products": "products",
    "prices": "prices",
    "subscriptions": "subscriptions",
    "invoices": "invoices",
    "charges": "charges",
    "refunds": "refunds",
    "disputes": "disputes",
    "payment_intents": "payment_intents",
    "invoice_payments": "invoice_payments",
    "checkout/sessions": "sessions",
    "webhook_endpoints": "endpoints",
    "payment_methods": "payment_methods",
}
"""Path → the shelf on which its objects are kept."""


def answer(selling: Selling, method: str, path: str, form: Form) -> Object:
    """What Stripe would say. Raises ``Refusal``."""
    for shape, act in _ACTS:
        steps = matched(shape, f"{method} {path}")
        if steps is not None:
            return expanded(selling, act(selling, steps, form), form.get("expand") or [])
    if method == "GET":
        if path in _KINDS:
            return _page(selling, _KINDS[path], path, form)
        kind, _, id_ = path.rpartition("/")
        if kind in _KINDS:
            return expanded(selling, selling.books.get(_KINDS[kind], id_), form.get("expand") or [])
    raise Refusal(404, "invalid_request_error", f"Unrecognized request URL ({method}: /v1/{path}).")


def matched(shape: str, line: str) -> list[str] | None:
    """The words of ``line`` that stand where ``shape`` has a star."""
    wanted, found = shape.split("/"), line.split("/")
    if len(wanted) != len(found) or any(one not in ("*", other) for one, other in zip(wanted, found, strict=True)):
        return None
    return [other for one, other in zip(wanted, found, strict=True) if one == "*"]


def _page(selling: Selling, kind: str, path: str, form: Form) -> Object:
    found = list(selling.books.kept[kind].values())[::-1]
    if kind == "customers":
        found = [each for each in found if not each.get("deleted")]
    for name in _FILTERS:
        if name in form and not (name == "status" and form[name] == "all"):
            found = [each for each in found if _value(selling, kind, each, name) in (form[name], flag(form[name]))]
    if kind == "subscriptions" and "status" not in form:
        found = [each for each in found if each["status"] != "canceled"]
    if "lookup_keys" in form:
        found = [each for each in found if each["lookup_key"] in form["lookup_keys"]]
    if "payment" in form:
        found = [each for each in found if each["payment"]["payment_intent"] == form["payment"].get("payment_intent")]
    return _cut(selling, found, f"/v1/{path}", form)


def _value(selling: Selling, kind: str, each: Object, name: str) -> object:
    if kind == "invoices" and name == "subscription":
        of = selling.money.subscription_of(each)
        return None if of is None else of["id"]
    return each.get(name)


def _cut(selling: Selling, found: Sequence[Object], url: str, form: Form) -> Object:
    """One page of a list that is sorted from new to old."""
    created = form.get("created") or {}
    if isinstance(created, Mapping):
        found = [
            each for each in found if int(created.get("gte", 0)) <= each["created"] <= int(created.get("lte", 2**60))
        ]
    ids = [each["id"] for each in found]
    limit = min(int(form.get("limit", _DEFAULT_PAGE)), _LARGEST_PAGE)
    if (after := form.get("starting_after")) is not None:
        found = found[_place(ids, after) + 1 :]
    if (before := form.get("ending_before")) is not None:
        found = found[: _place(ids, before)]
        page, more = found[-limit:], len(found) > limit
    else:
        page, more = found[:limit], len(found) > limit
    inner = [each.removeprefix("data.") for each in form.get("expand") or []]
    return listed([expanded(selling, each, inner) for each in page], url, has_more=more)


def _place(ids: Sequence[str], id_: str) -> int:
    try:
        return ids.index(id_)
    except ValueError:
        raise missing("object", id_) from None


_EXPANDABLE = {
    "payment_intent": "payment_intents",
    "latest_charge": "charges",
    "invoice": "invoices",
    "latest_invoice": "invoices",
    "subscription": "subscriptions",
    "customer": "customers",
}


def expanded(selling: Selling, of: Object, names: Sequence[str]) -> Object:
    """A copy with these references as the objects themselves."""
    if not names:
        return of
    made = dict(of)
    for name in names:
        if name == "payments" and of["object"] == "invoice":
            paid = selling.books.of("invoice_payments", invoice=of["id"])
            made["payments"] = listed(paid, f"/v1/invoices/{of['id']}/payments")
        elif isinstance(made.get(name), str) and name in _EXPANDABLE:
            made[name] = selling.books.get(_EXPANDABLE[name], made[name])
    return made


def _make_customer(selling: Selling, _: list[str], form: Form) -> Object:
    books = selling.books
    made = books.keep("customers", objects.customer(books.id("cus"), books.now, form), "customer.created")
    _use_card(
        selling,
        made["id"],
        (form.get("invoice_settings") or {}).get("default_payment_method") or form.get("payment_method"),
    )
    return made


def _use_card(selling: Selling, customer: str, card: str | None) -> None:
    """The names of Stripe's test cards say what the bank will say."""
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


def _edit_product(selling: Selling, ids: list[str], form: Form) -> Object:
    found = selling.books.get("products", ids[0])
    found |= {name: form[name] for name in ("name", "description") if name in form}
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
    selling.books.tell("price.updated", found)
    return found


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
    return selling.subscribe(customer, price, form)


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
    lines = selling.proration(subscription, price, int(details.get("proration_date", books.now)))
    customer = books.customer(subscription["customer"])
    return agreements.invoice(
        "upcoming_in_preview",
        books.now,
        customer=customer,
        currency=subscription["currency"],
        lines=lines,
        of=subscription,
    )


def _make_invoice(selling: Selling, _: list[str], form: Form) -> Object:
    books = selling.books
    customer = books.customer(form["customer"])
    lines = books.kept["waiting"].pop(customer["id"], {}).get("lines", [])
    currency = lines[0]["currency"] if lines else "usd"
    made = agreements.invoice(books.id("in"), books.now, customer=customer, currency=currency, lines=lines, of=None)
    return books.keep("invoices", made, "invoice.created")


def _make_item(selling: Selling, _: list[str], form: Form) -> Object:
    books, now = selling.books, selling.books.now
    line = agreements.line(
        books.id("il"), int(form.get("amount", 0)), form["currency"], form.get("description") or "", now, now
    )
    books.kept["waiting"].setdefault(form["customer"], {"lines": []})["lines"].append(line)
    own = {"id": books.id("ii"), "object": "invoiceitem", "customer": form["customer"], "date": now}
    return {**line, **own, "proration": False, "quantity": 1, "quantity_decimal": "1"}


def _pay_invoice(selling: Selling, ids: list[str], form: Form) -> Object:
    invoice = selling.books.get("invoices", ids[0])
    if invoice["status"] == "paid":
        raise refused("Invoice is already paid")
    _use_card(selling, invoice["customer"], form.get("payment_method"))
    if not selling.money.pay(invoice):
        raise Refusal(402, "card_error", "Your card was declined.", code="card_declined")
    return invoice


def _make_intent(selling: Selling, _: list[str], form: Form) -> Object:
    books = selling.books
    made = objects.intent(
        books.id("pi"),
        books.now,
        amount=int(form["amount"]),
        currency=form["currency"],
        customer=form.get("customer"),
        metadata=dict(form.get("metadata") or {}),
    )
    books.keep("payment_intents", made, "payment_intent.created")
    if flag(form.get("confirm")) and selling.money.take(made) and "Dispute" in form.get("payment_method", ""):
        charge = books.get("charges", made["latest_charge"])
        selling.money.dispute(
            charge, "warning_needs_response" if "Inquiry" in form["payment_method"] else "needs_response"
        )
    return made


def _refund(selling: Selling, _: list[str], form: Form) -> Object:
    books = selling.books
    charge_id = form.get("charge") or books.get("payment_intents", form["payment_intent"])["latest_charge"]
    return selling.money.refund(books.get("charges", charge_id), int(form["amount"]) if "amount" in form else None)


def _make_method(selling: Selling, _: list[str], form: Form) -> Object:
    books = selling.books
    made = objects.payment_method(books.id("pm"), books.now, None)
    if form.get("type") == "sepa_debit":
        made["type"] = "sepa_debit"
        books.kept["accounts"][made["id"]] = {"iban": form["sepa_debit"]["iban"]}
    return books.keep("payment_methods", made)


def _attach_card(selling: Selling, ids: list[str], form: Form) -> Object:
    _use_card(selling, form["customer"], ids[0])
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


def _events(selling: Selling, _: list[str], form: Form) -> Object:
    found = selling.books.events[::-1]
    if "types" in form:
        found = [each for each in found if each["type"] in form["types"]]
    return _cut(selling, found, "/v1/events", {name: value for name, value in form.items() if name != "expand"})


def _account(selling: Selling, _: list[str], __: Form) -> Object:
    return {
        "id": selling.books.account,
        "object": "account",
        "charges_enabled": True,
        "payouts_enabled": True,
        "country": "US",
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


_ACTS: tuple[tuple[str, Answerer], ...] = (
    ("GET account", _account),
    ("GET events", _events),
    ("POST customers", _make_customer),
    ("GET customers/*", _get_customer),
    ("DELETE customers/*", _delete_customer),
    ("POST products", lambda selling, _, form: selling.product(form)),
    ("POST products/*", _edit_product),
    ("POST prices", _make_price),
    ("POST prices/*", _edit_price),
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
    ("POST invoices", _make_invoice),
    ("POST invoiceitems", _make_item),
    ("POST invoices/*/pay", _pay_invoice),
    ("POST payment_intents", _make_intent),
    ("POST refunds", _refund),
    ("POST payment_methods", _make_method),
    ("POST payment_methods/*/attach", _attach_card),
    ("POST billing_portal/sessions", _portal),
    ("POST webhook_endpoints", _make_endpoint),
)
"""Method and path, a star for an id; the first that fits."""
