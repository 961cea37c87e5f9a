"""What is kept, as values. ``revision`` counts the edits of a row: an edit may say which one it is based on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gateway.core.plan import THROUGHPUT, Plan, PlanLimit
from gateway.core.scope import Scope
from gateway.core.subscription import PlanVersion, Status

Mode = Literal["payment", "subscription"]
"""Bought once, or renewed until it is cancelled."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a plan's buyers get, and for how long: one version of it."""

    limits: tuple[PlanLimit, ...]
    duration_days: int
    unlimited: bool = False
    pack: bool = False
    burn_rank: int | None = None

    @property
    def throughput(self) -> PlanLimit | None:
        """The limit that wacraft's ``throughput_limit`` and ``window_seconds`` speak of: the first on that meter."""
        return next((limit for limit in self.limits if limit.meter == THROUGHPUT), None)

    def plan(self, slug: str, name: str, version: int) -> Plan:
        """These terms as a plan that allowances are resolved from."""
        return Plan(slug, name, self.limits, version, self.unlimited, self.pack, self.burn_rank)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDraft:
    """A plan as somebody writes it. ``is_default``: for users where the configuration's ``defaults`` is silent."""

    slug: str
    name: str
    terms: Terms
    description: str | None = None
    is_default: bool = False
    is_custom: bool = False
    active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceDraft:
    """``amount``: minor units of ``currency``, an ISO 4217 code in lower case."""

    currency: str
    amount: int
    is_default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRow(PriceDraft):
    """A price of a plan in one currency."""

    id: str
    plan_id: str
    revision: int
    created_us: int
    updated_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow(PlanDraft):
    """A plan: ``terms`` are those of its newest ``version``."""

    id: str
    version: int
    prices: tuple[PriceRow, ...]
    revision: int
    created_us: int
    updated_us: int

    @property
    def plan(self) -> Plan:
        """The newest version as a plan that allowances are resolved from."""
        return self.terms.plan(self.slug, self.name, self.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionDraft:
    """One scope's instance of a plan. ``plan``: a version of the store's plan, or the slug of a file's.

    ``user_id``: who bought it; a user's own is always that user's. ``checkout_id`` and ``external_id`` are the
    ``provider``'s names of the order and of the subscription. ``period_end_us``: until when it is paid there, which
    may differ from ``ends_us``, until when it grants (a grace, an admin's extension). ``anchor_us``: from when its
    windows are counted, if not from its start. ``next_plan_id``: what it is to from its next period on, if not this.
    """

    plan: PlanVersion | str
    scope: Scope
    user_id: str | None
    status: Status
    starts_us: int
    ends_us: int | None
    cancelled_us: int | None = None
    throughput_override: int | None = None
    provider: str = "manual"
    mode: Mode = "payment"
    checkout_id: str | None = None
    external_id: str | None = None
    period_end_us: int | None = None
    cancel_at_period_end: bool = False
    anchor_us: int | None = None
    next_plan_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRow(SubscriptionDraft):
    """A subscription. ``in_force``: the version of its plan whose terms it has now; ``None`` for a file's plan."""

    id: str
    in_force: int | None
    idempotency_key: str | None
    revision: int
    created_us: int
    updated_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightDraft:
    """What a request costs, made by an admin; ``method`` is in upper case, or ``ANY``."""

    method: str
    pattern: str
    weight: int
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightRow(WeightDraft):
    """An admin's weight."""

    id: str
    revision: int
    created_us: int
    updated_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDraft:
    """An API key as it is kept: ``sha256`` of its secret, 64 hex digits. For a user, a workspace, or both."""

    id: str
    sha256: str
    name: str
    user_id: str | None = None
    workspace_id: str | None = None
    expires_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow(KeyDraft):
    """An API key. ``replaced_by``: the key that it was rotated into."""

    revoked_us: int | None
    replaced_by: str | None
    revision: int
    created_us: int
    updated_us: int


@dataclass(frozen=True, slots=True)
class AuditRow:
    """Who changed what, when, from where. ``before`` and ``after`` are JSON objects as text, ``None``: not there."""

    id: int
    revision: int
    at_us: int
    actor_kind: str
    actor_id: str | None
    address: str | None
    request_id: str | None
    actor_via: str | None
    actor_key: str | None
    action: str
    topic: str
    object_id: str
    scope_kind: str | None
    scope_id: str | None
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class SeenRow:
    """A user or a workspace that came by. ``name``: as the upstream last called it, if it was asked."""

    kind: str
    id: str
    name: str | None
    first_seen_us: int
    last_seen_us: int


@dataclass(frozen=True, slots=True)
class Stock:
    """``plans``: the newest versions by slug. ``sold``: version bought → the terms that its holders have now.

    ``default``: the slug of the plan for users for whom the configuration's ``defaults`` says nothing.
    """

    revision: int = 0
    plans: Mapping[str, Plan] = field(default_factory=dict)
    sold: Mapping[PlanVersion, Plan] = field(default_factory=dict)
    default: str | None = None
    weights: tuple[WeightRow, ...] = ()
