"""One call of plain debits: who waits in it, what it says, and what carries it."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from gateway.clock import new_id
from gateway.core.cascade import Bill, Charge
from gateway.ledger.port import Tell
from gateway.ledger.redis.demands import Asked, Demand
from gateway.ledger.redis.servers import Call, Outcome

Cut = Callable[[Charge, int, int], None]
"""Told of a charge with which a slice was wanted, what it got, and when; before the charge is told."""


class Waiting(NamedTuple):
    """A debit that has not gone out yet. ``at_us``: by Redis's clock. ``want``, ``cut``: see ``debit``."""

    bill: Bill
    asked: list[Asked]
    at_us: int
    tell: Tell
    want: int | None = None
    cut: Cut | None = None


class Carrier(Protocol):
    """Takes calls to Redis. ``apart``: none must touch two markers. ``at_once``: so many may be under way."""

    apart: bool
    at_once: int

    @property
    def ready(self) -> bool:
        """Whether it can be given one."""
        ...

    def carry(self, call: Call, answered: Callable[[Outcome], None]) -> None:
        """Send a call of ``DEBITS``; ``answered`` is called once, later."""
        ...

    async def carry_again(self, call: Call) -> Outcome:
        """Send one of which nobody knows whether it arrived."""
        ...

    def drop(self) -> None:
        """Let go of a server that is not the right one any more: what waits for it is ``Unheard``."""
        ...


class Batch:
    """One call. ``debits``: in the order of the replies. ``outcome``: what was heard of it in the end."""

    __slots__ = ("at_us", "call", "debits", "marker", "memory", "outcome", "sent_s", "sent_us")

    def __init__(
        self, debits: Sequence[Waiting], marker: str, epoch: str, cutter: str, sent: tuple[float, int]
    ) -> None:
        self.debits, self.marker = debits, marker
        self.sent_s, self.sent_us = sent
        self.outcome: list[Any] | None = None
        at_us = 0
        rows: dict[Demand, int] = {}
        keys: list[bytes] = []
        words: list[str] = []
        for _, asked, then_us, _, want, _ in debits:
            at_us = max(at_us, then_us)
            word = ""
            for each in asked:
                keys.append(each.key)
                number = rows.get(each.demand)
                if number is None:
                    number = rows[each.demand] = len(rows) + 1
                word = f"{word}+{number}" if word else str(number)
            words.append(word if want is None else f"{word}:{want}")
        self.at_us = at_us
        self.memory = f"{marker}:{new_id()}"
        demands = [demand.row(at_us) for demand in rows]
        self.call = Call((marker, self.memory, *keys), (epoch, str(at_us), " ".join(words), cutter, *demands))
