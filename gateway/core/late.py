"""Debits that come late: what was let through while its budget could not be asked is charged to its own window.

By now a bucket may have moved on. What it says of a later window is none of the late debit's business: the window that
would have paid is closed, takes nothing any more, and is not counted again.
"""

from collections.abc import Callable, Mapping

from gateway.core.bucket import Bucket, LimitKey, Refill, window_of
from gateway.core.cascade import Bill, BucketsOf, Charge, Refusal, charge, drain
from gateway.core.scope import Scope


def charge_late(bill: Bill, buckets_of: BucketsOf, at_us: int) -> Charge | Refusal:
    """``charge`` as of ``at_us``, which is past."""
    outcome = charge(bill, _as_of(buckets_of, at_us), at_us)
    return _still_open(outcome, buckets_of, at_us) if isinstance(outcome, Charge) else outcome


def drain_late(bill: Bill, buckets_of: BucketsOf, at_us: int) -> Charge:
    """``drain`` as of ``at_us``, which is past."""
    return _still_open(drain(bill, _as_of(buckets_of, at_us), at_us), buckets_of, at_us)


def _as_of(buckets_of: BucketsOf, at_us: int) -> Callable[[Scope], Mapping[LimitKey, Bucket]]:
    def then(scope: Scope) -> Mapping[LimitKey, Bucket]:
        return {key: bucket for key, bucket in buckets_of(scope).items() if not _has_moved_on(bucket, key, at_us)}

    return then


def _still_open(outcome: Charge, buckets_of: BucketsOf, at_us: int) -> Charge:
    stored = buckets_of(outcome.scope)
    kept = tuple(
        posting
        for posting in outcome.postings
        if posting.limit not in stored or not _has_moved_on(stored[posting.limit], posting.limit, at_us)
    )
    return outcome if len(kept) == len(outcome.postings) else outcome._replace(postings=kept)


def _has_moved_on(bucket: Bucket, key: LimitKey, at_us: int) -> bool:
    """Whether a bucket belongs to a later window, or has been full again since."""
    if key.refill is Refill.INTERVAL:
        return bucket.generation > window_of(key, at_us)[0]
    return key.refill is Refill.CONTINUOUS and bucket.as_of_us - at_us > key.window_us
