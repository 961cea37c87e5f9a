"""Budgets in Redis or Valkey, shared exactly by any number of gateways.

Each scope is asked by one atomic act, in the cascade's order; the next is asked only when it is known that the one
before did not pay. ``gateway/core`` works each outcome out again from the state before, so that what a caller is told
is what the core says.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from gateway.clock import new_id
from gateway.core import cascade
from gateway.core.allowance import Allowance
from gateway.core.bucket import Bucket, LimitKey
from gateway.core.cascade import NOBODY, Bill, Charge, Costs, Posting, Refusal, Shortfall, Standing
from gateway.core.problems import StoreUnavailable
from gateway.core.refund import Settlement, differences, gifts, refund, settle
from gateway.core.scope import Scope
from gateway.core.till import Till
from gateway.ledger.port import Late, Tell
from gateway.ledger.redis.deeds import Change, Deed, Deeds, Told, taking
from gateway.ledger.redis.doubts import Doubts, Unwanted
from gateway.ledger.redis.late import LateDebits
from gateway.ledger.redis.line import Act, Line
from gateway.ledger.redis.names import Names
from gateway.ledger.redis.presence import Presence
from gateway.ledger.redis.quick import Carrier, Quick, Surroundings
from gateway.ledger.redis.skew import Skew
from gateway.ledger.redis.states import States
from gateway.ledger.redis.terms import TermsOf, gift_rows
from gateway.tasks import Tasks

_NONE: Mapping[LimitKey, Bucket] = {}
_NOTHING = Settlement((), {})


class Parts(NamedTuple):
    """What a ledger stands on. ``now_us``: our own clock."""

    line: Line
    presence: Presence
    skew: Skew
    names: Names
    carrier: Carrier
    epochs: Callable[[], Mapping[str, str]]
    now_us: Callable[[], int]
    close: Callable[[], Awaitable[None]]


class RedisLedger:
    """See ``Ledger``. Instants are the caller's; buckets count in Redis's time."""

    def __init__(self, parts: Parts) -> None:
        self._presence, self._skew, self._now_us, self._close = parts.presence, parts.skew, parts.now_us, parts.close
        self._terms = TermsOf()
        self._doubts = Doubts()
        self._deeds = Deeds(parts.line, self._doubts)
        around = Surroundings(parts.names, parts.presence, self._doubts, parts.epochs, parts.now_us, parts.skew.heard)
        self._me = new_id()
        self._quick = Quick(parts.carrier, around, self._ask_long_way, self._me)
        self._late = LateDebits(parts.line, self._doubts, self._terms, self._quick)
        self._tasks, self._undoing = Tasks(), Tasks()

    def __len__(self) -> int:
        """How many scopes are in this process's memory: none."""
        return 0

    @property
    def failure(self) -> str | None:
        """Why Redis cannot be asked; ``None`` while it can."""
        return None if self._presence.here else self._presence.reason or "away"

    @property
    def in_doubt(self) -> int:
        """How many acts nobody knows the outcome of."""
        return len(self._doubts)

    def charge_now(self, bill: Bill, now_us: int) -> Charge | Refusal | None:
        """See ``Ledger``: without Redis only what needs no bucket can be said."""
        if any(allowance.purses or allowance.source is not None for allowance in bill.allowances):
            return None
        return cascade.charge(bill, lambda _scope: _NONE, self._skew.of_server(now_us))

    async def charge(self, bill: Bill, now_us: int) -> Charge | Refusal:
        """See ``Ledger``."""
        at_us = self._skew.of_server(now_us)
        outcome = self.charge_now(bill, now_us)
        if outcome is None and ("charge", bill.id) not in self._doubts:
            outcome = await self._quickly(bill, at_us)
        return outcome or await self._charge(bill, at_us)

    def take(  # the port's arguments
        self,
        tills: Sequence[Till],  # noqa: ARG002
        cost: int,  # noqa: ARG002
        now_us: int,  # noqa: ARG002
    ) -> tuple[int, Bucket] | list[Shortfall] | None:
        """See ``Ledger``: nothing is at hand here."""
        return None

    def charge_soon(self, bill: Bill, now_us: int, tell: Tell) -> bool:
        """See ``Ledger``."""
        at_us = self._skew.of_server(now_us)
        if not self._begin(bill, at_us, tell):
            self._ask_long_way(bill, at_us, tell)
        return True

    def _begin(self, bill: Bill, at_us: int, tell: Tell) -> bool:
        """Let a plain debit go together with others; ``False``: it is none."""
        return self._quick.debit(bill, at_us, tell)

    async def _quickly(self, bill: Bill, at_us: int) -> Charge | Refusal | None:
        """A plain debit, awaited; ``None``: it is not plain. Raises ``StoreUnavailable``."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Charge | Refusal | StoreUnavailable] = loop.create_future()

        def tell(outcome: Charge | Refusal | StoreUnavailable) -> None:
            if not future.done():
                future.set_result(outcome)
            elif isinstance(outcome, Charge):
                self._doubts.throw_away(Unwanted(outcome, loop.time()))
            else:
                self.call_off(bill)

        if not self._begin(bill, at_us, tell):
            return None
        outcome = await future
        if isinstance(outcome, StoreUnavailable):
            raise outcome
        return outcome

    def _ask_long_way(self, bill: Bill, at_us: int, tell: Tell) -> None:
        self._tasks.start(self._charge_and_tell(bill, at_us, tell), "charge, and tell")

    async def _charge_and_tell(self, bill: Bill, at_us: int, tell: Tell) -> None:
        outcome: Charge | Refusal | StoreUnavailable = StoreUnavailable("The gateway is stopping.")
        try:
            outcome = await self._charge(bill, at_us)
        except StoreUnavailable as error:
            outcome = error
        finally:
            tell(outcome)

    async def drain(self, bill: Bill, now_us: int, *, late: Late | None = None) -> Charge:
        """See ``Ledger``."""
        now_us = self._skew.of_server(now_us)
        if late is not None:
            return await self._late.drain(bill, now_us, late, self._now_us())
        outcome = await self._charge(bill, now_us)
        if isinstance(outcome, Charge):
            return outcome
        if not bill.allowances:
            return cascade.drain(bill, lambda _scope: _NONE, now_us)
        first = _of(bill, bill.allowances[0])

        def drained(state: Mapping[LimitKey, Bucket]) -> Charge:
            return cascade.drain(first, lambda _scope: state, now_us)

        act, keys = taking(self._terms, bill.allowances[0], bill.costs, now_us)
        act["most"] = True
        deed = Deed(bill.allowances[0].scope, act, keys, lambda state: _change(drained(state)), drained)
        return drained((await self._deeds.do(deed, ("charge", bill.id))).before)

    def doubt(self, bill: Bill) -> str:
        """See ``Ledger``."""
        return self._doubts.text(("charge", bill.id), self._now_us())

    async def confirm(self, charges: Sequence[Charge]) -> None:
        """See ``Ledger``."""
        await self._late.confirm({charge.id: charge.scope for charge in charges if charge.postings})

    async def refund(self, charge: Charge, costs: Costs, now_us: int) -> tuple[Posting, ...]:
        """See ``Ledger``."""
        now_us = self._skew.of_server(now_us)
        given = gifts(charge, costs)
        if not given:
            return ()

        def returned(state: Mapping[LimitKey, Bucket]) -> tuple[Posting, ...]:
            return refund(charge, costs, lambda _scope: state, now_us)

        deed = Deed(
            charge.scope,
            {"now": now_us, "gifts": gift_rows(given)},
            [gift.key for gift in given],
            lambda state: Change(returned(state)),
            returned,
        )
        return cast("tuple[Posting, ...]", await self._once(deed, ("refund", charge.id), ()))

    async def hold(self, bill: Bill, now_us: int, *, deadline_us: int, owner: str) -> Charge | Refusal:  # noqa: ARG002  (anybody may settle it)
        """See ``Ledger``. Whoever next asks the scope after the deadline gives it back."""
        return await self._charge(bill, self._skew.of_server(now_us), self._skew.of_server(deadline_us))

    async def settle(self, charge: Charge, costs: Costs, now_us: int) -> Settlement:
        """See ``Ledger``."""
        now_us = self._skew.of_server(now_us)
        less, more = differences(charge, costs)

        def settled(state: Mapping[LimitKey, Bucket]) -> Settlement:
            return settle(charge, costs, lambda _scope: state, now_us)

        def change(state: Mapping[LimitKey, Bucket]) -> Change:
            final = settled(state)
            return Change(final.postings, final.dropped)

        given = gifts(charge, less)
        act, keys = taking(self._terms, charge.allowance, more, now_us)
        act |= {"gifts": gift_rows(given), "ends": charge.id, "most": True}
        deed = Deed(charge.scope, act, [*keys, *(gift.key for gift in given)], change, settled)
        return cast("Settlement", await self._once(deed, ("settle", charge.id), _NOTHING))

    async def release(self, charge: Charge, now_us: int) -> tuple[Posting, ...]:
        """See ``Ledger``."""
        now_us = self._skew.of_server(now_us)

        def returned(state: Mapping[LimitKey, Bucket]) -> tuple[Posting, ...]:
            return refund(charge, charge.costs, lambda _scope: state, now_us)

        given = gifts(charge, charge.costs)
        act = {"now": now_us, "gifts": gift_rows(given), "ends": charge.id}
        deed = Deed(charge.scope, act, [gift.key for gift in given], lambda state: Change(returned(state)), returned)
        return cast("tuple[Posting, ...]", await self._once(deed, ("settle", charge.id), ()))

    async def standings(self, allowance: Allowance, now_us: int) -> tuple[Standing, ...]:
        """See ``Ledger``."""
        now_us = self._skew.of_server(now_us)
        state = await self._read(allowance, now_us)
        return cascade.standings_of(allowance, lambda _scope: state, now_us)

    def call_off(self, bill: Bill) -> None:
        """See ``Ledger``."""
        self._doubts.disown(("charge", bill.id))

    def tend(self, settled_before_us: int, now_us: int) -> None:  # noqa: ARG002  (Redis forgets by itself)
        """See ``Ledger``."""
        if self._doubts.unwanted and self._presence.here and not len(self._undoing):
            self._undoing.start(self._undo(now_us), "undo charges that nobody wants")

    async def close(self) -> None:
        """See ``Ledger``."""
        await self._quick.close()
        await self._tasks.close()
        await self._undoing.close()
        await self._close()

    async def _read(self, allowance: Allowance, now_us: int) -> States:
        if not allowance.purses:
            return {}
        return await self._deeds.read(allowance.scope, *taking(self._terms, allowance, {}, now_us))

    async def _charge(self, bill: Bill, now_us: int, deadline_us: int | None = None) -> Charge | Refusal:
        """Ask scope by scope. With a deadline the charge is a hold."""
        earlier = await self._doubts.clear(("charge", bill.id))
        if earlier == "unknown":  # it may have been paid: nobody pays again
            return cascade.drain(bill._replace(allowances=()), lambda _scope: _NONE, now_us)
        if earlier is not None:
            return cast("Charge", earlier)
        free = not any(bill.costs.values())
        asked = (bill.allowances or (NOBODY,))[:1] if free else bill.allowances
        states: dict[Scope, States] = {}
        paid = False
        for allowance in asked:
            if deadline_us is None and (free or not allowance.purses):
                states[allowance.scope] = await self._read(allowance, now_us)
                paid = free or isinstance(cascade.charge(_of(bill, allowance), lambda _scope: _NONE, now_us), Charge)
            else:
                told = await self._pay(_of(bill, allowance), now_us, deadline_us)
                if told.charge is not None:
                    return told.charge
                states[allowance.scope], paid = told.before, told.done
            if paid:
                break
        outcome = cascade.charge(bill, lambda scope: states.get(scope, _NONE), now_us)
        if isinstance(outcome, Charge) is not paid:
            raise AssertionError(f"the scripts and the core disagree about {bill.costs} of {asked}")
        return outcome if paid else await self._hinted(bill, outcome, states, now_us)

    async def _hinted(
        self, bill: Bill, refused: Charge | Refusal, states: dict[Scope, States], now_us: int
    ) -> Charge | Refusal:
        """A refusal that knows when waiting helps, also where a subscription starts or ends before that.

        What holds then may count in buckets that nobody has looked at yet.
        """
        changing = [allowance.scope for allowance in bill.allowances if allowance.source is not None]
        if not changing:
            return refused
        act: Act = {"now": now_us, "limits": [], "demands": [], "grants": [], "decide": True}
        found = [await self._deeds.read(scope, act, ()) for scope in changing]
        whole = {**states, **dict(zip(changing, found, strict=True))}
        again = cascade.charge(bill, lambda scope: whole.get(scope, _NONE), now_us)
        return again if isinstance(again, Refusal) else refused

    async def _pay(self, one: Bill, now_us: int, deadline_us: int | None) -> Told:
        """Ask the only one who is asked."""
        return await self._deeds.do(self._charging(one, now_us, deadline_us), ("charge", one.id))

    def _charging(self, one: Bill, now_us: int, deadline_us: int | None) -> Deed:
        """Take a bill from the only one who is asked."""
        (allowance,) = one.allowances or (NOBODY,)

        def charged(state: Mapping[LimitKey, Bucket]) -> Charge | Refusal:
            return cascade.charge(one, lambda _scope: state, now_us)

        act, keys = taking(self._terms, allowance, one.costs, now_us)
        if deadline_us is not None:
            act["hold"] = [one.id, deadline_us]
        return Deed(allowance.scope, act, keys, lambda state: _change(charged(state)), charged)

    async def _once(self, deed: Deed, name: tuple[str, str], nothing: object) -> object:
        """Do what may be in doubt from an earlier try; what is too late to know is not done again."""
        earlier = await self._doubts.clear(name)
        if earlier is not None:
            return nothing if earlier == "unknown" else earlier
        told = await self._deeds.do(deed, name)
        return deed.outcome(told.before) if told.done else nothing

    async def _undo(self, now_us: int) -> None:
        """Give back what was charged and nobody wants."""
        while self._doubts.unwanted:
            doubt = self._doubts.unwanted[0]
            try:
                outcome: Any = await self._doubts.resolve(doubt)
                if isinstance(outcome, Charge):
                    await self.refund(outcome, outcome.costs, now_us)
            except StoreUnavailable:
                return
            self._doubts.unwanted.pop(0)


def _of(bill: Bill, allowance: Allowance) -> Bill:
    return bill._replace(allowances=(allowance,))


def _change(outcome: Charge | Refusal) -> Change | None:
    return Change(outcome.postings, outcome.dropped, outcome) if isinstance(outcome, Charge) else None
