"""Debit before, settle after: what one request pays, from whom, and when it gets it back.

Whoever is only named by the request, without proof, is debited after the upstream has accepted it.

The ledger decides, the journal remembers; nothing awaits between the two, so that they cannot disagree.
"""

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from gateway.core.cascade import Bill, Charge, Posting, Refusal
from gateway.core.cascade import charge as presume
from gateway.core.principal import Principal
from gateway.core.problems import StoreUnavailable
from gateway.core.rules import Rule
from gateway.core.till import refusal_of
from gateway.journal.record import Record
from gateway.ledger.port import Ledger
from gateway.metering.arrears import Arrears
from gateway.metering.bills import bill_for, claims, debt_of
from gateway.metering.catalog import Unresolved
from gateway.metering.recorder import Recorder
from gateway.metering.stand import Stand
from gateway.metering.turns import Turns
from gateway.metering.visit import Visit

_LATE_REFUNDS = 100_000
Saw = Callable[[Principal, int], None]
"""Told of each request of somebody known, and when it came (us)."""


_LOOK_US = 10_000
_made = tuple.__new__
Charged = Callable[[Refusal | StoreUnavailable | None], None]
"""Told that a visit has its outcome (``None``), or with what ``conclude`` has to go on."""


class Taken(NamedTuple):
    """What ``Meter.pay`` has done: ``place``: which till has paid; -1: none, and ``outcome`` is the refusal."""

    place: int
    outcome: Posting | Refusal
    record: Record


class Meter:
    """Charges visits to the ledger and writes each into the journal."""

    def __init__(
        self,
        ledger: Ledger,
        recorder: Recorder,
        store_failing: Callable[[], bool],
        saw: Saw | None = None,
        arrears: Arrears | None = None,
    ) -> None:
        self._ledger = ledger
        self._recorder = recorder
        self._store_failing = store_failing
        self._saw = saw
        self._arrears = Arrears(ledger, recorder) if arrears is None else arrears
        self._owed: deque[tuple[Visit, Charge, int]] = deque(maxlen=_LATE_REFUNDS)
        self._turns = Turns(self._debit_late)
        self._looked_us = 0

    async def charge(self, visit: Visit) -> Charge | Refusal | None:
        """Debit a visit's cost before it is forwarded. ``None``: nobody is asked to pay (now).

        Raises ``StoreUnavailable`` where the store is down and the rule says ``closed``.
        """
        try:
            bill = visit.bill = await self._bill(visit)
        except StoreUnavailable:
            self._apply_policy(visit)
            self._owe(visit, None)  # what there is to spend is found out when the store is back
            return None
        if bill is None:
            return None
        if claims(visit):
            return None
        if self._store_failing():
            self._apply_policy(visit)
        outcome: Charge | Refusal | StoreUnavailable
        try:
            outcome = self._ledger.charge_now(bill, visit.at_us) or await self._ledger.charge(bill, visit.at_us)
        except StoreUnavailable as error:
            outcome = error
        return await self.conclude(visit, bill, outcome)

    async def conclude(
        self, visit: Visit, bill: Bill, outcome: Charge | Refusal | StoreUnavailable
    ) -> Charge | Refusal | None:
        """The rest of ``charge``, from what the ledger has said on."""
        try:
            if isinstance(outcome, StoreUnavailable):
                raise outcome
            if isinstance(outcome, Refusal) and not visit.rule.enforce:
                visit.shadow = True
                outcome = await self._ledger.drain(bill, visit.at_us)
        except StoreUnavailable:
            return self._without_ledger(visit, bill)
        visit.outcome = outcome
        visit.record = self._recorder.opened(visit, outcome)
        return outcome

    def pay(self, stand: Stand, rule: Rule, cost: int, id_: str, at_us: int) -> Taken | None:
        """Debit ``cost``, more than 0, from a stand's tills. ``None``: nothing happened, ask ``charge_now``."""
        if not 0 <= at_us - self._looked_us < _LOOK_US and not self._look(at_us):
            return None
        taken = self._ledger.take(stand.tills, cost, at_us)
        if isinstance(taken, tuple):
            place, after = taken
            till = stand.tills[place]
            posting = _made(Posting, (till[1], till[3], after[0], cost, after))
            return _made(Taken, (place, posting, self._recorder.paid(stand, rule, id_, at_us, posting)))
        if not taken or not stand.whole or not rule.enforce:
            return None
        refusal = refusal_of(id_, rule.costs, taken, at_us)
        return Taken(-1, refusal, self._recorder.turned_away(stand, rule, refusal))

    def _look(self, at_us: int) -> bool:
        """Whether the store is well: looked at now and then, since failing takes seconds."""
        if self._store_failing():
            self._looked_us = 0
            return False
        self._looked_us = at_us
        return True

    def charge_now(self, visit: Visit) -> bool:
        """``charge`` where nothing is odd and nothing has to be waited for; if not, nothing has happened.

        Where only the ledger has to be asked, ``visit.bill`` is set: see ``charge_soon``.
        """
        if self._store_failing():
            return False
        try:
            bill = bill_for(visit)
            if bill is None:
                return True
            if not visit.principal.verified and claims(visit):
                return False
            outcome = self._ledger.charge_now(bill, visit.at_us)
        except (Unresolved, StoreUnavailable):
            return False
        if outcome is None:
            visit.bill = bill
        if outcome is None or (isinstance(outcome, Refusal) and not visit.rule.enforce):
            return False
        visit.bill, visit.outcome = bill, outcome
        visit.record = self._recorder.opened(visit, outcome)
        return True

    def charge_soon(self, visit: Visit, charged: Charged) -> bool:
        """What ``charge_now`` has left for its ledger to be asked: begun, and ``charged`` is told of the end, once.

        ``False``: nothing has begun.
        """
        bill = visit.bill
        return bill is not None and self._ledger.charge_soon(bill, visit.at_us, partial(self._told, visit, charged))

    def _told(self, visit: Visit, charged: Charged, outcome: Charge | Refusal | StoreUnavailable) -> None:
        """The ledger has answered: what is not odd is written down at once, as ``charge_now`` does it."""
        if isinstance(outcome, Charge) or (isinstance(outcome, Refusal) and visit.rule.enforce):
            visit.outcome = outcome
            visit.record = self._recorder.opened(visit, outcome)
            charged(None)
        else:
            charged(outcome)

    async def settle(self, visit: Visit, *, status: int, request_sent: bool, now_us: int) -> None:
        """When the answer is over: give back what is free, or take what is due only now.

        ``status``: what the client was told, by the upstream or by us; 499 if it left before. A charge is released only
        if not one request byte went upstream, or if the rule calls the status free.
        """
        bill, outcome, free = visit.bill, visit.outcome, visit.is_free(status, request_sent=request_sent)
        if bill is None or isinstance(outcome, Refusal):
            if visit.late and free:
                visit.late = False
                self._arrears.forgive(visit.id)
            return
        if outcome is None:
            if not free:
                await self._take_after(visit, bill, now_us)
            return
        if not free:
            return
        if visit.late:
            visit.late, visit.refunded = False, True
            self._arrears.forgive(visit.id)
            self._ledger.call_off(bill)
        elif outcome.postings:
            try:
                await self._give_back(visit, outcome, now_us)
            except StoreUnavailable:
                visit.refunded = True  # as soon as the ledger is back
                self._owed.append((visit, outcome, now_us))

    def close(self, visit: Visit, *, status: int, latency_us: int, upstream_latency_us: int | None) -> None:
        """At the end of the request: complete its record, or put it in line for its late debit."""
        if visit.late:
            self._arrears.ended(visit.id)
        if self._saw is not None and visit.principal.verified:
            self._saw(visit.principal, visit.at_us)
        if visit.record is not None:
            self._recorder.closed(
                visit.record, status=status, latency_us=latency_us, upstream_latency_us=upstream_latency_us
            )

    def complete(self, record: Record, status: int, latency_us: int, upstream_us: int | None) -> None:
        """``close`` for what was paid by ``pay``. Who came is said by ``see``."""
        self._recorder.closed(record, status=status, latency_us=latency_us, upstream_latency_us=upstream_us)

    def see(self, principals: Iterable[tuple[Principal, int]]) -> None:
        """Say who came by, and when (us): for many at once."""
        saw = self._saw
        if saw is not None:
            for principal, at_us in principals:
                saw(principal, at_us)

    async def debit_late(self) -> None:
        """Debit what was let through while the ledger or the store could not be asked, each in its own window.

        And give back what could not be given back. One whose payer stays unknown does not keep the others waiting.
        Raises ``StoreUnavailable`` while one still cannot be debited; nothing is debited twice or forgotten: what has
        begun is finished, also if the caller is cancelled, and the next one waits for that.
        """
        await self._turns.take()

    async def stop(self) -> None:
        """Wait no longer for late debits that are under way; nothing is debited late after this."""
        await self._turns.close()

    async def _debit_late(self) -> None:
        """Refunds, then debits. A refund that cannot be made keeps nobody waiting: the next round begins after it."""
        try:
            while self._owed:
                await self._give_back(*self._owed[0])
                self._owed.popleft()
        except StoreUnavailable:
            self._owed.rotate(-1)
            await self._arrears.debit()
            raise
        await self._arrears.debit()

    @property
    def late(self) -> int:
        """How many ended visits wait to be debited."""
        return len(self._arrears)

    @property
    def unsettled(self) -> int:
        """How many charges and refunds wait for their ledger to be cleared up or made."""
        return len(self._owed) + self._ledger.in_doubt

    @property
    def forgotten(self) -> int:
        """How many ended visits were not put in line any more, because too many waited: they went free."""
        return self._arrears.forgotten

    async def _bill(self, visit: Visit) -> Bill | None:
        """``bill_for``, with what has to be fetched first. Raises ``StoreUnavailable``."""
        while True:
            try:
                return bill_for(visit)
            except Unresolved as need:
                await visit.snapshot.catalog.load(need.scope)

    def _owe(self, visit: Visit, bill: Bill | None) -> None:
        """Let it pass, and write down that it is owed. ``bill`` ``None``: what is asked of whom is found out later."""
        visit.late = True
        self._arrears.passed(debt_of(visit, bill, "" if bill is None else self._ledger.doubt(bill)))

    async def _give_back(self, visit: Visit, charge: Charge, now_us: int) -> None:
        postings = await self._ledger.refund(charge, charge.costs, now_us)
        visit.refunded = bool(postings)
        self._recorder.refunded(visit, charge, postings, now_us)

    async def _take_after(self, visit: Visit, bill: Bill, now_us: int) -> None:
        """Debit what the upstream has accepted; if the ledger cannot be asked now, later."""
        try:
            visit.outcome = await self._ledger.drain(bill, now_us)
        except StoreUnavailable:
            self._recorder.store_failed("open")
            self._owe(visit, bill)
        else:
            visit.record = self._recorder.after(visit, visit.outcome)

    def _apply_policy(self, visit: Visit) -> None:
        """What ``on_store_failure`` says, counted."""
        policy = visit.rule.on_store_failure or visit.snapshot.on_store_failure
        self._recorder.store_failed(policy)
        if policy != "open":  # ``lease``: what there was to spend without the store is spent
            raise StoreUnavailable(
                "Budgets cannot be checked at the moment, so nothing was forwarded or charged. Try again shortly.",
                headers=((b"Retry-After", b"1"),),
            )

    def _without_ledger(self, visit: Visit, bill: Bill) -> Charge | Refusal | None:
        """Open: let it through as if the budgets were untouched, and debit it when the ledger is back."""
        try:
            self._apply_policy(visit)
        except StoreUnavailable:
            self._ledger.call_off(bill)
            raise
        visit.shadow = False
        outcome = presume(bill, lambda _scope: {}, visit.at_us)
        if isinstance(outcome, Refusal):
            if visit.rule.enforce:
                self._ledger.call_off(bill)
            else:
                self._owe(visit, bill)
                visit.bill = None  # it passes all the same
                return None
        visit.outcome = outcome
        if isinstance(outcome, Charge):
            self._owe(visit, bill)
        return outcome
