"""What a person does on the pages of the fake Stripe."""

from collections.abc import Mapping

from aiohttp import web

from gateway.demo.stripe import pages
from gateway.demo.stripe.form import flag
from gateway.demo.stripe.objects import Object
from gateway.demo.stripe.selling import Selling


async def pay(selling: Selling, request: web.Request) -> web.Response:
    """The page of a Checkout Session; after a bank transfer the same page lets the money arrive, or not."""
    books, session = selling.books, selling.books.kept["sessions"].get(request.match_info["id"])
    wish = str((await request.post()).get("do")) if request.method == "POST" else ""
    if session is not None and session["status"] == "complete" and session["payment_status"] == "unpaid":
        return _html(_transfer(selling, session, wish))
    if session is None or session["status"] != "open":
        return _html(pages.told("Checkout (not real)", "This page is closed."))
    note = ""
    if wish:
        customer = session["customer"]
        (books.declining.add if wish == "decline" else books.declining.discard)(customer)
        if selling.confirm(session, delayed=wish == "delay"):
            target = (session["success_url"] or "/").replace("{CHECKOUT_SESSION_ID}", session["id"])
            return web.Response(status=303, headers={"Location": target})
        books.declining.discard(customer)
        note = "The card was declined. Try another one."
    lines = books.kept["said"][session["id"]]["lines"]
    names = [books.get("products", price["product"])["name"] for price, _ in lines]
    return _html(pages.checkout(session, names, note))


def _transfer(selling: Selling, session: Object, wish: str) -> str:
    if wish not in ("arrive", "fail"):
        return pages.transfer()
    selling.settle(session, paid=wish == "arrive")
    said = "The money has arrived." if wish == "arrive" else "The money will not come."
    return pages.told("Bank transfer (not real)", said)


async def portal(selling: Selling, request: web.Request) -> web.Response:
    """Where a customer manages what they have."""
    books, found = selling.books, selling.books.kept["portals"].get(request.match_info["id"])
    if found is None:
        return _html(pages.told("Portal (not real)", "This page is closed."))
    if request.method == "POST":
        _act(selling, found["customer"], {name: str(value) for name, value in (await request.post()).items()})
    return _html(pages.portal(books.of("subscriptions", customer=found["customer"]), found["return_url"] or "/"))


def _act(selling: Selling, customer: str, form: Mapping[str, str]) -> None:
    for act in ("stop", "resume"):
        if act in form:
            of = selling.books.get("subscriptions", form[act])
            selling.update(of, {"cancel_at_period_end": flag(act == "stop")})
    if "card" in form:
        declining = selling.books.declining
        (declining.add if form["card"] == "bad" else declining.discard)(customer)


async def paper(selling: Selling, request: web.Request) -> web.Response:
    """A receipt, or an invoice that can be paid here."""
    kind, id_ = request.match_info["kind"], request.match_info["id"]
    invoice = selling.books.kept["invoices"].get(id_)
    if kind == "invoices" and invoice is not None and invoice["status"] == "open":
        selling.books.declining.discard(invoice["customer"])
        selling.money.pay(invoice)
        return _html(pages.told("Invoice (not real)", f"{id_} is paid now, with a card that works."))
    return _html(pages.told("Receipt (not real)", f"{id_}: for your records, if you collect things that are not real."))


def _html(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/html")
