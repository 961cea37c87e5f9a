"""Records into bucket snapshots, usage roll-ups and open holds, each batch exactly once.

What was written to ``entries`` is added up in memory. Now and then the sums are set aside and go to the tables part by
part: a part is a share of all scopes, and its rows and its ``folded`` sequence number are one transaction. So a
transaction stays short however many scopes there are, a hot scope is written once for many records, and a part that was
not written before the process died is added up again from the entries after its own number.
"""

import sqlite3
from collections.abc import Sequence

from gateway.core.limit_text import KeyTexts
from gateway.core.scope import Scope
from gateway.journal.columns import Columns
from gateway.journal.record import Record
from gateway.journal.schema import PARTS
from gateway.journal.snapshots import roll, write_buckets, write_holds, write_usage
from gateway.journal.tally import MINUTE_US, States, Tally, part_of

ROLL_US = 10 * MINUTE_US
"""Minutes are added to hours and days so many at a time,"""
ROLL_AFTER_US = 2 * MINUTE_US
"""and so long after they are over: what still comes then is dearer to write."""


class Fold:
    """Adds up batches in the order of their numbers and writes the sums. Confined to the journal's thread."""

    def __init__(self, connection: sqlite3.Connection, texts: KeyTexts) -> None:
        self._connection, self._texts = connection, texts
        rows = connection.execute("SELECT seq, rolled_us FROM folded ORDER BY part").fetchall()
        self.folded: list[int] = [seq for seq, _ in rows]
        self.rolled_us: list[int] = [rolled_us for _, rolled_us in rows]
        """Part → minutes that begin before this are in hours and days."""
        self._last = max(self.folded)
        self._last_us = 0
        self._fresh = Tally()
        self._again: list[Tally] | None = None
        """Part → what an earlier process wrote to the entries and not to the tables, other parts left out."""
        self._aside: dict[int, Tally] = {}
        """Part → what is to be written of it, up to the batch ``_aside_seq``."""
        self._aside_seq, self._aside_us = self._last, 0
        self.until_us = 0
        """Every part holds what was appended before this instant."""

    @property
    def done(self) -> bool:
        """Whether all that was added is in the tables."""
        return self.floor == self._last

    @property
    def floor(self) -> int:
        """Every part holds the batches up to this one."""
        return min(self.folded)

    @property
    def ceiling(self) -> int:
        """Some part holds the batches up to this one; until ``replay`` is past it, nothing may be written."""
        return max(self.folded)

    def __len__(self) -> int:
        """About how many rows are to be written."""
        again = 0 if self._again is None else sum(map(len, self._again))
        return len(self._fresh) + again + sum(map(len, self._aside.values()))

    def add(self, seq: int, chunks: Sequence[Columns], covering_us: int) -> None:
        """Add the records of a batch that was written after all others."""
        for chunk in chunks:
            self._fresh.add(seq, chunk, self._texts)
        self._last, self._last_us = seq, covering_us

    def replay(self, seq: int, records: Sequence[Record]) -> None:
        """Add the records of a batch that an earlier process wrote, for those parts that do not hold it yet."""
        if seq > self.ceiling:
            self.add(seq, [Columns(records)], 0)
            return
        tally = Tally()
        tally.add(seq, Columns(records), self._texts)
        self._again = self._again or [Tally() for _ in self.folded]
        for part, share in enumerate(tally.split()):
            if seq > self.folded[part]:
                self._again[part].merge(share)

    def states(self, scope: Scope) -> States:
        """The buckets of ``scope`` that are not in the tables yet."""
        part = part_of(scope)
        aside, again = self._aside.get(part), None if self._again is None else self._again[part]
        older = [{} if each is None else each.buckets.get(scope, {}) for each in (aside, again)]
        return {**older[0], **older[1], **self._fresh.buckets.get(scope, {})}

    def write(self, rows: int) -> None:
        """Write parts until about ``rows`` rows are written or nothing is left of what was set aside."""
        if not self._aside and not self.done:
            self._aside = dict(enumerate(self._set_aside()))
            self._aside_seq, self._aside_us = self._last, self._last_us
            self._fresh = Tally()
        parts = []
        for part, tally in self._aside.items():
            parts.append(part)
            rows -= len(tally)
            if rows <= 0:
                break
        if parts:
            self._write(parts)

    def _set_aside(self) -> list[Tally]:
        fresh, again, self._again = self._fresh.split(), self._again, None
        if again is None:
            return fresh
        for older, newer in zip(again, fresh, strict=True):
            older.merge(newer)
        return again

    def write_all(self, rows: int = 20_000) -> None:
        """Write everything, in transactions of about ``rows`` rows."""
        while not self.done:
            self.write(rows)

    def roll(self, now_us: int) -> bool:
        """Add some minutes of one part to its hours and days, in one transaction; whether any were due."""
        due_us = (now_us - ROLL_AFTER_US) // ROLL_US * ROLL_US
        part = min(range(len(self.rolled_us)), key=self.rolled_us.__getitem__)
        from_us = self.rolled_us[part]
        if from_us >= due_us:
            return False
        connection = self._connection
        (first_us,) = connection.execute("SELECT min(start_us) FROM usage WHERE start_us >= ?", (from_us,)).fetchone()
        from_us = due_us if first_us is None else max(from_us, min(due_us, first_us // ROLL_US * ROLL_US))
        until_us = min(due_us, from_us + ROLL_US)
        connection.execute("BEGIN IMMEDIATE")
        try:
            roll(connection, part, from_us, until_us)
            connection.execute("UPDATE folded SET rolled_us = ? WHERE part = ?", (until_us, part))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self.rolled_us[part] = until_us
        return True

    def _write(self, parts: Sequence[int]) -> None:
        connection, seq = self._connection, self._aside_seq
        connection.execute("BEGIN IMMEDIATE")
        try:
            for part in parts:
                tally = self._aside[part]
                write_buckets(connection, part, tally, seq)
                write_usage(connection, part, tally, self.rolled_us[part])
                write_holds(connection, tally, self._texts)
            marks = ",".join(map(str, parts))
            connection.execute(f"UPDATE folded SET seq = ? WHERE part IN ({marks})", (seq,))  # noqa: S608
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        for part in parts:
            del self._aside[part]
            self.folded[part] = seq
        if not self._aside:
            self.until_us = self._aside_us


__all__ = ["PARTS", "Fold"]
