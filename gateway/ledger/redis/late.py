"""Late debits: decided by ``core`` upon the states of all who are asked, written to whoever pays, once.

The id of such an act is its charge's own, and Redis remembers for days that it was done: a gateway that was killed
before it could write that down asks again, or the one that comes after it, and hears that it was.
"""

from collections.abc import Mapping

from gateway.core import cascade
from gateway.core.allowance import Allowance
from gateway.core.bucket import Bucket, LimitKey
from gateway.core.cascade import Bill, Charge
from gateway.core.late import drain_late
from gateway.core.problems import StoreUnavailable
from gateway.core.scope import Scope
from gateway.ledger.bounds import HORIZON_S
from gateway.ledger.port import Late
from gateway.ledger.redis.deeds import Change, decided, taking, texts
from gateway.ledger.redis.doubts import Doubts
from gateway.ledger.redis.line import Act, Line
from gateway.ledger.redis.quick import Quick
from gateway.ledger.redis.states import States, states_from
from gateway.ledger.redis.terms import TermsOf

_TRIES = 100
_DONE, _DID = b"done", b"did"


class LateDebits:
    """Makes late debits. Instants are Redis's."""

    def __init__(self, line: Line, doubts: Doubts, terms: TermsOf, quick: Quick) -> None:
        self._line, self._doubts, self._terms, self._quick = line, doubts, terms, quick

    async def drain(self, bill: Bill, at_us: int, late: Late, now_us: int) -> Charge:
        """See ``Ledger.drain``. Raises ``StoreUnavailable``; asked again, it goes on from there."""
        earlier = await self._doubts.clear(("charge", bill.id)) or await self._earlier(bill, at_us, late.doubt, now_us)
        if earlier == "unknown":  # it may have been paid: nobody pays again
            return cascade.drain(bill._replace(allowances=()), _nothing, at_us)
        if isinstance(earlier, Charge):
            return earlier
        states: dict[Scope, States] = {}
        for allowance in bill.allowances:
            act = {**self._asking(allowance, bill, at_us), "decide": True}
            reply = await self._line.act(allowance.scope, act)
            state = states_from(texts(reply))
            if reply[0] == _DID:
                return _drained(bill, allowance, state, at_us, late)
            states[allowance.scope] = state
        outcome = drain_late(bill, lambda scope: states.get(scope, {}), at_us, late.debt)
        return await self._write(bill, outcome, states.get(outcome.scope, {}), at_us, late)

    async def confirm(self, charges: Mapping[str, Scope]) -> None:
        """These are written down: by id, who paid. If that does not arrive, Redis remembers them for some days."""
        await self._line.forget_kept(charges)

    async def _write(self, bill: Bill, outcome: Charge, state: States, at_us: int, late: Late) -> Charge:
        for _ in range(_TRIES):
            if not outcome.postings and not outcome.dropped:
                return outcome
            allowance = outcome.allowance
            asking = self._asking(allowance, bill, at_us)
            change = Change(outcome.postings, outcome.dropped)
            act = {**decided(asking, state, change), "id": asking["id"], "keep": True}
            reply = await self._line.act(allowance.scope, act)
            if reply[0] in (_DONE, _DID):
                return outcome
            state = states_from(texts(reply))
            outcome = _drained(bill, allowance, state, at_us, late)
        raise StoreUnavailable("Too many others charge the same budget at once. Try again shortly.")

    def _asking(self, allowance: Allowance, bill: Bill, at_us: int) -> Act:
        act, _ = taking(self._terms, allowance, bill.costs, at_us)
        return {**act, "id": f"late:{bill.id}", "keep": True}

    async def _earlier(self, bill: Bill, at_us: int, doubt: str, now_us: int) -> Charge | str | None:
        """What became of the charge that a gateway which is not there any more did not hear of."""
        if not doubt:
            return None
        id_, _, sent_us = doubt.partition(" ")
        if now_us - int(sent_us) > HORIZON_S * 1_000_000:
            return "unknown"
        if "#" in id_:
            return await self._quick.recollect(bill, id_, at_us)
        for allowance in bill.allowances:
            reply = await self._line.act(allowance.scope, {"now": 0, "id": id_, "void": True})
            if reply[0] == _DONE:
                return Charge(bill.id, allowance, bill.costs, (), (), None, at_us, {})
        return None


def _drained(bill: Bill, allowance: Allowance, state: States, at_us: int, late: Late) -> Charge:
    return drain_late(bill._replace(allowances=(allowance,)), lambda _scope: state, at_us, late.debt)


def _nothing(_scope: Scope) -> Mapping[LimitKey, Bucket]:
    return {}
