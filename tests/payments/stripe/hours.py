"""A clock whose hours pass when everybody sleeps."""

import asyncio
from collections.abc import Coroutine
from heapq import heappop, heappush
from itertools import count
from typing import Any


class Hours:
    """What a ``Pace`` is given for time."""

    def __init__(self) -> None:
        self.now_us = 1_000_000_000
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._number = count()

    def read(self) -> int:
        return self.now_us

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heappush(self._sleepers, (self.now_us + max(1, round(seconds * 1_000_000)), next(self._number), woken))
        await woken

    async def jump(self, seconds: float) -> None:
        """Sleep where there is nobody else."""
        self.now_us += round(seconds * 1_000_000)

    async def pass_until_done(self, *doing: Coroutine[Any, Any, Any]) -> list[Any]:
        """Do it all at once; the clock moves to whoever sleeps least, as soon as nobody else has something to do."""
        everything = asyncio.gather(*doing, return_exceptions=True)
        while not everything.done():
            for _ in range(5):  # until all who were woken sleep again
                await asyncio.sleep(0)
            if self._sleepers:
                self.now_us, _, woken = heappop(self._sleepers)
                if not woken.done():
                    woken.set_result(None)
        return list(everything.result())
