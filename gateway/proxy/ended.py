"""Requests that have ended in the fast lane: counted and written down many at a time."""

from collections.abc import Iterable

import orjson

from gateway.core.cascade import Charge
from gateway.core.rules import Rule
from gateway.identity.config import Identified
from gateway.log import AccessLog
from gateway.metering.visit import Visit
from gateway.metrics import Metrics
from gateway.proxy.access_line import Asked, Summary, outcome_of, payer, told
from gateway.proxy.errand import Errand

_CHARGED = (
    b'{"at_us":%d,"request_id":"%b",%b,%b,"payer":%b,"status":%d,'
    b'"latency_us":%d,"upstream_us":%b,"bytes_in":%d,"bytes_out":%d}\n'
)


Ended = tuple[Visit, Errand, Identified, str, int, int, int | None, int, int]
"""One of them: visit, errand, who, the peer's address, status, latency, the upstream's (us), bytes of both bodies.

A bare tuple, because one is made for every request.
"""


def count(rides: Iterable[Ended], metrics: Metrics) -> None:
    """Add them to the counters."""
    requests, duration, upstream = metrics.requests, metrics.request_duration, metrics.upstream_duration
    for visit, _, _, _, status, latency_us, upstream_us, _, _ in rides:
        requests[visit.rule.name, outcome_of(visit, None), str(status)] += 1
        duration.observe_us(latency_us)
        if upstream_us is not None:
            upstream.observe_us(upstream_us)


def write(rides: Iterable[Ended], access: AccessLog) -> None:
    """Add their lines to the access log."""
    whose: dict[tuple[int, str], bytes] = {}
    for ended in rides:
        visit, _, identified, peer, *_ = ended
        if outcome_of(visit, None) != "charged":
            access.write(_line(ended))
            continue
        key = (id(identified), peer)  # all of them live as long as ``rides``
        who = whose.get(key)
        if who is None:
            who = whose[key] = _who(identified, peer)
        access.write_line(_charged_line(ended, who))


def said_of(method: str, path: str, rule: Rule) -> bytes:
    """What the line of a charged request says of its line and rule: made once, since the same ones come again."""
    said = {"method": method, "path": path, "rule": rule.name, "cost": dict(rule.costs), "outcome": "charged"}
    return orjson.dumps(said)[1:-1]


def _who(identified: Identified, peer: str) -> bytes:
    principal = identified.principal
    said = {"proof": principal.proof, "user": principal.user, "workspace": identified.asked, "client": peer or None}
    return orjson.dumps(said)[1:-1]


def _charged_line(ended: Ended, who: bytes) -> bytes:
    """``_line`` of a charged request, as text."""
    visit, errand, _, _, status, latency_us, upstream_us, bytes_in, bytes_out = ended
    paid = payer(visit.outcome.allowance) if isinstance(visit.outcome, Charge) else None
    waited = b"null" if upstream_us is None else b"%d" % upstream_us
    of_line = (visit.at_us, visit.id.encode(), errand.said, who, orjson.dumps(paid))
    return _CHARGED % (*of_line, status, latency_us, waited, bytes_in, bytes_out)


def _line(ended: Ended) -> dict[str, object]:
    visit, errand, identified, peer, status, latency_us, upstream_us, bytes_in, bytes_out = ended
    asked, summary = Asked(errand.method, errand.path, peer, identified), Summary(status, latency_us, upstream_us)
    line = told(asked, summary, visit, visit.rule.name, outcome_of(visit, None), id_=visit.id, at_us=visit.at_us)
    return {**line, "bytes_in": bytes_in, "bytes_out": bytes_out}
