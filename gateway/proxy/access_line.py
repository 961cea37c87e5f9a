"""What the access log says of a request: one line for each, never a query, a token or a header."""

from typing import NamedTuple

from gateway.core.allowance import Allowance
from gateway.core.cascade import Charge, Refusal
from gateway.core.principal import Principal
from gateway.core.problems import Problem
from gateway.core.rate_limit_fields import shown_kind
from gateway.identity.config import Identified
from gateway.metering.visit import Visit

NOBODY = Principal("anonymous")


class Summary(NamedTuple):
    """How a request ended."""

    status: int
    latency_us: int
    upstream_us: int | None


class Asked(NamedTuple):
    """What a request wanted, and who sent it: ``peer`` is an address."""

    method: str
    path: str | None
    peer: str
    identified: Identified | None


def outcome_of(visit: Visit | None, problem: Problem | None) -> str:
    """One word: how the meter saw it."""
    if visit is None:
        return "unmetered" if problem is None else "problem"
    if visit.outcome is None:
        return "free"
    if isinstance(visit.outcome, Refusal):
        return "refused"
    if visit.refunded:
        return "refunded"
    return "shadow" if visit.shadow else "charged"


def told(  # noqa: PLR0913  (a line says all of it)
    asked: Asked, summary: Summary, visit: Visit | None, rule: str, outcome: str, *, id_: str, at_us: int
) -> dict[str, object]:
    """The access log's line. Instants: Unix microseconds; latencies: microseconds."""
    identified, bill = asked.identified, None if visit is None else visit.outcome
    principal = NOBODY if identified is None else identified.principal
    return {
        "at_us": at_us,
        "request_id": id_,
        "method": asked.method,
        "path": asked.path,
        "status": summary.status,
        "rule": rule or None,
        "outcome": outcome,
        "cost": None if bill is None else dict(bill.costs),
        "payer": payer(bill.allowance) if isinstance(bill, Charge) else None,
        "proof": None if identified is None else principal.proof,
        "user": principal.user,
        "workspace": None if identified is None else identified.asked,
        "client": asked.peer or None,
        "latency_us": summary.latency_us,
        "upstream_us": summary.upstream_us,
    }


def payer(allowance: Allowance) -> str:
    """Who paid, in one word."""
    return f"{shown_kind(allowance)}:{allowance.scope.id}"
