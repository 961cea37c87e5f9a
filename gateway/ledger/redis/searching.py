"""Looking for what other gateways hold of a scope that cannot pay: one asks them, and all who wait here hear of it."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator

from gateway.core import cascade
from gateway.core.cascade import NOBODY, Bill, Charge, Refusal
from gateway.core.scope import Scope
from gateway.ledger.redis.charging import Parts
from gateway.ledger.redis.deeds import Told
from gateway.ledger.redis.in_hand import EMPTY_US, MOST_SCOPES, SlicesInHand
from gateway.ledger.redis.recall import Recall
from gateway.ledger.redis.states import States

PATIENCE_S = 0.1
"""How long others have to give back what they hold; a gateway that is dead, or slower, keeps it to the window's end."""
_PAUSES_S = (0.003, 0.006, 0.012, 0.025, 0.05)

Ask = Callable[[], Awaitable[Told]]
"""Asks Redis for a bill to be paid, once."""


class Search:
    """``known``: the scope's buckets as last seen. ``vain``: the search has ended, and nobody has given more."""

    __slots__ = ("known", "over", "vain")

    def __init__(self, known: States) -> None:
        self.known, self.vain, self.over = known, False, asyncio.Event()


class Searching(SlicesInHand):
    """The part of ``LeasedLedger`` that refuses nobody because of what is held."""

    def __init__(self, parts: Parts, recall: Recall) -> None:
        super().__init__(parts, recall)
        self._searches: dict[Scope, Search] = {}
        self._vain_s: dict[Scope, float] = {}
        """When a search began that was in vain: all others cut nothing of that scope for ``EMPTY_US`` from then on."""

    async def _pay_or_search(self, one: Bill, now_us: int, ask: Ask, *, gives: bool) -> Told:
        """Pay, if need be once others have given back what they hold. ``gives``: ``ask`` gives back what is in hand."""
        scope = (one.allowances or (NOBODY,))[0].scope
        while True:
            search = self._searches.get(scope)
            if search is None or not _is_short(one, search.known, now_us):
                held = not gives and self._has_of(scope)
                told = await ask()
                own = held or self._awaited(scope) is not None or (not gives and scope in self._slices)
                if told.done or not (own or (told.slice and not self._was_in_vain(scope))):
                    return told
                if (search := self._searches.get(scope)) is None:
                    return await self._search(one, scope, told, now_us, ask)
                search.known = told.before
            await search.over.wait()
            if _is_short(one, search.known, now_us):
                told = Told(False, search.known, slice=1)
                if search.vain:
                    return told
                if scope not in self._searches:
                    return await self._search(one, scope, told, now_us, ask)

    async def _search(self, one: Bill, scope: Scope, told: Told, now_us: int, ask: Ask) -> Told:
        """Go on asking until it is paid, or nobody holds any more of it, or those who do have had their time."""
        search = self._searches[scope] = Search(told.before)
        patience, began_s = iter(_PAUSES_S), asyncio.get_running_loop().time()
        self._be_exact(scope, self._skew.of_server(self._now_us()))
        try:
            while not told.done:
                if self._has_of(scope):
                    await self._bring_back(scope)
                elif not told.slice:
                    break
                elif not await self._ask_back(patience, scope):
                    self._remember_vain(scope, began_s)
                    break
                told = await ask()
                search.known = told.before
            search.vain = not told.done
            search.known = _after(one, told.before, now_us)
        except BaseException:
            search.known = {}  # nothing is known: whoever waits asks for himself
            raise
        finally:
            del self._searches[scope]
            search.over.set()
        return told

    async def _ask_back(self, patience: Iterator[float], scope: Scope) -> bool:
        """Ask others for what they hold of a scope, and wait a little. ``False``: that has lasted long enough."""
        if (pause_s := next(patience, None)) is None:
            return False
        self._be_exact(scope, self._skew.of_server(self._now_us()))
        await self._recall.ask(scope)
        await asyncio.sleep(pause_s)
        return True

    def _was_in_vain(self, scope: Scope) -> bool:
        """Whether all who live have given back what they held a moment ago, and had no time to cut more."""
        now_s = asyncio.get_running_loop().time()
        return now_s - self._vain_s.get(scope, -math.inf) < EMPTY_US / 1_000_000

    def _remember_vain(self, scope: Scope, began_s: float) -> None:
        if len(self._vain_s) >= MOST_SCOPES:
            self._vain_s.clear()
        self._vain_s[scope] = began_s


def _is_short(one: Bill, known: States, now_us: int) -> bool:
    return isinstance(cascade.charge(one, lambda _scope: known, now_us), Refusal)


def _after(one: Bill, before: States, now_us: int) -> States:
    """A state once the bill has been paid, if that can be paid."""
    outcome = cascade.charge(one, lambda _scope: before, now_us)
    paid = outcome.postings if isinstance(outcome, Charge) else ()
    return {**before, **{posting.limit: posting.after for posting in paid}}
