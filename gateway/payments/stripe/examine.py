"""How an account is set up for selling, point by point, in sentences that say how to mend what is wrong."""

from collections.abc import AsyncIterator, Sequence

from gateway.payments.port import Check, ProviderError
from gateway.payments.stripe.client import VERSION, Client, Json
from gateway.payments.stripe.signals import EVENTS, TOLERANCE_US

_READ = {
    "customers": "Customers",
    "products": "Products",
    "prices": "Prices",
    "checkout/sessions": "Checkout Sessions",
    "subscriptions": "Subscriptions",
    "invoices": "Invoices",
    "invoice_payments": "Invoices",
    "charges": "Charges",
    "disputes": "Disputes",
    "events": "Events",
}
"""What the gateway reads, and the name of the right to it in the dashboard."""
_CLOSE_S = 30
"""How far the clock may be off before it is told."""
_BY_HAND = (
    (
        "what becomes of a subscription whose retries all failed",
        "Settings → Billing → Subscriptions and emails: cancel it, or mark it unpaid",
    ),
    (
        "which mails Stripe sends: receipts, failed payments, cards that expire",
        "Settings → Emails; Settings → Billing → Subscriptions and emails",
    ),
    ("what customers read on their card statement", "Settings → Business → Public details: the statement descriptor"),
    ("whether tax is due: the gateway charges prices as they are", "ask your accountant; Stripe Tax is not used"),
)


_SWITCHING = Check(
    "customers can switch plans in the customer portal",
    "look",
    "turn it off under Settings → Billing → Customer portal: there it is not asked whether the period is paid, whether "
    "a trial was had before, or when a cheaper plan begins",
)


async def examine(client: Client, webhook_url: str | None, currencies: Sequence[str]) -> tuple[Check, ...]:
    """Key, account, rights, currencies, portal, and the webhook endpoint with its events and its version."""
    whose = await client.whose()
    found = [Check(f"the key is of {whose}")]
    if whose.test:
        found = [Check(f"the key is of {whose}: no money is real", "look", "use a live key when you sell")]
    found += await _account(client, currencies, test=whose.test)
    missing = [right async for right in _missing(client)]
    found.append(
        _all_or(
            "the key may read all that is needed",
            "the key may not read",
            missing,
            "give it these rights in the dashboard, under Developers → API keys",
        )
    )
    found.append(_clock(client.ahead_us))
    found += await _portal(client)
    found += await _webhook(client, webhook_url)
    return (*found, *(Check(what, "ask", where) for what, where in _BY_HAND))


def _all_or(good: str, bad: str, missing: Sequence[str], mend: str) -> Check:
    if not missing:
        return Check(good)
    return Check(f"{bad} {', '.join(dict.fromkeys(missing))}", "bad", mend)


async def _account(client: Client, currencies: Sequence[str], *, test: bool) -> list[Check]:
    try:
        account = await client.get("account")
    except ProviderError as error:
        return [
            Check(
                f"the account cannot be read: {error.message}",
                "look",
                "give a restricted key the right to, so that it is known by name",
            )
        ]
    found = []
    if account.get("charges_enabled", False):
        found.append(Check("the account can charge"))
    else:
        found.append(
            Check("the account cannot charge", "look" if test else "bad", "finish its activation in Stripe's dashboard")
        )
    if account.get("payouts_enabled", False):
        found.append(Check("the account is paid out"))
    else:
        found.append(Check("the account is not paid out", "look", "add a bank account in Stripe's dashboard"))
    own = account.get("default_currency")
    if other := sorted(set(currencies) - {own}) if own else []:
        mend = f"add a bank account in it, or know that Stripe converts it to {own} at its rate"
        found.append(Check(f"prices in {', '.join(other)} are not in the account's own currency", "look", mend))
    elif currencies:
        found.append(Check(f"prices are in {', '.join(sorted(currencies))}"))
    return found


async def _missing(client: Client) -> AsyncIterator[str]:
    """The rights that a restricted key lacks, as far as reading shows."""
    for path, name in _READ.items():
        try:
            await client.get(path, limit=1)
        except ProviderError as error:
            if error.code not in ("right", "key"):
                raise
            yield name


def _clock(ahead_us: int | None) -> Check:
    """A webhook is believed for five minutes: with a clock that is wrong by more, none is."""
    if ahead_us is None:
        return Check("Stripe does not say which time it is", "look", "see that this machine's clock is set by NTP")
    seconds = abs(ahead_us) // 1_000_000
    said = f"this machine's clock is {seconds} s {'ahead of' if ahead_us > 0 else 'behind'} Stripe's"
    if abs(ahead_us) > TOLERANCE_US:
        return Check(f"{said}: every webhook is refused", "bad", "have the clock set by NTP")
    if seconds > _CLOSE_S:
        return Check(said, "look", "have the clock set by NTP: from five minutes on every webhook is refused")
    return Check("this machine's clock and Stripe's agree")


async def _portal(client: Client) -> list[Check]:
    try:
        page = await client.get("billing_portal/configurations", is_default=True, active=True, limit=1)
    except ProviderError as error:
        return [Check(f"the customer portal cannot be looked at: {error.message}", "look", "give the key the right to")]
    if page["data"]:
        switching = (page["data"][0]["features"].get("subscription_update") or {}).get("enabled")
        return [Check("the customer portal is set up"), *([_SWITCHING] if switching else [])]
    return [
        Check(
            "the customer portal is not set up", "bad", "save its settings once: Settings → Billing → Customer portal"
        )
    ]


async def _webhook(client: Client, url: str | None) -> list[Check]:
    try:
        endpoints = [each async for each in client.every("webhook_endpoints")]
    except ProviderError as error:
        return [Check(f"webhook endpoints cannot be read: {error.message}", "look", "give the key the right to")]
    if url is None:
        return [Check("which endpoint is ours is not known", "look", "say --url https://…")]
    ours = [each for each in endpoints if each["url"] == url]
    if not ours:
        return [
            Check(
                f"no webhook endpoint points to {url}", "bad", f"add one with the API version {VERSION} and our events"
            )
        ]
    found = [Check(f"one webhook endpoint points to {url}")]
    if len(ours) > 1:
        found = [Check(f"{len(ours)} endpoints point to {url}", "look", "remove all but one")]
    return [*found, *_endpoint(ours[0])]


def _endpoint(endpoint: Json) -> list[Check]:
    found = [Check("the webhook endpoint is enabled")]
    if endpoint["status"] != "enabled":
        found = [Check("the webhook endpoint is disabled", "bad", "enable it, and see why Stripe could not deliver")]
    version = endpoint.get("api_version")
    if version == VERSION:
        found.append(Check(f"its API version is {VERSION}"))
    else:
        found.append(
            Check(f"its API version is {version or 'that of the account'}", "look", f"make one with {VERSION}")
        )
    missing = [] if "*" in endpoint["enabled_events"] else sorted(set(EVENTS) - set(endpoint["enabled_events"]))
    return [*found, _all_or("it sends all events that are needed", "it does not send", missing, "add these events")]
