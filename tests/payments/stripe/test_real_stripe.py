"""Against Stripe itself, with a sandbox key of yours: ``STRIPE_TEST_KEY``. Skipped without one."""

import os

import pytest

from gateway.clock import new_id, now_us
from gateway.core.sale import OrderState
from gateway.payments.stripe.client import Access
from gateway.payments.stripe.provider import Config, StripeProvider
from tests.payments.stripe.world import ALICE, Notes, item, wish

KEY = os.environ.get("STRIPE_TEST_KEY", "")

pytestmark = pytest.mark.skipif(not KEY.startswith(("sk_test_", "rk_test_")), reason="STRIPE_TEST_KEY is not set")


async def test_a_page_is_opened_read_and_closed_and_a_catalog_pushed_once() -> None:
    name = new_id()
    provider = StripeProvider(Config(access=Access(api_key=KEY), app=f"weighbridge-test-{name}"), Notes())
    try:
        of = item(plan_id=name)
        assert len(await provider.push([of], dry_run=False)) == 2
        assert await provider.push([of], dry_run=False) == ()
        customer = await provider.ensure_customer(None, ALICE, "alice", f"customer-{name}")
        expires_us = now_us() + 3_600_000_000
        order = await provider.open_order(wish(customer, of, f"checkout-{name}", expires_us=expires_us))
        assert (await provider.order(order.id)).state is OrderState.OPEN
        assert (await provider.expire_order(order.id)).state is OrderState.EXPIRED
        assert [each.mended for each in await provider.push([], dry_run=False)] == [True]
    finally:
        await provider.close()
