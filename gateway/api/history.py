"""What was used: by minute, hour or day, by rule, and by whom most."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from gateway.api.call import Call
from gateway.api.desk import Desk
from gateway.api.fields import AskedWhole, Instant, Line, Said, ScopeId, Time, Told
from gateway.api.reply import Reply, wants_csv
from gateway.api.route import Policy, Who, route
from gateway.core.plan import THROUGHPUT
from gateway.core.problems import Forbidden, NotFound, StoreUnavailable, Unprocessable
from gateway.core.rfc3339 import written
from gateway.core.scope import Scope
from gateway.identity.policy_probe import EVERYTHING
from gateway.journal.errors import JournalError
from gateway.journal.history import History, Question, Share, TooMuch, Usage

_MINUTE_US = 60_000_000
_USUAL_US = {"minute": 180 * _MINUTE_US, "hour": 72 * 60 * _MINUTE_US, "day": 30 * 1_440 * _MINUTE_US}
"""How far back, where nobody says it."""
_MOST_WINDOW_S = 86_400
Meter = Annotated[Line, Field(min_length=1, max_length=64)]


class HistoryQuery(Said):
    """``scope`` and ``id``: whose; without them the caller's own, with ``scope=all`` everyone's (admins only).

    ``from`` <= start < ``to``; ``by``: each rule, or all together (``total``, ``scope``). ``limit``: points, about.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_by_name=True)
    scope: Literal["user", "workspace", "all"] | None = None
    id: ScopeId | None = None
    granularity: Literal["minute", "hour", "day"] = "day"
    from_: Annotated[Instant | None, Field(alias="from")] = None
    to: Instant | None = None
    by: Literal["rule", "scope", "total"] = "total"
    meter: Meter | None = None
    limit: Annotated[AskedWhole, Field(ge=1, le=10_000)] = 1_000


class HistoryPoint(Told):
    """What was used of a meter in one period. ``amount``: with ``overrun``, less what was given back.

    ``requests`` were let through: ``shadow`` of them only because their rule does not enforce; ``released`` of them
    were given back afterwards. ``refused`` were not let through.
    """

    start: Time
    rule: str | None = None
    scope: str | None = None
    id: str | None = None
    meter: str
    amount: int
    requests: int
    refused: int
    overrun: int
    shadow: int
    released: int


class RuleNow(Told):
    """What one request of a rule costs, by meter, and which scopes are asked to pay it, in this order."""

    cost: dict[str, int]
    pays: list[str]


class UsageHistory(Told):
    """Periods without use have no point. ``next_from``: ask from there for the rest.

    ``rules``, with ``by=rule``: how the rules that were met count now; those that are gone are not there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True, validate_by_name=True)
    granularity: Literal["minute", "hour", "day"]
    from_: Annotated[Time, Field(alias="from")]
    to: Time
    by: Literal["rule", "scope", "total"]
    points: list[HistoryPoint]
    next_from: Time | None = None
    rules: dict[str, RuleNow] | None = None


class TopQuery(Said):
    """``by``: who used most, or what was used most, in the last ``window_seconds`` (whole minutes)."""

    by: Literal["scope", "rule"] = "scope"
    window_seconds: Annotated[AskedWhole, Field(ge=60, le=_MOST_WINDOW_S)] = 300
    meter: Meter = THROUGHPUT
    limit: Annotated[AskedWhole, Field(ge=1, le=100)] = 10


class TopEntry(Told):
    """Who used how much, or what was used how much."""

    scope: str | None = None
    id: str | None = None
    rule: str | None = None
    meter: str
    amount: int
    requests: int
    refused: int
    overrun: int
    shadow: int
    released: int


async def get_history(call: Call, desk: Desk) -> Reply:
    """What was used over time, of one scope or of everyone."""
    asked = call.query(HistoryQuery)
    scope = await _whose(call, desk, asked)
    if scope is None and asked.by == "scope":
        raise Unprocessable("Who used how much is told by /usage/top. Name a scope to see it over time.")
    to_us = call.now_us + 1 if asked.to is None else asked.to
    from_us = to_us - _USUAL_US[asked.granularity] if asked.from_ is None else asked.from_
    question = Question(
        scope=scope,
        granularity=asked.granularity,
        from_us=max(0, from_us),
        to_us=to_us,
        by="rule" if asked.by == "rule" else "total",
        meter=asked.meter,
        most=asked.limit,
    )
    try:
        found, next_us = await history_of(desk).usage(question)
    except TooMuch as error:
        raise Unprocessable(f"{str(error).capitalize()}.") from error
    except JournalError as error:
        raise unreadable() from error
    points = [_point(usage, scope if asked.by == "scope" else None) for usage in found]
    if wants_csv(call.knock.header(b"accept")):
        cut = () if next_us is None else ((b"X-Next-From", written(next_us).encode()),)
        return Reply(points, columns=HistoryPoint, fields=cut)
    return Reply(
        UsageHistory(
            granularity=asked.granularity,
            from_=max(0, from_us),
            to=to_us,
            by=asked.by,
            points=points,
            next_from=next_us,
            rules=_rules_now(desk, points) if asked.by == "rule" else None,
        )
    )


def _rules_now(desk: Desk, points: Iterable[HistoryPoint]) -> dict[str, RuleNow]:
    snapshot, met = desk.snapshot(), {point.rule for point in points}
    table = snapshot.rules
    shadowed = {id(one.rule) for one in table.shadowed}
    rules = (rule for rule in (*table.rules, table.default) if rule.name in met and id(rule) not in shadowed)
    return {
        rule.name: RuleNow(cost=dict(rule.costs), pays=list(snapshot.cascade if rule.pays is None else rule.pays))
        for rule in rules
    }


async def get_top(call: Call, desk: Desk) -> Reply:
    """Who used most, or what was used most, just now."""
    asked = call.query(TopQuery)
    from_us = call.now_us - asked.window_seconds * 1_000_000
    found = await top(history_of(desk), asked.by, (from_us, call.now_us + 1), meter=asked.meter, most=asked.limit)
    return Reply(found)


async def top(
    history: History, by: Literal["scope", "rule"], window: tuple[int, int], *, meter: str, most: int
) -> list[TopEntry]:
    """Who used most, or what was used most, in the minutes of ``window``. ``Unprocessable`` if that takes too long."""
    first_us = window[0] - window[0] % _MINUTE_US
    try:
        if by == "scope":
            found = await history.top_scopes(first_us, meter, most)
        else:
            found = await history.top_rules(first_us, window[1], meter, most)
    except TooMuch as error:
        raise Unprocessable(f"{str(error).capitalize()}.") from error
    except JournalError as error:
        raise unreadable() from error
    return [_entry(share) for share in found]


def history_of(desk: Desk) -> History:
    """What was used. Raises ``NotFound`` where nothing is kept."""
    if desk.history is None:
        raise NotFound("This gateway keeps nothing of what was used: `ledger` is memory: in its configuration.")
    return desk.history


def unreadable() -> StoreUnavailable:
    """The journal's file cannot be read."""
    return StoreUnavailable("What was used cannot be looked up at the moment.", headers=((b"Retry-After", b"5"),))


async def _whose(call: Call, desk: Desk, asked: HistoryQuery) -> Scope | None:
    """The scope that is meant, if the caller may see it; ``None``: everyone."""
    scope = await _named(call, asked)
    if scope is not None and scope.kind == "workspace" and not await call.caller.is_admin():
        await desk.gate.learn_policies(call.caller, call.knock)
        if call.caller.policies.isdisjoint({Policy.READ.value, EVERYTHING}):
            raise Forbidden(f"Your policies in this workspace do not include {Policy.READ.value}.")
    return scope


async def _named(call: Call, asked: HistoryQuery) -> Scope | None:
    """The scope that is meant, if it is the caller's user or workspace, or the caller is an admin."""
    caller = call.caller
    if asked.scope is None:
        if asked.id is not None:
            raise Unprocessable("Say with `scope` whether `id` is a user's or a workspace's.")
        if caller.user is None and caller.workspace is None and await caller.is_admin():
            return None
        return caller.scope
    if asked.scope == "all":
        if not await caller.is_admin():
            raise Forbidden("Only admins of this gateway see what everyone used.")
        return None
    own = caller.user if asked.scope == "user" else caller.workspace
    id_ = own if asked.id is None else asked.id
    if id_ is None:
        raise Unprocessable(f"Name the {asked.scope} with `id`.")
    if id_ != own and not await caller.is_admin():
        raise NotFound(f"There is no such {asked.scope}, or you may not see what it used.")
    return Scope(asked.scope, id_)


def _point(usage: Usage, scope: Scope | None) -> HistoryPoint:
    return HistoryPoint(
        start=usage.start_us,
        rule=usage.rule,
        scope=None if scope is None else scope.kind,
        id=None if scope is None else scope.id,
        meter=usage.meter,
        amount=usage.amount,
        requests=usage.requests,
        refused=usage.refused,
        overrun=usage.overrun,
        shadow=usage.shadow,
        released=usage.released,
    )


def _entry(share: Share) -> TopEntry:
    return TopEntry(
        scope=None if share.scope is None else share.scope.kind,
        id=None if share.scope is None else share.scope.id,
        rule=share.rule,
        meter=share.meter,
        amount=share.amount,
        requests=share.requests,
        refused=share.refused,
        overrun=share.overrun,
        shadow=share.shadow,
        released=share.released,
    )


ROUTES = (
    route(
        "GET",
        "/usage/history",
        get_history,
        who=Who.USER,
        policy=Policy.MEMBER,
        asks=HistoryQuery,
        tells=UsageHistory,
    ),
    route("GET", "/usage/top", get_top, who=Who.ADMIN, asks=TopQuery, tells=TopEntry, lists=True),
)
