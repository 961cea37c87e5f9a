"""Allowances and costs in, ``Charge`` or ``Refusal`` out: one scope pays the whole cost or nothing."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from gateway.core.account import Account, Costs, Draw, Posting, Standing, tightest
from gateway.core.allowance import Allowance
from gateway.core.bucket import INTERVAL, Bucket, Calendar, LimitKey, full_at, left, refill, take
from gateway.core.ready import ready_us
from gateway.core.scope import Scope

__all__ = [
    "NOBODY",
    "Bill",
    "BucketsOf",
    "Charge",
    "Costs",
    "Posting",
    "Refusal",
    "Shortfall",
    "Standing",
    "charge",
    "drain",
    "drained",
    "paid_at_once",
    "standings_of",
]

BucketsOf = Callable[[Scope], Mapping[LimitKey, Bucket]]
"""The stored buckets of a scope; a full bucket may be absent."""

NOBODY = Allowance(Scope("nobody", ""), ())
"""Pays what is free where no scope has anything of its own, and stands for all that is overrun there."""

_NOTHING: Costs = {}
_NO_BUCKET = (None, None)


class Bill(NamedTuple):
    """What is to be paid, by whoever of ``allowances`` (in cascade order) can pay all of it."""

    id: str
    costs: Costs
    allowances: tuple[Allowance, ...]


class Charge(NamedTuple):
    """Paid. ``postings`` in burn order, empty if nothing was to be counted (cost 0, unlimited).

    ``shown`` is the tightest limit of the purse that paid (the last one of several), which headers describe; ``None``:
    unlimited. ``standings`` are all limits of the paying scope, after the charge. ``overrun``: units nobody had
    (shadow, late debits). ``dropped``: buckets of replaced plans whose window is over.
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


class Shortfall(NamedTuple):
    """Why one scope could not pay, and when it could: ``ready_us`` ``None`` if waiting never helps.

    ``tightest`` is a limit of the purse that could have given most; ``None``: the scope has no limit on that meter.
    """

    allowance: Allowance
    standings: tuple[Standing, ...]
    tightest: Standing | None
    ready_us: int | None


class Refusal(NamedTuple):
    """Nobody could pay; nothing changed.

    ``first`` is the shortfall that ends first (else the last asked; ``None``: nobody was asked).
    """

    id: str
    costs: Costs
    shortfalls: tuple[Shortfall, ...]
    first: Shortfall | None
    ready_us: int | None
    at_us: int


def charge(bill: Bill, buckets_of: BucketsOf, now_us: int) -> Charge | Refusal:
    """Let the first allowance pay that can pay everything. A meter that no purse of a scope knows is not payable there.

    What costs nothing is always paid, by the first who has anything.
    """
    if not any(bill.costs.values()):
        return _free(bill, buckets_of, now_us)
    asked: list[tuple[Account, dict[str, int]]] = []
    for allowance in bill.allowances:
        state = buckets_of(allowance.scope)
        if len(state) < 2:  # noqa: PLR2004
            key, stored = next(iter(state.items()), _NO_BUCKET)
            if (charge := paid_at_once(bill, allowance, key, stored, now_us)) is not None:
                return charge
        account = Account(allowance, state, now_us)
        draws, short = account.draws(bill.costs)
        if not short:
            return drained(bill, account, draws, _NOTHING)
        asked.append((account, short))
    return _refused(bill, asked, buckets_of, now_us)


def drain(bill: Bill, buckets_of: BucketsOf, now_us: int) -> Charge:
    """Debit what was already delivered: the first who can pay, or the first asked down to zero, the rest overrun."""
    outcome = charge(bill, buckets_of, now_us)
    if isinstance(outcome, Charge):
        return outcome
    allowance = bill.allowances[0] if bill.allowances else NOBODY
    account = Account(allowance, buckets_of(allowance.scope), now_us)
    return drained(bill, account, *account.draws(bill.costs))


def standings_of(allowance: Allowance, buckets_of: BucketsOf, now_us: int) -> tuple[Standing, ...]:
    """How each limit of an allowance stands, purse by purse."""
    return Account(allowance, buckets_of(allowance.scope), now_us).standings()


def paid_at_once(
    bill: Bill, allowance: Allowance, key: LimitKey | None, stored: Bucket | None, now_us: int
) -> Charge | None:
    """The most frequent case without the machinery: one meter, one purse of one limit, and it can pay.

    ``key``, ``stored``: the scope's only bucket, if it has one. ``None``: anything else. The outcome is what the
    machinery's would be.
    """
    limit, costs = allowance.sole, bill.costs
    if limit is None or len(costs) != 1:
        return None
    known = limit.key
    if key is not known and key is not None and key != known:
        return None  # The scope may have had another plan.
    ((meter, cost),) = costs.items()
    bucket = _open(stored, known, now_us) or refill(stored, limit, now_us)
    rest = left(bucket, limit) - cost
    if rest < 0 or cost <= 0 or meter != known.meter:
        return None
    after = take(bucket, limit, cost, now_us, allowance.purses[0].grants)
    posting = _made(Posting, (allowance.scope, known, after.generation, cost, after))
    standing = _made(Standing, (limit, rest, full_at(after, limit), 0))
    return _made(Charge, (bill.id, allowance, costs, (posting,), (standing,), standing, now_us, _NOTHING, ()))


_made = tuple.__new__
"""A ``NamedTuple`` by its fields, all of them, without the call in between: this is on every request's way."""


def _open(stored: Bucket | None, key: LimitKey, now_us: int) -> Bucket | None:
    """``stored`` if ``now_us`` lies in its window, so that no refill can change it."""
    if stored is None or key.refill is not INTERVAL or type(key.anchor) is Calendar:
        return None
    return stored if 0 <= now_us - stored.generation < key.window_us else None


def drained(bill: Bill, account: Account, draws: Sequence[Draw], overrun: Costs) -> Charge:
    """Make these draws, with what nobody had."""
    postings = account.debit(draws)
    standings = account.standings()
    if draws:
        last = draws[-1]
        shown = tightest(standings, last.purse, (last.limits[0].key.meter,))
    else:
        shown = _likely(account, standings, tuple(overrun))
    return Charge(
        bill.id,
        account.allowance,
        bill.costs,
        postings,
        standings,
        shown,
        account.now_us,
        overrun,
        tuple(account.over) if account.over else (),
    )


def _free(bill: Bill, buckets_of: BucketsOf, now_us: int) -> Charge:
    first = bill.allowances[0] if bill.allowances else NOBODY
    allowance = next((each for each in bill.allowances if each.purses or each.unlimited), first)
    account = Account(allowance, buckets_of(allowance.scope), now_us)
    standings = account.standings()
    meters = tuple(bill.costs) or tuple({standing.limit.key.meter: None for standing in standings})
    shown = _likely(account, standings, meters)
    return Charge(bill.id, allowance, bill.costs, (), standings, shown, now_us, _NOTHING)


def _likely(account: Account, standings: Sequence[Standing], meters: Sequence[str]) -> Standing | None:
    """The limit to show where no purse paid: of the first meter that is limited, the purse that can give most."""
    for meter in meters:
        purses = account.purses_for(meter)
        if purses:
            index, _ = max(purses, key=lambda place: account.can_give(place[1]))
            return tightest(standings, index, (meter,))
    return None


def _refused(bill: Bill, asked: Sequence[tuple[Account, Costs]], buckets_of: BucketsOf, now_us: int) -> Refusal:
    shortfalls = []
    for account, short in asked:
        standings = account.standings()
        state = buckets_of(account.allowance.scope)
        ready = ready_us(account, state, bill.costs)
        shortfalls.append(Shortfall(account.allowance, standings, _likely(account, standings, tuple(short)), ready))
    first = shortfalls[-1] if shortfalls else None
    for shortfall in shortfalls:
        if shortfall.ready_us is not None and (
            first is None or first.ready_us is None or shortfall.ready_us < first.ready_us
        ):
            first = shortfall
    return Refusal(bill.id, bill.costs, tuple(shortfalls), first, None if first is None else first.ready_us, now_us)
