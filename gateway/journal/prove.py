"""The proof that counters, roll-ups and journal agree: everything added up anew from the entries, and compared."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

from gateway.core.bucket import Bucket, LimitKey, Refill
from gateway.core.limit_text import KeyTexts
from gateway.core.scope import Scope
from gateway.journal.columns import Columns
from gateway.journal.errors import JournalError
from gateway.journal.read import batches, facts
from gateway.journal.record import Kind, Record
from gateway.journal.schema import sentence
from gateway.journal.snapshots import GRANULARITIES, HISTORY, bucket_from, full_us
from gateway.journal.tally import EVERYONE, MINUTE_US, SUMS, Tally, part_of

Place = tuple[Scope, LimitKey]


class Proof:
    """Adds the journal up. ``differences`` are sentences; none: all agrees."""

    def __init__(self) -> None:
        self.differences: list[str] = []
        self._tally = Tally()
        self._texts = KeyTexts()
        self._spent: dict[Place, Bucket] = {}

    def add(self, seq: int, records: Iterable[Record]) -> None:
        """Add a batch."""
        records = list(records)
        self._tally.add(seq, Columns(records), self._texts)
        # Of condensed records only the sums are true: the states between are gone.
        condensed = any(record.kind is Kind.CONDENSED for record in records)
        for run in [records] if condensed else ([record] for record in records):
            self._follow(seq, run)

    def _follow(self, seq: int, records: Sequence[Record]) -> None:
        """Within a generation the state after some records is the one before them plus what they took."""
        before: dict[Place, Bucket | None] = {}
        taken: Counter[tuple[Place, int]] = Counter()
        last: dict[Place, Bucket] = {}
        for record in records:
            if record.scope is not None:
                for key in record.dropped:
                    before[record.scope, key] = None
                    last.pop((record.scope, key), None)
            for scope, limit, generation, amount, after in record.postings:
                before.setdefault((scope, limit), self._spent.get((scope, limit)))
                taken[(scope, limit), generation] += amount
                last[scope, limit] = after
        for place in before.keys() - last.keys():
            self._spent.pop(place, None)
        self._spent.update(last)
        for place, after in last.items():
            known, amount = before[place], taken[place, after.generation]
            if known is not None and amount and not _follows(place[1], known, amount, after):
                self.differences.append(
                    f"entry {seq}: request {records[0].id} took {amount} from {place[0]} {self._texts(place[1])},"
                    f" which went from {known.spent} to {after.spent}"
                )

    def buckets(self, connection: sqlite3.Connection, now_us: int) -> Iterator[str]:
        """Where snapshots are not the last states. One that is full again by ``now_us`` may be gone."""
        rows = connection.execute("SELECT kind, id, key, generation, spent, as_of_us, rate, grants FROM buckets")
        stored = {(Scope(kind, id_), text): bucket_from(*bucket) for kind, id_, text, *bucket in rows.fetchall()}
        for scope, states in self._tally.buckets.items():
            for text, last in states.items():
                bucket = stored.get((scope, text))
                if bucket == last:
                    continue
                full = None if last is None else full_us(text, last)
                if bucket is not None or full is None or full >= now_us:
                    yield f"bucket {scope} {text}: stored {bucket}, by the journal {last}"

    def usage(self, connection: sqlite3.Connection, after_us: int) -> Iterator[str]:
        """Where roll-ups are not the sums; only periods of which no entry has been forgotten."""
        columns = f"start_us, kind, id, rule, meter, {', '.join(SUMS)}"
        stored = connection.execute(
            f"SELECT 'minute', {columns} FROM usage WHERE start_us > ?1"  # noqa: S608
            f" UNION ALL SELECT granularity, {columns} FROM history WHERE start_us > ?1",
            (after_us,),
        )
        found = {row[:6]: list(row[6:]) for row in stored}
        self._add_unrolled(found, connection, after_us)
        sums: dict[tuple[object, ...], list[int]] = {}
        for (scope, rule, minute, meter), new in self._tally.usage.items():
            for (granularity, minutes), whose in product(GRANULARITIES.items(), (scope, EVERYONE)):
                start_us = (minute - minute % minutes) * MINUTE_US
                if start_us > after_us:
                    old = sums.setdefault((granularity, start_us, *whose, rule, meter), [0] * len(SUMS))
                    old[:] = [a + b for a, b in zip(old, new, strict=True)]
        meta = facts(connection)
        swept_us = {each: int(meta.get(f"swept_{each}_us", 0)) for each in GRANULARITIES}
        for key in found.keys() | sums.keys():
            swept = key not in found and int(str(key[1])) < swept_us[str(key[0])]
            if found.get(key) != sums.get(key) and not swept:
                yield f"usage {key}: stored {found.get(key)}, by the journal {sums.get(key)}"

    def _add_unrolled(self, found: dict[Any, list[int]], connection: sqlite3.Connection, after_us: int) -> None:
        """Add to the stored hours and days the minutes that are to be added to them."""
        rolled_us = [us for (us,) in connection.execute("SELECT rolled_us FROM folded ORDER BY part")]
        for (granularity, start_us, *key), new in list(found.items()):
            if granularity != "minute" or start_us < rolled_us[part_of(Scope(key[0], key[1]))]:
                continue
            for longer in HISTORY:
                period_us = start_us - start_us % (GRANULARITIES[longer] * MINUTE_US)
                if period_us > after_us:
                    old = found.setdefault((longer, period_us, *key), [0] * len(SUMS))
                    old[:] = [a + b for a, b in zip(old, new, strict=True)]

    def holds(self, connection: sqlite3.Connection) -> Iterator[str]:
        """Where open holds differ."""
        stored = {id_ for (id_,) in connection.execute("SELECT id FROM holds")}
        for id_, (_, _, hold) in self._tally.holds.items():
            if (hold is not None) != (id_ in stored):
                yield f"hold {id_}: {'missing' if hold is not None else 'stored, but it has ended'}"


def _follows(limit: LimitKey, before: Bucket, amount: int, after: Bucket) -> bool:
    if limit.refill is Refill.CONTINUOUS or before.generation != after.generation:
        return True
    # A bucket that a replaced plan feeds may hold more than its own postings: it learns of a grant it did not know.
    return before.spent + amount == after.spent or bool(set(after.grants) - set(before.grants))


def prove(path: Path, now_us: int) -> list[str]:
    """What does not agree, as sentences. Everything that was written must be folded.

    Reads one snapshot of the file, beside the process that writes it. Raises ``JournalError`` if it cannot be read.
    """
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)) as connection:
            return _prove(connection, path, now_us)
    except sqlite3.Error as error:
        raise JournalError(sentence(error, path)) from error


def _prove(connection: sqlite3.Connection, path: Path, now_us: int) -> list[str]:
    connection.execute("BEGIN")
    try:
        proof = Proof()
        for seq, records in batches(connection, path):
            proof.add(seq, records)
        after_us = int(facts(connection)["forgotten_until_us"])
        proof.differences += proof.buckets(connection, now_us)
        proof.differences += proof.usage(connection, after_us)
        proof.differences += proof.holds(connection)
        return proof.differences
    finally:
        connection.execute("ROLLBACK")
