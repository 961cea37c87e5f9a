"""What Stripe itself must do as we think it does: asked of it with a sandbox key of yours (``STRIPE_TEST_KEY``).

Without one, and also with one, the same is asked of the fake: so what is here runs, and the two say the same.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.clock import new_id, now_us
from gateway.core.sale import AgreementState, OrderState, PaymentState, Tag
from gateway.payments.port import Item
from gateway.payments.stripe.client import Access
from gateway.payments.stripe.convert import metadata
from gateway.payments.stripe.provider import Config, StripeProvider
from tests.payments.stripe.judge import judged
from tests.payments.stripe.world import ALICE, Notes, item, wish

KEY = os.environ.get("STRIPE_TEST_KEY", "")
WITH_KEY = pytest.mark.skipif(not KEY.startswith(("sk_test_", "rk_test_")), reason="STRIPE_TEST_KEY is not set")


@dataclass
class There:
    """Stripe, real or not. ``name``: what is made in this test is called so."""

    provider: StripeProvider
    name: str

    @property
    def client(self) -> Any:
        return self.provider._client

    def plan(self, number: int, amount: int, **more: Any) -> Item:
        return item(amount, plan_id=f"{self.name}-{number}", slug=f"p{number}", name=f"Plan {number}", **more)

    async def customer(self) -> str:
        return await self.provider.ensure_customer(None, ALICE, "alice", f"customer-{self.name}")

    async def begun(self, of: Item, **more: Any) -> str:
        """A subscription of a customer whose card works, without a page: nobody can click on a real one here."""
        customer = await self.customer()
        card = await self.client.post("payment_methods/pm_card_visa/attach", customer=customer)
        made = await self.client.post(
            "subscriptions",
            customer=customer,
            items=[{"price": await self.provider._price(of)}],
            default_payment_method=card["id"],
            metadata=metadata(Tag(self.name, of.plan_id, ALICE, "alice"), self.provider._app),
            billing_mode={"type": "flexible"},
            **more,
        )
        return str(made["id"])


@asynccontextmanager
async def _there(base: str | None, key: str) -> AsyncIterator[There]:
    name = new_id()
    access = Access(api_key=key, base=base)
    provider = StripeProvider(Config(access=access, app=f"weighbridge-test-{name}"), Notes())
    try:
        yield There(provider, name)
        await provider.push([], dry_run=False)  # archives the prices that were made
    finally:
        await provider.close()


@pytest.fixture(params=["not real", pytest.param("real", marks=WITH_KEY)])
async def there(request: pytest.FixtureRequest) -> AsyncIterator[There]:
    if request.param == "real":
        async with _there(None, KEY) as real:
            yield real
        return
    async with judged(automatic=False) as fake, _there(fake.url, "sk_test_" + "0" * 24) as running:
        yield running


async def test_a_page_is_opened_read_and_closed_and_a_catalog_pushed_once(there: There) -> None:
    provider, of = there.provider, there.plan(1, 500)
    assert len(await provider.push([of], dry_run=False)) == 2
    assert await provider.push([of], dry_run=False) == ()
    asked = wish(await there.customer(), of, f"checkout-{there.name}", expires_us=now_us() + 3_600_000_000)
    order = await provider.open_order(asked)
    assert await provider.open_order(asked) == order, "asked twice, opened once"
    assert (await provider.order(order.id)).state is OrderState.OPEN
    assert (await provider.expire_order(order.id)).state is OrderState.EXPIRED
    assert [each.mended for each in await provider.push([], dry_run=False)] == [True]


async def test_what_renews_is_paid_changed_stopped_resumed_refunded_and_ended(there: There) -> None:
    provider = there.provider
    cheap, dear = (there.plan(number, amount, mode="subscription") for number, amount in ((1, 500), (2, 2000)))
    id_ = await there.begun(cheap)
    agreement = await provider.agreement(id_)
    assert (agreement.state, agreement.plan_id, agreement.stopping) == (AgreementState.ACTIVE, cheap.plan_id, False)
    assert agreement.tag is not None
    assert agreement.tag.subscription == there.name
    assert agreement.period_end_us - agreement.period_start_us == 30 * 86_400_000_000
    (first,) = await provider.receipts(agreement=id_)
    assert (first.amount, first.kept, first.period_end_us) == (500, True, agreement.period_end_us)

    costs = await provider.preview(id_, dear, now_us())
    changed = await provider.change(id_, dear, costs.at_us, f"change-{there.name}")
    assert (changed.plan_id, changed.period_end_us) == (dear.plan_id, agreement.period_end_us)
    assert sorted(each.amount for each in await provider.receipts(agreement=id_)) == [500, costs.amount_due]

    assert (await provider.stop(id_)).stopping
    assert not (await provider.resume(id_)).stopping
    for charge in [each async for each in there.client.every("charges", customer=await there.customer())]:
        await there.client.post("refunds", charge=charge["id"])
    assert [each.kept for each in await provider.receipts(agreement=id_)] == [False, False]
    assert (await provider.end(id_)).state is AgreementState.ENDED
    assert (await provider.end(id_)).state is AgreementState.ENDED, "and once more, as after a lost answer"


async def test_what_nobody_has_paid_is_withdrawn_with_its_bill(there: There) -> None:
    id_ = await there.begun(there.plan(1, 500, mode="subscription"), payment_behavior="default_incomplete")
    assert (await there.provider.agreement(id_)).state is AgreementState.INCOMPLETE
    assert (await there.provider.withdraw(id_)).state is AgreementState.ENDED
    (bill,) = await there.provider.receipts(agreement=id_)
    assert (bill.state, bill.pay_url) == (PaymentState.VOID, None)


async def test_what_has_happened_is_told_from_a_place_on(there: There) -> None:
    since_us = now_us() - 60_000_000
    id_ = await there.begun(there.plan(1, 500, mode="subscription"))
    told = [each async for each in there.provider.signals(None, since_us)]
    created = next(at for at, each in enumerate(told) if (each.kind, each.id) == ("customer.subscription.created", id_))
    assert (await there.provider.owner(told[created])).subscription == there.name
    after = [each.key async for each in there.provider.signals(told[created].key, since_us)]
    assert set(after) >= {each.key for each in told[created + 1 :]}
    walked = [owner async for owner, _ in there.provider.everything(since_us)]
    assert any((owner.subscription, owner.agreement) == (there.name, id_) for owner in walked)
