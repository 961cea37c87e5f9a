"""Many records into few, when the disk takes none: sums and last states stay right, the single requests are gone."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.core.bucket import LimitKey
from gateway.core.cascade import Costs, Posting
from gateway.core.scope import Scope
from gateway.journal.record import Kind, Rare, Record

_MINUTE_US = 60_000_000
_NONE = Rare(times=0)
_RELEASES = frozenset({Kind.REFUND, Kind.RELEASE})


@dataclass(slots=True)
class _Sum:
    """What records of one scope, rule, minute and fate come to."""

    count: int = 0
    costs: Costs = field(default_factory=dict)
    overrun: Costs = field(default_factory=dict)


class Condenser:
    """Adds records up by scope, rule, minute and what became of them: paid, in shadow, refused, given back."""

    def __init__(self) -> None:
        self._sums: dict[tuple[Scope | None, str, int, Kind, bool, frozenset[str]], _Sum] = {}
        self._postings: dict[tuple[Scope, LimitKey, int], Posting] = {}
        self._before: list[Posting] = []
        """Changes of buckets that were dropped afterwards."""
        self._dropped: dict[Scope, dict[LimitKey, None]] = {}
        self._holds: dict[str, Record] = {}
        self._ends: list[Record] = []
        """Of holds that began before: nothing else would close them."""
        self._at_us: dict[Scope, int] = {}

    def add(self, record: Record) -> None:
        """Add one record; a hold is kept whole until its end comes."""
        for dropped in record.dropped:
            self._drop(record, dropped)
        for posting in record.postings:
            self._post(posting, record)
        match record.kind:
            case Kind.DONE:
                pass
            case Kind.HOLD | Kind.OWED:
                self._holds[record.id] = record
            case Kind.DRAIN | Kind.FORGIVEN if record.ends_debt:
                self._end_debt(record)
            case Kind.SETTLE | Kind.RELEASE:
                self._end(record)
            case _:
                self._sum(record)

    def _end(self, record: Record) -> None:
        hold = self._holds.pop(record.id, None)
        if hold is None:
            self._ends.append(record._replace(postings=(), rare=record.rare._replace(dropped=())))
            return
        self._sum(hold)
        for posting in hold.postings:
            key = (posting.scope, posting.limit, posting.generation)
            known = self._postings.get(key)
            if known is None:
                self._before.append(posting)
            else:
                self._postings[key] = known._replace(amount=known.amount + posting.amount)
        self._sum(record)

    def _end_debt(self, record: Record) -> None:
        """What was owed is not any more: that is to be said, if it is written already that it was."""
        if self._holds.pop(record.id, None) is None:
            self._ends.append(Record(Kind.FORGIVEN, record.id, record.at_us, record.rule, record.scope))
        if record.kind is not Kind.FORGIVEN:
            self._sum(record)

    def _drop(self, record: Record, key: LimitKey) -> None:
        if record.scope is None:
            return
        for place in [place for place in self._postings if place[:2] == (record.scope, key)]:
            self._before.append(self._postings.pop(place))
        self._dropped.setdefault(record.scope, {})[key] = None
        self._at_us[record.scope] = record.at_us

    def _post(self, posting: Posting, record: Record) -> None:
        # The amounts of an open hold stay with the hold; the state that it left is everybody's.
        amount = 0 if record.kind is Kind.HOLD else posting.amount
        key = (posting.scope, posting.limit, posting.generation)
        old = self._postings.pop(key, None)  # popped, so that the last state of a bucket is the last in order
        self._postings[key] = posting._replace(amount=amount + (old.amount if old is not None else 0))
        self._at_us[posting.scope] = record.at_us

    def _sum(self, record: Record) -> None:
        kind = Kind.REFUND if record.kind in _RELEASES else record.kind
        kind = kind if kind in (Kind.REFUSAL, Kind.REFUND) else Kind.CONDENSED
        minute = record.at_us - record.at_us % _MINUTE_US
        meters = frozenset(record.costs)  # each of them counts the request
        total = self._sums.setdefault((record.scope, record.rule, minute, kind, record.shadow, meters), _Sum())
        total.count += 0 if _uncounted(record) else record.times
        total.costs = _plus(total.costs, record.costs)
        total.overrun = _plus(total.overrun, record.overrun)

    def records(self) -> Iterable[Record]:
        """Open holds, ends of earlier holds, sums, and per scope the changes of its buckets: first of those dropped."""
        yield from self._holds.values()
        yield from self._ends
        for (payer, rule, minute, kind, shadow, _), total in self._sums.items():
            yield Record(
                kind, "", minute, rule, payer, total.costs, rare=Rare(total.overrun, shadow, times=total.count)
            )
        before, after = _by_scope(self._before), _by_scope(self._postings.values())
        for scope, at_us in self._at_us.items():
            if scope in before:
                yield Record(Kind.CONDENSED, "", at_us, "", scope, {}, tuple(before[scope]), rare=_NONE)
            dropped = tuple(self._dropped.get(scope, ()))
            postings = tuple(after.get(scope, ()))
            yield Record(Kind.CONDENSED, "", at_us, "", scope, {}, postings, rare=_NONE._replace(dropped=dropped))


def _uncounted(record: Record) -> bool:
    """Whether it changes sums and is no request, nor the giving back of one."""
    return record.kind is Kind.SETTLE or (record.kind in _RELEASES and not record.costs)


def _by_scope(postings: Iterable[Posting]) -> dict[Scope, list[Posting]]:
    found: dict[Scope, list[Posting]] = {}
    for posting in postings:
        found.setdefault(posting.scope, []).append(posting)
    return found


def _plus(left: Costs, right: Costs) -> Costs:
    return {meter: left.get(meter, 0) + right.get(meter, 0) for meter in {**left, **right}} if right else left


def condense(records: Iterable[Record]) -> list[Record]:
    """Fewer records that fold to the same buckets, holds and roll-ups."""
    condenser = Condenser()
    for record in records:
        condenser.add(record)
    return list(condenser.records())
