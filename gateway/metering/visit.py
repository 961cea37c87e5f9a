"""One request's dealings with the meter."""

from dataclasses import dataclass

from gateway.core.cascade import Bill, Charge, Refusal
from gateway.core.principal import Principal
from gateway.core.refund import unpaid
from gateway.core.rules import Rule
from gateway.journal.record import Record
from gateway.metering.snapshot import Snapshot


@dataclass(slots=True)
class Visit:
    """Who came, under which rule, what it costs and what became of it.

    ``bill`` ``None``: nobody can be asked to pay. ``outcome`` ``None``: nothing was debited (yet). ``at_us``: when it
    came. ``shadow``: let through by a rule that does not enforce. ``late``: let through while the ledger could not be
    asked; ``outcome`` is then only presumed. ``refunded``: what it cost was given back.
    """

    id: str
    rule: Rule
    principal: Principal
    snapshot: Snapshot
    at_us: int
    bill: Bill | None = None
    outcome: Charge | Refusal | None = None
    record: Record | None = None
    shadow: bool = False
    late: bool = False
    refunded: bool = False

    def is_free(self, status: int, *, request_sent: bool = True) -> bool:
        """Whether an answer of ``status`` costs nothing: the rule says so, or no byte went upstream (product.md 2.9).

        ``status``: what the client is told, by the upstream or by us.
        """
        return not request_sent or not self.rule.is_paid_at(status)

    def told(self, status: int, *, request_sent: bool = True) -> Charge | None:
        """The charge as an answer of ``status`` describes it; ``None``: nothing was debited."""
        if not isinstance(self.outcome, Charge):
            return None
        return unpaid(self.outcome) if self.is_free(status, request_sent=request_sent) else self.outcome
