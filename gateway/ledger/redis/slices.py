"""Slices of budgets: units that Redis has debited and this gateway spends by itself.

A slice belongs to one generation of one bucket and ends before its window does. It gets at most a ``SHARE``th of what
is left when it is cut, so slices shrink as the remainder shrinks, and the last units of a budget are exact.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.core.account import Posting
from gateway.core.allowance import Allowance
from gateway.core.bucket import Bucket, Limit, LimitKey, Refill, closes_at, full_at, give_back
from gateway.core.bucket import left as left_of
from gateway.core.cascade import Bill, Charge, Standing
from gateway.core.refund import Gift
from gateway.core.scope import Scope
from gateway.ledger.bounds import GUARD_MS, MOST_HELD
from gateway.ledger.redis.states import States

LEAST, MOST = 8, MOST_HELD
"""Units that a slice wants: at first, and where it is spent within a second again and again."""
GUARD_US = GUARD_MS * 1_000
FAST_US = 1_000_000
WARM_US = 200_000
"""Whoever comes again within this gets a slice; before, each of his debits is exact, in one call with others'."""
IDLE_US = 10_000_000
"""A slice of which nothing was spent for so long goes back. Whoever needs it before asks for it."""


def can_be_cut(limit: Limit | None) -> bool:
    """Whether slices are cut of a limit: of windows. With them ends what a gateway that died still held.

    A token bucket and a pack have no window: units that were paid for would be gone for good.
    """
    return limit is not None and limit.key.refill is Refill.INTERVAL


@dataclass(slots=True)
class Slice:
    """``rest`` units of ``limit`` that may be spent until ``until_us`` (Redis's time).

    ``after``: the bucket once the slice was cut; ``left``: what it had left then. ``want``: how much it wanted.
    """

    limit: Limit
    after: Bucket
    left: int
    rest: int
    until_us: int
    cut_us: int
    used_us: int
    want: int

    @property
    def key(self) -> LimitKey:
        """Of which limit it is."""
        return self.limit.key

    def can_pay(self, allowance: Allowance, cost: int, now_us: int) -> bool:
        """Whether it is of this allowance, still good, and large enough."""
        return (
            self.rest >= cost
            and now_us < self.until_us
            and (allowance.sole is self.limit or allowance.sole == self.limit)
        )

    def pay(self, bill: Bill, allowance: Allowance, cost: int, now_us: int) -> Charge:
        """Spend ``cost``, which it has."""
        after = self.spend(cost, now_us)
        standing = Standing(self.limit, self.left + self.rest, full_at(self.after, self.limit), 0)
        posting = Posting(allowance.scope, self.key, after.generation, cost, after)
        postings = (posting,) if cost else ()
        return Charge(bill.id, allowance, bill.costs, postings, (standing,), standing, now_us, {})

    def spend(self, cost: int, now_us: int) -> Bucket:
        """Spend ``cost``, which it has. Returns the bucket without what is left of it, as of the cut.

        What was debited since by others is not known here, so a state that they have seen later counts more.
        """
        self.rest -= cost
        self.used_us = now_us
        after = self.after
        return Bucket(after.generation, after.spent - self.rest, after.as_of_us, after.grants)


def cut(limit: Limit, after: Bucket, left: int, units: int, now_us: int, want: int) -> Slice:
    """A slice that Redis has just debited."""
    until_us = closes_at(after, limit.key) - GUARD_US
    return Slice(limit, after, left, units, until_us, now_us, now_us, want)


def wanted(last: Slice | None, now_us: int) -> int:
    """How much to ask for: more where the last slice went fast, less where it did not."""
    if last is None:
        return LEAST
    return min(MOST, last.want * 2) if now_us - last.cut_us < FAST_US else max(LEAST, last.want // 2)


def slice_of(charge: object, units: int, at_us: int, want: int) -> Slice | None:
    """The slice that came with a charge, if one did."""
    if not units or not isinstance(charge, Charge) or not charge.postings or (limit := charge.allowance.sole) is None:
        return None
    paid = charge.postings[0].after
    after = paid._replace(spent=paid.spent + units)
    return cut(limit, after, left_of(after, limit), units, at_us, want)


def gift_of(scope: Scope, last: Slice) -> Gift:
    """What giving a slice back gives to its bucket."""
    return Gift(scope, last.key, last.after.generation, last.rest, counts=True)


def with_rest(state: Mapping[LimitKey, Bucket], last: Slice | None, now_us: int) -> States:
    """A state to which the rest of a slice was given back."""
    given = dict(state)
    if last is not None and last.rest and (bucket := given.get(last.key)) is not None:
        given[last.key] = give_back(bucket, last.key, last.after.generation, last.rest, now_us)
    return given
