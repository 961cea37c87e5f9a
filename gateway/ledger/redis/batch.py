"""Acts that are waiting when the event loop turns go out together; alone, an act waits for nothing."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson

from gateway.ledger.redis.scripts import ACTS
from gateway.ledger.redis.servers import CODES, Call, Outcome, Refused, Servers, Unheard
from gateway.ledger.redis.skew import Skew
from gateway.tasks import Tasks

MOST = 64
"""So many acts go in one call, so that Redis is not kept from others for long."""
LANES = 4
"""So many calls are on their way at once; what comes meanwhile waits for the next and goes together."""

STALE = "stale"
"""Why an act was not done whose instant Redis does not believe: it was held up, or a clock is wrong."""
Reply = list[Any]


class Waiting(NamedTuple):
    """An act on its way: ``marker`` and ``key`` are Redis's, ``act`` is as in ``lua/acts.lua`` without its key."""

    marker: str
    key: bytes
    act: dict[str, Any]
    future: "asyncio.Future[Reply | Refused | Unheard]"


class Batches:
    """Sends acts. ``epochs``: by marker, the one that it must hold."""

    def __init__(self, servers: Servers, now_us: Callable[[], int], skew: Skew) -> None:
        self.servers = servers
        self._now_us = now_us
        self._skew = skew
        self._tasks = Tasks(stubborn=True)
        self._waiting: deque[Waiting] = deque()
        self._turning = False
        self._busy = 0
        self.epochs: dict[str, str] = {}
        self.calls = 0
        self.acts = 0

    def send(self, marker: str, key: bytes, act: dict[str, Any]) -> "asyncio.Future[Reply | Refused | Unheard]":
        """Put an act on its way; the future always gets a value."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Reply | Refused | Unheard] = loop.create_future()
        self._waiting.append(Waiting(marker, key, act, future))
        if not self._turning and self._busy < LANES:
            self._turning = True
            loop.call_soon(self._turn)
        return future

    def _turn(self) -> None:
        self._turning = False
        while self._waiting and self._busy < LANES:
            going = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST))]
            self._busy += 1
            self._tasks.start(self._go(going), "a call to Redis")

    async def _go(self, going: list[Waiting]) -> None:
        groups: dict[str, list[Waiting]] = {}
        for each in going:
            groups.setdefault(each.marker, []).append(each)
        calls = [self._call(marker, group) for marker, group in groups.items()]
        self.calls += len(calls)
        self.acts += len(going)
        outcomes: list[Outcome] = [Unheard("cancelled")] * len(calls)
        sent_us = self._now_us()
        try:
            outcomes = await self.servers.run(ACTS, calls)
        finally:
            heard_us = self._now_us()
            for group, outcome in zip(groups.values(), outcomes, strict=True):
                self._tell(group, outcome, sent_us, heard_us)
            self._busy -= 1
            self._turn()

    def _call(self, marker: str, group: list[Waiting]) -> Call:
        keys: dict[bytes, int] = {}
        acts = [{**each.act, "key": keys.setdefault(each.key, len(keys) + 1)} for each in group]
        return Call((marker, *keys), (self.epochs.get(marker, ""), orjson.dumps(acts), self._skew.ahead))

    def _tell(self, group: list[Waiting], outcome: Outcome, sent_us: int, heard_us: int) -> None:
        if isinstance(outcome, (Refused, Unheard)):
            replies: list[Reply | Refused | Unheard] = [outcome] * len(group)
        else:
            self._skew.heard(sent_us, heard_us, int(outcome[0]))
            lost = len(outcome) == 2 and outcome[1][0] == b"epoch"  # noqa: PLR2004
            replies = [Refused("epoch")] * len(group) if lost else [_reply(each) for each in outcome[1:]]
        for each, reply in zip(group, replies, strict=True):
            if not each.future.done():
                each.future.set_result(reply)

    async def close(self) -> None:
        """Cancel what is on its way."""
        await self._tasks.close()
        while self._waiting:
            future = self._waiting.popleft().future
            if not future.done():
                future.set_result(Refused("closed"))


def _reply(reply: Reply) -> Reply | Refused:
    if reply[0] == b"stale":
        return Refused(STALE)
    if reply[0] != b"failed":
        return reply
    text = reply[1].decode("utf-8", "replace")
    code = next((code for code in CODES if code in text), None)
    return Refused(code or f"a script failed: {text[:200]}")
