"""Subscriptions in JSON: wacraft's fields, and what goes beyond them."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from gateway.api.fields import AskedFlag, Instant, Said, ScopeId, SearchText, Time, Told, Uuid
from gateway.api.lists import ListQuery
from gateway.api.plan_models import Amount, Plan
from gateway.store.standings import State

StatusName = Literal["pending", "trialing", "active", "past_due", "unpaid", "paused", "cancelled"]


def _empty_is_none(value: object) -> object:
    """A form of wacraft's sends an empty text for a field that was cleared."""
    return None if value == "" else value


class Subscription(Told):
    """One scope's instance of a plan. ``plan``: with the terms that this subscription has now.

    ``plan_version``: the one it was bought at; ``in_force_version``: the one whose terms it has. ``period_end``: until
    when it is paid at the provider. ``next_plan_id``: what it is to from then on, where another plan was chosen that
    costs no more. No ``expires_at``: it has no end. ``source``: ``file`` is read-only here.
    """

    plan_id: str
    scope: str
    user_id: str | None = None
    workspace_id: str | None = None
    scope_id: str
    throughput_override: int | None = None
    starts_at: Time
    expires_at: Time | None = None
    cancelled_at: Time | None = None
    payment_provider: str
    payment_external_id: str | None = None
    payment_mode: Literal["payment", "subscription"]
    stripe_subscription_id: str | None = None
    cancel_at_period_end: bool
    period_end: Time | None = None
    next_plan_id: str | None = None
    status: StatusName
    plan: Plan | None = None
    plan_version: int | None = None
    in_force_version: int | None = None
    source: Literal["database", "file"]
    id: str
    created_at: Time
    updated_at: Time


class OwnQuery(ListQuery):
    """``active``: whether they give something now."""

    status: StatusName | None = None
    active: AskedFlag | None = None


class AllQuery(OwnQuery):
    """``scope``: a kind of scope. ``text``: in an id of the row, its scope, buyer or provider, or in their names.

    ``state``: as people name it, in which each is in one only: an active one is not past its end, nor about to end.
    """

    scope: Literal["user", "workspace", "address"] | None = None
    user_id: ScopeId | None = None
    workspace_id: ScopeId | None = None
    plan_id: Uuid | None = None
    state: State | None = None
    text: SearchText | None = None


class CreateManual(Said):
    """A plan given by hand. ``starts_at``: now; ``expires_at``: after the plan's days, unless they are said."""

    plan_id: Uuid
    scope: Literal["user", "workspace"]
    user_id: ScopeId
    workspace_id: Annotated[ScopeId | None, BeforeValidator(_empty_is_none)] = None
    throughput_override: Amount | None = None
    starts_at: Instant | None = None
    expires_at: Instant | None = None


class Extend(Said):
    """Until when it shall give something; ``null``: without end."""

    expires_at: Instant | None


class Override(Said):
    """What takes the place of the plan's throughput; 0 or -1: unlimited, ``null``: the plan's again."""

    throughput_override: Annotated[Amount | None, Field()]
