"""The journal's side of its thread: encode, write, fold, load. Every method blocks and is called there only."""

import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from gateway.core.bucket import Bucket, LimitKey
from gateway.core.limit_text import KeyTexts, key_from
from gateway.core.scope import Scope
from gateway.journal.columns import Columns
from gateway.journal.condense import condense
from gateway.journal.convert import CHUNK, decode, encode, join, tame_text
from gateway.journal.errors import JournalError
from gateway.journal.fold import Fold
from gateway.journal.options import Bounds
from gateway.journal.read import batches, find
from gateway.journal.record import Record
from gateway.journal.schema import connect, sentence
from gateway.journal.snapshots import read_buckets
from gateway.journal.tally import Tally

_T = TypeVar("_T")
_PAUSE_S = 0.00005
_TAIL_ROWS = 200_000
_ALL = 1 << 62
Progress = Callable[[int, int], None]
"""Called with the number of the last entry folded and that of the last entry there is."""


@dataclass(slots=True)
class Batch:
    """Records encoded and not yet written. ``chunks`` are let go when the write failed: the blob has them."""

    blob: bytes
    count: int
    at_us: int
    covering_us: int
    upto: int
    """How many records had been appended, this batch included."""
    chunks: Sequence[Columns] | None
    seq: int | None = None
    """Its number, once a write was tried: the same at each try, so that nothing is written twice."""


@dataclass(slots=True)
class Report:
    """Where the store stands. Written on the store's thread, read anywhere: each field by itself."""

    written: int = 0
    """How many of the appended records wait no longer: they are on disk, or counted as lost."""
    written_us: int = 0
    folded_us: int = 0
    waiting: int = 0
    lost: int = 0
    condensed: int = 0
    failure: str | None = None
    fold_failure: str | None = None
    dirty: bool = False


class Store:
    """The open file. Raises ``JournalError`` if it cannot be opened or read; a failing write shows in ``report``."""

    def __init__(self, path: Path, now_us: int, bounds: Bounds, progress: Progress | None = None) -> None:
        self.path = path
        self._bounds = bounds
        self._texts = KeyTexts()
        self.waiting: deque[Batch] = deque()
        self._ahead = Tally()
        """Bucket states of batches whose write failed: what ``load`` must know and the fold must not yet."""
        self.report = Report(written_us=now_us, folded_us=now_us)
        self.connection = connect(path, now_us)
        try:
            self.fold = Fold(self.connection, self._texts)
            self._fold_tail(progress)
            (last,) = self.connection.execute("SELECT max(seq) FROM entries").fetchone()
        except sqlite3.Error as error:
            self.connection.close()
            raise JournalError(sentence(error, path)) from error
        except BaseException:
            self.connection.close()
            raise
        # Retention may have removed every entry, a power cut the last ones: a folded number is never used again.
        self._seq = max(last or 0, *self.fold.folded)

    def _fold_tail(self, progress: Progress | None) -> None:
        (last,) = self.connection.execute("SELECT max(seq) FROM entries").fetchone()
        for seq, records in batches(self.connection, self.path, self.fold.floor + 1):
            self.fold.replay(seq, records)
            if seq >= self.fold.ceiling and len(self.fold) >= _TAIL_ROWS:
                self.fold.write_all()
            if progress is not None:
                progress(seq, last)
        self.fold.write_all()

    def flush(self, records: list[Record], covering_us: int, upto: int, *, attempt: bool) -> None:
        """Encode ``records`` and, if ``attempt``, write all that waits, in order."""
        if records:
            self._encode(records, covering_us, upto)
        report = self.report
        if attempt:
            self._write()
            if not self.waiting:
                report.written, report.written_us = upto, covering_us
        self._keep_bounds()
        report.waiting = sum(batch.count for batch in self.waiting)
        report.dirty = not self.fold.done

    def _encode(self, records: list[Record], covering_us: int, upto: int) -> None:
        blobs: list[bytes] = []
        written: list[Columns] = []
        for start in range(0, len(records), CHUNK):
            for blob, kept in self._encode_chunk(records[start : start + CHUNK]):
                blobs.append(blob)
                written.append(kept)
            time.sleep(_PAUSE_S)  # let the event loop have the interpreter
        if blobs:
            count, at_us = sum(map(len, written)), written[0].fields.at_us[0]
            self.waiting.append(Batch(join(blobs), count, at_us, covering_us, upto, written))

    def _encode_chunk(self, records: Sequence[Record]) -> Iterator[tuple[bytes, Columns]]:
        try:
            yield encode(Columns(records), self._texts)
        except Exception:  # noqa: BLE001  (one record that cannot be written must not take the others with it)
            if len(records) == 1:
                self.report.lost += 1
                return
            for record in records:
                yield from self._encode_chunk((record,))

    def _write(self) -> None:
        try:
            while self.waiting:
                batch = self.waiting[0]
                self._insert(batch)
                self.waiting.popleft()
                chunks = batch.chunks if batch.chunks is not None else [Columns(decode(batch.blob))]
                self.fold.add(self._seq, chunks, batch.covering_us)
                self.report.written, self.report.written_us = batch.upto, batch.covering_us
        except sqlite3.Error as error:
            self.report.failure = sentence(error, self.path)
            for batch in self.waiting:
                self._set_aside(batch)
        else:
            self.report.failure = None
            self._ahead = Tally()

    def _insert(self, batch: Batch) -> None:
        if batch.seq is None:
            batch.seq = self._seq + 1
        elif self.connection.execute("SELECT 1 FROM entries WHERE seq = ?", (batch.seq,)).fetchone():
            self._seq = batch.seq  # the write that seemed to fail had been done
            return
        self.connection.execute(
            "INSERT INTO entries VALUES (?, ?, ?, ?)", (batch.seq, batch.at_us, batch.count, batch.blob)
        )
        self._seq = batch.seq

    def _set_aside(self, batch: Batch) -> None:
        for chunk in batch.chunks or ():
            self._ahead.add(0, chunk, self._texts)
        batch.chunks = None

    def _keep_bounds(self) -> None:
        """Too much waits: the older half becomes sums; what still does not fit is lost, and counted."""
        if not self._too_much():
            return
        # The first may have been written by a try that seemed to fail: it stays as it is.
        first = [self.waiting.popleft()] if self.waiting[0].seq is not None else []
        half = [self.waiting.popleft() for _ in range((len(self.waiting) + 1) // 2)]
        if half:
            records = condense(record for batch in half for record in decode(batch.blob))
            self.report.condensed += sum(batch.count for batch in half) - len(records)
            blob, last = join([encode(Columns(records), self._texts)[0]]), half[-1]
            self.waiting.appendleft(Batch(blob, len(records), half[0].at_us, last.covering_us, last.upto, None))
        while self.waiting and self._too_much():
            self.report.lost += self.waiting.popleft().count
        self.waiting.extendleft(first)

    def _too_much(self) -> bool:
        size = sum(len(batch.blob) for batch in self.waiting)
        return size > self._bounds.bytes or sum(batch.count for batch in self.waiting) > self._bounds.records

    def fold_some(self, rows: int) -> None:
        """Write about ``rows`` rows of the folded state, fewer if there is less to write."""
        report = self.report
        try:
            self.fold.write(rows)
        except sqlite3.Error as error:
            report.fold_failure = sentence(error, self.path)
        else:
            report.fold_failure = None
            report.folded_us = report.written_us if self.fold.done else max(report.folded_us, self.fold.until_us)
        report.dirty = not self.fold.done

    def roll_some(self, now_us: int) -> None:
        """Add some minutes to the hours and days, if any are due."""
        try:
            self.fold.roll(now_us)
        except sqlite3.Error as error:
            self.report.fold_failure = sentence(error, self.path)

    def fold_all(self) -> None:
        """Write all of the folded state: what was set aside, then what came after."""
        self.fold_some(_ALL)
        self.fold_some(_ALL)

    def load(self, scopes: Iterable[Scope], pending: Sequence[Record]) -> dict[Scope, dict[LimitKey, Bucket]]:
        """The buckets of ``scopes``: snapshots, what is written and not folded, what waits, then ``pending``."""
        wanted = {scope: Scope(tame_text(scope.kind), tame_text(scope.id)) for scope in scopes}
        try:
            found = {scope: read_buckets(self.connection, stored) for scope, stored in wanted.items()}
        except sqlite3.Error as error:
            raise JournalError(sentence(error, self.path)) from error
        last = Tally()
        for record in pending:
            if record.scope in wanted or any(posting.scope in wanted for posting in record.postings):
                last.add(0, Columns((record,)), self._texts)
        for scope, stored in wanted.items():
            for newer in (self.fold.states(stored), self._ahead.buckets.get(stored, {}), last.buckets.get(scope, {})):
                found[scope].update(newer)
        return {
            scope: {key_from(key): bucket for key, bucket in states.items() if bucket is not None}
            for scope, states in found.items()
        }

    def find(self, request_id: str, before_seq: int, most: int) -> tuple[list[Record], int | None]:
        """Records of a request in some batches before a number; see ``read.find``."""
        return find(self.connection, self.path, request_id, before_seq=before_seq, most=most)

    def look(self, read: Callable[[sqlite3.Connection], _T]) -> _T:
        """What ``read`` finds in the tables: what is folded. Raises ``JournalError``."""
        try:
            return read(self.connection)
        except sqlite3.Error as error:
            raise JournalError(sentence(error, self.path)) from error

    def close(self) -> None:
        """Fold what was written and close the file."""
        self.fold_all()
        try:
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            self.report.fold_failure = sentence(error, self.path)
        self.connection.close()
