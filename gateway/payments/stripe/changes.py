"""Another plan for a running subscription: first what it would cost, then the change, reckoned for the same instant."""

from typing import Any

from gateway.payments.port import Line, Preview
from gateway.payments.stripe.amounts import from_stripe
from gateway.payments.stripe.client import Client, Json
from gateway.payments.stripe.convert import id_of, only_item

_SECOND_US = 1_000_000


async def preview(client: Client, agreement: str, price: str, at_us: int) -> Preview:
    """What is due at once. A credit is no refund: it waits for the next invoice, and is due as 0."""
    subscription = await client.get(f"subscriptions/{agreement}")
    details = {
        "items": _items(subscription, price),
        "proration_date": at_us // _SECOND_US,
        "proration_behavior": "always_invoice",
    }
    said = await client.post("invoices/create_preview", subscription=agreement, subscription_details=details)
    currency = said["currency"]
    lines = tuple(
        Line(line.get("description") or "", from_stripe(line["amount"], currency)) for line in said["lines"]["data"]
    )
    return Preview(from_stripe(said["amount_due"], currency), currency, lines, at_us // _SECOND_US * _SECOND_US)


async def change(client: Client, agreement: str, price: str, at_us: int, key: str) -> Json:
    """Change at once; a dearer plan counts when the difference is paid, else the old one stays.

    Each try leaves an invoice. Its predecessor in the key makes one change of two clicks, and a new try of one that was
    declined before.
    """
    subscription = await client.get(f"subscriptions/{agreement}")
    return await client.post(
        f"subscriptions/{agreement}",
        key=f"{key}-{id_of(subscription.get('latest_invoice'))}",
        items=_items(subscription, price),
        proration_date=at_us // _SECOND_US,
        proration_behavior="always_invoice",
        payment_behavior="pending_if_incomplete",
    )


def _items(subscription: Json, price: str) -> list[dict[str, Any]]:
    """Without the item's id a second item would be added."""
    return [{"id": only_item(subscription)["id"], "price": price, "quantity": 1}]
