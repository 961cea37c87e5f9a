"""The slices that a gateway has in hand: how they come back, and what is remembered of their scopes."""

import asyncio
from collections.abc import Callable, Mapping
from typing import NamedTuple

from gateway.clock import new_id
from gateway.core.allowance import Allowance
from gateway.core.bucket import Bucket, LimitKey, refill
from gateway.core.cascade import Bill, Charge, Costs, Posting, Refusal
from gateway.core.problems import StoreUnavailable
from gateway.core.scope import Scope
from gateway.ledger.bounds import HORIZON_S
from gateway.ledger.redis.charging import Parts
from gateway.ledger.redis.deeds import Change, Deed
from gateway.ledger.redis.ledger import RedisLedger
from gateway.ledger.redis.line import Unknown
from gateway.ledger.redis.recall import Recall
from gateway.ledger.redis.slices import IDLE_US, Slice, can_be_cut, gift_of, slice_of, with_rest
from gateway.ledger.redis.states import States
from gateway.ledger.redis.terms import gift_rows

EMPTY_US = 1_000_000
"""For so long it is remembered that a scope could not pay."""
DOUBT_US = HORIZON_S * 1_000_000
"""While nobody knows what was cut of a scope nothing else is, so that no gateway holds two slices of it."""
MOST_SCOPES = 200_000
_TICK_S = 0.2


class Sent(NamedTuple):
    """What went out with an act: the slice that was in hand, to be given back, and how much the next one wants.

    ``fillings``: how often Redis had been filled by then.
    """

    scope: Scope
    last: Slice | None
    fillings: int
    want: int
    at_us: int


class Cutting(NamedTuple):
    """An act on its way with what was held of a scope. ``wants``: it brings the next slice."""

    wants: bool
    over: asyncio.Event


class SlicesInHand(RedisLedger):
    """The half of ``LeasedLedger`` that keeps slices, and gives back what is asked for or not used."""

    def __init__(self, parts: Parts, recall: Recall) -> None:
        super().__init__(parts)
        self._recall = recall
        self._slices: dict[Scope, Slice] = {}
        self._found_slices: list[tuple[Scope, Slice]] = []
        self._cutting: dict[Scope, Cutting] = {}
        self._wanting: dict[Scope, tuple[str, asyncio.Event]] = {}
        """Slices that come with plain debits: by whose bill, and when that is over."""
        self._empty: dict[Scope, tuple[Allowance, States, int]] = {}
        self._exact_until_us: dict[Scope, int] = {}
        recall.follow(self._asked_back)
        self._fillings = 0
        parts.presence.before_filling = self._let_go
        self._tasks.start(self._tick(), "tend slices")

    def __len__(self) -> int:
        """How many scopes have slices here."""
        return len(self._slices)

    async def refund(self, charge: Charge, costs: Costs, now_us: int) -> tuple[Posting, ...]:
        """See ``Ledger``."""
        self._empty.pop(charge.scope, None)
        return await super().refund(charge, costs, now_us)

    async def close(self) -> None:
        """See ``Ledger``. What was not spent goes back."""
        await self._give_back_found()
        await asyncio.gather(*(self._return(scope) for scope in list(self._slices)))
        await self._recall.close()
        await super().close()

    async def _read(self, allowance: Allowance, now_us: int) -> States:
        return with_rest(await super()._read(allowance, now_us), self._slices.get(allowance.scope), now_us)

    def _hold(self, scope: Scope, new: Slice) -> None:
        self._slices[scope] = new
        self._recall.holds(scope)
        if self._exact_until_us.get(scope, 0) > new.cut_us:  # somebody has asked for it meanwhile
            self._tasks.start(self._return(scope), "give a slice back")

    def _let_go(self, lost: Callable[[Scope], bool]) -> None:
        """What the journals bring to a Redis that lost its memory does not count what is in hand."""
        self._fillings += 1
        for scope in [scope for scope in self._slices if lost(scope)]:
            del self._slices[scope]
        self._found_slices = [(scope, found) for scope, found in self._found_slices if not lost(scope)]

    def _put_back(self, scope: Scope, last: Slice, fillings: int) -> None:
        """Have a slice in hand again that could not be given back, unless Redis has lost its memory since."""
        if fillings != self._fillings:
            return
        if scope in self._slices:
            self._found(scope, last)
        else:
            self._slices[scope] = last

    def _has_some(self, bill: Bill) -> bool:
        """Whether something is in hand of one who is asked."""
        slices = self._slices
        for allowance in bill.allowances:
            known = slices.get(allowance.scope)
            if known is not None and known.rest:
                return True
        return False

    def _learn(self, sent: Sent, outcome: object, units: int) -> None:
        """What became of an act in doubt: it gave nothing back if it was not done, and has cut a slice if it was."""
        if outcome is None:
            if sent.last is not None:
                self._put_back(sent.scope, sent.last, sent.fillings)
        elif (new := slice_of(outcome, units, sent.at_us, sent.want)) is not None:
            self._found(sent.scope, new)

    def _found(self, scope: Scope, found: Slice) -> None:
        """What was in doubt is known to be ours, or a second slice of a scope: it goes back with the next tick."""
        self._found_slices.append((scope, found))

    def _be_exact(self, scope: Scope, now_us: int, for_us: int = EMPTY_US) -> None:
        """For a while nothing is cut of a scope: its end is near, or nobody knows what was cut of it last."""
        self._make_room()
        self._exact_until_us[scope] = max(now_us + for_us, self._exact_until_us.get(scope, 0))

    def _remember_empty(self, refusal: Refusal) -> None:
        """Some that could not pay need not be asked again at once."""
        self._make_room()
        for shortfall in refusal.shortfalls:
            allowance = shortfall.allowance
            if (limit := allowance.sole) is not None and can_be_cut(limit) and allowance.source is None:
                full = refill(None, limit, refusal.at_us)
                spent = full._replace(spent=limit.burst - shortfall.standings[0].left)
                self._empty[allowance.scope] = (allowance, {limit.key: spent}, refusal.at_us)

    def _awaited(self, scope: Scope) -> asyncio.Event | None:
        """The end of what has the rest of a slice in hand, or may bring one."""
        cutting, wanting = self._cutting.get(scope), self._wanting.get(scope)
        if cutting is not None:
            return cutting.over
        return None if wanting is None else wanting[1]

    def _has_of(self, scope: Scope) -> bool:
        """Whether something of a scope is in hand here, or on its way."""
        return scope in self._slices or self._awaited(scope) is not None

    async def _bring_back(self, scope: Scope) -> None:
        """Have nothing of a scope in hand, nor on its way; for a while nothing more is cut of it."""
        if self._has_of(scope):
            self._be_exact(scope, self._skew.of_server(self._now_us()))
            await self._return(scope)
        while (awaited := self._awaited(scope)) is not None:
            await awaited.wait()
            await self._return(scope)

    def _make_room(self) -> None:
        for known in (self._empty, self._exact_until_us):
            if len(known) >= MOST_SCOPES:
                known.clear()

    def _asked_back(self, scope: Scope) -> None:
        """Somebody would have to refuse because of what is held here."""
        self._be_exact(scope, self._skew.of_server(self._now_us()))
        if scope in self._slices:
            self._tasks.start(self._return(scope), "give a slice back")

    async def _return(self, scope: Scope) -> None:
        """Give back what is left of a slice that is in hand."""
        last = self._slices.pop(scope, None)
        if last is None:
            return
        going = Cutting(False, asyncio.Event())
        if self._cutting.setdefault(scope, going) is not going:
            await self._give_back(scope, last)
            return
        try:
            await self._give_back(scope, last)
        finally:
            del self._cutting[scope]
            going.over.set()

    async def _give_back_found(self) -> None:
        going, self._found_slices = self._found_slices, []
        await asyncio.gather(*(self._give_back(scope, found) for scope, found in going))

    async def _give_back(self, scope: Scope, last: Slice) -> None:
        """Give back what is left of a slice that is not in hand any more.

        If that stays in doubt until it is too late to ask, it is lost until its window ends.
        """
        now_us, fillings = self._skew.of_server(self._now_us()), self._fillings
        gifts = [gift_of(scope, last)] if last.rest and now_us < last.until_us else []
        act = {"now": now_us, "gifts": gift_rows(gifts)}
        if scope not in self._slices:
            act["uncut"] = self._me

        def given(state: Mapping[LimitKey, Bucket]) -> Change:
            bucket = with_rest(state, last, now_us).get(last.key)
            if not gifts or bucket is None:
                return Change()
            return Change([Posting(scope, last.key, last.after.generation, -last.rest, bucket)])

        def learnt(done: object, _units: int) -> None:
            if done is None:
                self._put_back(scope, last, fillings)

        name = ("slice", new_id())
        try:
            await self._deeds.do(
                Deed(scope, act, [gift.key for gift in gifts], given, lambda _state: True, learnt), name
            )
        except Unknown:
            self._be_exact(scope, now_us, DOUBT_US)
            self._doubts.disown(name)
        except StoreUnavailable:
            self._put_back(scope, last, fillings)

    async def _tick(self) -> None:
        """Let go of slices whose window ends, and give back those that nobody uses."""
        while True:
            await asyncio.sleep(_TICK_S)
            await self._give_back_found()
            now_us = self._skew.of_server(self._now_us())
            over = [scope for scope, known in self._slices.items() if now_us >= known.until_us]
            for scope in over:
                del self._slices[scope]
            idle = [scope for scope, known in self._slices.items() if now_us - known.used_us > IDLE_US]
            await asyncio.gather(*(self._return(scope) for scope in idle[:100]))
