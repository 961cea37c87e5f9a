"""Another plan for a running subscription: first what it would cost, then the change, reckoned for the same instant."""

from typing import Any, NamedTuple

from gateway import log
from gateway.core.problems import Problem
from gateway.payments.attended import unattended
from gateway.payments.port import Line, Preview, ProviderError
from gateway.payments.stripe import schedules
from gateway.payments.stripe.amounts import from_stripe
from gateway.payments.stripe.client import Client, Json
from gateway.payments.stripe.convert import id_of, only_item
from gateway.payments.stripe.schedules import Then

_SECOND_US = 1_000_000
_log = log.get_logger(__name__)


class Asked(NamedTuple):
    """A change to ``price``, reckoned for ``at_us``; ``key``: the same for the same wish."""

    price: str
    at_us: int
    key: str


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


async def change(client: Client, agreement: str, asked: Asked, app: str) -> Json:
    """Change at once; a dearer plan counts when the difference is paid, else the old one stays, and what was agreed.

    Each try leaves an invoice. Its predecessor in the key makes one change of two clicks, and a new try of one that was
    declined before.
    """
    subscription = await client.get(f"subscriptions/{agreement}")
    items = _items(subscription, asked.price)
    agreed = await schedules.release(client, agreement, app)
    try:
        changed = await client.post(
            f"subscriptions/{agreement}",
            key=f"{asked.key}-{id_of(subscription.get('latest_invoice'))}",
            items=items,
            proration_date=asked.at_us // _SECOND_US,
            proration_behavior="always_invoice",
            payment_behavior="pending_if_incomplete",
        )
    except (ProviderError, Problem):
        if agreed is not None:
            await _put_back(client, agreement, agreed, asked, app)
        raise
    if agreed is None or only_item(changed)["price"]["id"] == asked.price:
        return changed
    if await _is_as_long(client, changed, asked.price):
        await _put_back(client, agreement, agreed, asked, app)
    return await client.get(f"subscriptions/{agreement}", expand=["schedule"])


async def _put_back(client: Client, agreement: str, agreed: Then, asked: Asked, app: str) -> None:
    """What was agreed for the next period holds as before, unless the change was made all the same, or it is to end.

    If that fails as well, it is off: then whoever asked finds it so. It waits in line rather than be refused.
    """
    try:
        with unattended():
            found = await client.get(f"subscriptions/{agreement}")
            stopping = found["cancel_at_period_end"] or found.get("cancel_at") is not None
            if only_item(found)["price"]["id"] != asked.price and not stopping:
                await schedules.make(client, agreement, agreed, app)
    except ProviderError as error:
        _log.warning("what was agreed for the next period is off", of=agreement, plan=agreed.plan_id, why=error.code)


async def _is_as_long(client: Client, changed: Json, price: str) -> bool:
    """Whether the period that would begin, were the change paid for later, ends when the one that runs now does.

    Else what is put back would begin in the middle of it, and its rest be lost.
    """
    then, now = (await client.get(f"prices/{price}"))["recurring"], only_item(changed)["price"]["recurring"]
    return bool((then["interval"], then["interval_count"]) == (now["interval"], now["interval_count"]))


def _items(subscription: Json, price: str) -> list[dict[str, Any]]:
    """Without the item's id a second item would be added."""
    return [{"id": only_item(subscription)["id"], "price": price, "quantity": 1}]
