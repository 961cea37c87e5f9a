"""The most frequent debit by itself: one meter, one purse of one limit, a window that is open, and enough left.

It is ``cascade.paid_at_once`` without what is the same for every request of a payer: a ``Till`` has that at hand.
"""

from typing import NamedTuple

from gateway.core.allowance import Allowance
from gateway.core.bucket import INTERVAL, Bucket, Calendar, Limit, LimitKey
from gateway.core.cascade import Charge, Costs, Posting, Refusal, Shortfall, Standing
from gateway.core.scope import Scope

_NOTHING: Costs = {}
_made = tuple.__new__
"""A ``NamedTuple`` by its fields, all of them, without the call in between: this is on every request's way."""


class Till(NamedTuple):
    """Where an allowance with one limit and fixed windows pays from. ``capacity``: units a window."""

    allowance: Allowance
    scope: Scope
    limit: Limit
    key: LimitKey
    meter: str
    capacity: int
    window_us: int
    grants: tuple[str, ...]


def till_of(allowance: Allowance, costs: Costs) -> Till | None:
    """The till from which an allowance pays such costs, of one meter; ``None``: there is more to it."""
    limit = allowance.sole
    if limit is None or allowance.source is not None or [*costs] != [limit.key.meter]:
        return None
    if limit.key.refill is not INTERVAL or isinstance(limit.key.anchor, Calendar):
        return None
    key, grants = limit.key, allowance.purses[0].grants
    return Till(allowance, allowance.scope, limit, key, key.meter, limit.burst, key.window_us, grants)


def take_open(till: Till, key: LimitKey, bucket: Bucket, cost: int, now_us: int) -> Bucket | None:
    """The scope's only bucket after ``cost`` (more than 0) was taken from it; ``None``: anything else is the case."""
    known, generation, spent = till.key, bucket[0], bucket[1] + cost
    if (key is known or key == known) and 0 <= now_us - generation < till.window_us and spent <= till.capacity:
        return _made(Bucket, (generation, spent, now_us, till.grants, 0))
    return None


def shortfall_of(till: Till, key: LimitKey, bucket: Bucket, cost: int, now_us: int) -> Shortfall | None:
    """Why the scope's only bucket cannot pay; ``None``: its window is not open, or it can, or it is another."""
    ready_us = bucket.generation + till.window_us
    left = till.capacity - bucket.spent
    if (key is not till.key and key != till.key) or not bucket.generation <= now_us < ready_us or left >= cost:
        return None
    standing = _made(Standing, (till.limit, max(0, left), ready_us, 0))
    return _made(Shortfall, (till.allowance, (standing,), standing, ready_us if cost <= till.capacity else None))


def refusal_of(id_: str, costs: Costs, shortfalls: list[Shortfall], now_us: int) -> Refusal:
    """Nobody of those who were asked, at least one, can pay."""
    first = shortfalls[-1]
    for shortfall in shortfalls:
        if shortfall.ready_us is not None and (first.ready_us is None or shortfall.ready_us < first.ready_us):
            first = shortfall
    return _made(Refusal, (id_, costs, tuple(shortfalls), first, first.ready_us, now_us))


def charge_of(till: Till, posting: Posting, id_: str, costs: Costs, now_us: int) -> Charge:
    """What was taken from a till as any other charge."""
    after = posting.after
    standing = Standing(till.limit, till.capacity - after.spent, after.generation + till.window_us, 0)
    return Charge(id_, till.allowance, costs, (posting,), (standing,), standing, now_us, _NOTHING)
