"""What records add up to: the last state of each bucket, sums per scope, rule and minute, and open holds."""

from collections.abc import Mapping, Sequence
from zlib import crc32

from gateway.core.bucket import Bucket
from gateway.core.limit_text import KeyTexts
from gateway.core.scope import Scope
from gateway.journal.record import Kind, Record
from gateway.journal.schema import EVERYONE_PART, PARTS

MINUTE_US = 60_000_000
NOBODY = Scope("", "")
"""Whose roll-up counts what no scope was asked for."""
EVERYONE = Scope("*", "")
"""Whose roll-up counts all scopes together, by rule."""
SUMS = ("amount", "overrun", "requests", "refused", "shadow", "released")
"""What is added up. ``requests`` were let through; ``shadow`` of them only because their rule does not enforce, and
``released`` of them were given back afterwards. ``refused`` were not."""
_REQUESTS = frozenset({Kind.CHARGE, Kind.HOLD, Kind.DRAIN, Kind.CONDENSED})
_RELEASES = frozenset({Kind.REFUND, Kind.RELEASE})
_ENDS = frozenset({Kind.SETTLE, Kind.RELEASE})
_UNCOUNTED = frozenset({Kind.DONE, Kind.OWED, Kind.FORGIVEN})
"""What is owed is counted when it is paid."""

States = dict[str, Bucket | None]
"""Limit key as text → state; ``None``: dropped."""
UsageKey = tuple[Scope, str, int, str]
"""Scope, rule, number of the minute since 1970, meter."""


def part_of(scope: Scope) -> int:
    """The part of the folded state that ``scope`` belongs to; the same in every process."""
    if scope.kind == EVERYONE.kind:
        return EVERYONE_PART
    return crc32(scope.id.encode("utf-8", "backslashreplace")) % PARTS


class Tally:
    """Sums of records, added in the order of the journal."""

    __slots__ = ("buckets", "holds", "usage")

    def __init__(self) -> None:
        self.buckets: dict[Scope, States] = {}
        self.usage: dict[UsageKey, list[int]] = {}
        """→ ``SUMS``"""
        self.holds: dict[str, tuple[Scope, int, Record | None]] = {}
        """Id → scope, sequence number, and the hold if it is open."""

    def __len__(self) -> int:
        """About how many rows it is."""
        return len(self.buckets) + 3 * len(self.usage) + len(self.holds)

    def add(self, seq: int, records: Sequence[Record], texts: KeyTexts) -> None:
        """Add the records of one batch."""
        all_buckets, all_usage = self.buckets, self.usage
        for record in records:
            if record.dropped:
                self._drop(record, texts)
            for payer, limit, _, _, after in record.postings:
                states = all_buckets.get(payer)
                if states is None:
                    states = all_buckets[payer] = {}
                states[texts(limit)] = after
            kind = record.kind
            if kind is not Kind.CHARGE:
                self._add_other(seq, record)
                continue
            scope, minute = record.scope or NOBODY, record.at_us // MINUTE_US
            for meter, cost in (record.costs or _FREE).items():
                sums = all_usage.get((scope, record.rule, minute, meter))
                if sums is None:
                    sums = all_usage[scope, record.rule, minute, meter] = [0] * len(SUMS)
                sums[0] += cost
                sums[2] += 1
            if record.overrun:
                self._overrun(record)

    def _add_other(self, seq: int, record: Record) -> None:
        kind, scope = record.kind, record.scope or NOBODY
        if kind is Kind.HOLD:
            self.holds[record.id] = (scope, seq, record)
        elif kind in _ENDS:
            self.holds[record.id] = (scope, seq, None)
        elif kind is Kind.OWED or record.ends_debt:  # by id: whoever is asked first need not be who pays
            self.holds[record.id] = (Scope(Kind.OWED, record.id), seq, record if kind is Kind.OWED else None)
        if kind in _UNCOUNTED or not (record.count or record.costs):
            return
        for meter, cost in (record.costs or _FREE).items():
            sums = self._sums(record, meter)
            if kind is Kind.REFUSAL:
                sums[3] += record.count
                continue
            sums[0] += cost
            if kind in _REQUESTS:
                sums[2] += record.count
                sums[4] += record.count if record.shadow else 0
            elif kind in _RELEASES and record.costs:
                sums[5] += record.count
        self._overrun(record)

    def _overrun(self, record: Record) -> None:
        for meter, units in record.overrun.items():
            self._sums(record, meter)[1] += units

    def _sums(self, record: Record, meter: str) -> list[int]:
        key = (record.scope or NOBODY, record.rule, record.at_us // MINUTE_US, meter)
        return self.usage.setdefault(key, [0] * len(SUMS))

    def _drop(self, record: Record, texts: KeyTexts) -> None:
        states = self.buckets.setdefault(record.scope or NOBODY, {})
        for key in record.dropped:
            states[texts(key)] = None

    def merge(self, later: "Tally") -> None:
        """Add what came after."""
        for scope, states in later.buckets.items():
            self.buckets.setdefault(scope, {}).update(states)
        for key, sums in later.usage.items():
            self.plus(key, sums)
        self.holds.update(later.holds)

    def plus(self, key: UsageKey, sums: Sequence[int]) -> None:
        """Add to one roll-up."""
        old = self.usage.get(key)
        self.usage[key] = [*sums] if old is None else [a + b for a, b in zip(old, sums, strict=True)]

    def split(self) -> "list[Tally]":
        """This tally by parts; the last one is what everyone used."""
        parts = [Tally() for _ in range(PARTS + 1)]
        known = {scope: part_of(scope) for scope in self.buckets}
        for scope, states in self.buckets.items():
            parts[known[scope]].buckets[scope] = states
        for key, sums in self.usage.items():
            part = known.get(key[0])
            parts[part_of(key[0]) if part is None else part].usage[key] = sums
            parts[EVERYONE_PART].plus((EVERYONE, *key[1:]), sums)
        for id_, hold in self.holds.items():
            parts[part_of(hold[0])].holds[id_] = hold
        return parts


_FREE: Mapping[str, int] = {"": 0}
"""What counts a request that has no costs."""
