"""What the journal forgets: old entries, short-lived roll-ups, buckets that are full again. In bites."""

import sqlite3
from collections.abc import Callable

from gateway.journal.options import Retention
from gateway.journal.schema import sentence
from gateway.journal.store import Store

_ENTRIES = 200
_ROWS = 2_000
_PAGES = 256
_START = (-1, "", "", "")
_HISTORY = "part, kind, id, granularity, start_us, rule, meter"
_HISTORY_START = (-1, "", "", "", 0, "", "")


class Sweep:
    """Goes round the tables, a bite per call. Confined to the journal's thread."""

    def __init__(self, store: Store, retention: Retention) -> None:
        self._store, self._retention = store, retention
        self._after = _START
        """The bucket at which the last bite ended."""
        self._history_after: tuple[object, ...] = _HISTORY_START

    def bite(self, now_us: int) -> None:
        """Forget some of what may go."""
        try:
            for step in (self._entries, self._minutes, self._history, self._buckets):
                self._whole(step, now_us)
            # Each step of this pragma frees one page, and ``execute`` makes but one.
            self._store.connection.executescript(f"PRAGMA incremental_vacuum({_PAGES})")
        except sqlite3.Error as error:
            self._store.report.fold_failure = sentence(error, self._store.path)

    def _whole(self, step: Callable[[int], None], now_us: int) -> None:
        connection = self._store.connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            step(now_us)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _size(self) -> int:
        connection = self._store.connection
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (free,) = connection.execute("PRAGMA freelist_count").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        return int((pages - free) * size)

    def _entries(self, now_us: int) -> None:
        connection, oldest_us = self._store.connection, now_us - self._retention.entries_us
        too_much = self._size() - self._retention.bytes
        query = "SELECT seq, at_us, length(blob) FROM entries WHERE seq <= ? ORDER BY seq LIMIT ?"
        last = until_us = 0
        for seq, at_us, size in connection.execute(query, (self._store.fold.floor, _ENTRIES)).fetchall():
            if at_us >= oldest_us and too_much <= 0:
                break
            last, until_us, too_much = seq, max(until_us, at_us), too_much - size
        if last:
            connection.execute("DELETE FROM entries WHERE seq <= ?", (last,))
            forgotten = "UPDATE meta SET value = max(CAST(value AS INTEGER), ?) WHERE name = 'forgotten_until_us'"
            connection.execute(forgotten, (until_us,))

    def _minutes(self, now_us: int) -> None:
        # A minute that is not in the hours and days yet stays, however old it is.
        oldest_us = min(now_us - self._retention.minutes_us, *self._store.fold.rolled_us)
        gone = self._store.connection.execute(
            "DELETE FROM usage WHERE (start_us, part, kind, id, rule, meter) IN"
            " (SELECT start_us, part, kind, id, rule, meter FROM usage WHERE start_us < ? LIMIT ?)",
            (oldest_us, _ROWS),
        )
        if gone.rowcount:
            self._note_swept("minute", oldest_us)

    def _history(self, now_us: int) -> None:
        """A bite of the hours and days, scope by scope: going round takes a while, and they are kept for long."""
        connection = self._store.connection
        marks = ",".join("?" * len(_HISTORY_START))
        query = f"SELECT {_HISTORY} FROM history WHERE ({_HISTORY}) > ({marks}) ORDER BY {_HISTORY} LIMIT ?"  # noqa: S608
        rows = connection.execute(query, (*self._history_after, _ROWS)).fetchall()
        self._history_after = rows[-1] if len(rows) == _ROWS else _HISTORY_START
        oldest_us = {"hour": now_us - self._retention.hours_us, "day": now_us - self._retention.days_us}
        old = [row for row in rows if row[4] < oldest_us[row[3]]]
        connection.executemany(f"DELETE FROM history WHERE ({_HISTORY}) = ({marks})", old)  # noqa: S608
        for granularity in {row[3] for row in old}:
            self._note_swept(granularity, oldest_us[granularity])

    def _note_swept(self, granularity: str, until_us: int) -> None:
        """Say in the file which roll-ups may be missing from now on."""
        self._store.connection.execute(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE"
            " SET value = max(CAST(value AS INTEGER), excluded.value + 0)",
            (f"swept_{granularity}_us", str(until_us)),
        )

    def _buckets(self, now_us: int) -> None:
        connection = self._store.connection
        query = (
            "SELECT part, kind, id, key, full_us FROM buckets WHERE (part, kind, id, key) > (?, ?, ?, ?)"
            " ORDER BY part, kind, id, key LIMIT ?"
        )
        rows = connection.execute(query, (*self._after, _ROWS)).fetchall()
        self._after = rows[-1][:4] if len(rows) == _ROWS else _START
        full = [row[:4] for row in rows if row[4] is not None and row[4] < now_us - self._retention.buckets_us]
        connection.executemany("DELETE FROM buckets WHERE part = ? AND kind = ? AND id = ? AND key = ?", full)
