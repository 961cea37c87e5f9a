"""Questions to the journal: what was used, what became of a request, and whether everything agrees."""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.core.scope import Scope
from gateway.journal.convert import decode, plain
from gateway.journal.errors import JournalError
from gateway.journal.record import Record
from gateway.journal.schema import damaged
from gateway.journal.snapshots import GRANULARITIES
from gateway.journal.tally import MINUTE_US, part_of

_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Usage:
    """What a scope used by one rule on one meter in one period. ``amount``: with overrun, less what was given back."""

    start_us: int
    rule: str
    meter: str
    amount: int
    overrun: int
    requests: int
    refused: int


def usage(connection: sqlite3.Connection, scope: Scope, granularity: str, from_us: int, to_us: int) -> list[Usage]:
    """Roll-ups of the periods that start in ``from_us`` <= start < ``to_us``, oldest first.

    ``granularity``: ``minute``, ``hour`` or ``day`` (of UTC). Raises ``ValueError`` for another, or too many periods.
    """
    if granularity not in GRANULARITIES:
        raise ValueError(f"granularity {granularity!r} is none of {', '.join(GRANULARITIES)}")
    length_us = GRANULARITIES[granularity] * MINUTE_US
    first_us = -(-from_us // length_us) * length_us
    if (to_us - first_us) // length_us > _MOST:
        raise ValueError(f"more than {_MOST:,} periods; ask for fewer, or for longer ones")
    # One look-up for each period: the table is ordered by time, so that writing it stays in one place.
    rows = connection.execute(
        "WITH RECURSIVE starts (at) AS"
        " (SELECT ?1 WHERE ?1 < ?2 UNION ALL SELECT at + ?3 FROM starts WHERE at + ?3 < ?2)"
        " SELECT start_us, rule, meter, amount, overrun, requests, refused FROM starts CROSS JOIN usage"
        " ON granularity = ?4 AND start_us = at AND part = ?5 AND kind = ?6 AND id = ?7 ORDER BY start_us, rule, meter",
        (first_us, to_us, length_us, granularity, part_of(scope), *scope),
    )
    return [Usage(*row) for row in rows.fetchall()]


def batches(connection: sqlite3.Connection, path: Path, from_seq: int = 0) -> Iterator[tuple[int, list[Record]]]:
    """Batches from a number on, in order. Raises ``JournalError`` on a damaged one."""
    for seq, blob in connection.execute("SELECT seq, blob FROM entries WHERE seq >= ? ORDER BY seq", (from_seq,)):
        yield seq, _decode(path, seq, blob)


def find(
    connection: sqlite3.Connection, path: Path, request_id: str, *, before_seq: int, most: int
) -> tuple[list[Record], int | None]:
    """Records of a request in the ``most`` batches before a number, and the number to go on from (``None``: end)."""
    found: list[Record] = []
    seq: int | None = None
    query = "SELECT seq, blob FROM entries WHERE seq < ? ORDER BY seq DESC LIMIT ?"
    rows = connection.execute(query, (before_seq, most)).fetchall()
    needle = request_id.encode("utf-8", "backslashreplace")
    for seq, blob in rows:
        try:
            text = plain(blob)
        except ValueError as error:
            raise JournalError(damaged(path, f"entry {seq}: {error}")) from error
        if needle in text:
            found = [record for record in _decode(path, seq, blob) if record.id == request_id] + found
    return found, seq if len(rows) == most else None


def _decode(path: Path, seq: int, blob: bytes) -> list[Record]:
    try:
        return decode(blob)
    except ValueError as error:
        raise JournalError(damaged(path, f"entry {seq}: {error}")) from error


def facts(connection: sqlite3.Connection) -> Mapping[str, str]:
    """What the file says of itself: ``ledger_id``, ``created_us``, ``forgotten_until_us``."""
    return dict(connection.execute("SELECT name, value FROM meta").fetchall())
