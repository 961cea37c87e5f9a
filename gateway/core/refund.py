"""What becomes of a charge afterwards: units go back to the generations that paid, or a hold becomes final."""

from collections.abc import Sequence
from typing import NamedTuple

from gateway.core.account import Account, Costs, Posting, Standing
from gateway.core.bucket import Bucket, LimitKey, full_at, give_back, left
from gateway.core.cascade import BucketsOf, Charge
from gateway.core.scope import Scope


class Settlement(NamedTuple):
    """How a hold became final: what was given back or taken, and by meter what nobody had."""

    postings: tuple[Posting, ...]
    overrun: Costs
    dropped: tuple[LimitKey, ...] = ()


class Gift(NamedTuple):
    """``units`` to be given back to one bucket's ``generation``. ``counts``: it paid them, and did not count along."""

    scope: Scope
    key: LimitKey
    generation: int
    units: int
    counts: bool


def gifts(charge: Charge, costs: Costs) -> list[Gift]:
    """What giving ``costs`` (at most what was paid) back asks of each bucket, in reverse burn order."""
    remaining = dict(costs)
    given: list[Gift] = []
    for group in reversed(_groups(charge.postings)):
        meter = group[0].limit.meter
        units = min(remaining.get(meter, 0), group[0].amount)
        if units <= 0:
            continue
        remaining[meter] -= units
        given += [Gift(scope, key, generation, units, bool(amount)) for scope, key, generation, amount, _ in group]
    return given


def refund(charge: Charge, costs: Costs, buckets_of: BucketsOf, now_us: int) -> tuple[Posting, ...]:
    """Give ``costs`` (at most what was paid) back to the generations that paid, in reverse burn order.

    A closed window takes nothing back.
    """
    changed: dict[LimitKey, Bucket] = {}
    postings: list[Posting] = []
    stored = buckets_of(charge.scope)
    for scope, key, generation, units, counts in gifts(charge, costs):
        before = changed.get(key) or stored.get(key)
        after = None if before is None else give_back(before, key, generation, units, now_us)
        if after is None or after is before:
            continue
        changed[key] = after
        postings.append(Posting(scope, key, generation, -units if counts else 0, after))
    return tuple(postings)


def unpaid(charge: Charge) -> Charge:
    """A charge as headers describe it that is given back whole: it cost nothing, and what it took is there again."""
    restored = {
        key: give_back(after, key, generation, amount, charge.at_us)
        for _, key, generation, amount, after in charge.postings
    }

    def again(standing: Standing) -> Standing:
        limit = standing.limit
        bucket = restored.get(limit.key)
        if bucket is None:
            return standing
        return standing._replace(left=left(bucket, limit), reset_us=full_at(bucket, limit))

    return charge._replace(
        costs=dict.fromkeys(charge.costs, 0),
        standings=tuple(again(standing) for standing in charge.standings),
        shown=None if charge.shown is None else again(charge.shown),
    )


def settle(charge: Charge, costs: Costs, buckets_of: BucketsOf, now_us: int) -> Settlement:
    """Make a charge cost ``costs``: the difference is given back, or taken down to zero; the rest is overrun."""
    less, more = differences(charge, costs)
    returned = refund(charge, less, buckets_of, now_us)
    if all(units <= 0 for units in more.values()):
        return Settlement(returned, {})
    state = {**buckets_of(charge.scope), **{posting.limit: posting.after for posting in returned}}
    account = Account(charge.allowance, state, now_us)
    draws, short = account.draws(more)
    return Settlement((*returned, *account.debit(draws)), short, tuple(account.over))


def differences(charge: Charge, costs: Costs) -> tuple[Costs, Costs]:
    """By meter, what there is to give back and what there is to take if a charge is to cost ``costs``."""
    paid: dict[str, int] = {}
    for group in _groups(charge.postings):
        meter = group[0].limit.meter
        paid[meter] = paid.get(meter, 0) + group[0].amount
    less = {meter: units - costs.get(meter, 0) for meter, units in paid.items()}
    return less, {meter: units - charge.costs.get(meter, 0) for meter, units in costs.items()}


def _groups(postings: Sequence[Posting]) -> list[list[Posting]]:
    """Postings by draw: those of one purse and meter carry the same units, and replaced buckets count along."""
    groups: list[list[Posting]] = []
    for posting in postings:
        key, last = posting.limit, groups[-1][0].limit if groups else None
        together = last is not None and key.purse and key.purse == last.purse and key.meter == last.meter
        if together or not posting.amount:
            groups[-1].append(posting)
        else:
            groups.append([posting])
    return groups
