"""What is sold: plans and their limits, and what one subscription to them gives."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from gateway.core.bucket import LARGEST, Anchor, Calendar, Epoch, Limit, LimitKey, Refill, Since
from gateway.core.scope import Scope

THROUGHPUT = "throughput"
EVERY_METER = "*"
"""In a set of unlimited meters: nothing at all is counted."""

_DAY_US = 86_400_000_000
_NOMINAL_US = {"day": _DAY_US, "month": 31 * _DAY_US}


@dataclass(frozen=True, slots=True)
class PlanLimit:
    """A limit as a plan writes it, before it is bound to a subscription.

    ``amount`` <= 0 means unlimited for that meter. ``anchor`` is an instant-free choice: ``"epoch"``,
    ``"subscription"``, or a ``Calendar``; ``None`` takes the default (epoch under a day, subscription from a day on).
    Only ``Refill.INTERVAL`` has windows to anchor. ``burst`` <= 0 takes ``amount``.
    """

    meter: str
    amount: int
    window_us: int
    refill: Refill = Refill.INTERVAL
    anchor: "Anchor | str | None" = None
    burst: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """One version of what is sold. Several limits on one meter all hold at once (AND). No limits: nothing to spend.

    ``pack``: none of its limits ever refills. ``burn_rank``: purses of a lower rank are drained first; ``None``: 0,
    and 1 if something in it never refills.
    """

    slug: str
    name: str
    limits: tuple[PlanLimit, ...]
    version: int = 1
    unlimited: bool = False
    pack: bool = False
    burn_rank: int | None = None

    @property
    def throughput(self) -> PlanLimit | None:
        """The limit that an override replaces: the first on that meter."""
        return next((limit for limit in self.limits if limit.meter == THROUGHPUT), None)

    @property
    def takes_override(self) -> bool:
        """Whether an override would change anything: not where throughput is unlimited all the same."""
        first = self.throughput
        others = (limit for limit in self.limits if limit.meter == THROUGHPUT and limit is not first)
        return not self.unlimited and first is not None and all(limit.amount > 0 for limit in others)

    def overridden(self, amount: int | None) -> tuple[PlanLimit, ...]:
        """The limits with another amount of the first on throughput; decisions/0040.

        A burst of its own grows and shrinks with it, so that the plan's own amount is no change.
        """
        first = self.throughput
        if amount is None or first is None:
            return self.limits
        burst = first.burst
        if burst > 0 and first.amount > 0:
            burst = min(-(-burst * amount // first.amount), LARGEST)
        return tuple(replace(each, amount=amount, burst=burst) if each is first else each for each in self.limits)


@dataclass(frozen=True, slots=True)
class Subscription:
    """One scope's instance of a plan version. ``ends_us`` ``None``: no end. Effective while starts_us <= now < ends_us.

    ``throughput_override`` replaces the amount of the plan's first limit on throughput (0 or less: unlimited).
    ``anchor_us``: from when its windows are counted, if not from its start; decisions/0076.
    """

    id: str
    plan: Plan
    scope: Scope
    starts_us: int = 0
    ends_us: int | None = None
    throughput_override: int | None = None
    anchor_us: int | None = None


class Grant(NamedTuple):
    """What one subscription gives. ``keys`` are those of its whole plan; ``limits`` only those that limit anything."""

    id: str
    plan: Plan
    keys: frozenset[LimitKey]
    limits: tuple[Limit, ...]
    unlimited: frozenset[str]
    ends_us: int | None
    rank: int


def grant_of(subscription: Subscription) -> Grant:
    """The limits of a subscription, bound to its start, or to the instant from which its windows are counted."""
    return bind(
        subscription.plan,
        subscription.id,
        starts_us=subscription.starts_us if subscription.anchor_us is None else subscription.anchor_us,
        ends_us=subscription.ends_us,
        override=subscription.throughput_override,
    )


def bind(plan: Plan, id_: str, *, starts_us: int | None, ends_us: int | None, override: int | None) -> Grant:
    """A plan's limits with their keys, as one subscription has them."""
    bare = [_key(limit, starts_us, pack=plan.pack) for limit in plan.limits]
    packed = any(key.refill is Refill.NEVER for key in bare)
    # Limits that hold together count together: alone or in other company they are other buckets. A pack is its own.
    purse = id_ if packed else signature(bare) if len(set(bare)) > 1 else ""
    keys = [key._replace(purse=purse) for key in bare]
    unlimited = {EVERY_METER, THROUGHPUT, *(limit.meter for limit in plan.limits)} if plan.unlimited else set[str]()
    limits: dict[LimitKey, Limit] = {}
    for key, written in zip(keys, plan.overridden(override), strict=True):
        amount = written.amount
        if amount <= 0:
            unlimited.add(written.meter)
            continue
        burst = written.burst if key.refill is Refill.CONTINUOUS and written.burst > 0 else amount
        found = limits.get(key, Limit(key, amount, burst))
        limits[key] = Limit(key, min(amount, found.amount), min(burst, found.burst))
    rank = plan.burn_rank if plan.burn_rank is not None else int(packed)
    return Grant(id_, plan, frozenset(keys), tuple(limits.values()), frozenset(unlimited), ends_us, rank)


def own_window_us(plan: Plan) -> int:
    """The longest of a plan's windows that are counted from each subscription's own start; 0: there are none."""
    keys = (_key(limit, 0, pack=plan.pack) for limit in plan.limits)
    return max((key.window_us for key in keys if isinstance(key.anchor, Since)), default=0)


def _key(limit: PlanLimit, starts_us: int | None, *, pack: bool) -> LimitKey:
    if pack or limit.refill is Refill.NEVER:
        return LimitKey(limit.meter, 0, Refill.NEVER, Epoch())
    if limit.refill is Refill.CONTINUOUS:
        return LimitKey(limit.meter, limit.window_us, Refill.CONTINUOUS, Epoch())
    anchor = limit.anchor
    if anchor is None:
        anchor = "epoch" if limit.window_us < _DAY_US else "subscription"
    if isinstance(anchor, str):
        anchor = Since(starts_us) if anchor == "subscription" and starts_us is not None else Epoch()
    window_us = _NOMINAL_US[anchor.unit] if isinstance(anchor, Calendar) else limit.window_us
    return LimitKey(limit.meter, window_us, Refill.INTERVAL, anchor)


def signature(keys: Iterable[LimitKey]) -> str:
    """The same text for the same set of limits, and for no other."""
    return " ".join(sorted(f"{key.meter}/{key.window_us}/{key.refill}/{_anchor_text(key.anchor)}" for key in {*keys}))


def _anchor_text(anchor: Anchor) -> str:
    if isinstance(anchor, Calendar):
        return f"{anchor.unit}:{anchor.zone}"
    return f"since:{anchor.at_us}" if isinstance(anchor, Since) else "epoch"
