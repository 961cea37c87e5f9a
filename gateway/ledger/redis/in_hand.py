"""The slices that a gateway has in hand: how they come back, and what is remembered of their scopes."""

import asyncio
from collections.abc import Mapping

from gateway.clock import new_id
from gateway.core.allowance import Allowance
from gateway.core.bucket import Bucket, LimitKey, give_back
from gateway.core.cascade import Bill, Charge, Costs, Posting
from gateway.core.problems import StoreUnavailable
from gateway.core.refund import Gift
from gateway.core.scope import Scope
from gateway.ledger.redis.charging import Parts
from gateway.ledger.redis.deeds import Change, Deed
from gateway.ledger.redis.ledger import RedisLedger
from gateway.ledger.redis.line import Unknown
from gateway.ledger.redis.recall import Recall
from gateway.ledger.redis.slices import IDLE_US, Slice
from gateway.ledger.redis.states import States
from gateway.ledger.redis.terms import gift_rows

EMPTY_US = 1_000_000
"""For so long it is remembered that a scope could not pay."""
MOST_SCOPES = 200_000
_TICK_S = 0.2


class SlicesInHand(RedisLedger):
    """The half of ``LeasedLedger`` that keeps slices, and gives back what is asked for or not used."""

    def __init__(self, parts: Parts, recall: Recall) -> None:
        super().__init__(parts)
        self._recall = recall
        self._slices: dict[Scope, Slice] = {}
        self._empty: dict[Scope, tuple[Allowance, States, int]] = {}
        self._exact_until_us: dict[Scope, int] = {}
        recall.follow(self._asked_back)
        self._fillings = 0
        parts.presence.before_filling = self._let_go_of_all
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

    def _let_go_of_all(self) -> None:
        """What the journals bring to a Redis that lost its memory does not count what is in hand."""
        self._fillings += 1
        self._slices.clear()

    def _put_back(self, scope: Scope, last: Slice, fillings: int) -> None:
        """Have a slice in hand again that could not be given back, unless Redis has lost its memory since."""
        if fillings == self._fillings:
            self._slices.setdefault(scope, last)

    def _has_some(self, bill: Bill) -> bool:
        """Whether something is in hand of one who is asked."""
        slices = self._slices
        for allowance in bill.allowances:
            known = slices.get(allowance.scope)
            if known is not None and known.rest:
                return True
        return False

    def _be_exact(self, scope: Scope, now_us: int) -> None:
        """For a while nothing is cut of a scope whose end is near."""
        self._make_room()
        self._exact_until_us[scope] = now_us + EMPTY_US

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
        """Give back what is left of a slice; if nobody knows whether that arrived, it is lost until its window ends."""
        last, fillings = self._slices.pop(scope, None), self._fillings
        if last is None:
            return
        now_us = self._skew.of_server(self._now_us())
        gifts = [gift_of(scope, last)] if last.rest and now_us < last.until_us else []
        act = {"now": now_us, "gifts": gift_rows(gifts), "uncut": self._me}

        def given(state: Mapping[LimitKey, Bucket]) -> Change:
            bucket = with_rest(state, last, now_us).get(last.key)
            if not gifts or bucket is None:
                return Change()
            return Change([Posting(scope, last.key, last.after.generation, -last.rest, bucket)])

        name = ("slice", new_id())
        try:
            await self._deeds.do(Deed(scope, act, [gift.key for gift in gifts], given, lambda _state: None), name)
        except Unknown:
            self._doubts.disown(name)
        except StoreUnavailable:
            self._put_back(scope, last, fillings)

    async def _tick(self) -> None:
        """Let go of slices whose window ends, and give back those that nobody uses."""
        while True:
            await asyncio.sleep(_TICK_S)
            now_us = self._skew.of_server(self._now_us())
            over = [scope for scope, known in self._slices.items() if now_us >= known.until_us]
            for scope in over:
                del self._slices[scope]
            idle = [scope for scope, known in self._slices.items() if now_us - known.used_us > IDLE_US]
            await asyncio.gather(*(self._return(scope) for scope in idle[:100]))


def gift_of(scope: Scope, last: Slice) -> Gift:
    """What giving a slice back gives to its bucket."""
    return Gift(scope, last.key, last.after.generation, last.rest, counts=True)


def with_rest(state: Mapping[LimitKey, Bucket], last: Slice | None, now_us: int) -> States:
    """A state to which the rest of a slice was given back."""
    given = dict(state)
    if last is not None and last.rest and (bucket := given.get(last.key)) is not None:
        given[last.key] = give_back(bucket, last.key, last.after.generation, last.rest, now_us)
    return given
