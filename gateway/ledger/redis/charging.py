"""Charges in Redis, exactly: plain ones together with others, all else scope by scope.

Each scope is asked by one atomic act, in the cascade's order; the next is asked only when it is known that the one
before did not pay. ``gateway/core`` works each outcome out again from the state before, so that what a caller is told
is what the core says.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar, cast

from gateway.clock import new_id
from gateway.core import cascade
from gateway.core.allowance import Allowance
from gateway.core.bucket import Bucket, LimitKey
from gateway.core.cascade import NOBODY, Bill, Charge, Refusal, Shortfall
from gateway.core.problems import StoreUnavailable
from gateway.core.scope import Scope
from gateway.core.till import Till
from gateway.ledger.port import Tell
from gateway.ledger.redis.deeds import Change, Deed, Deeds, Told, taking
from gateway.ledger.redis.doubts import Doubts, Unwanted
from gateway.ledger.redis.line import Act, Line, Stale
from gateway.ledger.redis.names import Names
from gateway.ledger.redis.plain_call import Carrier
from gateway.ledger.redis.presence import Presence
from gateway.ledger.redis.quick import Quick, Surroundings
from gateway.ledger.redis.skew import Skew
from gateway.ledger.redis.states import States
from gateway.ledger.redis.terms import TermsOf
from gateway.tasks import Tasks

_T = TypeVar("_T")
_OLD_TRIES = 3
"""So often what took too long is begun anew with the present instant."""
NONE: Mapping[LimitKey, Bucket] = {}
"""The buckets of a scope that has none."""


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


class Charging:
    """The charging half of ``RedisLedger``. Instants are the caller's; buckets count in Redis's time."""

    def __init__(self, parts: Parts) -> None:
        self._presence, self._skew, self._now_us, self._close = parts.presence, parts.skew, parts.now_us, parts.close
        self._terms = TermsOf()
        self._doubts = Doubts()
        self._deeds = Deeds(parts.line, self._doubts)
        around = Surroundings(parts.names, parts.presence, self._doubts, parts.epochs, parts.now_us, parts.skew)
        self._me = new_id()
        self._quick = Quick(parts.carrier, around, self._ask_long_way, self._me)
        parts.presence.on_move = parts.carrier.drop
        self._tasks = Tasks(stubborn=True)

    def charge_now(self, bill: Bill, now_us: int) -> Charge | Refusal | None:
        """See ``Ledger``: without Redis only what needs no bucket can be said."""
        if any(allowance.purses or allowance.source is not None for allowance in bill.allowances):
            return None
        return cascade.charge(bill, lambda _scope: NONE, self._skew.of_server(now_us))

    async def charge(self, bill: Bill, now_us: int) -> Charge | Refusal:
        """See ``Ledger``."""
        at_us = self._skew.of_server(now_us)
        outcome = self.charge_now(bill, now_us)
        if outcome is None and ("charge", bill.id) not in self._doubts:
            outcome = await self._quickly(bill, at_us)
        return outcome or await self._charge_in_time(bill, at_us)

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
            outcome = await self._charge_in_time(bill, at_us)
        except StoreUnavailable as error:
            outcome = error
        finally:
            tell(outcome)

    def call_off(self, bill: Bill) -> None:
        """See ``Ledger``."""
        self._doubts.disown(("charge", bill.id))

    async def _read(self, allowance: Allowance, now_us: int) -> States:
        if not allowance.purses:
            return {}
        return await self._deeds.read(allowance.scope, *taking(self._terms, allowance, {}, now_us))

    async def _charge_in_time(self, bill: Bill, at_us: int, deadline_us: int | None = None) -> Charge | Refusal:
        """Charge as of ``at_us``, or of now."""
        return await self._in_time(at_us, lambda at_us: self._charge(bill, at_us, deadline_us))

    async def _in_time(self, at_us: int, do: Callable[[int], Awaitable[_T]]) -> _T:
        """Do it as of ``at_us``; as of now, if Redis does not believe that: its clock is known by then.

        What had to wait for long is not believed either, and may have to wait again.
        """
        for _ in range(_OLD_TRIES):
            with contextlib.suppress(Stale):
                return await do(at_us)
            at_us = self._skew.of_server(self._now_us())
        return await do(at_us)

    async def _charge(self, bill: Bill, now_us: int, deadline_us: int | None = None) -> Charge | Refusal:
        """Ask scope by scope. With a deadline the charge is a hold."""
        earlier = await self._doubts.clear(("charge", bill.id))
        if earlier == "unknown":  # it may have been paid: nobody pays again
            return cascade.drain(bill._replace(allowances=()), lambda _scope: NONE, now_us)
        if earlier is not None:
            return cast("Charge", earlier)
        free = not any(bill.costs.values())
        asked = (bill.allowances or (NOBODY,))[:1] if free else bill.allowances
        states: dict[Scope, States] = {}
        paid = False
        for allowance in asked:
            if deadline_us is None and (free or not allowance.purses):
                states[allowance.scope] = await self._read(allowance, now_us)
                paid = free or isinstance(cascade.charge(of(bill, allowance), lambda _scope: NONE, now_us), Charge)
            else:
                told = await self._pay(of(bill, allowance), now_us, deadline_us)
                if told.charge is not None:
                    return told.charge
                states[allowance.scope], paid = told.before, told.done
            if paid:
                break
        outcome = cascade.charge(bill, lambda scope: states.get(scope, NONE), now_us)
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
        again = cascade.charge(bill, lambda scope: whole.get(scope, NONE), now_us)
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
        return Deed(allowance.scope, act, keys, lambda state: change(charged(state)), charged)


def of(bill: Bill, allowance: Allowance) -> Bill:
    """The bill for one who is asked."""
    return bill._replace(allowances=(allowance,))


def change(outcome: Charge | Refusal) -> Change | None:
    """What a charge changes; ``None``: nothing."""
    return Change(outcome.postings, outcome.dropped, outcome) if isinstance(outcome, Charge) else None
