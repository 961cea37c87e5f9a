"""What the demo sells, and where it is paid: plans in the store, and a Stripe that is not real."""

import secrets
from textwrap import dedent

from gateway.app import Gateway
from gateway.clock import now_us
from gateway.core.plan import THROUGHPUT, PlanLimit
from gateway.demo.stripe.server import FakeStripe
from gateway.store import plans
from gateway.store.mandate import Actor, Mandate
from gateway.store.rows import PlanDraft, PriceDraft, Terms
from gateway.store.store import Store

_MINUTE_US = 60_000_000
_PLANS = (("starter", "Starter", 200, 900), ("pro", "Pro", 5000, 4900))
"""Slug, name, units in five minutes, cents."""


class Market:
    """A Stripe that is not real, for one gateway."""

    def __init__(self) -> None:
        self.stripe = FakeStripe()
        self.secret = f"whsec_{secrets.token_hex(16)}"
        self._key = f"sk_test_{secrets.token_hex(16)}"

    async def open(self) -> None:
        """Listen."""
        await self.stripe.start()

    def yaml(self, origin: str) -> str:
        """The gateway's settings. ``origin``: where its pages are."""
        return dedent(f"""\
            payments:
              stripe:
                api_key: {self._key}
                webhook_secrets: [{self.secret}]
                api_base: "{self.stripe.url}"
                demo: true
              return_origins: ["{origin}"]
              trials: {{starter: 7d}}
            """)

    async def stock(self, gateway: Gateway) -> None:
        """Put plans on sale, and send the gateway what happens."""
        shop = gateway.stocked.shop
        if shop is not None:
            await put_plans(shop.store)
        self.stripe.subscribe(f"{gateway.urls[0]}/billing/webhook/stripe", self.secret)

    async def close(self) -> None:
        """Stop."""
        await self.stripe.close()


async def put_plans(store: Store) -> None:
    """The plans of the demo."""
    by = Mandate(Actor("command", "demo"), now_us())
    for slug, name, amount, cents in _PLANS:
        terms = Terms((PlanLimit(THROUGHPUT, amount, 5 * _MINUTE_US),), 30)
        prices = [PriceDraft(currency="usd", amount=cents, is_default=True), PriceDraft(currency="eur", amount=cents)]
        draft = PlanDraft(
            slug=slug, name=name, terms=terms, description=f"{amount} units every five minutes. Not real."
        )
        await plans.create(store, draft, by, prices=prices)
