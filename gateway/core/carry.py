"""What was spent under a plan that has been replaced: it is charged once to the plan that came, and keeps counting.

Subscriptions are what connects the two: a bucket knows those that fed it when it was last debited (``Bucket.grants``).
A bucket of the scope that is no limit of it any more, but that a subscription of a purse fed, is *replaced*:

- A bucket that does not know the subscription yet starts with what the replaced one says was spent, at the instant
  at which that was last true. Its window, or its refill, then does with it what it does with everything spent.
- The replaced bucket is debited along with the purse for as long as its own window lasts, without limiting anything.
  Whoever returns to the old plan finds it as if he had never left.

Packs neither inherit nor leave anything: each is a stock of its own.
"""

from collections.abc import Iterable, Mapping

from gateway.core.allowance import Allowance, Purse
from gateway.core.bucket import Bucket, Limit, LimitKey, Refill, is_closed, refill, take, units_spent, window_of
from gateway.core.plan import signature

Replaced = dict[LimitKey, Bucket]


def replaced_buckets(
    state: Mapping[LimitKey, Bucket], allowance: Allowance, own: Mapping[LimitKey, Bucket]
) -> Replaced:
    """The buckets of a scope that are none of its limits (``own``) any more, but that its subscriptions fed.

    Their order is that of their keys' names, not that in which a ledger happens to keep them.
    """
    granted = {grant for purse in allowance.purses for grant in purse.grants}
    found = {
        key: bucket
        for key, bucket in state.items()
        if key not in own and key.refill is not Refill.NEVER and not granted.isdisjoint(bucket.grants)
    }
    return found if len(found) < 2 else dict(sorted(found.items(), key=_name))  # noqa: PLR2004  (one needs no order)


def _name(item: tuple[LimitKey, Bucket]) -> str:
    key = item[0]
    return f"{signature((key,))} {key.purse}"


def inherit(bucket: Bucket | None, limit: Limit, purse: Purse, replaced: Replaced, now_us: int) -> Bucket:
    """A limit's bucket at ``now_us``, with the use that its new subscriptions bring from replaced buckets."""
    current = refill(bucket, limit, now_us)
    if limit.key.refill is Refill.NEVER:
        return current
    known = () if bucket is None else bucket.grants
    arrivals: Replaced = {}
    for grant in purse.grants:
        if grant in known:
            continue
        # Limits that held together have counted the same units: the one that weighs most here stands for all.
        brought = {
            key: _translate(old, key, limit)
            for key, old in replaced.items()
            if key.meter == limit.key.meter and grant in old.grants
        }
        if brought:
            heaviest = max(brought, key=lambda key: refill(brought[key], limit, now_us).spent)
            arrivals[heaviest] = brought[heaviest]
    if not arrivals:
        return current
    stored = () if bucket is None else (bucket,)
    return refill(_sum((*stored, *arrivals.values()), limit), limit, now_us)


def _translate(old: Bucket, key: LimitKey, limit: Limit) -> Bucket:
    """What a replaced bucket says, as a bucket of ``limit``. A token bucket starts empty at worst, never in debt."""
    units = units_spent(old, key)
    if limit.key.refill is Refill.CONTINUOUS:
        return Bucket(0, min(units, limit.burst) * limit.key.window_us, old.as_of_us)
    return Bucket(window_of(limit.key, old.as_of_us)[0], units, old.as_of_us)


def _sum(buckets: Iterable[Bucket], limit: Limit) -> Bucket:
    """Several buckets of one limit as one, each added at its own instant."""
    first, *rest = sorted(buckets, key=lambda bucket: bucket.as_of_us)
    total = first
    for each in rest:
        before = refill(total, limit, each.as_of_us)
        total = before._replace(spent=before.spent + each.spent, as_of_us=each.as_of_us)
    return total


def debit_replaced(
    replaced: Replaced, purse: Purse, meter: str, units: int, now_us: int
) -> tuple[dict[LimitKey, Bucket], list[LimitKey]]:
    """Debit the replaced buckets of a purse along with it: the new states, and those that are over."""
    counting: dict[LimitKey, Bucket] = {}
    over: list[LimitKey] = []
    for key, old in replaced.items():
        if key.meter != meter or not set(purse.grants) & set(old.grants):
            continue
        rate = max(old.rate, 1)
        limit = Limit(key, rate, rate)
        current = refill(old, limit, now_us)
        if is_closed(old, key, now_us) or not current.spent:
            over.append(key)
        else:
            counting[key] = take(current, limit, units, now_us, old.grants)
    return counting, over
