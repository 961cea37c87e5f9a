"""From what a scope has bought to what it may spend now: purses, each with the limits of one subscription group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from gateway.core.bucket import LARGEST, Limit, LimitKey
from gateway.core.plan import EVERY_METER, THROUGHPUT, Grant, Plan, PlanLimit, Subscription, bind, grant_of, signature
from gateway.core.scope import Scope

__all__ = [
    "EVERY_METER",
    "FALLBACK",
    "THROUGHPUT",
    "Allowance",
    "Plan",
    "PlanLimit",
    "Purse",
    "Source",
    "Subscription",
    "fallback_allowance",
    "resolve",
]

FALLBACK = "fallback"
"""The kind of scope that holds fallback budgets, under the user's id."""


@dataclass(frozen=True, slots=True)
class Purse:
    """The limits of one subscription group; it can give what the tightest of its limits on a meter has left (AND).

    ``grants``: ids of the subscriptions that feed it. ``plan``: the slug of their plan (several: joined by ``+``).
    ``ends_us``: when the first of them ends. ``rank``: lower ranks burn first.
    """

    limits: tuple[Limit, ...]
    grants: tuple[str, ...]
    plan: str
    ends_us: int | None = None
    rank: int = 0


class Source(NamedTuple):
    """What an allowance that will change was resolved from."""

    subscriptions: tuple[Subscription, ...]
    default_plan: Plan | None


@dataclass(frozen=True, slots=True)
class Allowance:
    """What ``scope`` may spend (purses: OR). Valid until ``until_us`` (the next start or end), then see ``after``.

    ``names``: plan slug to the plan's name for people.
    """

    scope: Scope
    purses: tuple[Purse, ...]
    unlimited: frozenset[str] = frozenset()
    fallback: bool = False
    until_us: int | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    source: Source | None = field(default=None, repr=False, compare=False)
    sole: Limit | None = field(init=False, repr=False, compare=False)
    """The one limit of the one purse, where there is no more to it: what most allowances are."""

    def __post_init__(self) -> None:
        """Look once for what every charge asks."""
        simple = len(self.purses) == 1 and len(self.purses[0].limits) == 1 and not self.unlimited
        object.__setattr__(self, "sole", self.purses[0].limits[0] if simple else None)

    def is_unlimited(self, meter: str) -> bool:
        """Whether nothing is counted for ``meter``."""
        return meter in self.unlimited or EVERY_METER in self.unlimited

    def after(self) -> "Allowance | None":
        """What holds from ``until_us`` on; ``None``: nothing, or nothing else."""
        if self.source is None or self.until_us is None:
            return None
        return resolve(self.scope, self.source.subscriptions, self.source.default_plan, self.until_us)


def resolve(
    scope: Scope, subscriptions: Sequence[Subscription], default_plan: Plan | None, now_us: int
) -> Allowance | None:
    """What ``scope`` may spend at ``now_us``: its effective subscriptions, else the default plan of its kind.

    ``None``: nothing, now and later. Nothing yet, but a subscription that will start, is an allowance without purses.
    """
    if not subscriptions:
        return None if default_plan is None else _of_default(scope, default_plan)
    coming = tuple(each for each in subscriptions if each.ends_us is None or now_us < each.ends_us)
    effective = [each for each in coming if each.starts_us <= now_us]
    changes = [each.starts_us for each in coming if each.starts_us > now_us]
    changes += [each.ends_us for each in coming if each.ends_us is not None]
    until_us = min(changes, default=None)
    if effective:
        purses, unlimited, names = _purses([grant_of(each) for each in effective])
    elif default_plan is not None:
        purses, unlimited, names = _default_purses(default_plan, scope.kind)
    elif coming:
        purses, unlimited, names = (), frozenset(), {}
    else:
        return None
    source = None if until_us is None else Source(coming, default_plan)
    return Allowance(scope, purses, unlimited, until_us=until_us, names=names, source=source)


def fallback_allowance(scope: Scope, plan: Plan, now_us: int) -> Allowance:  # noqa: ARG001  (as ``resolve``)
    """The separate budget with which ``scope`` can still look at plans and pay: a scope of its own, same id."""
    purses, unlimited, names = _default_purses(plan, FALLBACK)
    return Allowance(Scope(FALLBACK, scope.id), purses, unlimited, fallback=True, names=names)


def _of_default(scope: Scope, plan: Plan) -> Allowance:
    purses, unlimited, names = _default_purses(plan, scope.kind)
    return Allowance(scope, purses, unlimited, names=names)


_Purses = tuple[tuple[Purse, ...], frozenset[str], Mapping[str, str]]


@lru_cache(maxsize=1024)
def _default_purses(plan: Plan, kind: str) -> _Purses:
    """The purses of a default plan, shared by all scopes that have it."""
    return _purses([bind(plan, f"default:{kind}", starts_us=None, ends_us=None, override=None)])


def _purses(grants: Sequence[Grant]) -> _Purses:
    """Grants with the same limit keys become one purse with summed amounts; what is unlimited is not counted at all."""
    unlimited = frozenset(meter for grant in grants for meter in grant.unlimited)
    names = {grant.plan.slug: grant.plan.name for grant in grants}
    if EVERY_METER in unlimited:
        return (), unlimited, names
    alike: dict[frozenset[LimitKey], list[Grant]] = {}
    for grant in sorted(grants, key=lambda grant: grant.id):
        alike.setdefault(grant.keys, []).append(grant)
    purses = [_merge(group, unlimited) for group in alike.values()]
    return tuple(sorted((purse for purse in purses if purse.limits), key=_place)), unlimited, names


def _merge(grants: Sequence[Grant], unlimited: frozenset[str]) -> Purse:
    sums: dict[LimitKey, Limit] = {}
    for limit in (limit for grant in grants for limit in grant.limits if limit.key.meter not in unlimited):
        found = sums.get(limit.key, Limit(limit.key, 0, 0))
        amount, burst = found.amount + limit.amount, found.burst + limit.burst
        sums[limit.key] = Limit(limit.key, min(amount, LARGEST), min(burst, LARGEST))
    return Purse(
        limits=tuple(sums.values()),
        grants=tuple(grant.id for grant in grants),
        plan="+".join(dict.fromkeys(grant.plan.slug for grant in grants)),
        ends_us=min((grant.ends_us for grant in grants if grant.ends_us is not None), default=None),
        rank=min(grant.rank for grant in grants),
    )


def _place(purse: Purse) -> tuple[int, int, str, tuple[str, ...]]:
    """Where a purse stands among others: an order that depends on nothing but what the purses are."""
    keys = [limit.key for limit in purse.limits]
    return purse.rank, max(key.window_us for key in keys), signature(keys), purse.grants
