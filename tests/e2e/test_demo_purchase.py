"""The demo as a newcomer clicks through it: a purchase that costs nothing changes the budget of the next request."""

import asyncio
import socket
from typing import Any

from aiohttp import ClientSession

from gateway.demo.data import ALICE
from gateway.demo.run import demo


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def test_the_demo_purchase_changes_the_budget_of_the_next_request() -> None:
    async with demo(free_port()) as running, ClientSession() as browser:
        url = running.gateway.urls[0]
        headers = {"Authorization": f"Bearer {running.backend.token(ALICE)}"}

        async def call(method: str, path: str, **more: Any) -> Any:
            async with browser.request(method, f"{url}/billing{path}", headers=headers, **more) as answer:
                assert answer.status == 200, await answer.text()
                return await answer.json()

        async def limit() -> str:
            async with browser.get(f"{url}/user/me", headers=headers) as answer:
                return answer.headers["X-RateLimit-Limit"]

        assert await limit() == "20"
        assert (await call("GET", "/about"))["payments"] == {"providers": ["stripe"], "demo": True}
        pro = next(plan for plan in await call("GET", "/plan") if plan["slug"] == "pro")
        wish = {"plan_id": pro["id"], "payment_mode": "subscription", "success_url": f"{url}/billing-success"}
        order = await call("POST", "/subscription/checkout", json={**wish, "cancel_url": f"{url}/billing-cancel"})
        async with browser.get(order["checkout_url"]) as page:
            text = await page.text()
            assert "<strong>Not real.</strong>" in text
            assert "49.00 USD" in text
        async with browser.post(order["checkout_url"], data={"do": "decline"}) as page:
            assert "The card was declined" in await page.text()
        async with browser.post(order["checkout_url"], data={"do": "pay"}, allow_redirects=False) as page:
            assert page.headers["Location"] == f"{url}/billing-success"
        async with asyncio.timeout(30):
            while await limit() != "5000":
                await asyncio.sleep(0.05)
        portal = await call("POST", "/portal", json={"return_url": f"{url}/billing"})
        async with browser.get(portal["url"]) as page:
            assert "Not real." in await page.text()
