"""Which rule a request would meet, what it would cost, who would pay, and which rules lost."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from gateway.api.call import Call
from gateway.api.desk import Desk
from gateway.api.fields import AskedFlag, Line, Said, Told
from gateway.api.hits import hits_of_day
from gateway.api.reply import Reply
from gateway.api.route import Who, route
from gateway.core.explain import By, Loser
from gateway.core.problems import Unprocessable
from gateway.core.rule import METHODS, Rule
from gateway.core.target import canonical_target, under_prefixes

_MOST = 20


class ExplainQuery(Said):
    """A request line: ``path`` may carry a query, which does not matter.

    ``hits``: tell admins how often the rules were met in the last day.
    """

    method: Annotated[Line, Field(min_length=1, max_length=32)] = "GET"
    path: Annotated[Line, Field(min_length=1, max_length=2_048)]
    hits: AskedFlag = False


class ExplainedRule(Told):
    """A rule. ``source``: who made it; ``origin``: where, told to admins. ``hits_last_day``: requests that met it."""

    name: str
    method: str
    pattern: str
    weight: int
    pays: list[str]
    public: bool
    fallback: bool
    enforce: bool
    charge: Literal["before", "on_success"]
    source: Literal["database", "file", "default"]
    origin: str | None = None
    hits_last_day: int | None = None


class RunnerUp(Told):
    """A rule that matches too, and why it does not count: ``reason``, and the same in parts.

    ``decided_by``: the first thing in which the winner is better; there it has ``better`` and this one ``worse``, at
    ``segment`` (from 1) where it is a segment.
    """

    name: str
    weight: int
    source: Literal["database", "file", "default"]
    origin: str | None = None
    hits_last_day: int | None = None
    reason: str
    decided_by: By | None = None
    segment: int | None = None
    better: str | None = None
    worse: str | None = None


class Explanation(Told):
    """``cost`` by meter; ``own``: the path is the gateway's own, which costs nothing."""

    method: str
    path: str
    canonical: str
    own: bool
    cost: dict[str, int]
    rule: ExplainedRule | None = None
    params: dict[str, str] | None = None
    runners_up: list[RunnerUp]


async def get_explanation(call: Call, desk: Desk) -> Reply:
    """Which rule a request meets, what it costs, who pays, and which rules lost."""
    asked, snapshot = call.query(ExplainQuery), desk.snapshot()
    method = asked.method.upper()
    if method not in METHODS:
        raise Unprocessable("This cannot be used: method is none of HTTP.", content={"fields": [_NO_METHOD]})
    target = canonical_target(method, asked.path.encode(), snapshot.profile)
    path, canonical = asked.path, target.path
    if under_prefixes(target, snapshot.own_prefixes):
        return Reply(Explanation(method=method, path=path, canonical=canonical, own=True, cost={}, runners_up=[]))
    found = snapshot.rules.explain(method, target.segments)
    admin = await call.caller.is_admin()
    hits = await hits_of_day(desk, call.now_us) if admin and asked.hits else None
    return Reply(
        Explanation(
            method=method,
            path=path,
            canonical=canonical,
            own=False,
            cost=dict(found.winner.costs),
            rule=_rule(found.winner, snapshot.cascade, admin=admin, hits=hits),
            params=dict(found.params) or None,
            runners_up=[_runner_up(loser, admin=admin, hits=hits) for loser in found.runners_up[:_MOST]],
        )
    )


_NO_METHOD = {"field": "method", "problem": "is none of HTTP"}
_SOURCES: dict[str, Literal["database", "file", "default"]] = {
    "admin": "database",
    "file": "file",
    "default": "default",
}


def _rule(rule: Rule, cascade: tuple[str, ...], *, admin: bool, hits: Mapping[str, int] | None) -> ExplainedRule:
    return ExplainedRule(
        name=rule.name,
        method=rule.method,
        pattern=rule.pattern,
        weight=rule.weight,
        pays=list(cascade if rule.pays is None else rule.pays),
        public=rule.public,
        fallback=rule.fallback,
        enforce=rule.enforce,
        charge=rule.charge,
        source=_SOURCES[rule.origin.kind],
        origin=rule.origin.where if admin else None,
        hits_last_day=None if hits is None else hits.get(rule.name, 0),
    )


def _runner_up(loser: Loser, *, admin: bool, hits: Mapping[str, int] | None) -> RunnerUp:
    rule, why = loser.rule, loser.why
    return RunnerUp(
        name=rule.name,
        weight=rule.weight,
        source=_SOURCES[rule.origin.kind],
        origin=rule.origin.where if admin else None,
        hits_last_day=None if hits is None else hits.get(rule.name, 0),
        reason=loser.reason,
        decided_by=None if why is None else why.by,
        segment=None if why is None else why.segment,
        better=None if why is None else why.better or None,
        worse=None if why is None else why.worse or None,
    )


ROUTES = (route("GET", "/explain", get_explanation, who=Who.USER, asks=ExplainQuery, tells=Explanation),)
