"""What a page asks the gateway for, counted, and waited for before its clock goes on."""

import asyncio
import re
from collections import Counter

from playwright.async_api import Error, Page, Request

SETTLED = """async () => {
  if (window.underWay === undefined) {
    window.underWay = 0;
    const counted = (act) => function (...given) {
      window.underWay += 1;
      const end = () => { window.underWay -= 1; };
      const doing = act.apply(this, given);
      doing.then(end, end);
      return doing;
    };
    window.fetch = counted(window.fetch);
    Response.prototype.text = counted(Response.prototype.text);
  }
  const channel = new MessageChannel();
  do await new Promise((go) => {
    channel.port1.onmessage = go;
    channel.port2.postMessage(null);
  });
  while (window.underWay > 0);
  channel.port1.close();
}"""
"""Turns of the page's event loop, whatever its clock says, until it has read every answer and done what it does then.

That an answer has arrived is not enough: a page that is slow reads it later, and the clock must not go on before.
"""


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
        """So much time, in steps: what is due is asked for, and answered before the next.

        From now on the page's clock moves by what it is told alone: while a slow machine does all this, no time passes.
        """
        await self._settled()
        await self._stand_still(step)
        await self._settled()
        for _ in range(1, seconds // step):
            await self.page.clock.fast_forward(step * 1_000)
            await self._settled()

    async def _stand_still(self, after: int) -> None:
        """Stop the page's clock so many seconds from now."""
        while True:
            now = await self.page.evaluate("Date.now()")
            try:
                await self.page.clock.pause_at(now / 1_000 + after)
            except Error as refused:
                if "to the past" not in str(refused):
                    raise  # else so much has passed between the two lines
            else:
                return

    async def _settled(self) -> None:
        """Wait until the page has asked what is due, and has taken in every answer."""
        await self.page.evaluate(SETTLED)
        await self.quiet()

    async def quiet(self, *, but: int = 0) -> None:
        """Wait until everything is answered, ``but`` so many."""
        while len(self._waiting) > but:
            await asyncio.sleep(0.002)
