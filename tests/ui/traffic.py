"""What a page asks the gateway for, counted, and waited for before its clock goes on."""

import asyncio
import re
from collections import Counter

from playwright.async_api import Page, Request

TURN = """async () => {
  for (let turn = 0; turn < 3; turn += 1)
    await new Promise((go) => {
      const channel = new MessageChannel();
      channel.port1.onmessage = go;
      channel.port2.postMessage(null);
    });
}"""
"""Some turns of the page's event loop, whatever its clock says."""


class Traffic:
    """What a page asks the gateway for; and when all of it is answered."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.asked: Counter[str] = Counter()
        self._waiting: set[Request] = set()
        page.on("request", self._began)
        for event in ("requestfinished", "requestfailed"):
            page.on(event, lambda request: self._waiting.discard(request))  # noqa: PLW0108  (Playwright wants a function)

    def _began(self, request: Request) -> None:
        path = re.sub(r"^[^/]*//[^/]*|\?.*", "", request.url)
        if "/assets/" not in path:
            self.asked[path] += 1
            self._waiting.add(request)

    async def pass_over(self, seconds: int, step: int) -> None:
        """So much time, in steps: what is due is asked for, and answered before the next."""
        for _ in range(seconds // step):
            await self.page.clock.fast_forward(step * 1_000)
            await self._turn()
            await self.quiet()
            await self._turn()

    async def _turn(self) -> None:
        """Let the page do what it has to: ask what has become due, or take an answer in and see to the next."""
        await self.page.evaluate(TURN)

    async def quiet(self, *, but: int = 0) -> None:
        """Wait until everything is answered, ``but`` so many."""
        while len(self._waiting) > but:
            await asyncio.sleep(0.002)
