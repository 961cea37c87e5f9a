"""Plain debits as ``lua/debits.lua`` reads them, and what it says of them.

Plain is what most are: one meter, and of each who is asked one purse, all of whose limits are of that meter. What does
not depend on the time is worked out once for an allowance and its cost; the rows of those who have the same plan are
the same bytes, which a call carries once.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from gateway.core import cascade
from gateway.core.allowance import Allowance
from gateway.core.bucket import INTERVAL, Bucket, LimitKey, Refill, window_of
from gateway.core.cascade import Bill, Charge, Costs, Refusal
from gateway.core.scope import Scope
from gateway.ledger.redis.names import Names
from gateway.ledger.redis.terms import Terms

_REMEMBERED = 200_000
_FOREVER = 1 << 62
_CONTINUOUS = Refill.CONTINUOUS
_LARGE = 1 << 52
"""Lua's numbers are doubles: what is not below is for ``core``."""


class Demand:
    """What is asked of everybody with one purse. ``row`` and ``starts`` are good from ``from_us`` until ``until_us``.

    ``starts``: of the limits' windows.
    """

    __slots__ = ("_from_us", "_row", "_starts", "_terms", "_until_us", "cost", "costs", "limits", "purse", "sole")

    def __init__(self, allowance: Allowance, costs: Costs, cost: int) -> None:
        self.purse = allowance.purses[0]
        self.limits = self.purse.limits
        self.costs = costs
        self.cost = cost
        self.sole = allowance.sole if allowance.sole and allowance.sole.key.refill is not _CONTINUOUS else None
        self._row, self._starts = b"", list[int]()
        self._from_us, self._until_us = 1, 0
        self._terms = Terms(allowance)

    @property
    def is_large(self) -> bool:
        """Whether its numbers are too large for the scripts."""
        return self._terms.large or self.cost >= _LARGE

    def row(self, now_us: int) -> bytes:
        """It as the scripts read it, with the windows that hold ``now_us``."""
        if not self._from_us <= now_us < self._until_us:
            self._move_to(now_us)
        return self._row

    def starts(self, now_us: int) -> Sequence[int]:
        """Where the windows of its limits start that hold ``now_us``; 0 for those without windows."""
        if not self._from_us <= now_us < self._until_us:
            self._move_to(now_us)
        return self._starts

    def _move_to(self, now_us: int) -> None:
        self._from_us, self._until_us, self._starts = -_FOREVER, _FOREVER, []
        for limit in self.limits:
            if limit.key.refill is INTERVAL:
                start, end = window_of(limit.key, now_us)
                self._from_us, self._until_us = max(self._from_us, start), min(self._until_us, end)
                self._starts.append(start)
            else:
                self._starts.append(0)
        self._row = orjson.dumps([self.cost, self._terms.rows(now_us), self._terms.grants])


class Asked:
    """One who is asked for one cost. ``marker`` and ``key``: Redis's."""

    __slots__ = ("allowance", "demand", "key", "marker")

    def __init__(self, allowance: Allowance, demand: Demand, names: Names) -> None:
        self.allowance, self.demand = allowance, demand
        self.marker, self.key = names.marker(allowance.scope), names.scope(allowance.scope)


class Demands:
    """Finds who is asked how, and remembers it by the identity of what does not change."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._bills: dict[tuple[int, int], tuple[Sequence[Allowance], Costs, list[Asked] | None]] = {}
        self._asked: dict[tuple[int, int], tuple[Allowance, Costs, Asked | None]] = {}
        self._demands: dict[tuple[int, int], Demand] = {}

    def of(self, bill: Bill) -> list[Asked] | None:
        """All who are asked, in order; ``None``: the debit is not plain."""
        known = self._bills.get((id(bill.allowances), id(bill.costs)))
        return self._find(bill.allowances, bill.costs) if known is None else known[2]

    def _find(self, allowances: Sequence[Allowance], costs: Costs) -> list[Asked] | None:
        if len(self._bills) >= _REMEMBERED or len(self._asked) >= _REMEMBERED:
            self._bills.clear()
            self._asked.clear()
            self._demands.clear()
        found = [asked for allowance in allowances if (asked := self._find_one(allowance, costs)) is not None]
        plain = found if found and len(found) == len(allowances) else None
        self._bills[id(allowances), id(costs)] = allowances, costs, plain  # what is held keeps its identity
        return plain

    def _find_one(self, allowance: Allowance, costs: Costs) -> Asked | None:
        known = self._asked.get((id(allowance), id(costs)))
        if known is not None:
            return known[2]
        demand = self._demand(allowance, costs)
        asked = None if demand is None else Asked(allowance, demand, self._names)
        self._asked[id(allowance), id(costs)] = allowance, costs, asked
        return asked

    def _demand(self, allowance: Allowance, costs: Costs) -> Demand | None:
        if not is_plain(allowance, costs):
            return None
        place = id(allowance.purses), id(costs)
        demand = self._demands.get(place)
        if demand is None:
            ((_, cost),) = costs.items()
            demand = self._demands[place] = Demand(allowance, costs, cost)
        return None if demand.is_large else demand


def is_plain(allowance: Allowance, costs: Costs) -> bool:
    """Whether ``lua/debits.lua`` can take ``costs`` from an allowance."""
    if len(costs) != 1 or len(allowance.purses) != 1 or allowance.unlimited:
        return False
    ((meter, cost),) = costs.items()
    return cost > 0 and all(limit.key.meter == meter for limit in allowance.purses[0].limits)


def decided(bill: Bill, asked: Sequence[Asked], reply: Any, now_us: int) -> Charge | Refusal | None:  # noqa: ANN401
    """What ``core`` says of a debit upon the state that the script found; ``None``: nothing was done.

    Raises ``AssertionError`` if the two disagree.
    """
    first = asked[0]
    if type(reply) is int and reply >= 0:
        sole = first.demand.sole
        assert sole is not None  # noqa: S101  (the script says so of nothing else)
        demand = first.demand
        before = Bucket(demand.starts(now_us)[0], reply - demand.cost, now_us, demand.purse.grants)
        charge = cascade.paid_at_once(bill, first.allowance, sole.key, before, now_us)
        if charge is not None:
            return charge
        raise AssertionError(f"the scripts and the core disagree about {bill.costs} of {first.allowance}")
    if reply is None:
        return None
    return _decided_by_core(bill, asked, [0, -1 - reply, 0] if type(reply) is int else reply, now_us)


def _decided_by_core(bill: Bill, asked: Sequence[Asked], numbers: Sequence[int], now_us: int) -> Charge | Refusal:
    states: dict[Scope, dict[LimitKey, Bucket]] = {}
    at, paid = 0, False
    for each in asked:
        if paid:
            break
        paid, at = numbers[at] == 1, at + 1
        state: dict[LimitKey, Bucket] = {}
        for limit, start in zip(each.demand.limits, each.demand.starts(now_us), strict=True):
            units, rest = int(numbers[at]) - each.demand.cost * paid, int(numbers[at + 1])
            flows, window_us = limit.key.refill is _CONTINUOUS, limit.key.window_us
            spent, rate = (units * window_us + rest, limit.amount) if flows else (units, 0)
            state[limit.key] = Bucket(start, spent, now_us, each.demand.purse.grants, rate)
            at += 2
        states[each.allowance.scope] = state
    outcome = cascade.charge(bill, lambda scope: states.get(scope, _NONE), now_us)
    if isinstance(outcome, Charge) is not paid:
        raise AssertionError(f"the scripts and the core disagree about {bill.costs} of {[*states]}")
    return outcome


_NONE: Mapping[LimitKey, Bucket] = {}
