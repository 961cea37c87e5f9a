"""What was used: roll-ups of one scope, or of everyone, by minute, hour or day. Every question is bounded.

The file is read beside the thread that writes it, over a connection of its own, so that a long answer delays no charge.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

from gateway.core.scope import Scope
from gateway.journal.convert import tame_text
from gateway.journal.errors import JournalError
from gateway.journal.health import monotonic_us
from gateway.journal.schema import sentence
from gateway.journal.snapshots import GRANULARITIES
from gateway.journal.tally import EVERYONE, MINUTE_US, SUMS, part_of

Granularity = Literal["minute", "hour", "day"]
By = Literal["rule", "total"]
MOST_PERIODS = 100_000
PATIENCE_US = 2_000_000
"""A question that takes longer is given up: it asks for too much at once."""
_STEPS = 10_000
_STRETCH = 500
_T = TypeVar("_T")


class TooMuch(ValueError):  # noqa: N818  (it says what the caller asked for)
    """More is asked for than can be answered at once."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used in one period. ``rule`` ``None``: by all. ``amount``: with overrun, less what was given back.

    ``requests`` were let through; ``shadow`` and ``released`` of them: see ``tally.SUMS``. ``refused`` were not.
    """

    start_us: int
    rule: str | None
    meter: str
    amount: int
    overrun: int
    requests: int
    refused: int
    shadow: int = 0
    released: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """What one scope, or one rule, used of a meter in a stretch of time."""

    scope: Scope | None
    rule: str | None
    meter: str
    amount: int
    overrun: int
    requests: int
    refused: int
    shadow: int
    released: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Roll-ups of periods that start in ``from_us`` <= start < ``to_us``. ``scope`` ``None``: of everyone.

    ``by`` ``total``: all rules together. ``meter`` ``None``: each. At most about ``most`` results.
    """

    scope: Scope | None
    granularity: Granularity
    from_us: int
    to_us: int
    by: By = "rule"
    meter: str | None = None
    most: int = 10_000


def length_us(granularity: str) -> int:
    """How long a period is. Raises ``ValueError`` for what is none."""
    if granularity not in GRANULARITIES:
        raise ValueError(f"granularity {granularity!r} is none of {', '.join(GRANULARITIES)}")
    return GRANULARITIES[granularity] * MINUTE_US


def usage(connection: sqlite3.Connection, asked: Question) -> tuple[list[Usage], int | None]:
    """The answer, oldest first, and from when on to ask for the rest (``None``: that is all).

    Raises ``ValueError`` for a granularity that there is not, ``TooMuch`` for too many periods.
    """
    period_us = length_us(asked.granularity)
    first_us = -(-asked.from_us // period_us) * period_us
    if (asked.to_us - first_us) // period_us > MOST_PERIODS:
        raise TooMuch(f"more than {MOST_PERIODS:,} periods; ask for fewer, or for longer ones")
    rows: list[Usage] = []
    at_us, until_us = _kept(connection, asked, first_us)
    while at_us < until_us and len(rows) <= asked.most:
        # Adding up needs every row of a stretch before its first result, so a page takes no longer stretch than it may.
        end_us = min(until_us, at_us + max(asked.most, _STRETCH) * period_us)
        rows += _rows(connection, asked, at_us, end_us, asked.most + 1 - len(rows))
        at_us = end_us
    cut_us: int | None = None
    if len(rows) > asked.most:
        cut_us = rows[-1].start_us
        rows = [row for row in rows if row.start_us < cut_us]
        if not rows:  # one period alone has more than that: it is not torn apart
            rows = _rows(connection, asked, cut_us, cut_us + period_us, -1)
            cut_us += period_us
    if asked.granularity != "minute":
        rows = _with_fresh(connection, asked, rows, first_us, asked.to_us if cut_us is None else cut_us)
    if cut_us is None and len(rows) > asked.most:
        cut_us = rows[asked.most].start_us
        rows = [row for row in rows if row.start_us < cut_us] or [row for row in rows if row.start_us == cut_us]
        cut_us = cut_us if rows[-1].start_us < cut_us else cut_us + period_us
    return rows, cut_us if cut_us is not None and cut_us < asked.to_us else None


def _kept(connection: sqlite3.Connection, asked: Question, first_us: int) -> tuple[int, int]:
    """Where there can be anything: minutes are looked up one by one, and nobody waits for those that are not kept."""
    if asked.granularity != "minute":
        return first_us, asked.to_us
    ends = "SELECT (SELECT min(start_us) FROM usage), (SELECT max(start_us) FROM usage)"  # apart: each by the index
    oldest_us, newest_us = connection.execute(ends).fetchone()
    if oldest_us is None:
        return first_us, first_us
    return max(first_us, oldest_us), min(asked.to_us, newest_us + MINUTE_US)


def _with_fresh(
    connection: sqlite3.Connection, asked: Question, rows: list[Usage], first_us: int, end_us: int
) -> list[Usage]:
    """``rows`` of hours or days with the minutes that are not in them yet, of periods that start before ``end_us``."""
    period_us = length_us(asked.granularity)
    part = part_of(EVERYONE if asked.scope is None else asked.scope)
    (rolled_us,) = connection.execute("SELECT rolled_us FROM folded WHERE part = ?", (part,)).fetchone()
    from_us = max(rolled_us, first_us)
    found = connection.execute("SELECT min(start_us), max(start_us) FROM usage WHERE start_us >= ?", (from_us,))
    oldest_us, newest_us = found.fetchone()
    if oldest_us is None:
        return rows
    until_us = min(newest_us + 1, -(-end_us // period_us) * period_us)
    sums = {(row.start_us, row.rule, row.meter): [getattr(row, name) for name in SUMS] for row in rows}
    for row in _rows(connection, replace(asked, granularity="minute"), oldest_us, until_us, -1):
        key = (row.start_us - row.start_us % period_us, row.rule, row.meter)
        old = sums.setdefault(key, [0] * len(SUMS))
        old[:] = [a + getattr(row, name) for a, name in zip(old, SUMS, strict=True)]
    return [Usage(*key, *sums[key]) for key in sorted(sums, key=lambda key: (key[0], key[1] or "", key[2]))]


def _rows(connection: sqlite3.Connection, asked: Question, first_us: int, to_us: int, most: int) -> list[Usage]:
    scope = EVERYONE if asked.scope is None else Scope(tame_text(asked.scope.kind), tame_text(asked.scope.id))
    named = {
        "first": first_us,
        "end": to_us,
        "length": length_us(asked.granularity),
        "granularity": asked.granularity,
        "part": part_of(scope),
        "kind": scope.kind,
        "id": scope.id,
        "meter": asked.meter,
        "most": most,
    }
    return [Usage(*row) for row in connection.execute(query(asked), named).fetchall()]


def query(asked: Question) -> str:
    """The SQL of a question: hours and days lie together by scope, minutes are looked up one by one."""
    rule, group = ("rule", "start_us, rule, meter") if asked.by == "rule" else ("NULL", "start_us, meter")
    sums = ", ".join(f"sum({name})" for name in SUMS)
    select = f"SELECT start_us, {rule}, meter, {sums} FROM "  # noqa: S608  (names of our own)
    meter = "" if asked.meter is None else " AND meter = :meter"
    tail = f" GROUP BY {group} ORDER BY {group} LIMIT :most"
    mine = "part = :part AND kind = :kind AND id = :id"
    if asked.granularity == "minute":
        starts = (
            "WITH RECURSIVE starts (at) AS (SELECT :first WHERE :first < :end"
            " UNION ALL SELECT at + :length FROM starts WHERE at + :length < :end) "
        )
        return f"{starts}{select}starts CROSS JOIN usage ON start_us = at AND {mine}{meter}{tail}"
    where = f"history WHERE {mine} AND granularity = :granularity AND start_us >= :first AND start_us < :end"
    return f"{select}{where}{meter}{tail}"


def top_scopes(connection: sqlite3.Connection, from_us: int, meter: str, most: int) -> list[Share]:
    """Who used most in the minutes from ``from_us`` on."""
    sums = ", ".join(f"sum({name})" for name in SUMS)
    rows = connection.execute(
        f"SELECT kind, id, {sums} FROM usage WHERE start_us >= ? AND part <> ? AND meter = ?"  # noqa: S608
        " GROUP BY kind, id ORDER BY sum(amount) DESC, sum(refused) DESC, kind, id LIMIT ?",
        (from_us, part_of(EVERYONE), meter, most),
    )
    return [Share(Scope(kind, id_), None, meter, *found) for kind, id_, *found in rows.fetchall()]


def top_rules(connection: sqlite3.Connection, from_us: int, to_us: int, meter: str, most: int) -> list[Share]:
    """What was used most in the minutes ``from_us`` <= start < ``to_us``, by rule."""
    asked = Question(scope=None, granularity="minute", from_us=from_us, to_us=to_us, meter=meter)
    found: dict[str | None, list[int]] = {}
    for row in _rows(connection, asked, from_us - from_us % MINUTE_US, to_us, -1):
        old = found.setdefault(row.rule, [0] * len(SUMS))
        old[:] = [a + getattr(row, name) for a, name in zip(old, SUMS, strict=True)]
    shares = [Share(None, rule, meter, *sums) for rule, sums in found.items()]
    return sorted(shares, key=lambda share: (-share.amount, -share.refused, share.rule or ""))[:most]


class History:
    """Reads a journal's roll-ups, from one event loop. What is not folded yet (a second or so) is not in them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="history")
        self._connection: sqlite3.Connection | None = None
        self._until_us = 0

    async def usage(self, asked: Question) -> tuple[list[Usage], int | None]:
        """See ``usage``. Raises ``TooMuch`` also for what takes too long, ``JournalError`` if it cannot be read."""
        return await self._run(usage, asked)

    async def top_scopes(self, from_us: int, meter: str, most: int) -> list[Share]:
        """See ``top_scopes``. Raises as ``usage``."""
        return await self._run(top_scopes, from_us, meter, most)

    async def top_rules(self, from_us: int, to_us: int, meter: str, most: int) -> list[Share]:
        """See ``top_rules``. Raises as ``usage``."""
        return await self._run(top_rules, from_us, to_us, meter, most)

    async def close(self) -> None:
        """Let go of the file."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown()

    async def _run(self, call: Callable[..., _T], *args: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(self._ask, call, *args))

    def _ask(self, call: Callable[..., _T], *args: object) -> _T:
        self._until_us = monotonic_us() + PATIENCE_US
        try:
            if self._connection is None:
                uri = f"{self._path.resolve().as_uri()}?mode=ro"
                self._connection = sqlite3.connect(uri, uri=True, isolation_level=None)
                self._connection.set_progress_handler(self._tired, _STEPS)
            self._connection.execute("BEGIN")  # all of an answer is of one moment
            try:
                return call(self._connection, *args)
            finally:
                self._connection.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                raise TooMuch("this takes too long; ask for a shorter time, or for longer periods") from error
            self._disconnect()
            raise JournalError(sentence(error, self._path)) from error

    def _tired(self) -> bool:
        return monotonic_us() > self._until_us

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
