"""What the messages of one WebSocket's client cost: each is a visit of its own, paid before it goes on."""

from gateway.core.cascade import Charge
from gateway.core.cascade import charge as presume
from gateway.core.principal import Principal
from gateway.core.rules import Rule
from gateway.metering.bills import bill_for
from gateway.metering.meter import Meter
from gateway.metering.snapshot import Snapshot
from gateway.metering.visit import Visit

PASSED, REFUSED, DROPPED = 101, 429, 499
"""How the journal tells what became of a message, in the words of HTTP: it went on, nobody paid, nobody was there."""


class Toll:
    """Charges the messages of the WebSocket whose handshake had the id ``opened``. ``rule``: of its frames."""

    __slots__ = ("_meter", "_opened", "_rule", "paid")

    def __init__(self, meter: Meter, rule: Rule, opened: str) -> None:
        self._meter = meter
        self._rule = rule
        self._opened = opened
        self.paid = 0

    async def charge(self, principal: Principal, snapshot: Snapshot, now_us: int) -> Visit:
        """Debit one message; the visit's ``outcome`` says how. Raises ``StoreUnavailable`` as ``Meter.charge`` does."""
        self.paid += 1
        visit = Visit(f"{self._opened}.{self.paid}", self._rule, principal, snapshot, now_us)
        await self._meter.charge(visit)
        return visit

    def close(self, visit: Visit, status: int, now_us: int) -> None:
        """Say what became of it."""
        latency_us = max(0, now_us - visit.at_us)
        self._meter.close(visit, status=status, latency_us=latency_us, upstream_latency_us=None)

    async def give_back(self, visit: Visit, now_us: int) -> None:
        """It was paid and did not go on: not a byte of it went upstream (product.md 2.9)."""
        await self._meter.settle(visit, status=DROPPED, request_sent=False, now_us=now_us)
        self.close(visit, DROPPED, now_us)


class Purse:
    """Whether those who pay for a WebSocket still have something. ``rule``: of its frames, or of its handshake."""

    __slots__ = ("_asked", "_rule")

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._asked: object = None

    def has_something(self, principal: Principal, snapshot: Snapshot, now_us: int) -> bool:
        """Whether one of them could pay with a full budget, or nobody is asked.

        An empty budget refills, or is bought anew, and ends nothing. Raises ``Unresolved``.
        """
        if not self._rule.enforce:
            return True
        bill = bill_for(Visit("", self._rule, principal, snapshot, now_us))
        if bill is None or bill.allowances is self._asked:
            return True
        if not isinstance(presume(bill, lambda _scope: {}, now_us), Charge):
            return False
        self._asked = bill.allowances
        return True
