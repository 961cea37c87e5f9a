"""Answers of our own: problems and refusals, made whole with their bodies, request id and CORS fields."""

import orjson

from gateway.core.answers import Answer, Body, content_type, problem_body, refusal_body
from gateway.core.cascade import Charge, Refusal
from gateway.core.max_forwards import traced
from gateway.core.problems import Problem
from gateway.core.rate_limit_fields import EXPOSED, Fields
from gateway.metering.snapshot import Snapshot
from gateway.proxy.request import Request

_EXPOSE = (b"Access-Control-Expose-Headers", ", ".join(EXPOSED).encode())
_NO_STORE = (b"Cache-Control", b"no-store")


def of_problem(
    problem: Problem, snapshot: Snapshot, request_id: str, at_us: int, *, charge: Charge | None, cross_origin: bool
) -> Answer:
    """An error, in the configured dialect. ``charge``: what it cost all the same, ``None``: nobody was asked to pay."""
    fields = list(problem.headers)
    if charge is not None:
        fields += snapshot.families.of_charge(charge, at_us)
    body = problem_body(problem, snapshot.dialect, request_id)
    return _answer(problem.status, fields, body, snapshot, request_id, cross_origin=cross_origin)


def of_refusal(refusal: Refusal, snapshot: Snapshot, request_id: str, now_us: int, *, cross_origin: bool) -> Answer:
    """A 429."""
    fields = snapshot.families.of_refusal(refusal, now_us)
    body = refusal_body(refusal, snapshot.dialect, request_id, now_us, snapshot.buy_url)
    return _answer(429, fields, body, snapshot, request_id, cross_origin=cross_origin)


def of_last_hop(request: Request, snapshot: Snapshot, request_id: str, *, cross_origin: bool) -> Answer:
    """OPTIONS or TRACE that may go no further: whoever sent it asks about this hop, and no budget is asked."""
    fields, body = [(b"X-Request-ID", request_id.encode()), _NO_STORE], b""
    if request.method == "TRACE":
        fields.append((b"Content-Type", b"message/http"))
        body = traced(request.raw_target, request.headers, request.minor)
    if cross_origin:
        fields += cors_fields(snapshot)
    return Answer(200, fields, body)


def _answer(
    status: int, fields: Fields, body: Body, snapshot: Snapshot, request_id: str, *, cross_origin: bool
) -> Answer:
    fields = [
        (b"Content-Type", content_type(snapshot.dialect)),
        (b"X-Request-ID", request_id.encode()),
        _NO_STORE,
        *fields,
    ]
    if cross_origin:
        fields += cors_fields(snapshot)
    return Answer(status, fields, orjson.dumps(body))


def cors_fields(snapshot: Snapshot) -> Fields:
    """What lets a browser's script read an answer of ours."""
    if snapshot.allow_origin is None:
        return []
    return [(b"Access-Control-Allow-Origin", snapshot.allow_origin.encode()), _EXPOSE]


def preflight(snapshot: Snapshot, request_id: str, asked_headers: bytes | None) -> Answer:
    """The answer to a CORS preflight of one of our own routes: the methods, and the headers it asked for."""
    fields = [
        *cors_fields(snapshot),
        (b"X-Request-ID", request_id.encode()),
        (b"Access-Control-Allow-Methods", b"GET,POST,HEAD,PUT,DELETE,PATCH"),
        (b"Vary", b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"),
    ]
    if asked_headers is not None:
        fields.append((b"Access-Control-Allow-Headers", asked_headers))
    return Answer(204, fields, b"")
