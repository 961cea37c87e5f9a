"""Opening the providers that are configured. Only this module names one, and loads its library when it is needed."""

from typing import TYPE_CHECKING

from gateway.payments.port import Provider

if TYPE_CHECKING:
    from gateway.payments.stripe.provider import Config


def open_stripe(config: "Config") -> Provider:
    """Stripe, with what it needs."""
    from gateway.payments.stripe.provider import StripeProvider  # noqa: PLC0415  (33 MB that most gateways need not)

    return StripeProvider(config)
