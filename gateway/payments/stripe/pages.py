"""Checkout Sessions: opened once for a wish, whatever fails on the way; read; closed."""

from typing import Any

from gateway.core.sale import Order, OrderState
from gateway.payments.port import ProviderError, Wish
from gateway.payments.stripe import convert
from gateway.payments.stripe.client import Client, Json, UsedUp

_SECOND_US = 1_000_000
_EXPANDED = ["payment_intent"]
_PAGE = "page"
"""The metadata that names the wish, by which a page is found whose answer was lost."""


async def open_page(client: Client, wish: Wish, price: str, app: str) -> Order:
    """A page for ``wish``; the one that is there, if Stripe failed after it had made it. Raises ``ProviderError``."""
    found = await _made_before(client, wish)
    if found is None:
        said = _said(wish, price, app)
        try:
            found = await client.try_once("checkout/sessions", wish.key, **said)
        except UsedUp as error:
            if not error.at_once:
                raise
            found = await _made_before(client, wish) or await client.try_once("checkout/sessions", wish.key, **said)
    return convert.order(found, app)


async def _made_before(client: Client, wish: Wish) -> Json | None:
    """A key that is used up leaves open whether there is a page: one that was never seen must not be one too many."""
    if not await client.retried(wish.key):
        return None
    async for session in client.every("checkout/sessions", customer=wish.customer):
        if (session.get("metadata") or {}).get(_PAGE) == wish.key:
            return session
    return None


def _said(wish: Wish, price: str, app: str) -> dict[str, Any]:
    """Our ids are put in every place that may be seen alone later: they are not inherited."""
    said = {**convert.metadata(wish.tag, app), _PAGE: wish.key}
    renews = wish.item.mode == "subscription"
    part: dict[str, Any] = {"metadata": said, "description": wish.item.name}
    if renews:
        part |= {"billing_mode": {"type": "flexible"}}
        if wish.trial_days:
            part["trial_period_days"] = wish.trial_days
    return {
        "mode": wish.item.mode,
        "customer": wish.customer,
        "client_reference_id": wish.tag.subscription,
        "line_items": [{"price": price, "quantity": 1}],
        "success_url": wish.success_url.replace("{CHECKOUT_ID}", "{CHECKOUT_SESSION_ID}"),
        "cancel_url": wish.cancel_url,
        "expires_at": wish.expires_us // _SECOND_US,
        "metadata": said,
        "subscription_data" if renews else "payment_intent_data": part,
    }


async def read_page(client: Client, id_: str, app: str) -> Order:
    """A page as it is now."""
    return convert.order(await client.get(f"checkout/sessions/{id_}", expand=_EXPANDED), app)


async def close_page(client: Client, id_: str, app: str) -> Order:
    """Let nobody pay it any more. Stripe refuses to close what is paid or closed: then that is what it is."""
    found = await read_page(client, id_, app)
    if found.state is not OrderState.OPEN:
        return found
    try:
        return convert.order(await client.post(f"checkout/sessions/{id_}/expire", key=f"expire-{id_}"), app)
    except ProviderError as error:
        if error.retry:
            raise
        return await read_page(client, id_, app)
