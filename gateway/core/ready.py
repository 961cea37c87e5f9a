"""The earliest instant at which a scope can pay a cost, if nobody else spends from it."""

from collections.abc import Callable, Mapping, Sequence

from gateway.core.account import Account, Costs
from gateway.core.allowance import Allowance
from gateway.core.bucket import Bucket, Limit, LimitKey, Refill, full_at, left, refill, when_affordable

LATEST_US = 250_000_000_000_000_000
"""The year 9892: calendars know no days after 9999, and nobody waits for them."""


def ready_us(account: Account, state: Mapping[LimitKey, Bucket], costs: Costs) -> int | None:
    """The earliest instant from now on at which the account's scope can pay ``costs``; ``None``: waiting never helps.

    Subscriptions that start and end in the meantime are taken into account.
    """
    current = account
    while True:
        allowance: Allowance | None = current.allowance
        found = _within(current, costs)
        until_us = current.allowance.until_us
        if found is not None and (until_us is None or found < until_us):
            return found
        allowance = current.allowance.after()
        if allowance is None or until_us is None:
            return None
        current = Account(allowance, state, until_us)


def _within(account: Account, costs: Costs) -> int | None:
    """The same, as if the allowance never changed. What is left only grows while nobody spends."""
    ready = account.now_us
    for meter, cost in costs.items():
        if cost <= 0 or account.allowance.is_unlimited(meter):
            continue
        purses = [limits for _, limits in account.purses_for(meter)]
        found = _one_purse(account, purses[0], cost) if len(purses) == 1 else _many_purses(account, purses, cost)
        if found is None:
            return None
        ready = max(ready, found)
    return ready


def _one_purse(account: Account, limits: Sequence[Limit], cost: int) -> int | None:
    ready = account.now_us
    for limit in limits:
        found = when_affordable(account.buckets[limit.key], limit, cost, account.now_us)
        if found is None:
            return None
        ready = max(ready, found)
    return ready


def _many_purses(account: Account, purses: Sequence[Sequence[Limit]], cost: int) -> int | None:
    """Each purse grows at instants and rates of its own; their sum is searched."""
    limits = [limit for purse in purses for limit in purse]
    buckets = account.buckets

    def payable(at_us: int) -> bool:
        given = (min(left(refill(buckets[limit.key], limit, at_us), limit) for limit in purse) for purse in purses)
        return sum(given) >= cost

    fulls = (full_at(buckets[limit.key], limit) for limit in limits)
    ends = {min(full_us, LATEST_US) for full_us in fulls if full_us is not None}
    before = account.now_us
    if payable(before):
        return before
    for end in sorted(ends):
        if payable(end):
            smooth = any(limit.key.refill is Refill.CONTINUOUS for limit in limits)
            return _first(payable, before, end) if smooth else end
        before = max(before, end)
    return None


def _first(payable: Callable[[int], bool], before: int, after: int) -> int:
    """The first instant in (before, after] at which ``payable`` holds; it does at ``after`` and not at ``before``."""
    while after - before > 1:
        middle = (before + after) // 2
        if payable(middle):
            after = middle
        else:
            before = middle
    return after
