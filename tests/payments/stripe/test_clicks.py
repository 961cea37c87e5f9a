"""What a person can do on the pages of the fake Stripe."""

import pytest
from aiohttp import ClientSession

from gateway.core.sale import Mode, OrderState
from tests.payments.stripe.world import ALICE, item, sale, wish


@pytest.mark.parametrize(("click", "becomes"), [("arrive", OrderState.PAID), ("fail", OrderState.FAILED)])
@pytest.mark.parametrize("mode", ["payment", "subscription"])
async def test_a_bank_transfer_is_under_way_until_somebody_says_what_became_of_it(
    mode: Mode, click: str, becomes: OrderState
) -> None:
    async with sale() as here, ClientSession() as browser:
        customer = await here.provider.ensure_customer(None, ALICE, "alice", "c1")
        order = await here.provider.open_order(wish(customer, item(mode=mode)))

        async def press(what: str) -> str:
            async with browser.post(order.url or "", data={"do": what}, allow_redirects=False) as page:
                return await page.text()

        async with browser.get(order.url or "") as page:
            assert "Pay by bank transfer (arrives later)" in await page.text()
        await press("delay")
        async with browser.get(order.url or "") as page:
            assert "It is on its way" in await page.text()
        assert (await here.provider.order(order.id)).state is OrderState.PROCESSING
        assert "Not real." in await press(click)
        told = here.fake.books.events[-1]["type"].rpartition("_")[2]
        assert told == ("succeeded" if click == "arrive" else "failed")
        if (mode, click) != ("subscription", "fail"):  # there the bill stays open, and can be paid otherwise
            assert (await here.provider.order(order.id)).state is becomes
