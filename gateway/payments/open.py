"""Opening the providers that are configured. Only this module names one, and loads its library when it is needed."""

from dataclasses import dataclass, field

from gateway.payments.port import Memory, Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeParts:
    """What Stripe needs: see ``payments.stripe`` in the settings."""

    api_key: str = field(repr=False)
    webhook_secrets: tuple[str, ...] = field(repr=False)
    app: str
    account: str | None
    base: str | None
    timeout_s: float
    retries: int


def open_stripe(parts: StripeParts, memory: Memory) -> Provider:
    """Stripe."""
    from gateway.payments.stripe.client import Access  # noqa: PLC0415  (33 MB that most gateways need not)
    from gateway.payments.stripe.provider import Config, StripeProvider  # noqa: PLC0415

    access = Access(
        api_key=parts.api_key,
        account=parts.account,
        base=parts.base,
        timeout_s=parts.timeout_s,
        retries=parts.retries,
    )
    config = Config(access=access, secrets=parts.webhook_secrets, app=parts.app)
    return StripeProvider(config, memory)
