import asyncio
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from textwrap import dedent

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from gateway.store import plans
from gateway.store.engine import engine_for
from gateway.store.errors import StoreError
from gateway.store.listing import Listing
from gateway.store.migrate import STEPS, VERSION_TABLE, Steps
from gateway.store.open import migrate, open_store
from gateway.store.tables import metadata
from gateway.store.url import place_of
from tests.databases.postgresql import Server
from tests.store.samples import BY, pro

_COMMA = re.compile(r",(?![^()]*\))")
_MORE = """\
    import sqlalchemy as sa
    from alembic import op

    revision, down_revision, branch_labels, depends_on = "9000", "{head}", None, None

    def upgrade() -> None:
        op.add_column("plans", sa.Column("colour", sa.Text))
        {then}
    """


def later(folder: Path, then: str = "pass") -> Steps:
    """The steps of a version to come."""
    versions = folder / "versions"
    versions.mkdir()
    for step in (STEPS.folder / "versions").glob("s0*.py"):
        (versions / step.name).write_text(step.read_text())
    (versions / "s9000_more.py").write_text(dedent(_MORE.format(head=STEPS.head, then=then)))
    return Steps(folder, "9000")


@pytest.fixture
def newer(tmp_path: Path) -> Steps:
    folder = tmp_path / "steps"
    folder.mkdir()
    return later(folder)


async def described(url: str) -> list[tuple[str, ...]]:
    """Everything that guards, as the database itself tells it."""
    place = place_of(url)
    engine = engine_for(place)
    query = (
        "SELECT type, name, coalesce(sql, '') FROM sqlite_master WHERE name NOT LIKE '%weighbridge_version%'"
        if place.path is not None
        else "SELECT conrelid::regclass::text, conname::text, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text NOT LIKE '%weighbridge_version%'"
        " UNION ALL SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
        " AND tablename NOT LIKE '%weighbridge_version%'"
    )
    async with engine.connect() as connection:
        rows = (await connection.execute(sa.text(query))).all()
    await engine.dispose()
    return sorted(tuple(_plain(str(value)) for value in row) for row in rows)


def _plain(text: str) -> str:
    """Without white space, and the columns and constraints of a table in one order: SQLite appends new columns."""
    parts = _COMMA.split("".join(text.split()))
    return " ".join(sorted(part.removeprefix("CONSTRAINT").rstrip(")") for part in parts))


async def test_a_migrated_database_has_the_tables_that_are_declared(empty_url: str) -> None:
    await migrate(empty_url)
    engine = engine_for(place_of(empty_url))

    def differences(connection: sa.Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        return list(compare_metadata(context, metadata))

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    migrated = await described(empty_url)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.drop_all)
        await connection.run_sync(metadata.create_all)
    await engine.dispose()
    assert await described(empty_url) == migrated


async def test_migrating_twice_changes_nothing_the_second_time(empty_url: str) -> None:
    assert (await migrate(empty_url)).before == ""
    assert (await migrate(empty_url)).before == STEPS.head


async def test_many_migrate_at_once_and_each_step_is_taken_once(empty_url: str, newer: Steps) -> None:
    done = await asyncio.gather(*(migrate(empty_url, steps=newer) for _ in range(6)))
    assert sorted(each.before for each in done) == ["", *["9000"] * 5]


async def test_many_gateways_start_on_one_new_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    stores = await asyncio.gather(*(open_store(url) for _ in range(6)))
    assert {(await plans.page(store, Listing())) for store in stores} == {()}
    for store in stores:
        await store.close()


async def test_rows_outlive_a_migration(empty_url: str, newer: Steps) -> None:
    await migrate(empty_url)
    store = await open_store(empty_url)
    made = await plans.create(store, pro(), BY)
    await store.close()
    assert (await migrate(empty_url, steps=newer)).before == STEPS.head
    again = await open_store(empty_url, steps=newer)
    assert await plans.get(again, made.id) == made
    await again.close()


async def test_a_database_of_a_newer_version_is_refused_and_stays_as_it_is(empty_url: str, newer: Steps) -> None:
    await migrate(empty_url, steps=newer)
    for act in (open_store, migrate):
        with pytest.raises(StoreError, match=rf"newer version \(step 9000, this one knows up to {STEPS.head}\)"):
            await act(empty_url)
    assert (await migrate(empty_url, steps=newer)).before == "9000"


async def test_a_step_that_fails_is_undone_whole(empty_url: str, tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    broken = later(tmp_path / "broken", then='op.execute("INSERT INTO catalog VALUES (2, 0, 0)")')
    with pytest.raises(StoreError, match=r"cannot be used .*ck_catalog_one_row"):
        await migrate(empty_url, steps=broken)
    assert (await migrate(empty_url)).before == "", "not even the first step was kept"


async def test_an_sqlite_file_is_copied_before_its_tables_change(tmp_path: Path, newer: Steps) -> None:
    path = tmp_path / "store.db"
    store = await open_store(f"sqlite:///{path}")
    made = await plans.create(store, pro(), BY)
    await store.close()
    await (await open_store(f"sqlite:///{path}", steps=newer)).close()
    copy = tmp_path / f"store.db.of-{STEPS.head}"
    assert copy.exists()
    restored = await open_store(f"sqlite:///{copy}")
    assert await plans.get(restored, made.id) == made
    await restored.close()


async def test_a_new_file_is_not_copied(tmp_path: Path) -> None:
    await migrate(f"sqlite:///{tmp_path}/store.db")
    assert not list(tmp_path.glob("*.of-*"))


async def test_postgresql_is_not_migrated_by_a_start(postgresql: Server) -> None:
    url = postgresql.database()
    with pytest.raises(StoreError, match="has no tables yet; run `weighbridge migrate` first"):
        await open_store(url)
    await migrate(url)
    await (await open_store(url)).close()
    postgresql.drop(url)


async def test_a_database_of_another_program_is_refused(empty_url: str) -> None:
    engine = engine_for(place_of(empty_url))
    async with engine.begin() as connection:
        await connection.execute(sa.text("CREATE TABLE plans (id TEXT)"))
    await engine.dispose()
    with pytest.raises(StoreError, match="another program"):
        await migrate(empty_url)


def test_what_cannot_be_a_file_of_ours_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database at all, but text of some length, so that it is not empty")
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as other:
        other.execute("PRAGMA application_id = 77")
        other.execute("CREATE TABLE t (x)")
    for name, why in (
        ("text.db", "cannot be opened"),
        ("ledger.db", "another program's database"),
        ("missing/store.db", "does not exist"),
        (".", "is not a file"),
    ):
        with pytest.raises(StoreError, match=why):
            asyncio.run(open_store(f"sqlite:///{tmp_path / name}"))
