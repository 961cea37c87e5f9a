"""The one error shape, in two dialects: wacraft's, and RFC 9457 problem details. Pure: values in, JSON values out."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from gateway.core.cascade import Refusal, Shortfall, Standing
from gateway.core.problems import Problem
from gateway.core.rate_limit_fields import SECOND_US, Fields, policy_names, seconds_until, shown_kind

Dialect = Literal["wacraft", "problem"]
Body = Mapping[str, object]


class Answer(NamedTuple):
    """A whole answer of our own. ``fields`` has the Content-Type; Content-Length is added where it is written."""

    status: int
    fields: Fields
    body: bytes


QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"
REDUCED_CAPACITY = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"


def content_type(dialect: Dialect) -> bytes:
    """The media type of an error body."""
    return b"application/json" if dialect == "wacraft" else b"application/problem+json"


def problem_body(problem: Problem, dialect: Dialect, request_id: str) -> Body:
    """An error the gateway answers itself."""
    content = {**(problem.content or {}), "code": problem.code, "request_id": request_id}
    if dialect == "wacraft":
        return {
            "context": "gateway",
            "description": problem.message,
            "message": problem.title,
            "content": content,
        }
    kind = REDUCED_CAPACITY if problem.status == 503 else "about:blank"  # noqa: PLR2004
    said = {"type": kind, "title": problem.title, "status": problem.status, "detail": problem.message}
    return {**said, **content, **said}  # in this order, and no detail takes the place of a standard member


def refusal_body(refusal: Refusal, dialect: Dialect, request_id: str, now_us: int, buy_url: str | None) -> Body:
    """A 429: which budgets were empty, when each refills, and whether to wait or to buy."""
    detail = refusal_sentence(refusal, now_us)
    content: dict[str, object] = {
        "code": "wait" if refusal.ready_us is not None else "buy",
        "request_id": request_id,
        "cost": dict(refusal.costs),
        "budgets": [_budget(shortfall, now_us) for shortfall in refusal.shortfalls],
    }
    if refusal.ready_us is not None:
        content["retry_after"] = seconds_until(refusal.ready_us, now_us)
    if buy_url is not None:
        content["buy_url"] = buy_url
    if dialect == "wacraft":
        said = wacraft_sentence(refusal)
        return {"context": "billing", "description": said, "message": said, "content": {**content, "detail": detail}}
    return {
        "type": QUOTA_EXCEEDED,
        "title": "Quota exceeded",
        "status": 429,
        "detail": detail,
        "violated-policies": _violated(refusal),
        **content,
    }


def wacraft_sentence(refusal: Refusal) -> str:
    """The words of wacraft, with the numbers of the scope that can pay first."""
    tightest = refusal.first.tightest if refusal.first is not None else None
    if tightest is None:
        return "Throughput limit exceeded: no budget"
    window = tightest.limit.key.window_us // SECOND_US
    return f"Throughput limit exceeded: {tightest.limit.amount} weighted requests per {window}s"


def refusal_sentence(refusal: Refusal, now_us: int) -> str:
    """Why nobody paid, and the way out, for a person."""
    cost = ", ".join(f"{amount} {meter}" for meter, amount in refusal.costs.items())
    if refusal.first is None:
        return f"This request costs {cost} and there is no budget to take it from. Buy a plan."
    kinds = " and ".join(dict.fromkeys(shown_kind(shortfall.allowance) for shortfall in refusal.shortfalls))
    if refusal.ready_us is None:
        return f"This request costs {cost}; the {kinds} budget can never pay that, however long you wait. Buy more."
    wait = seconds_until(refusal.ready_us, now_us)
    payer = shown_kind(refusal.first.allowance)
    return f"This request costs {cost}; the {kinds} budget has less left. The {payer} budget can pay it in {wait} s."


def _budget(shortfall: Shortfall, now_us: int) -> Body:
    """One scope that was asked."""
    return {
        "scope": shown_kind(shortfall.allowance),
        "id": shortfall.allowance.scope.id,
        "fallback": shortfall.allowance.fallback,
        "retry_after": None if shortfall.ready_us is None else seconds_until(shortfall.ready_us, now_us),
        "limits": [_limit(standing, shortfall) for standing in shortfall.standings],
    }


def _limit(standing: Standing, shortfall: Shortfall) -> Body:
    """One limit of a scope that was asked. ``reset`` is Unix seconds, rounded up."""
    return {
        "plan": shortfall.allowance.purses[standing.purse].plan,
        "meter": standing.limit.key.meter,
        "limit": standing.limit.amount,
        "window_seconds": standing.limit.key.window_us // SECOND_US,
        "remaining": standing.left,
        "reset": None if standing.reset_us is None else -(-standing.reset_us // SECOND_US),
    }


def _violated(refusal: Refusal) -> list[str]:
    """The policies, by the names that ``RateLimit-Policy`` gives them, that have less left than the cost."""
    return [
        name
        for shortfall in refusal.shortfalls
        for name, standing in policy_names(shortfall.allowance, shortfall.standings)
        if standing.left < refusal.costs.get(standing.limit.key.meter, 0)
    ]
