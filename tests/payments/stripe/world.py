"""A fake Stripe that is judged while it is used, and our provider in front of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from gateway.core.sale import Mode, Tag
from gateway.core.scope import Scope
from gateway.demo.stripe.server import FakeStripe
from gateway.payments.port import Account, Item, Wish
from gateway.payments.stripe.client import Access
from gateway.payments.stripe.pace import Pace
from gateway.payments.stripe.provider import Config, StripeProvider
from tests.payments.stripe.judge import Judge

START = 1_800_000_000
SECRET = "whsec_of_the_tests"
ALICE = Scope("user", "alice")


@dataclass
class Notes:
    """What a provider remembers, for as long as a test."""

    attempts: dict[str, int] = field(default_factory=dict)
    account: Account | None = None

    async def admit(self, account: Account) -> None:
        self.account = account

    async def attempt(self, act: str) -> int:
        return self.attempts.get(act, 0)

    async def use_up(self, act: str, attempt: int) -> None:
        if self.attempts.get(act, 0) == attempt:
            self.attempts[act] = attempt + 1


@dataclass
class Sale:
    fake: FakeStripe
    provider: StripeProvider
    judge: Judge


@asynccontextmanager
async def sale(*, automatic: bool = False, retries: int = 2, pace: Pace | None = None) -> AsyncIterator[Sale]:
    judge = Judge()
    fake = FakeStripe(now=lambda: START, automatic=automatic, on_request=judge)
    await fake.start()
    access = Access(api_key="sk_test_" + "0" * 24, base=fake.url, timeout_s=5, retries=retries, pace=pace)
    provider = StripeProvider(Config(access=access, secrets=(SECRET,)), Notes())
    try:
        yield Sale(fake, provider, judge)
        judge.check(fake)
    finally:
        await provider.close()
        await fake.close()


def item(amount: int = 500, mode: Mode = "payment", **more: Any) -> Item:
    given = {"plan_id": "p1", "slug": "pro", "name": "Pro", "description": None, "currency": "usd", "days": 30}
    return Item(**{**given, "amount": amount, "mode": mode, **more})


def wish(customer: str, of: Item, key: str = "k1", **more: Any) -> Wish:
    given: dict[str, Any] = {"key": key, "tag": Tag("s1", of.plan_id, ALICE, "alice"), "item": of, "customer": customer}
    given |= {"success_url": "https://shop.test/ok?id={CHECKOUT_ID}", "cancel_url": "https://shop.test/no"}
    return Wish(**{**given, "expires_us": (START + 86_400) * 1_000_000, **more})
