"""What records add up to: the last state of each bucket, sums per scope, rule and minute, and open holds."""
# ruff: noqa: SLF001  (tallies look into one another)

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import compress, repeat
from operator import not_
from zlib import crc32

from gateway.core.bucket import Bucket
from gateway.core.limit_text import KeyTexts
from gateway.core.scope import Scope
from gateway.journal.columns import Columns, Fields, Postings
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
Priced = tuple[tuple[str, int], ...]
"""Costs as something that has a hash."""
Counts = Counter[tuple[Scope | None, str, Priced]]
"""Scope, rule, costs → how many plain charges."""


def part_of(scope: Scope) -> int:
    """The part of the folded state that ``scope`` belongs to; the same in every process."""
    if scope.kind == EVERYONE.kind:
        return EVERYONE_PART
    return crc32(scope.id.encode("utf-8", "backslashreplace")) % PARTS


class Tally:
    """Sums of records, added in the order of the journal.

    Nearly all records are plain charges. Of them only what C loops can tell is taken down as they come: the last state
    of each bucket, and how many charges there were by scope, rule and costs. It is added up when somebody asks.
    """

    __slots__ = ("_buckets", "_counts", "_latest", "_usage", "holds")

    def __init__(self) -> None:
        self._buckets: dict[Scope, States] = {}
        self._latest: dict[str, dict[Scope, Bucket]] = {}
        """Limit key as text → states newer than those in ``_buckets``."""
        self._usage: dict[UsageKey, list[int]] = {}
        self._counts: dict[int, Counts] = {}
        """Minute → scope, rule, costs → how many charges that are not in ``_usage`` yet."""
        self.holds: dict[str, tuple[Scope, int, Record | None]] = {}
        """Id → scope, sequence number, and the hold if it is open."""

    def __len__(self) -> int:
        """About how many rows it is."""
        states = len(self._buckets) + sum(map(len, self._latest.values()))
        sums = len(self._usage) + sum(map(len, self._counts.values()))
        return states + 3 * sums + len(self.holds)

    @property
    def buckets(self) -> dict[Scope, States]:
        """The last state of each bucket, by scope."""
        latest, buckets, self._latest = self._latest, self._buckets, {}
        for key, afters in latest.items():
            for scope, after in afters.items():
                states = buckets.get(scope)
                if states is None:
                    buckets[scope] = {key: after}
                else:
                    states[key] = after
        return buckets

    @property
    def usage(self) -> dict[UsageKey, list[int]]:
        """Roll-ups of minutes: ``SUMS`` by key."""
        usage, counts, self._counts = self._usage, self._counts, {}
        for minute, charges in counts.items():
            for (scope, rule, costs), number in charges.items():
                for meter, cost in costs:
                    key = (scope or NOBODY, rule, minute, meter)
                    sums = usage.get(key)
                    if sums is None:
                        usage[key] = [cost * number, 0, number, 0, 0, 0]
                    else:
                        sums[0] += cost * number
                        sums[2] += number
        return usage

    def add(self, seq: int, records: Columns, texts: KeyTexts) -> None:
        """Add the records of one batch, or of a part of it."""
        fields = records.fields
        if records.rare and any(rare.dropped for rare in fields.rare):
            self._post_and_drop(fields, texts)
        else:
            self._post(records.postings, texts)
        if not records.rare and fields.kind.count(Kind.CHARGE) == len(records):
            self._count(records, None)
            return
        plain = [kind is Kind.CHARGE and not rare.overrun for kind, rare in zip(fields.kind, fields.rare, strict=True)]
        self._count(records, plain)
        for record in compress(records.records(), map(not_, plain)):
            self._add_other(seq, record)

    def _post(self, postings: Postings, texts: KeyTexts) -> None:
        latest, names = self._latest, [*map(texts, postings.limits)]
        if len(names) == 1:  # nearly everybody has the default plan
            latest.setdefault(names[0], {}).update(zip(postings.scope, postings.after, strict=True))
            return
        for name in names:
            latest.setdefault(name, {})
        for scope, limit, after in zip(postings.scope, postings.limit, postings.after, strict=True):
            latest[names[limit]][scope] = after

    def _post_and_drop(self, fields: Fields, texts: KeyTexts) -> None:
        """One by one, since it matters which came first."""
        buckets = self.buckets
        for payer, rare, postings in zip(fields.scope, fields.rare, fields.postings, strict=True):
            for key in rare.dropped:
                buckets.setdefault(payer or NOBODY, {})[texts(key)] = None
            for scope, limit, _, _, after in postings:
                buckets.setdefault(scope, {})[texts(limit)] = after

    def _count(self, records: Columns, plain: Sequence[bool] | None) -> None:
        """Count charges, those that are ``plain`` if not all are."""
        fields = records.fields
        priced = [tuple((costs or _FREE).items()) for costs in records.costs]
        prices = repeat(priced[0]) if len(priced) == 1 else map(priced.__getitem__, records.cost)
        charges = [*zip(fields.scope, fields.rule, prices)]  # noqa: B905  (``repeat`` has no end)
        minutes = {at_us // MINUTE_US for at_us in (min(fields.at_us, default=0), max(fields.at_us, default=0))}
        if plain is None and len(minutes) == 1:
            self._counts.setdefault(minutes.pop(), Counter()).update(charges)
            return
        for at_us, charge in compress(zip(fields.at_us, charges, strict=True), plain or repeat(True)):
            counts = self._counts.setdefault(at_us // MINUTE_US, Counter())
            counts[charge] = counts.get(charge, 0) + 1

    def _add_other(self, seq: int, record: Record) -> None:
        kind, scope = record.kind, record.scope or NOBODY
        if kind is Kind.HOLD:
            self.holds[record.id] = (scope, seq, record)
        elif kind in _ENDS:
            self.holds[record.id] = (scope, seq, None)
        elif kind is Kind.OWED or record.ends_debt:  # by id: whoever is asked first need not be who pays
            self.holds[record.id] = (Scope(Kind.OWED, record.id), seq, record if kind is Kind.OWED else None)
        if kind in _UNCOUNTED or not (record.times or record.costs):
            return
        for meter, cost in (record.costs or _FREE).items():
            sums = self._sums(record, meter)
            if kind is Kind.REFUSAL:
                sums[3] += record.times
                continue
            sums[0] += cost
            if kind in _REQUESTS:
                sums[2] += record.times
                sums[4] += record.times if record.shadow else 0
            elif kind in _RELEASES and record.costs:
                sums[5] += record.times
        self._overrun(record)

    def _overrun(self, record: Record) -> None:
        for meter, units in record.overrun.items():
            self._sums(record, meter)[1] += units

    def _sums(self, record: Record, meter: str) -> list[int]:
        key = (record.scope or NOBODY, record.rule, record.at_us // MINUTE_US, meter)
        return self._usage.setdefault(key, [0] * len(SUMS))

    def merge(self, later: "Tally") -> None:
        """Add what came after."""
        buckets = self.buckets
        for scope, states in later.buckets.items():
            buckets.setdefault(scope, {}).update(states)
        for key, sums in later.usage.items():
            self._plus(key, sums)
        self.holds.update(later.holds)

    def _plus(self, key: UsageKey, sums: Sequence[int]) -> None:
        old = self._usage.get(key)
        self._usage[key] = [*sums] if old is None else [a + b for a, b in zip(old, sums, strict=True)]

    def split(self) -> "list[Tally]":
        """This tally by parts; the last one is what everyone used."""
        tallies, parts = [Tally() for _ in range(PARTS + 1)], _Parts()
        for scope, states in self._buckets.items():
            tallies[parts[scope]]._buckets[scope] = states
        for name, afters in self._latest.items():
            for scope, after in afters.items():
                tallies[parts[scope]]._latest.setdefault(name, {})[scope] = after
        for key, sums in self._usage.items():
            tallies[parts[key[0]]]._usage[key] = sums
            tallies[EVERYONE_PART]._plus((EVERYONE, *key[1:]), sums)
        for minute, counts in self._counts.items():
            shares = [tally._counts.setdefault(minute, Counter()) for tally in tallies]
            everyone = shares[EVERYONE_PART]
            for charge, number in counts.items():
                payer, rule, costs = charge
                shares[parts[payer or NOBODY]][charge] = number
                total = (EVERYONE, rule, costs)
                everyone[total] = everyone.get(total, 0) + number
        for id_, hold in self.holds.items():
            tallies[parts[hold[0]]].holds[id_] = hold
        return tallies

    def rows(self) -> "Iterator[tuple[int, Scope, str, str, Sequence[int]]]":
        """What ``usage`` says, a key perhaps more than once: minute, scope, rule, meter, sums."""
        for (scope, rule, minute, meter), sums in self._usage.items():
            yield minute, scope, rule, meter, sums
        for minute, charges in self._counts.items():
            for (payer, rule, costs), number in charges.items():
                for meter, cost in costs:
                    yield minute, payer or NOBODY, rule, meter, (cost * number, 0, number, 0, 0, 0)


class _Parts(dict[Scope, int]):
    """``part_of``, remembered."""

    def __missing__(self, scope: Scope) -> int:
        part = self[scope] = part_of(scope)
        return part


_FREE: Mapping[str, int] = {"": 0}
"""What counts a request that has no costs."""
