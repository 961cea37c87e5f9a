"""Webhooks of the fake Stripe: signed like Stripe's, and as unreliable as somebody wants them."""

import asyncio
import hashlib
import hmac
import random
from collections.abc import Callable
from dataclasses import dataclass

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout

from gateway.demo.stripe.objects import Object

_TRIES = 5
_PAUSE_S = 0.5


def signature(body: bytes, secret: str, at: int) -> str:
    """The ``Stripe-Signature`` of a body."""
    mac = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256)
    return f"t={at},v1={mac.hexdigest()}"


@dataclass(slots=True)
class Trouble:
    """How deliveries go wrong, each as a part of one. ``delay``: some come with the next delivery only.

    ``shuffle``: the order means nothing.
    """

    drop: float = 0.0
    delay: float = 0.0
    duplicate: float = 0.0
    shuffle: bool = False


class Delivery:
    """Sends events to one endpoint. ``waiting`` are those that are to be sent."""

    def __init__(self, url: str, secret: str, now: Callable[[], int]) -> None:
        self.url, self.secret = url, secret
        self.waiting: list[Object] = []
        self.trouble = Trouble()
        self.refused: list[tuple[str, int]] = []
        self.late: list[Object] = []
        self._now = now

    async def send_all(self, chance: random.Random, session: ClientSession) -> int:
        """Send what waits, with the trouble there is. How many were taken."""
        taken, late, self.late = 0, self.late, []
        while self.waiting or late:
            batch, self.waiting, late = [*late, *self.waiting], [], []
            for event in self._troubled(batch, chance):
                taken += await self.send(event, session)
        return taken

    def _troubled(self, batch: list[Object], chance: random.Random) -> list[Object]:
        trouble = self.trouble
        batch = [event for event in batch if chance.random() >= trouble.drop]
        late = [event for event in batch if trouble.delay and chance.random() < trouble.delay]
        self.late += late
        sent = [event for event in batch if not any(event is each for each in late)]
        sent += [event for event in sent if chance.random() < trouble.duplicate]
        if trouble.shuffle:
            chance.shuffle(sent)
        return sent

    async def send(self, event: Object, session: ClientSession) -> bool:
        """One delivery. Whether it was taken."""
        body = orjson.dumps(event)
        headers = {"Content-Type": "application/json", "Stripe-Signature": signature(body, self.secret, self._now())}
        try:
            async with session.post(self.url, data=body, headers=headers) as answer:
                status = answer.status
        except (ClientError, TimeoutError):
            status = 0
        if not 200 <= status < 300:  # noqa: PLR2004
            self.refused.append((event["type"], status))
            return False
        return True

    async def send_forever(self, arrived: asyncio.Event, chance: random.Random) -> None:
        """Send each event as it comes, with the trouble there is, and a few times more if it is not taken."""
        async with ClientSession(timeout=ClientTimeout(total=10)) as session:
            while True:
                await arrived.wait()
                arrived.clear()
                while self.waiting:
                    batch, self.waiting, self.late = [*self.late, *self.waiting], [], []
                    for event in self._troubled(batch, chance):
                        await self._send_until_taken(event, session)

    async def _send_until_taken(self, event: Object, session: ClientSession) -> None:
        for attempt in range(_TRIES):
            if await self.send(event, session):
                return
            await asyncio.sleep(_PAUSE_S * 2**attempt)
