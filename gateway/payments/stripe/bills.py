"""Invoices with all that belongs to them: as they come, lists in them are cut after ten."""

from gateway.payments.stripe.client import Client, Json


async def whole(client: Client, invoice: Json) -> Json:
    """With all its lines, of which the one that renews the subscription stands last, and all its payments."""
    parts = {}
    if invoice["lines"]["has_more"]:
        parts["lines"] = {"data": [each async for each in client.every(f"invoices/{invoice['id']}/lines")]}
    if (invoice.get("payments") or {}).get("has_more"):
        payments = client.every("invoice_payments", invoice=invoice["id"])
        parts["payments"] = {"data": [each async for each in payments]}
    return {**invoice, **parts} if parts else invoice
