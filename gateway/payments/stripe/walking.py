"""All that Stripe has of ours, one after the other, from any place on."""

from collections.abc import AsyncIterator

from gateway.payments.port import Owner
from gateway.payments.stripe.client import Client, Json
from gateway.payments.stripe.convert import id_of, tag_of

_SUBSCRIPTIONS, _SESSIONS = "subscriptions", "sessions"


async def everything(client: Client, app: str, since_s: int, after: str | None) -> AsyncIterator[tuple[Owner, str]]:
    """All Subscriptions, then the Checkout Sessions since ``since_s``; each from new to old. See the port."""
    kind, _, id_ = (after or "").partition(" ")
    if kind != _SESSIONS:
        async for each in client.every("subscriptions", status="all", starting_after=id_ or None):
            yield _owner(each, app, agreement=each["id"]), f"{_SUBSCRIPTIONS} {each['id']}"
        id_ = ""
    async for each in client.every("checkout/sessions", created={"gte": since_s}, starting_after=id_ or None):
        owner = _owner(each, app, order=each["id"], agreement=id_of(each.get("subscription")))
        yield owner, f"{_SESSIONS} {each['id']}"


def _owner(of: Json, app: str, *, agreement: str | None = None, order: str | None = None) -> Owner:
    tag = tag_of(of.get("metadata"), app)
    return Owner() if tag is None else Owner(tag.subscription, order, agreement)
