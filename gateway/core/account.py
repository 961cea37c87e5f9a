"""One scope's allowance and buckets at one instant: what each purse can give, and what becomes of them when it does."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gateway.core.allowance import Allowance
from gateway.core.bucket import Bucket, Limit, LimitKey, Refill, full_at, left, take
from gateway.core.bucket import refill as refill_bucket
from gateway.core.carry import Replaced, debit_replaced, inherit, replaced_buckets
from gateway.core.scope import Scope

Costs = Mapping[str, int]
"""Meter to units, for example ``{"throughput": 5}``."""

_NEVER = 1 << 100


class Posting(NamedTuple):
    """One bucket's change. ``amount`` > 0 was taken, < 0 was given back, to ``generation``; ``after`` is the new state.

    0: the bucket of a replaced plan, which counts along with the postings before it and pays nothing.
    """

    scope: Scope
    limit: LimitKey
    generation: int
    amount: int
    after: Bucket


class Standing(NamedTuple):
    """How one limit stands. ``left`` >= 0. ``reset_us``: when it is full again; ``None``: never (a pack).

    ``purse`` is an index into the allowance's purses.
    """

    limit: Limit
    left: int
    reset_us: int | None
    purse: int


class Draw(NamedTuple):
    """``units`` of one meter that one purse gives; each of its ``limits`` on that meter is debited."""

    purse: int
    limits: Sequence[Limit]
    units: int


class Account:
    """Working copies of the buckets of one scope. Costs of 0 or less and unlimited meters need nothing from them."""

    __slots__ = ("_replaced", "allowance", "buckets", "now_us", "over")

    def __init__(self, allowance: Allowance, state: Mapping[LimitKey, Bucket], now_us: int) -> None:
        self.allowance = allowance
        self.now_us = now_us
        self.buckets: dict[LimitKey, Bucket] = {}
        self.over: list[LimitKey] = []
        self._replaced: Replaced = {}
        known = 0
        for purse in allowance.purses:
            for limit in purse.limits:
                stored = state.get(limit.key)
                known += stored is not None
                self.buckets[limit.key] = refill_bucket(stored, limit, now_us)
        if known < len(state):
            self._carry(state)

    def _carry(self, state: Mapping[LimitKey, Bucket]) -> None:
        self._replaced = replaced_buckets(state, self.allowance, self.buckets)
        if self._replaced:
            for purse in self.allowance.purses:
                for limit in purse.limits:
                    stored = state.get(limit.key)
                    self.buckets[limit.key] = inherit(stored, limit, purse, self._replaced, self.now_us)

    def purses_for(self, meter: str) -> list[tuple[int, Sequence[Limit]]]:
        """The purses that have limits on ``meter``, by index, in burn order, with those limits.

        Lower ranks first, then what is soonest lost: the purse that ends, or whose limits are all full again, first.
        """
        purses = self.allowance.purses
        if len(purses) == 1 and len(purses[0].limits) == 1:
            return [(0, purses[0].limits)] if purses[0].limits[0].key.meter == meter else []
        found: list[tuple[int, Sequence[Limit]]] = []
        for index, purse in enumerate(purses):
            limits = [limit for limit in purse.limits if limit.key.meter == meter]
            if limits:
                found.append((index, limits))
        if len(found) > 1:
            found.sort(key=self._soonest_lost)
        return found

    def _soonest_lost(self, place: tuple[int, Sequence[Limit]]) -> tuple[int, int, int]:
        purse = self.allowance.purses[place[0]]
        refills = max(self._refills_us(limit) for limit in place[1])
        return purse.rank, refills if purse.ends_us is None else min(purse.ends_us, refills), place[0]

    def _refills_us(self, limit: Limit) -> int:
        if limit.key.refill is Refill.CONTINUOUS:
            return self.now_us  # What is not used now overflows now.
        full_us = full_at(self.buckets[limit.key], limit)
        return _NEVER if full_us is None else full_us

    def can_give(self, limits: Sequence[Limit]) -> int:
        """What a purse has left under these of its limits: the tightest decides."""
        if len(limits) == 1:
            return left(self.buckets[limits[0].key], limits[0])
        return min(left(self.buckets[limit.key], limit) for limit in limits)

    def draws(self, costs: Costs) -> tuple[list[Draw], dict[str, int]]:
        """Which purse gives what, in burn order; and by meter what is short (empty: everything can be paid)."""
        draws: list[Draw] = []
        short: dict[str, int] = {}
        unlimited = self.allowance.unlimited
        for meter, cost in costs.items():
            if cost <= 0 or (unlimited and self.allowance.is_unlimited(meter)):
                continue
            need = cost
            for index, limits in self.purses_for(meter):
                units = min(need, self.can_give(limits))
                if units > 0:
                    draws.append(Draw(index, limits, units))
                    need -= units
                    if not need:
                        break
            if need:
                short[meter] = need
        return draws, short

    def debit(self, draws: Sequence[Draw]) -> tuple[Posting, ...]:
        """Make the draws: the buckets here change, and the postings say how."""
        scope, now_us, buckets = self.allowance.scope, self.now_us, self.buckets
        postings: list[Posting] = []
        for index, limits, units in draws:
            purse = self.allowance.purses[index]
            for limit in limits:
                key = limit.key
                after = buckets[key] = take(buckets[key], limit, units, now_us, purse.grants)
                postings.append(Posting(scope, key, after.generation, units, after))
            if self._replaced:
                counting, over = debit_replaced(self._replaced, purse, limits[0].key.meter, units, now_us)
                self._replaced.update(counting)
                self.over += over
                postings += [Posting(scope, key, after.generation, 0, after) for key, after in counting.items()]
        return tuple(postings)

    def standings(self) -> tuple[Standing, ...]:
        """How each limit stands, purse by purse."""
        buckets = self.buckets
        return tuple(
            [
                Standing(limit, left(buckets[limit.key], limit), full_at(buckets[limit.key], limit), index)
                for index, purse in enumerate(self.allowance.purses)
                for limit in purse.limits
            ]
        )


def tightest(standings: Sequence[Standing], purse: int, meters: Sequence[str]) -> Standing | None:
    """The limit of one purse on these meters that has least left; of equal ones the one that resets last."""
    if len(standings) == 1:
        only = standings[0]
        return only if only.limit.key.meter in meters else None
    of_purse = [each for each in standings if each.purse == purse and each.limit.key.meter in meters]
    return min(
        of_purse, key=lambda each: (each.left, -(_NEVER if each.reset_us is None else each.reset_us)), default=None
    )
