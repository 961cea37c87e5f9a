"""The store as an SQLite file: whether it may be used, and a copy before its tables change."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from gateway.store.errors import StoreError

APPLICATION = 0x57425331  # "WBS1": tells our file from any other SQLite database, and from the ledger


def prepare(path: Path, patience_s: float) -> None:
    """Make sure that ``path`` can be our store, and let readers and the writer work at once (WAL).

    Raises ``StoreError`` with the reason.
    """
    _check_place(path)
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=patience_s)) as connection:
            (found,) = connection.execute("PRAGMA application_id").fetchone()
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if found != APPLICATION and (found or tables):
                raise StoreError(f"{path} is another program's database, not a store; set `store` to another place")
            connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.Error as error:
        raise StoreError(f"the store {path} cannot be opened ({error}); see that it is a good file and free") from error


def back_up(path: Path, version: str) -> Path:
    """Copy the file as it was last committed, beside it. An older copy of the same version stays as it is."""
    copy = path.with_name(f"{path.name}.of-{version}")
    if copy.exists():
        return copy
    unfinished = copy.with_name(f"{copy.name}.part")
    unfinished.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(unfinished)) as target:
        source.backup(target)
    unfinished.replace(copy)
    return copy


def _check_place(path: Path) -> None:
    folder = path.parent
    if not folder.is_dir():
        raise StoreError(f"the store's folder {folder} does not exist; create it, or set `store` to another place")
    if path.exists() and not path.is_file():
        raise StoreError(f"the store {path} is not a file; set `store` to another place")
    if not os.access(folder, os.W_OK | os.X_OK) or (path.exists() and not os.access(path, os.R_OK | os.W_OK)):
        raise StoreError(f"the store {path} or its folder is not writable for this process; correct its owner or mode")
