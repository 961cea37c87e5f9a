"""Bringing a database to the tables of this version, once, however many ask for it at the same time.

The steps are Alembic's, run by us: in one transaction under one lock, so that a step is taken whole or not at all.
"""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.store import sqlite_file
from gateway.store.engine import writing
from gateway.store.errors import StoreError
from gateway.store.sales_tables import sales_metadata as metadata
from gateway.store.url import Place

if TYPE_CHECKING:
    from alembic.runtime.migration import RevisionStep

VERSION_TABLE = "weighbridge_version"
"""Not Alembic's usual name: a database may be shared with a program that uses it."""
_LOCK = 0x5742_5331_6D69_6772
"""PostgreSQL's advisory lock around a migration; any number that others do not use."""


class Steps(NamedTuple):
    """Where the steps are, and the number of the newest."""

    folder: Path = Path(__file__).parent / "migrations"
    head: str = "0009"


STEPS = Steps()


async def version_of(engine: AsyncEngine, place: Place, steps: Steps = STEPS) -> str:
    """The number of the database's last step; empty: it has no tables yet. Raises ``StoreError`` if it is not ours."""

    def read(connection: sa.Connection) -> str:
        return _version(connection, place, steps)

    async with engine.connect() as connection:
        return await connection.run_sync(read)


async def upgrade(engine: AsyncEngine, place: Place, steps: Steps = STEPS) -> str:
    """Take the steps that are missing; returns the number before. An SQLite file with contents is copied first.

    Raises ``StoreError`` for a database of a newer version or of another program.
    """

    def run(connection: sa.Connection) -> str:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        before = _version(connection, place, steps)
        if before and before != steps.head and place.path is not None:
            sqlite_file.back_up(place.path, before)
        if before != steps.head:
            _take(connection, steps)
        if place.path is not None:
            connection.exec_driver_sql(f"PRAGMA application_id = {sqlite_file.APPLICATION}")
        return before

    async with writing(engine).begin() as connection:
        return await connection.run_sync(run)


def _version(connection: sa.Connection, place: Place, steps: Steps) -> str:
    found = sa.inspect(connection)
    if not found.has_table(VERSION_TABLE):
        if taken := sorted(metadata.tables.keys() & set(found.get_table_names())):
            raise StoreError(
                f"the store {place} has tables of another program ({', '.join(taken[:3])}); "
                "give the gateway a database, or a schema, of its own"
            )
        return ""
    version = connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608
    if version is None:
        return ""
    if version > steps.head:
        raise StoreError(
            f"the store {place} was written by a newer version (step {version}, this one knows up to {steps.head}); "
            "run the newer version again, or put a backup in its place"
        )
    return str(version)


def _take(connection: sa.Connection, steps: Steps) -> None:
    # Only here: most starts have no step to take.
    from alembic.config import Config  # noqa: PLC0415
    from alembic.runtime.environment import EnvironmentContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    script = ScriptDirectory(str(steps.folder))

    def missing(current: tuple[str, ...], _context: object) -> "list[RevisionStep]":
        return script._upgrade_revs(steps.head, current)  # type: ignore[arg-type]  # noqa: SLF001  (as Alembic's command does)

    with EnvironmentContext(Config(), script, fn=missing, destination_rev=steps.head) as environment:
        environment.configure(connection=connection, version_table=VERSION_TABLE)
        environment.run_migrations()
