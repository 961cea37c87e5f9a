"""Budgets in Redis of which each gateway holds slices: most charges are made in memory, and never one too many.

What was cut off is debited, so nothing is admitted twice. What is cut off and not spent comes back when it is asked
for: before a scope is said to be unable to pay, all others give back what they hold of it, and it is asked exactly.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial

from gateway.core import cascade
from gateway.core.allowance import Allowance
from gateway.core.bucket import Bucket, LimitKey
from gateway.core.cascade import NOBODY, Bill, Charge, Refusal
from gateway.core.problems import StoreUnavailable
from gateway.core.scope import Scope
from gateway.core.till import Till
from gateway.ledger.bounds import SHARE
from gateway.ledger.port import Tell
from gateway.ledger.redis.charging import Parts
from gateway.ledger.redis.deeds import Change, Deed, Told
from gateway.ledger.redis.in_hand import (
    DOUBT_US,
    EMPTY_US,
    MOST_SCOPES,
    Cutting,
    Sent,
)
from gateway.ledger.redis.line import Unknown
from gateway.ledger.redis.recall import Recall
from gateway.ledger.redis.searching import Searching
from gateway.ledger.redis.slices import WARM_US, Slice, can_be_cut, gift_of, slice_of, wanted, with_rest
from gateway.ledger.redis.states import States
from gateway.ledger.redis.terms import gift_rows

_ROUNDS = 10_000


class LeasedLedger(Searching):
    """See ``Ledger``. Only allowances of one limit with windows are cut; others are exact."""

    def __init__(self, parts: Parts, recall: Recall) -> None:
        super().__init__(parts, recall)
        self._seen_us: dict[Scope, int] = {}

    def charge_now(self, bill: Bill, now_us: int) -> Charge | Refusal | None:
        """See ``Ledger``: from slices, and from what is known to be empty."""
        at_us, costs = self._skew.of_server(now_us), bill.costs
        states: dict[Scope, States] = {}
        for allowance in bill.allowances:
            known = self._slices.get(allowance.scope)
            if known is not None and len(costs) == 1:
                ((meter, cost),) = costs.items()
                if meter == known.key.meter and cost >= 0 and known.can_pay(allowance, cost, at_us):
                    return known.pay(bill, allowance, cost, at_us)
            if (state := self._still_short(allowance, bill, at_us)) is None:
                return super().charge_now(bill, now_us)
            states[allowance.scope] = state
        outcome = cascade.charge(bill, lambda scope: states[scope], at_us) if states else None
        return outcome if isinstance(outcome, Refusal) else super().charge_now(bill, now_us)

    def take(self, tills: Sequence[Till], cost: int, now_us: int) -> tuple[int, Bucket] | None:
        """See ``Ledger``: from the slice of the first, if he has one."""
        if not tills:
            return None
        till = tills[0]
        known = self._slices.get(till[1])
        if known is None or (known.limit is not till[2] and known.limit != till[2]):
            return None
        at_us = self._skew.of_server(now_us)
        if known.rest < cost or at_us >= known.until_us:
            return None
        return 0, known.spend(cost, at_us)

    def _begin(self, bill: Bill, at_us: int, tell: Tell) -> bool:
        """A plain debit brings the next slice with it, where somebody comes again and again."""
        if self._has_some(bill):
            return False  # too little is in hand: it goes back with the debit
        want = self._wants(bill, at_us)
        if not self._quick.debit(bill, at_us, partial(self._told, bill, at_us, tell, want), want, self._keep):
            return False
        if want:
            self._wanting[bill.allowances[0].scope] = bill.id, asyncio.Event()
        return True

    def _ask_long_way(self, bill: Bill, at_us: int, tell: Tell) -> None:
        self._want_no_more(bill)
        super()._ask_long_way(bill, at_us, tell)

    def _want_no_more(self, bill: Bill) -> None:
        scope = bill.allowances[0].scope if bill.allowances else NOBODY.scope
        wanting = self._wanting.get(scope)
        if wanting is not None and wanting[0] == bill.id:
            del self._wanting[scope]
            wanting[1].set()

    def _told(
        self, bill: Bill, at_us: int, tell: Tell, want: int, outcome: Charge | Refusal | StoreUnavailable
    ) -> None:
        if want:
            self._want_no_more(bill)
            if isinstance(outcome, StoreUnavailable):
                self._be_exact(bill.allowances[0].scope, at_us, DOUBT_US)
        if isinstance(outcome, Refusal):
            if self._has_some(bill):
                self._ask_long_way(bill, at_us, tell)  # what has come meanwhile may suffice
                return
            self._remember_empty(outcome)
        tell(outcome)

    def _wants(self, bill: Bill, at_us: int) -> int:
        """The slice to ask for with a debit: none for whoever comes seldom, or where it must be exact."""
        if not bill.allowances or len(bill.costs) != 1:
            return 0
        first = bill.allowances[0]
        scope = first.scope
        seen_us = self._seen_us.get(scope, 0)
        if len(self._seen_us) >= MOST_SCOPES:
            self._seen_us.clear()
        self._seen_us[scope] = at_us
        busy = scope in self._cutting or scope in self._wanting
        exact = busy or not self._recall.hears or self._exact_until_us.get(scope, 0) > at_us
        if exact or at_us - seen_us > WARM_US or not can_be_cut(first.sole):
            return 0
        return wanted(self._slices.get(scope), at_us)

    def _keep(self, charge: Charge, units: int, at_us: int) -> None:
        """A debit has brought a slice."""
        last = self._slices.get(charge.scope)
        new = slice_of(charge, units, at_us, wanted(last, at_us))
        if new is not None and last is not None and last.rest:
            self._found(charge.scope, new)  # it was in doubt until now
        elif new is not None:
            self._hold(charge.scope, new)

    def _still_short(self, allowance: Allowance, bill: Bill, at_us: int) -> States | None:
        """What was known of a scope a moment ago, if by that it cannot pay; ``None``: it has to be asked."""
        known = self._empty.get(allowance.scope)
        if known is None or known[0] is not allowance or abs(at_us - known[2]) >= EMPTY_US:
            return None
        one = bill._replace(allowances=(allowance,))
        return known[1] if isinstance(cascade.charge(one, lambda _scope: known[1], at_us), Refusal) else None

    async def _pay(self, one: Bill, now_us: int, deadline_us: int | None) -> Told:
        (allowance,) = one.allowances or (NOBODY,)
        if deadline_us is not None or not can_be_cut(allowance.sole) or len(one.costs) != 1:
            return await self._pay_whole(one, now_us, deadline_us)
        (cost,) = one.costs.values()
        ask = partial(self._ask, one, allowance, now_us)
        for _ in range(_ROUNDS):
            if (known := self._slices.get(allowance.scope)) is not None and known.can_pay(allowance, cost, now_us):
                return Told(True, {}, charge=known.pay(one, allowance, cost, now_us))
            if (state := self._still_short(allowance, one, now_us)) is not None:
                return Told(False, state)
            if (cutting := self._cutting.get(allowance.scope)) is not None and cutting.wants:
                await cutting.over.wait()
                continue
            told = await self._pay_or_search(one, now_us, ask, gives=True)
            if not told.done and allowance.source is None:  # else what comes next has to be looked at too
                self._make_room()
                self._empty[allowance.scope] = (allowance, told.before, now_us)
            return told
        raise StoreUnavailable("Too many others charge the same budget at once. Try again shortly.")

    async def _pay_whole(self, one: Bill, now_us: int, deadline_us: int | None) -> Told:
        """Pay what no slice pays. What is held of the scope, here and elsewhere, goes back before it is refused."""
        (allowance,) = one.allowances or (NOBODY,)
        if not can_be_cut(allowance.sole):
            await self._bring_back(allowance.scope)  # no slice pays any more
        return await self._pay_or_search(one, now_us, partial(super()._pay, one, now_us, deadline_us), gives=False)

    def _charging(self, one: Bill, now_us: int, deadline_us: int | None) -> Deed:
        """Also asked: whether others hold some, if it cannot be paid."""
        deed = super()._charging(one, now_us, deadline_us)
        return deed._replace(act={**deed.act, "slice": [self._me, 0, SHARE]})

    async def _ask(self, one: Bill, allowance: Allowance, now_us: int) -> Told:
        """Pay exactly, with what is left of the slice here, and cut the next one."""
        scope, limit = allowance.scope, allowance.sole
        assert limit is not None  # noqa: S101  (for the types: only such are cut)
        alone = scope in self._cutting or scope in self._wanting
        last, fillings = None if alone else self._slices.pop(scope, None), self._fillings
        exact = alone or not self._recall.hears or self._exact_until_us.get(scope, 0) > now_us
        want = 0 if exact else wanted(last, now_us)
        deed = self._with_slice(self._charging(one, now_us, None), one, last, want, now_us)
        deed = deed._replace(learnt=partial(self._learn, Sent(scope, last, fillings, want, now_us)))
        if last is None and not want:
            return await self._deeds.do(deed, ("charge", one.id))
        cutting = self._cutting[scope] = Cutting(want > 0, asyncio.Event())
        try:
            told = await self._deeds.do(deed, ("charge", one.id))
            if not told.done and last is not None:
                self._hold(scope, last)
            elif told.done and (new := slice_of(deed.outcome(told.before), told.slice or 0, now_us, want)) is not None:
                self._hold(scope, new)
        except Unknown:
            self._be_exact(scope, now_us, DOUBT_US)
            raise
        except StoreUnavailable:
            if last is not None:
                self._put_back(scope, last, fillings)
            raise
        finally:
            del self._cutting[scope]
            cutting.over.set()
        return told._replace(before=with_rest(told.before, last, now_us))

    def _with_slice(self, deed: Deed, one: Bill, last: Slice | None, want: int, now_us: int) -> Deed:
        """The deed that also gives back what is left of the last slice, and cuts one that wants ``want``."""
        act = {**deed.act, "slice": [self._me, want, SHARE]}
        keys = list(deed.keys)
        if not want and not self._awaited(deed.scope):
            act["uncut"] = self._me
        if last is not None and last.rest:
            act["gifts"] = gift_rows([gift_of(one.allowances[0].scope, last)])
            keys.append(last.key)

        def charged(state: Mapping[LimitKey, Bucket]) -> Charge | Refusal:
            whole = with_rest(state, last, now_us)
            return cascade.charge(one, lambda _scope: whole, now_us)

        def decide(state: Mapping[LimitKey, Bucket]) -> Change | None:
            outcome = charged(state)
            return Change(outcome.postings, outcome.dropped, outcome) if isinstance(outcome, Charge) else None

        return Deed(deed.scope, act, keys, decide, charged)
