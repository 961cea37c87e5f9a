"""What is left of the caller's budgets, limit by limit: wacraft's ``GET /billing/usage``, and more in each entry."""

from typing import Literal

from gateway.api.call import Call
from gateway.api.desk import Desk
from gateway.api.fields import Time, Told
from gateway.api.reply import Reply
from gateway.api.route import Policy, Who, route
from gateway.billing.usage import Budget, budgets
from gateway.core.scope import Scope


class UsageSummary(Told):
    """One limit of one scope, as the next answer's headers will say it.

    Unlimited: limit, window and usage are 0 and ``remaining`` is -1. ``window_seconds`` of what never refills: until it
    ends. ``anchor``: the windows are days or months of the calendar in ``time_zone``. ``resets_at``: when it is full
    again. ``fallback``: the budget of a user who has no other left.
    ``purse``: limits of one scope with the same number hold together; of purses one that can pay is enough. The lowest
    is spent first.
    """

    scope: Literal["user", "workspace"]
    user_id: str | None = None
    workspace_id: str | None = None
    unlimited: bool
    throughput_limit: int
    window_seconds: int
    current_usage: int
    remaining: int
    fallback: bool
    meter: str
    plan: str
    purse: int | None = None
    refill: Literal["interval", "continuous", "never"] | None = None
    anchor: Literal["day", "month"] | None = None
    time_zone: str | None = None
    burst: int | None = None
    resets_at: Time | None = None
    subscription_ends_at: Time | None = None


async def get_usage(call: Call, desk: Desk) -> Reply:
    """What is left of the caller's budgets, and of the workspace's that is named."""
    caller = call.caller
    named = (("user", caller.user), ("workspace", caller.workspace))
    scopes = [Scope(kind, id_) for kind, id_ in named if id_ is not None]
    found = await budgets(desk.snapshot().catalog, desk.ledger, scopes, call.now_us)
    return Reply([_told(budget, call.now_us) for budget in found])


def _told(budget: Budget, now_us: int) -> UsageSummary:
    of_user = budget.scope.kind == "user"
    refill, calendar = budget.refill, budget.calendar
    return UsageSummary(
        scope="user" if of_user else "workspace",
        user_id=budget.scope.id if of_user else None,
        workspace_id=None if of_user else budget.scope.id,
        unlimited=budget.standing is None,
        throughput_limit=budget.limit,
        window_seconds=budget.window_s(now_us),
        current_usage=budget.used,
        remaining=budget.left,
        fallback=budget.fallback,
        meter=budget.meter,
        plan=budget.plan,
        purse=None if budget.standing is None else budget.standing.purse,
        refill=None if refill is None else refill.value,
        anchor=None if calendar is None else calendar.unit,
        time_zone=None if calendar is None else calendar.zone_name,
        burst=budget.capacity if budget.capacity != budget.limit else None,
        resets_at=budget.resets_us,
        subscription_ends_at=budget.ends_us,
    )


ROUTES = (route("GET", "/usage", get_usage, who=Who.USER, policy=Policy.MEMBER, tells=UsageSummary, lists=True),)
