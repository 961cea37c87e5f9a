"""The requests that the fake Stripe answers: those of the gateway, and those of the official CLI's scenarios."""

from gateway.demo.stripe import on_bills, on_customers, on_goods, on_sales, on_schedules
from gateway.demo.stripe.act import Acts, Form
from gateway.demo.stripe.books import Refusal
from gateway.demo.stripe.lists import events, expanded, lines, page
from gateway.demo.stripe.objects import Object
from gateway.demo.stripe.selling import Selling

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
    "subscription_schedules": "schedules",
}
"""Path → the shelf on which its objects are kept."""
_ACTS: Acts = (
    ("GET events", lambda selling, _, form: events(selling, form)),
    ("GET invoices/*/lines", lines),
    *on_customers.ACTS,
    *on_goods.ACTS,
    *on_sales.ACTS,
    *on_bills.ACTS,
    *on_schedules.ACTS,
)
"""The first that fits."""


def answer(selling: Selling, method: str, path: str, form: Form) -> Object:
    """What Stripe would say. Raises ``Refusal``."""
    for shape, act in _ACTS:
        steps = matched(shape, f"{method} {path}")
        if steps is not None:
            return expanded(selling, act(selling, steps, form), form.get("expand") or [])
    if method == "GET":
        if path in _KINDS:
            return page(selling, _KINDS[path], path, form)
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
