"""Questions to the journal: what became of a request, and what the file says of itself. For usage see ``history``."""

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

from gateway.journal.convert import decode, plain
from gateway.journal.errors import JournalError
from gateway.journal.record import Record
from gateway.journal.schema import damaged


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
