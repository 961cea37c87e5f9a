"""The same shop without sockets: the fake Stripe and the webhooks are called, not reached over a network.

For histories by the thousand. What is left out, the tests of ``shop`` have: HTTP on both sides. Everything else is the
gateway's own, from Stripe's client library to the SQL.
"""

import random
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl, urlsplit

import orjson
import stripe

from gateway.billing import inbox
from gateway.billing.sales import Sales
from gateway.demo.stripe.delivery import Delivery, signature
from gateway.demo.stripe.objects import Object
from gateway.demo.stripe.server import FakeStripe
from gateway.payments.port import BadSignature, Foreign
from gateway.payments.stripe.provider import StripeProvider

URL = "http://fake.test"


class NearStripe(FakeStripe):
    """A fake that nobody listens for."""

    async def deliver(self) -> int:
        return sum([await each.send_near(self.chance) for each in self.deliveries if isinstance(each, NearDelivery)])


class NearHTTP(stripe.HTTPClient):
    """What stripe-python sends, handed to the fake; what hangs up there, is a connection that failed here."""

    name = "near"

    def __init__(self, fake: FakeStripe) -> None:
        super().__init__()
        self._fake = fake

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        parts, body = urlsplit(url), post_data or ""
        hung_up: list[bool] = []

        async def read() -> bytes:
            return str(body).encode()

        async def post() -> dict[str, str]:
            return dict(parse_qsl(body))

        asked: Any = SimpleNamespace(
            match_info={"path": parts.path.removeprefix("/v1/")},
            method=method.upper(),
            headers=headers,
            query=dict(parse_qsl(parts.query)),
            transport=SimpleNamespace(abort=lambda: hung_up.append(True)),
            read=read,
            post=post,
        )
        answer: Any = await self._fake._api(asked)
        if hung_up:
            raise stripe.APIConnectionError("hung up", should_retry=True)  # type: ignore[no-untyped-call]
        return answer.body, answer.status, {}

    async def close_async(self) -> None:
        return


class NearDelivery(Delivery):
    """Hands events to the inbox."""

    sales: Sales

    async def send_near(self, chance: random.Random) -> int:
        taken = 0
        while self.waiting:
            batch, self.waiting = self.waiting, []
            for event in self._troubled(batch, chance):
                taken += await self._take(event)
        return taken

    async def _take(self, event: Object) -> bool:
        body = orjson.dumps(event)
        headers = {"stripe-signature": signature(body, self.secret, self._now())}
        try:
            row = await inbox.receive(self.sales, headers, body)
        except BadSignature:
            self.refused.append((event["type"], 400))
            return False
        except Foreign:
            return True
        if row is not None and row.state == "received":
            await inbox.act_on(self.sales, row)
        return True


def near_provider(fake: FakeStripe, config: Any, memory: Any) -> StripeProvider:
    """A provider whose client library speaks to the fake at once."""
    with patch.object(stripe, "AIOHTTPClient", lambda timeout: NearHTTP(fake)):  # noqa: ARG005
        return StripeProvider(config, memory)
