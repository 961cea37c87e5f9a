"""A store for histories by the thousand: a file in memory, asked in this thread, emptied by copying an empty one.

The driver's thread costs more than what it is asked; and an engine that is kept has compiled its SQL already.
"""

import shutil
import sqlite3
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import aiosqlite
from sqlalchemy.ext.asyncio import create_async_engine

from gateway.store import engine as engines
from gateway.store.store import Store
from gateway.store.url import Place

_IN_MEMORY = Path("/dev/shm")  # noqa: S108


class _AtOnce(aiosqlite.Connection):
    """Does what it is asked at once, where it is asked."""

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)

    def __await__(self) -> Generator[Any, None, "_AtOnce"]:
        self._connection = self._connector()
        yield from ()
        return self

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def stop(self) -> None:
        self._running = False


class NearStores:
    """Gives the same store again and again, empty each time. For one event loop, one store at a time."""

    def __init__(self, migrated: Path) -> None:
        parent = _IN_MEMORY if _IN_MEMORY.is_dir() else None
        self._folder = TemporaryDirectory(dir=parent, ignore_cleanup_errors=True)
        self._migrated, self._path = migrated, Path(self._folder.name) / "store.db"

        async def connect() -> _AtOnce:
            return await _AtOnce(partial(sqlite3.connect, self._path, isolation_level=None), 64)

        with patch.object(engines, "create_async_engine", partial(create_async_engine, async_creator=connect)):
            self._engine = engines.engine_for(Place(path=self._path))

    async def fresh(self) -> Store:
        await self._engine.dispose()
        for old in self._path.parent.glob("store.db*"):
            old.unlink()
        shutil.copy(self._migrated, self._path)
        return Store(Place(path=self._path), self._engine)

    async def keep(self) -> None:
        """From now on, empty means: as it is now."""
        await self._engine.dispose()
        kept = self._path.with_name("kept.db")
        shutil.copy(self._path, kept)
        self._migrated = kept

    async def close(self) -> None:
        await self._engine.dispose()
        self._folder.cleanup()
