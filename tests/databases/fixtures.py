"""Fixtures for tests that run on both databases: ``from tests.databases.fixtures import *`` in a conftest."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.store.open import migrate, open_store
from gateway.store.store import Store
from gateway.store.tables import metadata
from tests.databases.postgresql import WITHOUT, Server, execute, in_thread, server

__all__ = ["empty_url", "migrated_database", "migrated_file", "postgresql", "store", "store_url"]

ENGINES = ("sqlite", "postgresql")
EMPTIED = f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY CASCADE; INSERT INTO catalog VALUES (1, 0, 0)"  # noqa: S608


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    if os.environ.get(WITHOUT):
        pytest.skip(f"{WITHOUT} is set")
    with server() as running:
        yield running


@pytest.fixture(scope="session")
def migrated_database(postgresql: Server) -> Iterator[str]:
    """A database with our tables, emptied for each test: that takes a tenth of the time of making one."""
    url = postgresql.database()
    in_thread(migrate(url))
    yield url
    postgresql.drop(url)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with our tables, to copy."""
    path = tmp_path_factory.mktemp("store") / "migrated.db"
    in_thread(migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture(params=ENGINES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables, on either engine."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/empty.db"
        return
    running: Server = request.getfixturevalue("postgresql")
    url = running.database()
    yield url
    running.drop(url)


@pytest.fixture(params=ENGINES)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a store with its tables and no rows, on either engine."""
    if request.param == "sqlite":
        path = tmp_path / "store.db"
        shutil.copy(request.getfixturevalue("migrated_file"), path)
        yield f"sqlite:///{path}"
        return
    url: str = request.getfixturevalue("migrated_database")
    in_thread(execute(url, EMPTIED))
    yield url


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    opened = await open_store(store_url)
    yield opened
    await opened.close()
