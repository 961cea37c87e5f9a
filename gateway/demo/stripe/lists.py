"""Lists of the fake Stripe: their pages, filters, and references as the objects themselves."""

from collections.abc import Mapping, Sequence

from gateway.demo.stripe.act import Form
from gateway.demo.stripe.books import missing
from gateway.demo.stripe.form import flag
from gateway.demo.stripe.objects import Object, listed
from gateway.demo.stripe.selling import Selling

_DEFAULT_PAGE, _LARGEST_PAGE = 10, 100
_FILTERS = ("customer", "subscription", "charge", "payment_intent", "status", "active", "product", "invoice")

_EXPANDABLE = {
    "payment_intent": "payment_intents",
    "latest_charge": "charges",
    "invoice": "invoices",
    "latest_invoice": "invoices",
    "subscription": "subscriptions",
    "customer": "customers",
    "schedule": "schedules",
}


def page(selling: Selling, kind: str, path: str, form: Form) -> Object:
    """The page of a list that is asked for."""
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


def events(selling: Selling, form: Form) -> Object:
    """What has happened, from new to old."""
    found = selling.books.events[::-1]
    if "types" in form:
        found = [each for each in found if each["type"] in form["types"]]
    return _cut(selling, found, "/v1/events", {name: value for name, value in form.items() if name != "expand"})


def lines(selling: Selling, ids: Sequence[str], form: Form) -> Object:
    """The lines of an invoice."""
    return _cut(selling, selling.books.lines(ids[0]), f"/v1/invoices/{ids[0]}/lines", form)


def _value(selling: Selling, kind: str, each: Object, name: str) -> object:
    if kind == "invoices" and name == "subscription":
        of = selling.money.subscription_of(each)
        return None if of is None else of["id"]
    return each.get(name)


def _cut(selling: Selling, found: Sequence[Object], url: str, form: Form) -> Object:
    """One page of a list that is sorted from new to old."""
    created = form.get("created") or {}
    if isinstance(created, Mapping) and created:
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


def expanded(selling: Selling, of: Object, names: Sequence[str]) -> Object:
    """A copy with these references as the objects themselves."""
    if not names:
        return of
    made = dict(of)
    for name in names:
        if name == "payments" and of["object"] == "invoice":
            paid = selling.books.of("invoice_payments", invoice=of["id"])
            more = len(paid) > _DEFAULT_PAGE
            made["payments"] = listed(paid[:_DEFAULT_PAGE], f"/v1/invoices/{of['id']}/payments", has_more=more)
        elif isinstance(made.get(name), str) and name in _EXPANDABLE:
            made[name] = selling.books.get(_EXPANDABLE[name], made[name])
    return made
