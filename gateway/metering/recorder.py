"""What happened, said once: into the journal and into the counters."""

from collections.abc import Sequence
from typing import Protocol

from gateway.core.bucket import LimitKey
from gateway.core.cascade import Charge, Posting, Refusal
from gateway.core.rules import Rule
from gateway.journal.record import LATE, USUAL, Kind, Rare, Record
from gateway.metering.debts import Debt
from gateway.metering.stand import Stand
from gateway.metering.visit import Visit
from gateway.metrics import Metrics

_CHARGE, _REFUSAL = Kind.CHARGE, Kind.REFUSAL
_made = tuple.__new__


class Journal(Protocol):
    """Where records go. ``append`` only remembers; writing happens beside the requests."""

    def append(self, record: Record) -> None:
        """Add a record."""
        ...

    def complete(self, record: Record, *, status: int, latency_us: int, upstream_latency_us: int | None) -> None:
        """Say how the record's request ended."""
        ...


class NoJournal:
    """For ``ledger: memory:``: nothing is kept."""

    def append(self, record: Record) -> None:
        """Forget it."""

    def complete(self, record: Record, *, status: int, latency_us: int, upstream_latency_us: int | None) -> None:
        """Forget it."""


class Recorder:
    """Writes each outcome of the meter down, with ids and never a credential."""

    def __init__(self, journal: Journal, metrics: Metrics) -> None:
        self._journal = journal
        self._metrics = metrics

    def opened(self, visit: Visit, outcome: Charge | Refusal) -> Record:
        """A charge or a refusal, before anything was forwarded."""
        if isinstance(outcome, Refusal):
            record = self._refusal(visit, outcome)
        else:
            record = self._charge(visit, outcome, Kind.DRAIN if visit.shadow else Kind.CHARGE)
        self._journal.append(record)
        return record

    def paid(self, stand: Stand, rule: Rule, id_: str, at_us: int, posting: Posting) -> Record:
        """A charge from a till, as ``opened`` writes down any other."""
        said: tuple[object, ...] = (
            _CHARGE,
            id_,
            at_us,
            rule.name,
            posting[0],
            rule.costs,
            (posting,),
            *stand.who,
            "paid",
            USUAL,
            [],
        )
        record = _made(Record, said)
        self._journal.append(record)
        self._metrics.units[rule.name, posting[1][0], posting[0][0]] += posting[3]
        return record

    def turned_away(self, stand: Stand, rule: Rule, refusal: Refusal) -> Record:
        """A refusal by all tills."""
        way_out = "wait" if refusal.ready_us is not None else "buy"
        self._metrics.refusals[rule.name, way_out] += 1
        scope, costs = refusal.shortfalls[0].allowance.scope, refusal.costs
        said: tuple[object, ...] = (
            _REFUSAL, refusal.id, refusal.at_us, rule.name, scope, costs, (), *stand.who, way_out, USUAL, [],
        )  # fmt: skip
        record = _made(Record, said)
        self._journal.append(record)
        return record

    def after(self, visit: Visit, charge: Charge) -> Record:
        """A charge that waited for the upstream's 2xx."""
        record = self._charge(visit, charge, Kind.DRAIN)
        self._journal.append(record)
        return record

    def owed(self, debt: Debt) -> None:
        """A request goes on that could not be debited."""
        self._journal.append(debt.record)

    def forgiven(self, debt: Debt) -> None:
        """It was free after all."""
        self._journal.append(Record(Kind.FORGIVEN, debt.id, debt.at_us, debt.rule, outcome="free"))

    def late(self, debt: Debt, charge: Charge) -> None:
        """A debit of what had been let through while the ledger could not be asked."""
        self._count(debt.rule, charge)
        self._journal.append(
            Record(
                Kind.DRAIN,
                debt.id,
                charge.at_us,
                debt.rule,
                charge.scope,
                charge.costs,
                charge.postings,
                user=debt.user,
                workspace=debt.workspace,
                outcome=LATE,
                rare=Rare(charge.overrun, dropped=charge.dropped),
            )
        )

    def refunded(self, visit: Visit, charge: Charge, postings: Sequence[Posting], now_us: int) -> None:
        """What went back to the generations that paid; a closed window took nothing back."""
        given = given_back(postings)
        record = Record(
            Kind.REFUND,
            visit.id,
            now_us,
            rule=visit.rule.name,
            scope=charge.scope,
            costs={meter: -amount for meter, amount in given.items()},
            postings=tuple(postings),
            user=visit.principal.user,
            workspace=visit.principal.workspace,
            outcome="refunded" if postings else "window closed",
        )
        self._journal.append(record)
        for meter, amount in given.items():
            self._metrics.refunded_units[visit.rule.name, meter, charge.scope.kind] += amount

    def closed(self, record: Record, *, status: int, latency_us: int, upstream_latency_us: int | None) -> None:
        """How the request of an earlier record ended."""
        self._journal.complete(record, status=status, latency_us=latency_us, upstream_latency_us=upstream_latency_us)

    def store_failed(self, policy: str) -> None:
        """A request met a store that cannot be asked or written."""
        self._metrics.store_failures[(policy,)] += 1

    def _charge(self, visit: Visit, charge: Charge, kind: Kind) -> Record:
        rule, scope = visit.rule.name, charge.allowance.scope
        self._count(rule, charge)
        if visit.shadow:
            self._metrics.shadow_refusals[(rule,)] += 1
        who, outcome = visit.principal, "shadow" if visit.shadow else "paid"
        # Not by ``Record(…)``: this is on every request's way, and a tuple alone is made three times as fast.
        usual = not (charge.overrun or visit.shadow or charge.dropped)
        rare = USUAL if usual else Rare(charge.overrun, visit.shadow, charge.dropped)
        said: tuple[object, ...] = (
            kind, visit.id, charge.at_us, rule, scope, charge.costs, charge.postings, who.user, who.workspace, outcome,
            rare, [],
        )  # fmt: skip
        return tuple.__new__(Record, said)

    def _count(self, rule: str, charge: Charge) -> None:
        metrics, kind = self._metrics, charge.allowance.scope.kind
        for meter, amount in charge.costs.items():
            if amount:
                metrics.units[rule, meter, kind] += amount
        for meter, amount in charge.overrun.items():
            if amount:
                metrics.overrun_units[rule, meter] += amount

    def _refusal(self, visit: Visit, refusal: Refusal) -> Record:
        way_out = "wait" if refusal.ready_us is not None else "buy"
        self._metrics.refusals[visit.rule.name, way_out] += 1
        asked = refusal.shortfalls[0].allowance.scope if refusal.shortfalls else None
        return Record(
            Kind.REFUSAL,
            visit.id,
            refusal.at_us,
            rule=visit.rule.name,
            scope=asked,
            costs=refusal.costs,
            user=visit.principal.user,
            workspace=visit.principal.workspace,
            outcome=way_out,
        )


def given_back(postings: Sequence[Posting]) -> dict[str, int]:
    """Units given back by meter. The limits of one purse all carry the same units, which count once."""
    by_purse: dict[tuple[str, str | LimitKey], int] = {}
    for posting in postings:
        key = posting.limit
        purse = (key.meter, key.purse or key)
        by_purse[purse] = max(by_purse.get(purse, 0), -posting.amount)
    given: dict[str, int] = {}
    for (meter, _), amount in by_purse.items():
        given[meter] = given.get(meter, 0) + amount
    return given
