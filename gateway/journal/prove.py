"""The proof that counters, roll-ups and journal agree: everything added up anew from the entries, and compared."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from gateway.core.bucket import Bucket, LimitKey, Refill
from gateway.core.cascade import Posting
from gateway.core.scope import Scope
from gateway.journal.errors import JournalError
from gateway.journal.keys import KeyTexts
from gateway.journal.read import batches, facts
from gateway.journal.record import Record
from gateway.journal.schema import sentence
from gateway.journal.snapshots import GRANULARITIES, bucket_from, full_us
from gateway.journal.tally import MINUTE_US, Tally

Place = tuple[Scope, LimitKey]
_END = ("~", 0)


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
        self._tally.add(seq, records, self._texts)
        for record in records:
            if record.scope is not None:
                for key in record.dropped:
                    self._spent.pop((record.scope, key), None)
            for posting in record.postings:
                self._follow(posting, record, seq)

    def _follow(self, posting: Posting, record: Record, seq: int) -> None:
        """Within a generation each state is the one before it plus what was taken."""
        place, after = (posting.scope, posting.limit), posting.after
        before = self._spent.get(place)
        self._spent[place] = after
        if posting.limit.refill is Refill.CONTINUOUS or before is None or not posting.amount:
            return
        # A bucket that a replaced plan feeds may hold more than its own postings: it learns of a grant it did not know.
        if before.generation != after.generation or set(after.grants) - set(before.grants):
            return
        if before.spent + posting.amount != after.spent:
            self.differences.append(
                f"entry {seq}: request {record.id} took {posting.amount} from {posting.scope}"
                f" {self._texts(posting.limit)}, which went from {before.spent} to {after.spent}"
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
        stored = connection.execute(
            "SELECT granularity, start_us, kind, id, rule, meter, amount, overrun, requests, refused FROM usage"
            " WHERE start_us > ?",
            (after_us,),
        )
        found = {row[:6]: list(row[6:]) for row in stored}
        sums: dict[tuple[object, ...], list[int]] = {}
        for (scope, rule, minute, meter), new in self._tally.usage.items():
            for granularity, minutes in GRANULARITIES.items():
                start_us = (minute - minute % minutes) * MINUTE_US
                if start_us > after_us:
                    old = sums.setdefault((granularity, start_us, *scope, rule, meter), [0, 0, 0, 0])
                    old[:] = [a + b for a, b in zip(old, new, strict=True)]
        oldest = {each: min((key[:2] for key in found if key[0] == each), default=_END) for each in GRANULARITIES}
        for key in found.keys() | sums.keys():
            swept = key not in found and key[0] != "day" and key[:2] < oldest[str(key[0])]
            if found.get(key) != sums.get(key) and not swept:
                yield f"usage {key}: stored {found.get(key)}, by the journal {sums.get(key)}"

    def holds(self, connection: sqlite3.Connection) -> Iterator[str]:
        """Where open holds differ."""
        stored = {id_ for (id_,) in connection.execute("SELECT id FROM holds")}
        for id_, (_, _, hold) in self._tally.holds.items():
            if (hold is not None) != (id_ in stored):
                yield f"hold {id_}: {'missing' if hold is not None else 'stored, but it has ended'}"


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
