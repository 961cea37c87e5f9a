"""Plain debits, told by callback: those that are waiting when the event loop turns go out as one call.

Each call has an id, under which Redis remembers for a minute what it answered: an answer that does not come is asked
for again, and if that fails too, the debits of the call are in doubt until somebody asks by that id.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from gateway import log
from gateway.core.cascade import Bill, Charge, Refusal
from gateway.core.problems import StoreUnavailable
from gateway.ledger.bounds import SHARE
from gateway.ledger.port import Tell
from gateway.ledger.redis.demands import Demands, decided
from gateway.ledger.redis.doubts import Doubts
from gateway.ledger.redis.names import Names
from gateway.ledger.redis.plain_call import Batch, Carrier, Cut, Waiting
from gateway.ledger.redis.presence import Presence
from gateway.ledger.redis.servers import Call, Outcome, Unheard
from gateway.ledger.redis.skew import Skew
from gateway.tasks import Tasks

MOST = 128
"""So many debits go in one call, so that Redis is not kept from others for long."""
AT_ONCE = 4
"""So many calls are on their way at once; what comes meanwhile waits for the next and goes together."""

_EPOCH, _VOID = b"epoch", b"void"
_NOT_DONE = (_EPOCH, b"untimely")
_SHORT = ((b"Retry-After", b"1"),)

_log = log.get_logger(__name__)


class Surroundings(NamedTuple):
    """What quick debits share with others. ``epochs``: by marker, the one it must hold."""

    names: Names
    presence: Presence
    doubts: Doubts
    epochs: Callable[[], Mapping[str, str]]
    now_us: Callable[[], int]
    skew: Skew


class Quick:
    """Sends plain debits. ``epochs``: by marker, the one that it must hold. ``long_way``: asks in another way.

    Whoever began a debit is told of its end once; a debit of which nobody knows is put into ``doubts`` before.
    """

    def __init__(
        self, carrier: Carrier, around: Surroundings, long_way: Callable[[Bill, int, Tell], None], me: str
    ) -> None:
        self._carrier = carrier
        self._cutter = f"{me} {SHARE} {around.skew.ahead}"
        self._around = around
        self._long_way = long_way
        self._demands = Demands(around.names)
        self._tasks = Tasks(stubborn=True)
        self._waiting: deque[Waiting] = deque()
        self._turning = False
        self._busy = 0
        self.calls = 0
        self.debits = 0

    def debit(self, bill: Bill, at_us: int, tell: Tell, want: int | None = None, cut: Cut | None = None) -> bool:
        """Begin a debit at ``at_us`` (Redis's time). ``False``: it is not plain, or cannot be sent.

        ``want``: a slice that is to be cut of the first, if he pays (``slices``); what it got is told to ``cut``.
        ``None``: there are no slices; 0: there are, but none is wanted.
        """
        if not self._around.presence.here or not self._carrier.ready:
            return False
        asked = self._demands.of(bill)
        if asked is None or (self._carrier.apart and len(asked) > 1):
            return False
        self._waiting.append(Waiting(bill, asked, at_us, tell, want, cut))
        if not self._turning and self._busy < self._carrier.at_once:
            self._turning = True
            asyncio.get_running_loop().call_soon(self._turn)
        return True

    async def close(self) -> None:
        """Let go of what is under way."""
        await self._tasks.close()
        while self._waiting:
            self._waiting.popleft().tell(_unavailable())

    def _turn(self) -> None:
        self._turning = False
        waiting, carrier = self._waiting, self._carrier
        if waiting and not (self._around.presence.here and carrier.ready):
            going, self._waiting = waiting, deque()
            for debit in going:
                self._long_way(debit.bill, debit.at_us, debit.tell)
            return
        while waiting and self._busy < carrier.at_once:
            going_now = [waiting.popleft() for _ in range(min(len(waiting), MOST))]
            if not carrier.apart:
                self._send(going_now, going_now[0].asked[0].marker)
                continue
            by_marker: dict[str, list[Waiting]] = {}
            for debit in going_now:
                by_marker.setdefault(debit.asked[0].marker, []).append(debit)
            for marker, debits in by_marker.items():
                self._send(debits, marker)

    def _send(self, debits: Sequence[Waiting], marker: str) -> None:
        sent_s, epoch = asyncio.get_running_loop().time(), self._around.epochs().get(marker, "")
        batch = Batch(debits, marker, epoch, self._cutter, (sent_s, self._around.now_us()))
        self._busy += 1
        self.calls += 1
        self.debits += len(debits)
        self._carrier.carry(batch.call, partial(self._answered, batch))

    def _answered(self, batch: Batch, outcome: Outcome) -> None:
        self._busy -= 1
        if isinstance(outcome, list):
            self._around.skew.heard(batch.sent_us, self._around.now_us(), int(outcome[0]))
            self._tell(batch, outcome)
        elif isinstance(outcome, Unheard):
            self._tasks.start(self._ask_again(batch), "ask again for lost answers")
        else:
            self._refer(batch)
        if self._waiting and not self._turning:
            self._turn()

    def _tell(self, batch: Batch, outcome: list[Any]) -> None:
        """Everybody hears what became of his debit."""
        if len(outcome) != len(batch.debits) + 1 or outcome[1] in _NOT_DONE:
            self._refer(batch)
            return
        at_us = batch.at_us
        for place, (bill, asked, _, tell, _, cut) in enumerate(batch.debits, 1):
            told: Charge | Refusal | StoreUnavailable | None
            reply = outcome[place]
            try:
                told = decided(bill, asked, reply, at_us)
                if cut is not None and isinstance(told, Charge):
                    cut(told, units_cut(reply), at_us)
            except Exception as error:  # noqa: BLE001  (the others are to be told all the same)
                _log.error("an answer of the ledger makes no sense", reason=repr(error))
                told = _unavailable()
            if told is None or (isinstance(told, Refusal) and any(each.allowance.source for each in asked)):
                self._long_way(bill, at_us, tell)  # it was not plain, or when it helps to wait depends on more
            else:
                try:
                    tell(told)
                except Exception as error:  # noqa: BLE001  (as above)
                    _log.error("somebody could not be told of his debit", reason=repr(error))

    def _refer(self, batch: Batch) -> None:
        """Nothing was done."""
        for debit in batch.debits:
            self._long_way(debit.bill, debit.at_us, debit.tell)

    async def _ask_again(self, batch: Batch) -> None:
        around = self._around
        outcome: Outcome = Unheard("cancelled")
        try:
            await around.presence.renew()
            outcome = await self._carrier.carry_again(batch.call)
        finally:
            if isinstance(outcome, list) and outcome[1:2] != [_EPOCH]:
                self._tell(batch, outcome)
            else:
                around.presence.failed("epoch" if isinstance(outcome, list) else outcome.reason)
                for number, debit in enumerate(batch.debits):
                    around.doubts.add(("charge", debit.bill.id), BatchDoubt(batch, number, self))
                    debit.tell(_unavailable())

    async def find_out(self, batch: Batch) -> list[Any]:
        """What became of a batch; if nothing, nothing ever will. Raises ``StoreUnavailable``."""
        if batch.outcome is None:
            batch.outcome = await self._call_off(batch.marker, batch.memory)
        return batch.outcome

    async def recollect(self, bill: Bill, id_: str, at_us: int) -> Charge | None:
        """What became of a debit that another process is in doubt of. Raises ``StoreUnavailable``."""
        memory, _, number = id_.rpartition("#")
        outcome, asked = await self._call_off(memory.rpartition(":")[0], memory), self._demands.of(bill)
        if outcome[1] == _VOID or asked is None:
            return None
        told = decided(bill, asked, outcome[int(number) + 1], at_us)
        return told if isinstance(told, Charge) else None

    async def _call_off(self, marker: str, memory: str) -> list[Any]:
        epoch = self._around.epochs().get(marker, "")
        outcome = await self._carrier.carry_again(Call((marker, memory), (epoch, "0", "", self._cutter)))
        if not isinstance(outcome, list) or outcome[1:2] == [_EPOCH]:
            raise _unavailable()
        return outcome


class BatchDoubt:
    """A debit of which nobody knows whether it was made: see ``doubts``."""

    __slots__ = ("_batch", "_learnt", "_number", "_quick")

    def __init__(self, batch: Batch, number: int, quick: Quick) -> None:
        self._batch, self._number, self._quick = batch, number, quick
        self._learnt = False

    @property
    def sent_s(self) -> float:
        """When it was sent, by the loop's clock."""
        return self._batch.sent_s

    @property
    def id(self) -> str:
        """By what another process asks for it: where it is remembered, and its place there."""
        return f"{self._batch.memory}#{self._number}"

    async def resolve(self) -> Charge | None:
        """The charge, if it was made. Raises ``StoreUnavailable``."""
        outcome = await self._quick.find_out(self._batch)
        if outcome[1] == _VOID:
            return None
        bill, asked, _, _, _, cut = self._batch.debits[self._number]
        reply, at_us = outcome[self._number + 1], self._batch.at_us
        told = decided(bill, asked, reply, at_us)
        if not isinstance(told, Charge):
            return None
        if cut is not None and not self._learnt:
            self._learnt = True
            cut(told, units_cut(reply), at_us)
        return told


def units_cut(reply: Any) -> int:  # noqa: ANN401
    """What a slice got that was wanted with a debit."""
    return reply[-1] if type(reply) is list else 0


def _unavailable() -> StoreUnavailable:
    return StoreUnavailable("Budgets cannot be checked at the moment. Try again shortly.", headers=_SHORT)
