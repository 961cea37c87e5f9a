"""The folded state's rows: bucket snapshots, usage roll-ups, open holds."""

import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any

import orjson

from gateway.core.bucket import Bucket
from gateway.core.limit_text import KeyTexts
from gateway.core.scope import Scope
from gateway.journal.columns import Columns
from gateway.journal.convert import decode, encode, join, small, tame_text
from gateway.journal.record import Kind, Record
from gateway.journal.tally import MINUTE_US, SUMS, States, Tally, part_of

GRANULARITIES = {"minute": 1, "hour": 60, "day": 1_440}
"""Lengths in minutes."""
HISTORY = ("hour", "day")
"""Those that are kept by scope."""
_LARGEST = (1 << 62) - 1
_GROUP = 64
_LOWERED = 100


def write_buckets(connection: sqlite3.Connection, part: int, tally: Tally, seq: int) -> None:
    """Snapshots: the last state of each bucket; a dropped one has none."""
    kept: list[tuple[Any, ...]] = []
    gone: list[tuple[Any, ...]] = []
    for scope in sorted(tally.buckets):
        for key, bucket in sorted(tally.buckets[scope].items()):
            if bucket is None:
                gone.append((part, *scope, key))
                continue
            generation, spent, as_of_us, grants, rate = bucket
            numbers = (generation, spent, as_of_us, rate)
            fits = -_LARGEST <= min(numbers) <= max(numbers) <= _LARGEST
            stored = numbers if fits else map(small, numbers)
            kept.append((part, *scope, key, *stored, _grants_text(grants), full_us(key, bucket), seq))
    put(connection, "INSERT OR REPLACE INTO buckets VALUES", "", kept)
    for row in gone:
        connection.execute("DELETE FROM buckets WHERE part = ? AND kind = ? AND id = ? AND key = ?", row)


def full_us(key: str, bucket: Bucket) -> int | None:
    """When the bucket is full, unless its limit has been lowered a hundredfold since; ``None``: never (a pack)."""
    window_us, refill = _window(key)
    match refill:
        case "interval":
            at_us = bucket.generation + window_us
        case "continuous":
            # ``spent`` is units x window: each microsecond gives back ``rate`` of it, and 1 at least.
            at_us = bucket.as_of_us + min(bucket.spent, bucket.spent * _LOWERED // max(bucket.rate, 1))
        case _:
            return None
    return _bounded(at_us)


@lru_cache
def _window(key: str) -> tuple[int, str]:
    _, window_us, refill, _, _ = key.split("|")
    return int(window_us), refill


@lru_cache
def _grants_text(grants: tuple[str, ...]) -> str:
    return orjson.dumps(grants).decode() if grants else ""


def _bounded(number: int) -> int:
    return number if -_LARGEST <= number <= _LARGEST else (_LARGEST if number > 0 else -_LARGEST)


def read_buckets(connection: sqlite3.Connection, scope: Scope) -> States:
    """The stored buckets of ``scope``."""
    query = "SELECT key, generation, spent, as_of_us, rate, grants FROM buckets WHERE part = ? AND kind = ? AND id = ?"
    rows = connection.execute(query, (part_of(scope), *scope)).fetchall()
    return {key: bucket_from(*stored) for key, *stored in rows}


Place = tuple[int, str, str, str]
"""Where a reader of buckets has come to: part, kind, id and key of the last one."""
Kept = tuple[Scope, dict[str, Bucket]]


def read_page(
    connection: sqlite3.Connection, after: Place | None, now_us: int, most: int
) -> tuple[list[Kept], Place | None]:
    """The next ``most`` buckets that are not full yet, by scope, and the place to go on from (``None``: the end).

    A scope may go on in the next page.
    """
    query = (
        "SELECT part, kind, id, key, generation, spent, as_of_us, rate, grants FROM buckets"
        " WHERE (part, kind, id, key) > (?, ?, ?, ?) AND (full_us IS NULL OR full_us > ?)"
        " ORDER BY part, kind, id, key LIMIT ?"
    )
    rows = connection.execute(query, (*(after or (-1, "", "", "")), now_us, most)).fetchall()
    found: dict[Scope, dict[str, Bucket]] = {}
    for _, kind, id_, key, *stored in rows:
        found.setdefault(Scope(kind, id_), {})[key] = bucket_from(*stored)
    return list(found.items()), tuple(rows[-1][:4]) if len(rows) == most else None


def bucket_from(generation: int | str, spent: int | str, as_of_us: int | str, rate: int | str, grants: str) -> Bucket:
    """A bucket as it was written."""
    granted = tuple(orjson.loads(grants)) if grants else ()
    return Bucket(int(generation), int(spent), int(as_of_us), granted, int(rate))


def write_usage(connection: sqlite3.Connection, part: int, tally: Tally, rolled_us: int) -> None:
    """Roll-ups: add the sums to the minute; what comes after ``roll`` was there, to the hour and the day as well."""
    minutes: list[tuple[Any, ...]] = [
        (minute * MINUTE_US, part, *scope, rule, meter, *sums) for minute, scope, rule, meter, sums in tally.rows()
    ]
    _add(connection, "usage", minutes)
    late = [row for row in minutes if row[0] < rolled_us]
    for granularity in HISTORY if late else ():
        length_us = GRANULARITIES[granularity] * MINUTE_US
        periods: list[tuple[Any, ...]] = [
            (part, kind, id_, granularity, start_us - start_us % length_us, rule, meter, *sums)
            for start_us, _, kind, id_, rule, meter, *sums in late
        ]
        _add(connection, "history", periods)


def roll(connection: sqlite3.Connection, part: int, from_us: int, until_us: int) -> None:
    """Add the minutes of a part that begin in ``from_us`` <= start < ``until_us`` to its hours and days."""
    sums = ", ".join(f"sum({name})" for name in SUMS)
    added = ", ".join(f"{name} = {name} + excluded.{name}" for name in SUMS)
    for granularity in HISTORY:
        length_us = GRANULARITIES[granularity] * MINUTE_US
        starts = (
            "WITH RECURSIVE starts (at) AS"
            " (SELECT ?1 WHERE ?1 < ?2 UNION ALL SELECT at + ?6 FROM starts WHERE at + ?6 < ?2)"
        )
        select = (
            f"SELECT ?3, kind, id, ?4, at - at % ?5 AS start, rule, meter, {sums} FROM starts CROSS JOIN usage"  # noqa: S608
            " ON start_us = at AND part = ?3 WHERE true GROUP BY kind, id, start, rule, meter"
        )
        connection.execute(
            f"{starts} INSERT INTO history {select} ON CONFLICT DO UPDATE SET {added}",
            (from_us, until_us, part, granularity, length_us, MINUTE_US),
        )


def _add(connection: sqlite3.Connection, table: str, rows: list[tuple[Any, ...]]) -> None:
    """Add the sums at the end of ``rows`` to the rows of these keys, in the order of the table."""
    numbers = [*chain.from_iterable(map(itemgetter(slice(-len(SUMS), None)), rows))]
    if numbers and (min(numbers) < -_LARGEST or max(numbers) > _LARGEST):
        rows = [(*row[: -len(SUMS)], *map(_bounded, row[-len(SUMS) :])) for row in rows]
    added = ", ".join(f"{name} = {name} + excluded.{name}" for name in SUMS)
    put(connection, f"INSERT INTO {table} VALUES", f" ON CONFLICT DO UPDATE SET {added}", sorted(rows))


def write_holds(connection: sqlite3.Connection, tally: Tally, texts: KeyTexts) -> None:
    """Open holds, so that a restart can end them."""
    for id_, (_, seq, hold) in tally.holds.items():
        if hold is None:
            connection.execute("DELETE FROM holds WHERE id = ?", (tame_text(id_),))
        else:
            row = (tame_text(id_), seq, join([encode(Columns((hold,)), texts)[0]]))
            connection.execute("INSERT OR REPLACE INTO holds VALUES (?, ?, ?)", row)


def read_holds(connection: sqlite3.Connection) -> list[Record]:
    """Open holds, oldest first."""
    return [hold for hold in _open(connection, (-1, ""), -1) if hold.kind is Kind.HOLD]


Debt = tuple[int, str]
"""Where a reader of what is owed has come to: the number of the batch, and the id."""


def read_owed(connection: sqlite3.Connection, after: Debt | None, most: int) -> tuple[list[Record], Debt | None]:
    """What is owed, oldest first, ``most`` at once, and the place to go on from (``None``: the end)."""
    query = "SELECT seq, id FROM holds WHERE (seq, id) > (?, ?) ORDER BY seq, id LIMIT 1 OFFSET ?"
    place = after or (-1, "")
    found = [record for record in _open(connection, place, most) if record.kind is Kind.OWED]
    last = connection.execute(query, (*place, most - 1)).fetchone()
    return found, last


def _open(connection: sqlite3.Connection, after: Debt, most: int) -> list[Record]:
    query = "SELECT row FROM holds WHERE (seq, id) > (?, ?) ORDER BY seq, id LIMIT ?"
    return [decode(blob)[0] for (blob,) in connection.execute(query, (*after, most))]


def put(connection: sqlite3.Connection, head: str, tail: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert ``rows``, many to a statement: each statement lets go of the interpreter lock and takes it back once."""
    start = 0
    while start < len(rows):
        group = rows[start : start + (_GROUP if len(rows) - start >= _GROUP else 1)]
        marks = "(" + ",".join("?" * len(group[0])) + ")"
        values = [value for row in group for value in row]
        connection.execute(f"{head} {','.join([marks] * len(group))}{tail}", values)
        start += len(group)
