"""What is wrong with an account's set-up, in sentences that say how to mend it."""

from gateway.payments.port import Fault, ProviderError
from gateway.payments.stripe.client import VERSION, Client, Json
from gateway.payments.stripe.signals import EVENTS


async def examine(client: Client, *, test: bool, webhook_url: str | None) -> tuple[Fault, ...]:
    """Key, account, webhook endpoint, its events and its version."""
    try:
        account = await client.get("account")
    except ProviderError as error:
        return (Fault(f"the account cannot be read: {error.message}", "see payments.stripe.api_key and api_base"),)
    found = _account(account, test=test)
    try:
        endpoints = [each async for each in client.every("webhook_endpoints")]
    except ProviderError as error:
        return (
            *found,
            Fault(f"webhook endpoints cannot be read: {error.message}", "give the key the right to", serious=False),
        )
    if webhook_url is None:
        return (*found, Fault("which endpoint is ours is not known", "say --url https://…", serious=False))
    return (*found, *_endpoint(endpoints, webhook_url))


def _account(account: Json, *, test: bool) -> list[Fault]:
    found = []
    if test:
        found.append(
            Fault("the key is of the sandbox: no money is real", "use a live key when you sell", serious=False)
        )
    if not account.get("charges_enabled", False):
        found.append(
            Fault("the account cannot charge", "finish its activation in Stripe's dashboard", serious=not test)
        )
    if not account.get("payouts_enabled", False):
        found.append(Fault("the account is not paid out", "add a bank account in Stripe's dashboard", serious=False))
    return found


def _endpoint(endpoints: list[Json], url: str) -> list[Fault]:
    ours = [each for each in endpoints if each["url"] == url]
    if not ours:
        return [Fault(f"no webhook endpoint points to {url}", f"add one with the API version {VERSION} and our events")]
    endpoint, found = ours[0], []
    if len(ours) > 1:
        found.append(Fault(f"{len(ours)} endpoints point to {url}", "remove all but one", serious=False))
    if endpoint["status"] != "enabled":
        found.append(Fault("the webhook endpoint is disabled", "enable it, and see why Stripe could not deliver"))
    if endpoint.get("api_version") not in (VERSION, None):
        found.append(
            Fault(f"the endpoint's API version is {endpoint['api_version']}", f"make one with {VERSION}", serious=False)
        )
    missing = [] if "*" in endpoint["enabled_events"] else sorted(set(EVENTS) - set(endpoint["enabled_events"]))
    if missing:
        found.append(Fault(f"the endpoint does not send {', '.join(missing)}", "add these events"))
    return found
