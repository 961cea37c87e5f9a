"""The journal's file: its tables, and opening it with a clear sentence for each thing that can be wrong."""

import os
import secrets
import sqlite3
from pathlib import Path

from gateway.journal.errors import JournalError

VERSION = 4
PARTS = 64
"""Into how many parts, by scope, the folded state is divided; each has its own ``folded`` sequence number."""
EVERYONE_PART = PARTS
"""One part more: the roll-ups of all scopes together."""
_APPLICATION = 0x57424A31  # "WBJ1": tells our file from any other SQLite database
_QUICK_CHECK_BELOW = 32 << 20

# ``usage`` has the minutes, in the order of time: they are written in one place, and go soon. ``history`` has the
# hours and days, by scope: a year of one scope lies together (decisions/0038). Minutes of a part that begin before its
# ``rolled_us`` are in ``history`` too; what comes late to them is written to both.
_TABLES = """
CREATE TABLE entries (seq INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, count INTEGER NOT NULL, blob BLOB NOT NULL);
CREATE TABLE buckets (
    part INTEGER NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, key TEXT NOT NULL, generation BLOB NOT NULL,
    spent BLOB NOT NULL, as_of_us BLOB NOT NULL, rate BLOB NOT NULL, grants TEXT NOT NULL, full_us INTEGER,
    seq INTEGER NOT NULL,
    PRIMARY KEY (part, kind, id, key)
) WITHOUT ROWID;
CREATE TABLE usage (
    start_us INTEGER NOT NULL, part INTEGER NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
    rule TEXT NOT NULL, meter TEXT NOT NULL, amount INTEGER NOT NULL, overrun INTEGER NOT NULL,
    requests INTEGER NOT NULL, refused INTEGER NOT NULL, shadow INTEGER NOT NULL, released INTEGER NOT NULL,
    PRIMARY KEY (start_us, part, kind, id, rule, meter)
) WITHOUT ROWID;
CREATE TABLE history (
    part INTEGER NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, granularity TEXT NOT NULL, start_us INTEGER NOT NULL,
    rule TEXT NOT NULL, meter TEXT NOT NULL, amount INTEGER NOT NULL, overrun INTEGER NOT NULL,
    requests INTEGER NOT NULL, refused INTEGER NOT NULL, shadow INTEGER NOT NULL, released INTEGER NOT NULL,
    PRIMARY KEY (part, kind, id, granularity, start_us, rule, meter)
) WITHOUT ROWID;
CREATE TABLE holds (id TEXT PRIMARY KEY, seq INTEGER NOT NULL, row BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE folded (part INTEGER PRIMARY KEY, seq INTEGER NOT NULL, rolled_us INTEGER NOT NULL);
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


def connect(path: Path, now_us: int) -> sqlite3.Connection:
    """Open or create the journal at ``path``, for the thread that calls. Raises ``JournalError``."""
    _check_place(path)
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(path, isolation_level=None, timeout=1.0)
        _prepare(connection, path, now_us)
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        raise JournalError(sentence(error, path)) from error
    except JournalError:
        if connection is not None:
            connection.close()
        raise
    return connection


def _check_place(path: Path) -> None:
    folder = path.parent
    if not folder.is_dir():
        raise JournalError(f"the journal's folder {folder} does not exist; create it, or set `ledger` to another place")
    if path.exists() and not path.is_file():
        raise JournalError(f"the journal {path} is not a file; set `ledger` to another place")
    if not os.access(folder, os.W_OK | os.X_OK) or (path.exists() and not os.access(path, os.R_OK | os.W_OK)):
        raise JournalError(
            f"the journal {path} or its folder is not writable for this process; correct its owner or mode"
        )


def _prepare(connection: sqlite3.Connection, path: Path, now_us: int) -> None:
    # These two take effect only on an empty file, in this order, and before WAL.
    connection.execute("PRAGMA page_size = 8192")
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    (found,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if found != _APPLICATION and (found or tables):
        raise JournalError(f"{path} is another program's database, not a journal; set `ledger` to another place")
    if version > VERSION:
        raise JournalError(
            f"the journal {path} was written by a newer version (format {version}, this one reads up to {VERSION}); "
            "run the newer version again"
        )
    if tables and version < VERSION:
        raise JournalError(
            f"the journal {path} was written before the first release (format {version}, this one reads {VERSION}); "
            "move it and its -wal file away to start with an empty one (budgets start full)"
        )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA cache_size = -16384")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    if path.stat().st_size < _QUICK_CHECK_BELOW:
        _check(connection, path)
    if not tables:
        _create(connection, now_us)


def _check(connection: sqlite3.Connection, path: Path) -> None:
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise JournalError(damaged(path, verdict))


def _create(connection: sqlite3.Connection, now_us: int) -> None:
    facts = f"('ledger_id', '{secrets.token_hex(16)}'), ('created_us', '{now_us}'), ('forgotten_until_us', '0')"
    parts = ", ".join(f"({part}, 0, 0)" for part in range(PARTS + 1))
    try:
        # One transaction, the pragmas included: a process that dies here leaves an empty file, not half a journal.
        connection.executescript(
            f"BEGIN IMMEDIATE; {_TABLES} INSERT INTO meta VALUES {facts}; INSERT INTO folded VALUES {parts};"  # noqa: S608
            f"PRAGMA application_id = {_APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
        )
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def damaged(path: Path, why: str) -> str:
    """The sentence for a file that cannot be trusted."""
    return (
        f"the journal {path} is damaged or not a journal ({why}); move it and its -wal file away to start with "
        "an empty one (budgets start full), or put a good copy in its place"
    )


def sentence(error: sqlite3.Error, path: Path) -> str:
    """What an error of SQLite means for whoever runs the gateway."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    match code:
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return damaged(path, str(error))
        case sqlite3.SQLITE_FULL:
            return f"the disk of the journal {path} is full ({error}); make room"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return f"the journal {path} or its folder is not writable ({error}); correct its owner or mode"
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"the journal {path} is locked by another program ({error}); close whatever has it open"
        case _:
            return f"the journal {path} cannot be read or written ({error})"
