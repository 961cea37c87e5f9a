"""Budgets in Redis or Valkey, shared exactly by any number of gateways."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

from gateway.core import cascade
from gateway.core.allowance import Allowance
from gateway.core.bucket import Bucket, LimitKey
from gateway.core.cascade import Bill, Charge, Costs, Posting, Refusal, Standing
from gateway.core.problems import StoreUnavailable
from gateway.core.refund import Settlement, differences, gifts, refund, settle
from gateway.ledger.port import Late
from gateway.ledger.redis.charging import NONE, Charging, Parts, change, of
from gateway.ledger.redis.deeds import Change, Deed, taking
from gateway.ledger.redis.late import LateDebits
from gateway.ledger.redis.terms import gift_rows
from gateway.tasks import Tasks

_NOTHING = Settlement((), {})
_LAST_S = 2.0
"""So long a gateway that stops may take to undo what nobody wants."""


class RedisLedger(Charging):
    """See ``Ledger``."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self._late = LateDebits(parts.line, self._doubts, self._terms, self._quick)
        self._undoing = Tasks(stubborn=True)

    def __len__(self) -> int:
        """How many scopes are in this process's memory: none."""
        return 0

    @property
    def failure(self) -> str | None:
        """Why Redis cannot be asked; ``None`` while it can."""
        return None if self._presence.here else self._presence.reason or "away"

    @property
    def in_doubt(self) -> int:
        """See ``Ledger``."""
        return len(self._doubts)

    async def drain(self, bill: Bill, now_us: int, *, late: Late | None = None) -> Charge:
        """See ``Ledger``."""
        at_us = self._skew.of_server(now_us)
        if late is not None:
            return await self._late.drain(bill, at_us, late, self._now_us())
        return await self._in_time(at_us, partial(self._drain, bill))

    async def _drain(self, bill: Bill, now_us: int) -> Charge:
        outcome = await self._charge(bill, now_us)
        if isinstance(outcome, Charge):
            return outcome
        if not bill.allowances:
            return cascade.drain(bill, lambda _scope: NONE, now_us)
        first = of(bill, bill.allowances[0])

        def drained(state: Mapping[LimitKey, Bucket]) -> Charge:
            return cascade.drain(first, lambda _scope: state, now_us)

        act, keys = taking(self._terms, bill.allowances[0], bill.costs, now_us)
        act["most"] = True
        deed = Deed(bill.allowances[0].scope, act, keys, lambda state: change(drained(state)), drained)
        return drained((await self._deeds.do(deed, ("charge", bill.id))).before)

    def doubt(self, bill: Bill) -> str:
        """See ``Ledger``."""
        return self._doubts.text(("charge", bill.id), self._now_us())

    async def confirm(self, charges: Sequence[Charge]) -> None:
        """See ``Ledger``."""
        await self._late.confirm({charge.id: charge.scope for charge in charges if charge.postings})

    async def refund(self, charge: Charge, costs: Costs, now_us: int) -> tuple[Posting, ...]:
        """See ``Ledger``."""
        given = gifts(charge, costs)
        if not given:
            return ()

        def at(now_us: int) -> Deed:
            def returned(state: Mapping[LimitKey, Bucket]) -> tuple[Posting, ...]:
                return refund(charge, costs, lambda _scope: state, now_us)

            act = {"now": now_us, "gifts": gift_rows(given)}
            keys = [gift.key for gift in given]
            return Deed(charge.scope, act, keys, lambda state: Change(returned(state)), returned)

        return cast("tuple[Posting, ...]", await self._once(at, now_us, ("refund", charge.id), ()))

    async def hold(self, bill: Bill, now_us: int, *, deadline_us: int, owner: str) -> Charge | Refusal:  # noqa: ARG002  (anybody may settle it)
        """See ``Ledger``. Whoever next asks the scope after the deadline gives it back."""
        return await self._charge_in_time(bill, self._skew.of_server(now_us), self._skew.of_server(deadline_us))

    async def settle(self, charge: Charge, costs: Costs, now_us: int) -> Settlement:
        """See ``Ledger``."""
        less, more = differences(charge, costs)
        given = gifts(charge, less)

        def at(now_us: int) -> Deed:
            def settled(state: Mapping[LimitKey, Bucket]) -> Settlement:
                return settle(charge, costs, lambda _scope: state, now_us)

            def change(state: Mapping[LimitKey, Bucket]) -> Change:
                final = settled(state)
                return Change(final.postings, final.dropped)

            act, keys = taking(self._terms, charge.allowance, more, now_us)
            act |= {"gifts": gift_rows(given), "ends": charge.id, "most": True}
            return Deed(charge.scope, act, [*keys, *(gift.key for gift in given)], change, settled)

        return cast("Settlement", await self._once(at, now_us, ("settle", charge.id), _NOTHING))

    async def release(self, charge: Charge, now_us: int) -> tuple[Posting, ...]:
        """See ``Ledger``."""
        given = gifts(charge, charge.costs)

        def at(now_us: int) -> Deed:
            def returned(state: Mapping[LimitKey, Bucket]) -> tuple[Posting, ...]:
                return refund(charge, charge.costs, lambda _scope: state, now_us)

            act = {"now": now_us, "gifts": gift_rows(given), "ends": charge.id}
            keys = [gift.key for gift in given]
            return Deed(charge.scope, act, keys, lambda state: Change(returned(state)), returned)

        return cast("tuple[Posting, ...]", await self._once(at, now_us, ("settle", charge.id), ()))

    async def standings(self, allowance: Allowance, now_us: int) -> tuple[Standing, ...]:
        """See ``Ledger``."""
        now_us = self._skew.of_server(now_us)
        state = await self._read(allowance, now_us)
        return cascade.standings_of(allowance, lambda _scope: state, now_us)

    def tend(self, settled_before_us: int, now_us: int) -> None:  # noqa: ARG002  (Redis forgets by itself)
        """See ``Ledger``."""
        if self._doubts.unwanted and self._presence.here and not len(self._undoing):
            self._undoing.start(self._undo(now_us), "undo charges that nobody wants")

    async def close(self) -> None:
        """See ``Ledger``. What nobody wants is undone, if that can be done now."""
        await self._quick.close()
        await self._tasks.close()
        await self._undoing.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_S):
                await self._undo(self._now_us())
        await self._close()

    async def _once(
        self, deed_at: Callable[[int], Deed], now_us: int, name: tuple[str, str], nothing: object
    ) -> object:
        """Do what may be in doubt from an earlier try; what is too late to know is not done again."""

        async def do(at_us: int) -> object:
            earlier = await self._doubts.clear(name)
            if earlier is not None:
                return nothing if earlier == "unknown" else earlier
            deed = deed_at(at_us)
            told = await self._deeds.do(deed, name)
            return deed.outcome(told.before) if told.done else nothing

        return await self._in_time(self._skew.past(now_us, self._now_us()), do)

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
