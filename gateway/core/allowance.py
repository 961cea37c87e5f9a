"""From what a scope has bought to what it may spend now: purses in burn order, limits inside them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.core.bucket import Anchor, Limit, Refill
from gateway.core.scope import Scope

THROUGHPUT = "throughput"


@dataclass(frozen=True, slots=True)
class PlanLimit:
    """A limit as a plan writes it, before it is bound to a subscription.

    ``amount`` <= 0 means unlimited for that meter. ``anchor`` is an instant-free choice: ``"epoch"``,
    ``"subscription"``, or a ``Calendar``; ``None`` takes the default (epoch under a day, subscription from a day on).
    ``burst`` <= 0 takes ``amount``.
    """

    meter: str
    amount: int
    window_us: int
    refill: Refill = Refill.INTERVAL
    anchor: "Anchor | str | None" = None
    burst: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """One version of what is sold. Several limits on one meter all hold at once (AND). No limits: nothing to spend."""

    slug: str
    name: str
    limits: tuple[PlanLimit, ...]
    version: int = 1
    unlimited: bool = False
    pack: bool = False


@dataclass(frozen=True, slots=True)
class Subscription:
    """One scope's instance of a plan version. ``ends_us`` ``None``: no end. Effective while starts_us <= now < ends_us.

    ``throughput_override`` replaces the amount of the plan's throughput limits (0 or less: unlimited).
    """

    id: str
    plan: Plan
    scope: Scope
    starts_us: int = 0
    ends_us: int | None = None
    throughput_override: int | None = None


@dataclass(frozen=True, slots=True)
class Purse:
    """The limits of one subscription group; it can give what the tightest of its limits on a meter has left (AND)."""

    limits: tuple[Limit, ...]
    grants: tuple[str, ...]
    plan: str
    ends_us: int | None = None


@dataclass(frozen=True, slots=True)
class Allowance:
    """What ``scope`` may spend: purses in burn order (OR). Valid until ``until_us`` (the next start or end), then resolve anew.

    ``shown_kind`` is the kind that headers name: a user's fallback budget is a scope of its own shown as ``user``.
    """

    scope: Scope
    purses: tuple[Purse, ...]
    unlimited: frozenset[str] = frozenset()
    fallback: bool = False
    until_us: int | None = None
    names: Mapping[str, str] = field(default_factory=dict)
