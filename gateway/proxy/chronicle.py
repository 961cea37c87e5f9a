"""What is kept of each request that was answered: one line in the access log, and the counters."""

import traceback
from dataclasses import dataclass
from typing import NamedTuple

import orjson
import structlog

from gateway.core.allowance import Allowance
from gateway.core.cascade import Charge, Refusal
from gateway.core.principal import Principal
from gateway.core.problems import Problem
from gateway.core.rate_limit_fields import shown_kind
from gateway.core.rules import Rule
from gateway.identity.config import Identified
from gateway.log import AccessLog
from gateway.metering.visit import Visit
from gateway.metrics import Metrics
from gateway.proxy.forward import Forwarded
from gateway.proxy.request import Request
from gateway.proxy.running import Running

_log = structlog.get_logger(__name__)

CLIENT_LEFT = 499
"""nginx's word for a client that did not wait for its answer."""

_NOBODY = Principal("anonymous")


@dataclass(slots=True, eq=False)
class Trip:
    """One request on its way through the handler, with what each step found.

    ``path_workspace``: the workspace that its path names. ``goodbye``: the code with which we closed its WebSocket.
    """

    request: Request
    running: Running
    id: str
    at_us: int
    path: str | None = None
    query: bytes = b""
    identified: Identified | None = None
    visit: Visit | None = None
    forwarded: Forwarded | None = None
    problem: Problem | None = None
    status: int = 0
    path_workspace: str | None = None
    goodbye: int | None = None

    @property
    def cross_origin(self) -> bool:
        """Whether a browser's script asks from elsewhere (it sends ``Origin``)."""
        return b"origin" in self.request.keys

    @property
    def exposes(self) -> bool:
        """Whether that script may read the headers that we add."""
        return self.cross_origin and self.running.snapshot.allow_origin is not None


class Summary(NamedTuple):
    """How a request ended."""

    status: int
    latency_us: int
    upstream_us: int | None


class Asked(NamedTuple):
    """What a request wanted, and who sent it: ``peer`` is an address. ``said``: see ``said_of``."""

    method: str
    path: str | None
    peer: str
    identified: Identified | None
    said: bytes = b""


def said_of(method: str, path: str, rule: Rule) -> bytes:
    """What the line of a charged request says of its line and rule: made once, since the same ones come again."""
    said = {"method": method, "path": path, "rule": rule.name, "cost": dict(rule.costs), "outcome": "charged"}
    return orjson.dumps(said)[1:-1]


def _charged_line(visit: Visit, asked: Asked, summary: Summary, bytes_in: int, bytes_out: int) -> bytes:
    """``_told`` of a charged request, as text."""
    principal, identified = _NOBODY, asked.identified
    workspace = None
    if identified is not None:
        principal, workspace = identified.principal, identified.asked
    payer = _payer(visit.outcome.allowance) if isinstance(visit.outcome, Charge) else None
    who = (payer, principal.proof, principal.user, workspace, asked.peer or None)
    status, latency_us, upstream_us = summary
    return _CHARGED % (
        visit.at_us, visit.id.encode(), asked.said, *[orjson.dumps(each) for each in who],
        status, latency_us, b"null" if upstream_us is None else b"%d" % upstream_us, bytes_in, bytes_out,
    )  # fmt: skip


_CHARGED = (
    b'{"at_us":%d,"request_id":"%b",%b,"payer":%b,"proof":%b,"user":%b,"workspace":%b,"client":%b,"status":%d,'
    b'"latency_us":%d,"upstream_us":%b,"bytes_in":%d,"bytes_out":%d}\n'
)


class Chronicle:
    """Writes the access log and counts. Never a query, a token or a header."""

    def __init__(self, metrics: Metrics, access: AccessLog | None) -> None:
        self._metrics = metrics
        self._access = access

    def begin(self, *, fast: bool = False) -> None:
        """A request has come. ``fast``: the lane has taken it."""
        self._metrics.in_flight += 1
        if fast:
            self._metrics.fast_lane_requests[()] += 1

    def failed(self, trip: Trip, error: Exception) -> None:
        """A fault of ours. Not its message, which may quote the request."""
        stack = "".join(traceback.format_tb(error.__traceback__))
        _log.error("a request failed", request_id=trip.id, error=type(error).__name__, stack=stack)

    def close(self, trip: Trip, now_us: int) -> Summary:
        """A request has ended."""
        summary = _summary(trip, now_us)
        rule = "" if trip.visit is None else trip.visit.rule.name
        outcome = outcome_of(trip.visit, trip.problem)
        self._count(summary, rule, outcome)
        if trip.problem is not None:
            self._metrics.problems[(trip.problem.code,)] += 1
        if self._access is not None:
            self._access.write(_line(trip, summary, rule, outcome))
        return summary

    def close_ride(self, visit: Visit, asked: Asked, summary: Summary, bytes_in: int, bytes_out: int) -> None:
        """A request in the fast lane has ended."""
        rule, outcome = visit.rule.name, outcome_of(visit, None)
        self._count(summary, rule, outcome)
        if self._access is None:
            return
        if outcome == "charged" and asked.said:
            self._access.write_line(_charged_line(visit, asked, summary, bytes_in, bytes_out))
        else:
            line = _told(asked, summary, visit, rule, outcome, id_=visit.id, at_us=visit.at_us)
            self._access.write({**line, "bytes_in": bytes_in, "bytes_out": bytes_out})

    def _count(self, summary: Summary, rule: str, outcome: str) -> None:
        metrics = self._metrics
        metrics.in_flight -= 1
        metrics.requests[rule, outcome, str(summary.status)] += 1
        metrics.request_duration.observe_us(summary.latency_us)
        if summary.upstream_us is not None:
            metrics.upstream_duration.observe_us(summary.upstream_us)


def _summary(trip: Trip, now_us: int) -> Summary:
    gone, status, upstream_us = trip.forwarded, trip.status, None
    if gone is not None:
        status, upstream_us = status or gone.status or 0, gone.upstream_us
    if trip.request.client_left and not trip.request.head_sent:
        status = CLIENT_LEFT
    return Summary(status, max(0, now_us - trip.at_us), upstream_us)


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


def _line(trip: Trip, summary: Summary, rule: str, outcome: str) -> dict[str, object]:
    """The access log's line of a request, with what is odd about it."""
    request, gone = trip.request, trip.forwarded
    asked = Asked(request.method, trip.path, request.peer, trip.identified)
    line = _told(asked, summary, trip.visit, rule, outcome, id_=trip.id, at_us=trip.at_us)
    line["bytes_in"], line["bytes_out"] = request.bytes_in, 0 if gone is None else gone.bytes_out
    if trip.problem is not None:
        line["problem"] = trip.problem.code
    if trip.goodbye is not None:
        line["websocket_close"] = trip.goodbye
    elif request.client_left:
        line["client_left"] = True
    return line


def _told(  # noqa: PLR0913  (a line says all of it)
    asked: Asked, summary: Summary, visit: Visit | None, rule: str, outcome: str, *, id_: str, at_us: int
) -> dict[str, object]:
    """The access log's line. Instants: Unix microseconds; latencies: microseconds."""
    identified, bill = asked.identified, None if visit is None else visit.outcome
    principal = _NOBODY if identified is None else identified.principal
    return {
        "at_us": at_us,
        "request_id": id_,
        "method": asked.method,
        "path": asked.path,
        "status": summary.status,
        "rule": rule or None,
        "outcome": outcome,
        "cost": None if bill is None else dict(bill.costs),
        "payer": _payer(bill.allowance) if isinstance(bill, Charge) else None,
        "proof": None if identified is None else principal.proof,
        "user": principal.user,
        "workspace": None if identified is None else identified.asked,
        "client": asked.peer or None,
        "latency_us": summary.latency_us,
        "upstream_us": summary.upstream_us,
    }


def _payer(allowance: Allowance) -> str:
    return f"{shown_kind(allowance)}:{allowance.scope.id}"
