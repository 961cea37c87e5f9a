"""Allowances and costs in, ``Charge`` or ``Refusal`` out: one scope pays the whole cost or nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from gateway.core.allowance import Allowance
from gateway.core.bucket import Bucket, Limit, LimitKey
from gateway.core.scope import Scope

Costs = Mapping[str, int]
"""Meter to units, for example ``{"throughput": 5}``."""


@dataclass(frozen=True, slots=True)
class Bill:
    """What is to be paid, by whoever of ``allowances`` (in cascade order) can pay all of it."""

    id: str
    costs: Costs
    allowances: tuple[Allowance, ...]


class Posting(NamedTuple):
    """One bucket's change. ``amount`` > 0 was taken, < 0 was given back, to ``generation``; ``after`` is the new state."""

    scope: Scope
    limit: LimitKey
    generation: int
    amount: int
    after: Bucket


class Standing(NamedTuple):
    """How one limit stands. ``left`` >= 0. ``reset_us``: when it is full again; ``None``: never (a pack)."""

    limit: Limit
    left: int
    reset_us: int | None
    purse: int


@dataclass(frozen=True, slots=True)
class Charge:
    """Paid. ``postings`` in burn order, empty if nothing was to be counted (cost 0, unlimited).

    ``shown`` is the tightest limit of the purse that paid, which headers describe; ``None``: unlimited.
    ``standings`` are all limits of the paying scope, after the charge. ``overrun``: units nobody had (shadow, late debits).
    ``dropped``: buckets whose use was carried into another because their plan was replaced.
    """

    id: str
    allowance: Allowance
    costs: Costs
    postings: tuple[Posting, ...]
    standings: tuple[Standing, ...]
    shown: Standing | None
    at_us: int
    overrun: Costs
    dropped: tuple[LimitKey, ...] = ()

    @property
    def scope(self) -> Scope:
        """Who paid."""
        return self.allowance.scope


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Why one scope could not pay, and when it could: ``ready_us`` ``None`` if waiting never helps."""

    allowance: Allowance
    standings: tuple[Standing, ...]
    tightest: Standing | None
    ready_us: int | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nobody could pay; nothing changed. ``first`` is the shortfall that ends first (else the last asked; ``None``: nobody was asked)."""

    id: str
    costs: Costs
    shortfalls: tuple[Shortfall, ...]
    first: Shortfall | None
    ready_us: int | None
    at_us: int
