"""Buckets in this process's memory, restored scope by scope from wherever they are kept.

One event loop calls it. Between a check and its debit nothing awaits, so each call is one atomic act: N concurrent
charges for k places admit exactly k.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from heapq import heappop, heappush
from typing import NamedTuple

from gateway.core import cascade
from gateway.core.allowance import Allowance
from gateway.core.bucket import Bucket, Limit, LimitKey, Refill, refill, window_of
from gateway.core.cascade import Bill, Charge, Costs, Posting, Refusal, Shortfall, Standing
from gateway.core.late import drain_late
from gateway.core.refund import Settlement, refund, settle
from gateway.core.scope import Scope
from gateway.core.till import Till, shortfall_of, take_open
from gateway.ledger.port import Late, Tell
from gateway.tasks import Tasks

Restore = Callable[[Scope], Awaitable[Mapping[LimitKey, Bucket]]]
"""The buckets of a scope as they are kept, with all that was charged so far. May raise ``StoreUnavailable``."""

_Buckets = dict[LimitKey, Bucket]
_NONE: Mapping[LimitKey, Bucket] = {}
_ROUND_S = 60
_SWEPT = 100
"""A few more than a minute's share are looked at, so that a small ledger is not left alone."""


class Hold(NamedTuple):
    """A charge whose size is not final. ``owner`` is whoever will settle it."""

    charge: Charge
    deadline_us: int
    owner: str


class MemoryLedger:
    """A ledger in memory. ``restore`` ``None``: nothing is kept elsewhere, every scope starts full."""

    def __init__(self, restore: Restore | None = None) -> None:
        self._restore = restore
        # Most scopes have one bucket; a pair takes a quarter of the memory of a dict.
        self._scopes: dict[Scope, tuple[LimitKey, Bucket] | _Buckets] = {}
        self._round: deque[Scope] = deque()
        self._restoring: dict[Scope, asyncio.Task[None]] = {}
        self._tasks = Tasks()
        self._holds: dict[str, Hold] = {}
        self._deadlines: list[tuple[int, str]] = []

    def __len__(self) -> int:
        """How many scopes are in memory."""
        return len(self._scopes)

    @property
    def holds(self) -> Mapping[str, Hold]:
        """Charges that are not final yet, by id."""
        return self._holds

    def charge_now(self, bill: Bill, now_us: int) -> Charge | Refusal | None:
        """See ``Ledger``. ``None``: a scope that has to be asked is not restored yet."""
        if (charge := self._charge_first(bill, now_us)) is not None:
            return charge
        known = self._known(bill.allowances)
        if not known and bill.allowances:
            return None
        if known is not bill.allowances:
            bill = cascade.Bill(bill.id, bill.costs, known)
            outcome = cascade.charge(bill, self._buckets_of, now_us)
            if isinstance(outcome, Refusal):
                return None
        else:
            outcome = cascade.charge(bill, self._buckets_of, now_us)
        if isinstance(outcome, Charge) and outcome.postings:
            self._keep(outcome.postings, outcome.scope, outcome.dropped)
        return outcome

    def _charge_first(self, bill: Bill, now_us: int) -> Charge | None:
        """What most charges are: the first who is asked has one bucket, and pays from it."""
        if not bill.allowances:
            return None
        first = bill.allowances[0]
        stored = self._scopes.get(first.scope)
        if type(stored) is not tuple:
            return None
        charge = cascade.paid_at_once(bill, first, stored[0], stored[1], now_us)
        if charge is not None:
            self._scopes[first.scope] = (charge.postings[0].limit, charge.postings[0].after)
        return charge

    def _known(self, allowances: tuple[Allowance, ...]) -> tuple[Allowance, ...]:
        """The first allowances whose scopes are in memory: often the first pays, and nobody else need be restored."""
        if self._restore is not None:
            for place, allowance in enumerate(allowances):
                if allowance.scope not in self._scopes:
                    return allowances[:place]
        return allowances

    async def charge(self, bill: Bill, now_us: int) -> Charge | Refusal:
        """See ``Ledger``."""
        while (outcome := self.charge_now(bill, now_us)) is None:
            await self._load(bill.allowances)
        return outcome

    def take(self, tills: Sequence[Till], cost: int, now_us: int) -> tuple[int, Bucket] | list[Shortfall] | None:
        """See ``Ledger``."""
        scopes, shortfalls = self._scopes, list[Shortfall]()
        for till in tills:
            stored = scopes.get(till[1])
            if type(stored) is not tuple:
                return None
            after = take_open(till, stored[0], stored[1], cost, now_us)
            if after is not None:
                scopes[till[1]] = (till[3], after)
                return len(shortfalls), after
            shortfall = shortfall_of(till, stored[0], stored[1], cost, now_us)
            if shortfall is None:
                return None
            shortfalls.append(shortfall)
        return shortfalls

    def charge_soon(self, bill: Bill, now_us: int, tell: Tell) -> bool:  # noqa: ARG002  (the port's arguments)
        """See ``Ledger``. A scope is restored once in its life: that is worth no second way."""
        return False

    async def drain(self, bill: Bill, now_us: int, *, late: Late | None = None) -> Charge:
        """See ``Ledger``."""
        await self._load(bill.allowances)
        if late is None:
            outcome = cascade.drain(bill, self._buckets_of, now_us)
        else:
            outcome = drain_late(bill, self._buckets_of, now_us, late.debt)
        self._keep(outcome.postings, outcome.scope, outcome.dropped)
        return outcome

    async def refund(self, charge: Charge, costs: Costs, now_us: int) -> tuple[Posting, ...]:
        """See ``Ledger``. A scope that is not in memory any more has nothing to get back: its windows are over."""
        return self._refund(charge, costs, now_us)

    async def hold(self, bill: Bill, now_us: int, *, deadline_us: int, owner: str) -> Charge | Refusal:
        """See ``Ledger``."""
        outcome = await self.charge(bill, now_us)
        if isinstance(outcome, Charge):
            self._holds[outcome.id] = Hold(outcome, deadline_us, owner)
            heappush(self._deadlines, (deadline_us, outcome.id))
        return outcome

    async def settle(self, charge: Charge, costs: Costs, now_us: int) -> Settlement:
        """See ``Ledger``."""
        if self._holds.pop(charge.id, None) is None:
            return Settlement((), {})
        await self._load((charge.allowance,))
        settled = settle(charge, costs, self._buckets_of, now_us)
        self._keep(settled.postings, charge.scope, settled.dropped)
        return settled

    async def release(self, charge: Charge, now_us: int) -> tuple[Posting, ...]:
        """See ``Ledger``."""
        if self._holds.pop(charge.id, None) is None:
            return ()
        return self._refund(charge, charge.costs, now_us)

    def expire_holds(self, now_us: int) -> list[tuple[Charge, tuple[Posting, ...]]]:
        """Release the holds whose deadline has come."""
        expired = []
        while self._deadlines and self._deadlines[0][0] <= now_us:
            hold = self._holds.pop(heappop(self._deadlines)[1], None)
            if hold is not None:
                expired.append((hold.charge, self._refund(hold.charge, hold.charge.costs, now_us)))
        return expired

    async def standings(self, allowance: Allowance, now_us: int) -> tuple[Standing, ...]:
        """See ``Ledger``."""
        await self._load((allowance,))
        return cascade.standings_of(allowance, self._buckets_of, now_us)

    async def close(self) -> None:
        """See ``Ledger``."""
        await self._tasks.close()

    def call_off(self, bill: Bill) -> None:
        """See ``Ledger``. Here a charge that raised was not made."""

    def doubt(self, bill: Bill) -> str:  # noqa: ARG002
        """See ``Ledger``: nothing is in doubt."""
        return ""

    async def confirm(self, charges: Sequence[Charge]) -> None:
        """See ``Ledger``: what was drained is in memory, and in the journal."""

    @property
    def failure(self) -> str | None:
        """See ``Ledger``: memory is always there."""
        return None

    @property
    def in_doubt(self) -> int:
        """See ``Ledger``: nothing is."""
        return 0

    def tend(self, settled_before_us: int, now_us: int) -> None:
        """See ``Ledger``: each scope is looked at about once a minute."""
        self.sweep(settled_before_us, now_us, len(self) // _ROUND_S + _SWEPT)

    def sweep(self, settled_before_us: int, now_us: int, budget: int) -> int:
        """Look at the next ``budget`` scopes and forget those that are full and that ``restore`` would bring back full.

        ``settled_before_us``: what was charged before is where ``restore`` reads (without ``restore``: ``now_us``).
        Packs are kept. Returns how many scopes were forgotten.
        """
        forgotten = 0
        for _ in range(min(budget, len(self._round))):
            scope = self._round.popleft()
            buckets = self._buckets_of(scope)
            lasting = {key: bucket for key, bucket in buckets.items() if key.refill is Refill.NEVER and bucket.spent}
            # Windows are forgotten together: a replaced bucket must not outlive the one that it was charged to.
            over = all(
                key in lasting or _is_over(key, bucket, min(settled_before_us, now_us), now_us)
                for key, bucket in buckets.items()
            )
            if over and not lasting:
                del self._scopes[scope]
                forgotten += 1
                continue
            if over:
                self._put(scope, lasting)
            self._round.append(scope)
        return forgotten

    def forget(self, scope: Scope, keys: Iterable[LimitKey]) -> None:
        """Let go of buckets that nothing will ask for again, such as those of an ended pack."""
        gone = frozenset(keys)
        if scope in self._scopes:
            self._put(scope, {key: bucket for key, bucket in self._buckets_of(scope).items() if key not in gone})

    def _buckets_of(self, scope: Scope) -> Mapping[LimitKey, Bucket]:
        stored = self._scopes.get(scope)
        if stored is None:
            return _NONE
        return {stored[0]: stored[1]} if isinstance(stored, tuple) else stored

    def _keep(self, postings: tuple[Posting, ...], scope: Scope, dropped: tuple[LimitKey, ...] = ()) -> None:
        """Store what a decision says; the only place where buckets change."""
        stored = self._scopes.get(scope)
        if len(postings) == 1 and (stored is None or (type(stored) is tuple and stored[0] == postings[0].limit)):
            if stored is None:
                self._round.append(scope)
            self._scopes[scope] = (postings[0].limit, postings[0].after)
        elif postings:
            buckets = {**self._buckets_of(scope), **{posting.limit: posting.after for posting in postings}}
            self._put(scope, {key: bucket for key, bucket in buckets.items() if key not in dropped})

    def _put(self, scope: Scope, buckets: Mapping[LimitKey, Bucket]) -> None:
        if scope not in self._scopes:
            self._round.append(scope)
        self._scopes[scope] = next(iter(buckets.items())) if len(buckets) == 1 else dict(buckets)

    def _refund(self, charge: Charge, costs: Costs, now_us: int) -> tuple[Posting, ...]:
        postings = refund(charge, costs, self._buckets_of, now_us)
        self._keep(postings, charge.scope)
        return postings

    async def _load(self, allowances: Iterable[Allowance]) -> None:
        """Restore the scopes that are not in memory, each once however many ask for it."""
        if self._restore is None:
            return
        scopes = [allowance.scope for allowance in allowances]
        while missing := [scope for scope in scopes if scope not in self._scopes]:
            # All start at once: after an await, one of them may be in memory, paid from, and must not be put again.
            for task in [self._restoring.get(scope) or self._start(scope, self._restore) for scope in missing]:
                # A client that leaves does not take the others' answer with it.
                await asyncio.shield(task)

    def _start(self, scope: Scope, restore: Restore) -> asyncio.Task[None]:
        task = self._restoring[scope] = self._tasks.start(self._fetch(scope, restore), "restore a scope")
        return task

    async def _fetch(self, scope: Scope, restore: Restore) -> None:
        try:
            self._put(scope, await restore(scope))
        finally:
            del self._restoring[scope]


def _is_over(key: LimitKey, bucket: Bucket, settled_us: int, now_us: int) -> bool:
    """Whether a bucket is full, and would be if it was read from where it is kept."""
    if key.refill is Refill.INTERVAL:
        return window_of(key, bucket.generation)[1] <= settled_us and bucket.as_of_us <= settled_us
    rate = max(bucket.rate, 1)
    return bucket.as_of_us + key.window_us <= settled_us and not refill(bucket, Limit(key, rate, rate), now_us).spent
