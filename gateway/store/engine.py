"""Connections: an engine per store, with what each database needs so that a transaction is one.

SQLite through SQLAlchemy would begin late and forget ``FOR UPDATE``: concurrent edits would overwrite one another
without a word. Hence ``BEGIN IMMEDIATE`` where something will be written: one writer at a time, and it sees the last.
"""

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from gateway.store.tables import for_postgresql
from gateway.store.url import Place

PATIENCE_S = 5.0
"""How long a connection may take to open or to become free, and a writer to get its turn."""
STATEMENT_S = 30.0
_SQLITE_POOL, _POSTGRESQL_POOL = 4, 10
WRITING = "weighbridge_writing"


def engine_for(place: Place, *, patience_s: float = PATIENCE_S) -> AsyncEngine:
    """An engine; nothing is connected yet."""
    if place.path is not None:
        return _sqlite(place.path, patience_s)
    return _postgresql(place.dsn or "", patience_s)


def _sqlite(path: Path, patience_s: float) -> AsyncEngine:
    engine = create_async_engine(
        sa.URL.create("sqlite+aiosqlite", database=str(path)),
        connect_args={"isolation_level": None, "timeout": patience_s},  # the driver begins nothing by itself
        pool_size=_SQLITE_POOL,
        max_overflow=0,
        pool_timeout=patience_s,
    )

    @sa.event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA synchronous = FULL")  # money: a commit that was answered survives a power cut
        cursor.close()

    @sa.event.listens_for(engine.sync_engine, "begin")
    def _begun(connection: sa.Connection) -> None:
        writing = connection.get_execution_options().get(WRITING)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


def _postgresql(dsn: str, patience_s: float) -> AsyncEngine:
    import asyncpg  # noqa: PLC0415  (3 MB that a gateway with an SQLite file does without)

    for_postgresql()

    async def connect() -> "asyncpg.Connection[asyncpg.Record]":
        connection: asyncpg.Connection[asyncpg.Record]
        try:
            connection = await asyncpg.connect(dsn, timeout=patience_s, command_timeout=STATEMENT_S)
        except asyncpg.PostgresError as error:
            raise ConnectionError(str(error)) from error  # wrong password, no such database, too many clients
        except (asyncpg.InterfaceError, ValueError) as error:
            raise ConnectionError("the URL is not one of PostgreSQL") from error  # its text may quote the password
        return connection

    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        pool_size=_POSTGRESQL_POOL,
        max_overflow=0,
        pool_timeout=patience_s,
        pool_pre_ping=True,  # a server that restarted costs nobody an error
    )


def reading(engine: AsyncEngine) -> AsyncEngine:
    """The engine for transactions that read: all of one sees the same moment."""
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def writing(engine: AsyncEngine) -> AsyncEngine:
    """The engine for transactions that write."""
    return engine.execution_options(**{WRITING: True})
