"""The journal's side of its thread: encode, write, fold, load. Every method blocks and is called there only."""

import sqlite3
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from gateway.core.bucket import Bucket, LimitKey
from gateway.core.scope import Scope
from gateway.journal.condense import condense
from gateway.journal.convert import KeyTexts, Row, bucket_from, dump, from_row, key_from, tame_text, to_row
from gateway.journal.errors import JournalError
from gateway.journal.fold import Fold, ScopeId
from gateway.journal.options import Bounds
from gateway.journal.record import Record
from gateway.journal.schema import connect, damaged, sentence

_CHUNK = 200
_PAUSE_S = 0.00005
_COMPRESS_FROM, _COMPRESS_TO = 1_024, 65_536
_TAIL_ROWS = 50_000
Progress = Callable[[int, int], None]
"""Called with the number of the last entry folded and that of the last entry there is."""


@dataclass(slots=True)
class Batch:
    """Records encoded and not yet written. ``rows`` are let go when the write failed; the blob has them."""

    blob: bytes
    count: int
    at_us: int
    covering_us: int
    upto: int
    """How many records had been appended, this batch included."""
    rows: list[Row] | None
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
        self._ahead: dict[ScopeId, dict[str, Sequence[Any] | None]] = {}
        """Bucket states of batches whose write failed: what ``load`` must know and the fold must not yet."""
        self.report = Report(written_us=now_us, folded_us=now_us)
        self.connection = connect(path, now_us)
        try:
            self.fold = Fold(self.connection)
            self._fold_tail(now_us, progress)
            (last,) = self.connection.execute("SELECT max(seq) FROM entries").fetchone()
        except sqlite3.Error as error:
            self.connection.close()
            raise JournalError(sentence(error, path)) from error
        except BaseException:
            self.connection.close()
            raise
        # Retention may have removed every entry, a power cut the last ones: a folded number is never used again.
        self._seq = max(last or 0, *self.fold.folded)

    def _fold_tail(self, now_us: int, progress: Progress | None) -> None:
        (last,) = self.connection.execute("SELECT max(seq) FROM entries").fetchone()
        for seq, rows in entries(self.connection, self.path, self.fold.floor + 1):
            self.fold.add(seq, rows, now_us)
            if self.fold.dirty >= _TAIL_ROWS:
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
        parts: list[bytes] = []
        rows: list[Row] = []
        for start in range(0, len(records), _CHUNK):
            chunk = records[start : start + _CHUNK]
            try:
                text, written = dump([to_row(record, self._texts) for record in chunk])
            except Exception:  # noqa: BLE001  (one record that cannot be written must not take the others with it)
                text, written = self._encode_each(chunk)
            if written:
                parts.append(text[1:-1])
                rows += written
            time.sleep(_PAUSE_S)  # let the event loop have the interpreter
        if rows:
            blob = pack(b"[" + b",".join(parts) + b"]")
            self.waiting.append(Batch(blob, len(rows), records[0].at_us, covering_us, upto, rows))

    def _encode_each(self, records: list[Record]) -> tuple[bytes, list[Row]]:
        good: list[Row] = []
        for record in records:
            try:
                good += dump([to_row(record, self._texts)])[1]
            except Exception:  # noqa: BLE001  (counted; the caller reports it)
                self.report.lost += 1
        return orjson.dumps(good), good

    def _write(self) -> None:
        try:
            while self.waiting:
                batch = self.waiting[0]
                self._insert(batch)
                self.waiting.popleft()
                rows = batch.rows if batch.rows is not None else unpack(batch.blob)
                self.fold.add(self._seq, rows, batch.covering_us)
                self.report.written, self.report.written_us = batch.upto, batch.covering_us
        except sqlite3.Error as error:
            self.report.failure = sentence(error, self.path)
            for batch in self.waiting:
                self._set_aside(batch)
        else:
            self.report.failure = None
            self._ahead.clear()

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
        if batch.rows is None:
            return
        for row in batch.rows:
            overlay(self._ahead, row)
        batch.rows = None

    def _keep_bounds(self) -> None:
        """Too much waits: the older half becomes sums; what still does not fit is lost, and counted."""
        if not self._too_much():
            return
        # The first may have been written by a try that seemed to fail: it stays as it is.
        first = [self.waiting.popleft()] if self.waiting[0].seq is not None else []
        half = [self.waiting.popleft() for _ in range((len(self.waiting) + 1) // 2)]
        if half:
            rows = condense(row for batch in half for row in unpack(batch.blob))
            self.report.condensed += sum(batch.count for batch in half) - len(rows)
            blob, last = pack(dump(rows)[0]), half[-1]
            self.waiting.appendleft(Batch(blob, len(rows), half[0].at_us, last.covering_us, last.upto, None))
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
            report.folded_us = report.written_us if self.fold.done else min(self.fold.until_us)
        report.dirty = not self.fold.done

    def load(self, scopes: Iterable[Scope], pending: Sequence[Record]) -> dict[Scope, dict[LimitKey, Bucket]]:
        """The buckets of ``scopes``: snapshots, what is written and not folded, what waits, then ``pending``."""
        wanted = {(tame_text(scope.kind), tame_text(scope.id)): scope for scope in scopes}
        found: dict[ScopeId, dict[str, Sequence[Any] | None]] = {}
        for scope in wanted:
            found[scope] = self._snapshots(scope)
            cell = self.fold.cell(scope)
            for key, change in cell.buckets.items() if cell is not None else ():
                found[scope][key] = None if change is None else change[1]
            found[scope].update(self._ahead.get(scope, {}))
        originals = set(wanted.values())
        for record in pending:
            if record.scope in originals or any(posting.scope in originals for posting in record.postings):
                overlay(found, dump([to_row(record, self._texts)])[1][0])
        return {original: _buckets(found[scope]) for scope, original in wanted.items()}

    def _snapshots(self, scope: ScopeId) -> dict[str, Sequence[Any] | None]:
        query = "SELECT key, generation, spent, as_of_us, grants FROM buckets WHERE kind = ? AND id = ?"
        try:
            rows = self.connection.execute(query, scope).fetchall()
        except sqlite3.Error as error:
            raise JournalError(sentence(error, self.path)) from error
        return {
            key: (key, generation, 0, generation, spent, as_of_us, orjson.loads(grants) if grants else ())
            for key, generation, spent, as_of_us, grants in rows
        }

    def holds(self) -> list[Record]:
        """Open holds that are folded, oldest first."""
        return [from_row(orjson.loads(row)) for (row,) in self.connection.execute("SELECT row FROM holds ORDER BY seq")]

    def close(self) -> None:
        """Fold what was written and close the file."""
        self.fold_some(1 << 62)
        try:
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            self.report.fold_failure = sentence(error, self.path)
        self.connection.close()


def overlay(states: dict[ScopeId, dict[str, Sequence[Any] | None]], row: Row) -> None:
    """Put the bucket states after ``row`` over ``states``."""
    scope = (row[4] or "", row[5] or "")
    for key in row[13].get("dropped", ()) if len(row) > 13 else ():  # noqa: PLR2004  (the optional fourteenth)
        states.setdefault(scope, {})[key] = None
    for posting in row[7]:
        payer = (posting[7], posting[8]) if len(posting) > 7 else scope  # noqa: PLR2004  (its own scope)
        states.setdefault(payer, {})[posting[0]] = posting


def _buckets(states: Mapping[str, Sequence[Any] | None]) -> dict[LimitKey, Bucket]:
    return {key_from(key): bucket_from(state[3:7]) for key, state in states.items() if state is not None}


def pack(blob: bytes) -> bytes:
    """Small batches compressed: it is cheap there, and quiet journals live long."""
    return zlib.compress(blob, 1) if _COMPRESS_FROM <= len(blob) <= _COMPRESS_TO else blob


def unpack(blob: bytes) -> list[Row]:
    """The rows of a batch. Raises ``ValueError`` or ``zlib.error`` if it is damaged."""
    rows: list[Row] = orjson.loads(blob if blob[:1] == b"[" else zlib.decompress(blob))
    return rows


def entries(connection: sqlite3.Connection, path: Path, from_seq: int) -> Iterable[tuple[int, list[Row]]]:
    """Batches from a number on, in order. Raises ``JournalError`` on a damaged one."""
    for seq, blob in connection.execute("SELECT seq, blob FROM entries WHERE seq >= ? ORDER BY seq", (from_seq,)):
        try:
            yield seq, unpack(blob)
        except (ValueError, zlib.error) as error:
            raise JournalError(damaged(path, f"entry {seq}: {error}")) from error
