"""Records into bucket snapshots, usage roll-ups and open holds, each batch exactly once.

What was written to ``entries`` is added up here in memory and goes to the tables part by part: a part is a share of all
scopes, and its rows and its ``folded`` sequence number are one transaction. So a transaction stays short however many
scopes there are, hot scopes are written once for many records, and a part that was not written before the process died
is added up again from the entries after its own number.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any
from zlib import crc32

import orjson

from gateway.journal.convert import Row, small, tame_text
from gateway.journal.record import Kind
from gateway.journal.schema import PARTS

MINUTE_US = 60_000_000
GRANULARITIES = {"minute": MINUTE_US, "hour": 60 * MINUTE_US, "day": 1_440 * MINUTE_US}
_REQUESTS = frozenset({Kind.CHARGE.value, Kind.HOLD.value, Kind.DRAIN.value, Kind.CONDENSED.value})
_CLOSING = frozenset({Kind.SETTLE.value, Kind.RELEASE.value})
_LARGEST = (1 << 62) - 1
_GROUP = 64

ScopeId = tuple[str, str]


class Cell:
    """What is not in the tables yet, of one scope."""

    __slots__ = ("buckets", "floor", "holds", "part", "usage")

    def __init__(self, part: int, floor: int) -> None:
        self.part = part
        self.floor = floor
        """Batches up to this one are in the tables already."""
        self.buckets: dict[str, tuple[int, Sequence[Any]] | None] = {}
        """Limit key → sequence number and last posting; ``None``: dropped."""
        self.usage: dict[tuple[int, str, str], list[int]] = {}
        """Minute, rule, meter → amount, overrun, requests, refused."""
        self.holds: dict[str, tuple[int, Row] | None] = {}


def part_of(scope: ScopeId) -> int:
    """The part of the folded state that ``scope`` belongs to; the same in every process."""
    return crc32(scope[1].encode("utf-8", "backslashreplace")) % PARTS


class Fold:
    """Adds up batches in the order of their numbers and writes the sums. Confined to the journal's thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        rows = connection.execute("SELECT part, seq FROM folded ORDER BY part").fetchall()
        self.folded: list[int] = [seq for _, seq in rows]
        self.until_us = [0] * PARTS
        self._last = max(self.folded)
        self._covering_us = 0
        self._cells: dict[ScopeId, Cell] = {}
        self._parts: list[dict[ScopeId, Cell]] = [{} for _ in range(PARTS)]
        self._next = 0
        self.dirty = 0
        """Scopes with something to write."""

    @property
    def done(self) -> bool:
        """Whether all that was added is in the tables."""
        return self.floor == self._last

    @property
    def floor(self) -> int:
        """Every part holds the batches up to this one."""
        return min(self.folded)

    def add(self, seq: int, rows: Iterable[Row], covering_us: int) -> None:
        """Add the records of one written batch."""
        for row in rows:
            self._add(seq, row)
        self._last = max(self._last, seq)
        self._covering_us = covering_us

    def _add(self, seq: int, row: Row) -> None:
        kind = row[0]
        if kind == "done":
            return
        scope = (row[4] or "", row[5] or "")
        cell = self._cells.get(scope) or self._new(scope)
        if seq > cell.floor:
            self._count(cell, row)
        for posting in row[7]:
            if len(posting) > 7:  # noqa: PLR2004  (a posting with its own scope)
                payer = (posting[7], posting[8])
                own = self._cells.get(payer) or self._new(payer)
                if seq > own.floor:
                    own.buckets[posting[0]] = (seq, posting)
            elif seq > cell.floor:
                cell.buckets[posting[0]] = (seq, posting)
        if kind == "hold":
            cell.holds[row[1]] = (seq, row)
        elif kind in _CLOSING:
            cell.holds[row[1]] = None

    def _count(self, cell: Cell, row: Row) -> None:
        kind, at_us, costs = row[0], row[2], row[6]
        rest: dict[str, Any] | None = row[13] if len(row) > 13 else None  # noqa: PLR2004  (the optional fourteenth)
        if rest is not None:
            for key in rest.get("dropped", ()):
                cell.buckets[key] = None
        minute, rule = at_us - at_us % MINUTE_US, row[3]
        count = 1 if rest is None else rest.get("count", 1)
        if not count and not costs:
            return  # a condensed record that has only postings
        for meter, cost in costs.items() if costs else (("", 0),):
            key = (minute, rule, meter)
            sums = cell.usage.get(key)
            if sums is None:
                sums = cell.usage[key] = [0, 0, 0, 0]
            if kind == "refusal":
                sums[3] += count
                continue
            sums[0] += int(cost)
            if kind in _REQUESTS:
                sums[2] += count
            if rest is not None and (overrun := rest.get("overrun")) is not None:
                sums[1] += int(overrun.get(meter, 0))

    def _new(self, scope: ScopeId) -> Cell:
        part = part_of(scope)
        cell = self._cells[scope] = self._parts[part][scope] = Cell(part, self.folded[part])
        self.dirty += 1
        return cell

    def cell(self, scope: ScopeId) -> Cell | None:
        """What is not in the tables yet of ``scope``."""
        return self._cells.get(scope)

    def write(self, rows: int) -> None:
        """Write parts until about ``rows`` rows are written or nothing is left."""
        if self.done:
            return
        if self.dirty == 0:
            self._write(range(PARTS))
            return
        parts: list[int] = []
        while rows > 0 and len(parts) < PARTS:
            parts.append(self._next)
            rows -= self._weight(self._next)
            self._next = (self._next + 1) % PARTS
        self._write(parts)

    def write_all(self) -> None:
        """Write every part, a few at a time."""
        for _ in range(PARTS):
            self.write(20_000)

    def _weight(self, part: int) -> int:
        return sum(len(cell.buckets) + 3 * len(cell.usage) for cell in self._parts[part].values())

    def _write(self, parts: Sequence[int]) -> None:
        connection, last = self._connection, self._last
        cells = sorted(pair for part in parts for pair in self._parts[part].items())
        connection.execute("BEGIN IMMEDIATE")
        try:
            write_buckets(connection, cells)
            write_usage(connection, cells)
            write_holds(connection, cells)
            marks = ",".join(str(part) for part in parts)
            connection.execute(f"UPDATE folded SET seq = ? WHERE part IN ({marks}) AND seq < ?", (last, last))  # noqa: S608
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        for part in parts:
            self.folded[part], self.until_us[part] = last, self._covering_us
            self.dirty -= len(self._parts[part])
            self._parts[part] = {}
        for scope, _ in cells:
            del self._cells[scope]


def write_buckets(connection: sqlite3.Connection, cells: Iterable[tuple[ScopeId, Cell]]) -> None:
    """Snapshots: the last state of each bucket; a dropped or full one has none."""
    kept: list[tuple[Any, ...]] = []
    gone: list[tuple[Any, ...]] = []
    for (kind, id_), cell in cells:
        for key, change in sorted(cell.buckets.items()):
            if change is None or not int(change[1][4]):
                gone.append((kind, id_, key))
                continue
            seq, (_, _, _, generation, spent, as_of_us, grants, *_) = change
            text = orjson.dumps(grants).decode() if grants else ""
            full_us = _full_us(key, int(generation), int(spent), int(as_of_us))
            numbers = (small(int(generation)), small(int(spent)), small(int(as_of_us)))
            kept.append((kind, id_, key, *numbers, text, full_us, seq))
    put(connection, "INSERT OR REPLACE INTO buckets VALUES", "", kept)
    connection.executemany("DELETE FROM buckets WHERE kind = ? AND id = ? AND key = ?", gone)


def _full_us(key: str, generation: int, spent: int, as_of_us: int) -> int | None:
    """When the bucket is full for certain, whatever its amount; ``None``: a pack, never."""
    _, window_us, refill, _, _ = key.split("|")
    match refill:
        case "interval":
            full_us = generation + int(window_us)
        case "continuous":
            full_us = as_of_us + spent  # an amount of 1 gives back one unit x window in each microsecond x window
        case _:
            return None
    return max(-_LARGEST, min(full_us, _LARGEST))


def write_usage(connection: sqlite3.Connection, cells: Iterable[tuple[ScopeId, Cell]]) -> None:
    """Roll-ups: add the sums to the minute, the hour and the day."""
    for granularity, length_us in GRANULARITIES.items():
        sums: dict[tuple[Any, ...], list[int]] = {}
        for (kind, id_), cell in cells:
            for (minute, rule, meter), new in cell.usage.items():
                key = (granularity, minute - minute % length_us, kind, id_, rule, meter)
                old = sums.get(key)
                sums[key] = new if old is None else [a + b for a, b in zip(old, new, strict=True)]
        rows = [(*key, *(max(-_LARGEST, min(n, _LARGEST)) for n in sums[key])) for key in sorted(sums)]
        put(
            connection,
            "INSERT INTO usage VALUES",
            " ON CONFLICT DO UPDATE SET amount = amount + excluded.amount, overrun = overrun + excluded.overrun,"
            " requests = requests + excluded.requests, refused = refused + excluded.refused",
            rows,
        )


def write_holds(connection: sqlite3.Connection, cells: Iterable[tuple[ScopeId, Cell]]) -> None:
    """Open holds, so that a restart can end them."""
    for _, cell in cells:
        for id_, hold in cell.holds.items():
            if hold is None:
                connection.execute("DELETE FROM holds WHERE id = ?", (tame_text(id_),))
            else:
                connection.execute(
                    "INSERT OR REPLACE INTO holds VALUES (?, ?, ?)", (id_, hold[0], orjson.dumps(hold[1]))
                )


def put(connection: sqlite3.Connection, head: str, tail: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert ``rows``, many to a statement: each statement lets go of the interpreter lock and takes it back once."""
    start = 0
    while start < len(rows):
        group = rows[start : start + (_GROUP if len(rows) - start >= _GROUP else 1)]
        marks = "(" + ",".join("?" * len(group[0])) + ")"
        values = [value for row in group for value in row]
        connection.execute(f"{head} {','.join([marks] * len(group))}{tail}", values)
        start += len(group)
