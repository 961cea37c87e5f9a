"""The life of a subscription: its states, and what one of them says about a scope before plans are looked up."""

from enum import StrEnum
from typing import NamedTuple


class Status(StrEnum):
    """Where a subscription stands. Expired is not one of them: it follows from the end and the time."""

    PENDING = "pending"
    """Ordered and not paid yet."""
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    """A renewal failed; it grants until its end, which is then the end of the grace."""
    UNPAID = "unpaid"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    """Over, for good."""


GRANTING = frozenset({Status.TRIALING, Status.ACTIVE, Status.PAST_DUE})
"""The states in which a subscription gives something, from its start to its end."""


class PlanVersion(NamedTuple):
    """One version of a plan of the store, as a subscription was bought at it."""

    plan_id: str
    version: int


class Holding(NamedTuple):
    """A granting subscription as it is kept. ``plan`` is a version of the store's, or the slug of a file's plan.

    Effective while starts_us <= now < ends_us; ``ends_us`` ``None``: no end. ``override`` replaces the amount of the
    plan's throughput limits (0 or less: unlimited).
    """

    id: str
    plan: PlanVersion | str
    starts_us: int
    ends_us: int | None
    override: int | None
