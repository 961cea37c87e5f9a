"""How long the history of one scope over a year takes among ten million roll-ups: ``python -m bench.history``.

The file is made as a journal makes it, filled in the order of its key, and asked the way the API asks it: each question
by a fresh connection to a file that the page cache has been told to drop (cold), then again (warm).
"""

import argparse
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from gateway.core.scope import Scope
from gateway.journal.history import Question, query, usage
from gateway.journal.schema import connect
from gateway.journal.tally import EVERYONE, part_of

DAY_US = 86_400_000_000
END_US = 1_700_000_000_000_000 // DAY_US * DAY_US
YEAR = 365
RULES = 5
BUSY_RULES = 20
ASKED = 50


def fill(connection: sqlite3.Connection, scopes: int) -> int:
    """A year of days of each scope by five rules, a year of hours of the first by twenty; how many rows that is."""
    ids = [f"00000000-0000-4000-8000-{number:012d}" for number in range(scopes)]
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("CREATE TEMP TABLE who (part, kind, id, PRIMARY KEY (part, kind, id)) WITHOUT ROWID")
    rows = [(part_of(scope), *scope) for scope in (Scope("user", id_) for id_ in ids)]
    connection.executemany("INSERT INTO who VALUES (?, ?, ?)", [*rows, (part_of(EVERYONE), *EVERYONE)])
    connection.execute("BEGIN")
    days = (END_US - YEAR * DAY_US, DAY_US, YEAR, RULES, "day")
    connection.execute(_INSERT.format("who"), days)
    connection.execute("CREATE TEMP TABLE busy AS SELECT * FROM who WHERE id = ?", (ids[0],))
    hours = (END_US - YEAR * DAY_US, DAY_US // 24, YEAR * 24, BUSY_RULES, "hour")
    connection.execute(_INSERT.format("busy"), hours)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (count,) = connection.execute("SELECT count(*) FROM history").fetchone()
    return int(count)


_INSERT = """
WITH RECURSIVE
    starts (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM starts WHERE n + 1 < ?3),
    rules (r) AS (SELECT 0 UNION ALL SELECT r + 1 FROM rules WHERE r + 1 < ?4)
INSERT INTO history
SELECT part, kind, id, ?5, ?1 + n * ?2, printf('GET /resource%02d/{{id}}', r), 'throughput', 7, 0, 5, 1, 0, 0
FROM {} CROSS JOIN starts CROSS JOIN rules ORDER BY part, kind, id, n, r
"""


def drop_cache(path: Path) -> None:
    """Ask the system to forget the file's pages."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def ask(path: Path, asked: Question) -> tuple[float, int]:
    """Milliseconds, and how many points."""
    started = time.perf_counter()
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        found, _ = usage(connection, asked)
        return (time.perf_counter() - started) * 1000, len(found)


def questions(scopes: int) -> Iterator[tuple[str, list[Question]]]:
    """What is asked, by what it is called."""
    busy = Scope("user", f"00000000-0000-4000-8000-{0:012d}")
    year = Question(scope=busy, granularity="day", from_us=END_US - YEAR * DAY_US, to_us=END_US)
    some = [Scope("user", f"00000000-0000-4000-8000-{n * scopes // ASKED:012d}") for n in range(ASKED)]
    yield "a year by day, by rule", [replace(year, scope=scope) for scope in some]
    yield "a year by day, all rules", [replace(year, scope=scope, by="total") for scope in some]
    yield "hours of a busy year, a page", [replace(year, granularity="hour", by="total", most=1_000)] * 5
    yield "the same by rule, a page", [replace(year, granularity="hour", most=1_000)] * 5
    yield "the same, all of it", [replace(year, granularity="hour", by="total")] * 3
    yield "a year by day of everyone", [replace(year, scope=None)] * 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000, help="how many roll-ups, about")
    scopes = max(ASKED, parser.parse_args().rows // (YEAR * RULES))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        connection, started = connect(path, 0), time.perf_counter()
        count = fill(connection, scopes)
        for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {query(next(questions(scopes))[1][0])}", _NO_VALUES):
            print(f"plan: {step}")
        connection.close()
        size = path.stat().st_size / 1e9
        print(f"{count:,} rows of {scopes:,} scopes, {size:.2f} GB, made in {time.perf_counter() - started:.0f} s")
        print(f"{'':28}{'points':>8}{'cold ms':>18}{'warm ms':>18}")
        for name, asked in questions(scopes):
            cold, warm = [], []
            for question in asked:
                drop_cache(path)
                ms, points = ask(path, question)
                cold.append(ms)
                warm.append(ask(path, question)[0])
            print(f"{name:28}{points:>8,}{_spread(cold):>18}{_spread(warm):>18}")


_NO_VALUES = dict.fromkeys(("first", "end", "length", "granularity", "part", "kind", "id", "meter", "most"), 1)


def _spread(times: list[float]) -> str:
    ordered = sorted(times)
    return f"{ordered[len(ordered) // 2]:.1f} (max {ordered[-1]:.1f})"


if __name__ == "__main__":
    main()
