"""Debits that come late: what was let through while its budget could not be asked is charged to its own window.

By now a bucket may have moved on. What it says of a later window is none of the late debit's business: the window that
would have paid is closed, takes nothing any more, and is not counted again.
"""

from collections.abc import Callable, Mapping, Sequence

from gateway.core.account import Account, Costs, Draw
from gateway.core.bucket import Bucket, Limit, LimitKey, Refill, units_spent, window_of
from gateway.core.cascade import NOBODY, Bill, BucketsOf, Charge, Refusal, charge, drained
from gateway.core.scope import Scope


def charge_late(bill: Bill, buckets_of: BucketsOf, at_us: int) -> Charge | Refusal:
    """``charge`` as of ``at_us``, which is past."""
    outcome = charge(bill, _as_of(buckets_of, at_us), at_us)
    return _still_open(outcome, buckets_of, at_us) if isinstance(outcome, Charge) else outcome


def drain_late(bill: Bill, buckets_of: BucketsOf, at_us: int, debt: int = 0) -> Charge:
    """``drain`` as of ``at_us``, which is past. A limit that refills may go ``debt`` units below zero by it."""
    outcome = charge_late(bill, buckets_of, at_us)
    if isinstance(outcome, Charge):
        return outcome
    allowance = bill.allowances[0] if bill.allowances else NOBODY
    account = Account(allowance, _as_of(buckets_of, at_us)(allowance.scope), at_us)
    draws, short = account.draws(bill.costs)
    if debt:
        draws, short = _with_debt(account, draws, short, debt)
    return _still_open(drained(bill, account, draws, short), buckets_of, at_us)


def _with_debt(account: Account, draws: Sequence[Draw], short: Costs, debt: int) -> tuple[list[Draw], dict[str, int]]:
    """Draws that let the first purse of each meter that can go below zero take what is short; and what still is."""
    made, rest = [*draws], dict[str, int]()
    for meter, units in short.items():
        owed = units
        for purse, limits in account.purses_for(meter):
            drawn = sum(draw.units for draw in made if draw[:2] == (purse, limits))
            more = min(owed, *(_below_zero(account.buckets[limit.key], limit, debt) - drawn for limit in limits))
            if more > 0:
                owed -= more
                made = [*(draw for draw in made if draw[:2] != (purse, limits)), Draw(purse, limits, drawn + more)]
                break
        if owed:
            rest[meter] = owed
    return made, rest


def _below_zero(bucket: Bucket, limit: Limit, debt: int) -> int:
    """What a refilled bucket can give if it may owe ``debt`` afterwards. A pack never refills, and owes nothing."""
    if limit.key.refill is Refill.NEVER:
        return 0
    return limit.burst + debt - units_spent(bucket, limit.key)


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
