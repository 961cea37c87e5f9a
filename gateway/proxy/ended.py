"""Requests that have ended in the fast lane: counted and written down many at a time."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import orjson

from gateway.core.principal import Principal
from gateway.core.rules import Rule
from gateway.log import AccessLog
from gateway.metrics import Metrics
from gateway.proxy.access_line import Asked, Summary, outcome_of, told

if TYPE_CHECKING:
    from gateway.proxy.ride import Ride

_CHARGED = (
    b'{"at_us":%d,"request_id":"%b",%b,"outcome":"charged",%b,"payer":%b,"status":%d,'
    b'"latency_us":%d,"upstream_us":%d,"bytes_in":%d,"bytes_out":%d}\n'
)
_REFUSED = (
    b'{"at_us":%d,"request_id":"%b",%b,"outcome":"refused",%b,"payer":null,"status":%d,'
    b'"latency_us":%d,"upstream_us":null,"bytes_in":%d,"bytes_out":0}\n'
)


def count(rides: "Sequence[Ride]", metrics: Metrics) -> None:
    """Add them to the counters. One without a ``visit`` was paid from the till of its ``stand``."""
    ends = [(ride.errand.rule.name, ride.upstream_us is None, ride.status) for ride in rides if ride.visit is None]
    for (rule, refused, status), times in Counter(ends).items():
        metrics.requests[rule, "refused" if refused else "charged", str(status)] += times
    for ride in rides:
        if ride.visit is not None:
            metrics.requests[ride.errand.rule.name, outcome_of(ride.visit, None), str(ride.status)] += 1
    metrics.request_duration.observe_all_us([ride.latency_us for ride in rides])
    metrics.upstream_duration.observe_all_us([ride.upstream_us for ride in rides if ride.upstream_us is not None])


def seen(rides: "Sequence[Ride]") -> Iterator[tuple[Principal, int]]:
    """Who has come with them, each once, and when last. Of the others the meter says it."""
    last = {id(ride.caller): (ride.caller.principal, ride.at_us) for ride in rides if ride.taken is not None}
    return iter(last.values())


def write(rides: "Sequence[Ride]", access: AccessLog) -> None:
    """Add their lines to the access log."""
    access.write_lines(
        [
            orjson.dumps(_line(ride), option=orjson.OPT_APPEND_NEWLINE)
            if ride.visit is not None
            else _refused_line(ride)
            if ride.upstream_us is None
            else _charged_line(ride)
            for ride in rides
        ]
    )


def said_of(method: str, path: str, rule: Rule) -> bytes:
    """What the line of a request by tills says of its line and rule: made once, since the same ones come again."""
    said = {"method": method, "path": path, "rule": rule.name, "cost": dict(rule.costs)}
    return orjson.dumps(said)[1:-1]


def _charged_line(ride: "Ride") -> bytes:
    """``_line`` of a request that was paid from a till, as text."""
    stand, taken = ride.stand, ride.taken
    payer = b"null" if stand is None or taken is None else stand.texts[taken[0]].payer
    return _CHARGED % (
        ride.at_us, ride.id.encode(), ride.errand.said, ride.caller.whose, payer, ride.status,
        ride.latency_us, ride.upstream_us or 0, len(ride.data) - ride.end - 2, ride.bytes_out,
    )  # fmt: skip


def _refused_line(ride: "Ride") -> bytes:
    """``_line`` of a request that all tills refused."""
    return _REFUSED % (
        ride.at_us, ride.id.encode(), ride.errand.said, ride.caller.whose, ride.status, ride.latency_us,
        len(ride.data) - ride.end - 2,
    )  # fmt: skip


def _line(ride: "Ride") -> dict[str, object]:
    errand, caller, visit = ride.errand, ride.caller, ride.visit
    asked = Asked(errand.method, errand.path, ride.client.peer, caller.named)
    summary = Summary(ride.status, ride.latency_us, ride.upstream_us)
    line = told(asked, summary, visit, errand.rule.name, outcome_of(visit, None), id_=ride.id, at_us=ride.at_us)
    return {**line, "bytes_in": len(ride.data) - ride.end - 2, "bytes_out": ride.bytes_out}
