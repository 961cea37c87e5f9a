"""How often Stripe is asked by all that this process does: no more than it bears, and customers first.

What nobody waits for (webhooks, the sync, what is due) has what customers leave over. They leave a quarter at least:
what they have paid for is granted by what nobody waits for. By 429 Stripe says that it was too much, for instance
because other processes ask as well: then all rest for a moment and go on at half the rate, a little faster with each
answer.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from gateway import log
from gateway.payments.attended import somebody_waits
from gateway.payments.port import Busy

_SECOND_US = 1_000_000
_CUSTOMER_US = 5 * _SECOND_US
"""So long a customer waits for a turn; a page that hangs is pressed again."""
_NOBODY_US = 60 * _SECOND_US
_LONGEST_REST_US = 300 * _SECOND_US
_MADE_UP_FOR_US = _SECOND_US // 8
"""What was not used for so long may come at once."""
_CUSTOMERS = 0.75
_REST_CALLS = 40
"""As long as so many calls take, nothing is asked after a 429: a second at the usual rate."""
_SLOWEST = 1 / 40
_FASTER = 1 / 200

_log = log.get_logger(__name__)


class Pace:
    """Turns. ``per_second``: so many at most."""

    def __init__(
        self,
        per_second: float,
        *,
        now_us: Callable[[], int] = lambda: time.monotonic_ns() // 1000,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._now_us, self._sleep = now_us, sleep
        self._full, self._rate = per_second, per_second
        self._next_us, self._next_customer_us = 0.0, 0.0
        self._rest_until_us = 0.0
        self._line, self._in_line = asyncio.Lock(), 0

    @property
    def per_second(self) -> float:
        """How many a second it may be now."""
        return self._rate

    async def turn(self) -> None:
        """Wait until Stripe may be asked once more. Raises ``Busy`` if that takes too long, at once if it is known."""
        if somebody_waits():
            await self._wait_as_customer()
        else:
            await self._wait_in_line()
        self._next_us = self._after(self._next_us, self._now_us(), self._rate)

    def slow_down(self, rest_s: float | None = None) -> None:
        """Stripe was asked too often. ``rest_s``: for how long it wants not to be asked at all."""
        now_us = self._now_us()
        rest_us = _REST_CALLS * _SECOND_US / self._full if rest_s is None else rest_s * _SECOND_US
        until_us = now_us + min(rest_us, _LONGEST_REST_US)
        if now_us < self._rest_until_us:  # this was under way when it said so first
            self._rest_until_us = self._rest_until_us if rest_s is None else max(self._rest_until_us, until_us)
            return
        self._rate, self._rest_until_us = max(self._rate / 2, self._full * _SLOWEST), until_us
        _log.warning("Stripe is asked too often: it is asked less often now", per_second=round(self._rate, 1))

    def went_well(self) -> None:
        """Stripe has answered."""
        self._rate = min(self._rate + self._full * _FASTER, self._full)

    async def _wait_as_customer(self) -> None:
        """First come, first served."""
        now_us, rate = self._now_us(), self._rate * _CUSTOMERS
        at_us = max(self._next_customer_us, self._rest_until_us)
        if at_us - now_us > _CUSTOMER_US:
            raise Busy
        self._next_customer_us = self._after(at_us, now_us, rate)
        await self._wait(at_us - now_us)

    async def _wait_in_line(self) -> None:
        """One after the other, each as soon as no customer has taken the turn."""
        until_us = self._now_us() + _NOBODY_US
        if self._in_line >= self._rate * _NOBODY_US / _SECOND_US:
            raise Busy
        self._in_line += 1
        try:
            async with self._line:
                while (at_us := max(self._next_us, self._rest_until_us)) > (now_us := self._now_us()):
                    if at_us > until_us:
                        raise Busy
                    await self._wait(at_us - now_us)
        finally:
            self._in_line -= 1

    async def _wait(self, wait_us: float) -> None:
        if wait_us > 0:
            await self._sleep(wait_us / _SECOND_US)

    @staticmethod
    def _after(at_us: float, now_us: int, rate: float) -> float:
        """When the next turn is after one at ``at_us`` or, if that is past, now."""
        return max(at_us, now_us - _MADE_UP_FOR_US) + _SECOND_US / rate
