"""Requests about money: invoices, payments, refunds."""

from gateway.demo.stripe import bills, objects
from gateway.demo.stripe.act import Acts, Form
from gateway.demo.stripe.books import Refusal, refused
from gateway.demo.stripe.form import flag
from gateway.demo.stripe.objects import Object
from gateway.demo.stripe.on_customers import use_card
from gateway.demo.stripe.selling import Selling


def _make_invoice(selling: Selling, _: list[str], form: Form) -> Object:
    books = selling.books
    customer = books.customer(form["customer"])
    lines = books.kept["waiting"].pop(customer["id"], {}).get("lines", [])
    currency = lines[0]["currency"] if lines else "usd"
    made = bills.invoice(books.id("in"), books.now, customer=customer, currency=currency, lines=lines, of=None)
    books.kept["lines"][made["id"]] = {"data": lines}
    return books.keep("invoices", made, "invoice.created")


def _make_item(selling: Selling, _: list[str], form: Form) -> Object:
    books, now = selling.books, selling.books.now
    line = bills.line(
        books.id("il"), int(form.get("amount", 0)), form["currency"], form.get("description") or "", period=(now, now)
    )
    books.kept["waiting"].setdefault(form["customer"], {"lines": []})["lines"].insert(0, bills.beside(line))
    own = {"id": books.id("ii"), "object": "invoiceitem", "customer": form["customer"], "date": now}
    return {**line, **own, "proration": False, "quantity": 1, "quantity_decimal": "1"}


def _pay_invoice(selling: Selling, ids: list[str], form: Form) -> Object:
    invoice = selling.books.get("invoices", ids[0])
    if invoice["status"] == "paid":
        raise refused("Invoice is already paid")
    use_card(selling, invoice["customer"], form.get("payment_method"))
    if not selling.money.pay(invoice):
        raise Refusal(402, "card_error", "Your card was declined.", code="card_declined")
    return invoice


def _void_invoice(selling: Selling, ids: list[str], _: Form) -> Object:
    invoice = selling.books.get("invoices", ids[0])
    if invoice["status"] not in ("open", "uncollectible"):
        raise refused(f"You can only void an open invoice: this one is {invoice['status']}.")
    selling.money.void(invoice)
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


ACTS: Acts = (
    ("POST invoices", _make_invoice),
    ("POST invoiceitems", _make_item),
    ("POST invoices/*/pay", _pay_invoice),
    ("POST invoices/*/void", _void_invoice),
    ("POST payment_intents", _make_intent),
    ("POST refunds", _refund),
)
