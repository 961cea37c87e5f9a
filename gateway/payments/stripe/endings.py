"""How a Subscription is ended: at once, or only if nobody has paid for it yet."""

from collections.abc import Mapping

from gateway.payments.port import Gone, ProviderError
from gateway.payments.stripe import bills, lines
from gateway.payments.stripe.client import Client, Json

_OVER = ("canceled", "incomplete_expired")
_PAYABLE = ("open", "uncollectible")


async def end(client: Client, id_: str) -> Json:
    """End it now, and its open invoices: Stripe itself only tries no more to have them paid, their pages stay.

    What names it and buys something else, such as hours of work, is owed as before. One that is over can be ended no
    more: its answer may have got lost the first time.
    """
    try:
        found = await client.delete(f"subscriptions/{id_}")
    except Gone:
        found = await client.get(f"subscriptions/{id_}")
        if found["status"] not in _OVER:
            raise
    for invoice in [each async for each in client.every("invoices", subscription=id_, status="open")]:
        if lines.buys(await bills.whole(client, invoice)):
            await _void(client, invoice["id"])
    return found


async def _void(client: Client, invoice: str) -> None:
    """Let nobody pay it; one that is paid, or being paid, stays what it is."""
    try:
        await client.post(f"invoices/{invoice}/void")
    except ProviderError as error:
        if error.retry:
            raise


async def withdraw(client: Client, id_: str) -> Json:
    """End it unless its first invoice is paid, or being paid. See the port.

    To read that it is not paid, and then to end it, would be too late for who pays in between: that money would have
    bought nothing. To void an invoice and to pay it exclude each other at Stripe.
    """
    found = await _read(client, id_)
    if found["status"] != "incomplete":
        return found
    invoice = found["latest_invoice"]
    if isinstance(invoice, Mapping) and invoice["status"] in _PAYABLE:
        await _void(client, invoice["id"])
        found = await _read(client, id_)
        invoice = found["latest_invoice"]
    voided = not isinstance(invoice, Mapping) or invoice["status"] == "void"
    return await end(client, id_) if voided and found["status"] == "incomplete" else found


async def _read(client: Client, id_: str) -> Json:
    return await client.get(f"subscriptions/{id_}", expand=["latest_invoice"])
