"""A store whose database is locked, slow, gone and back."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from textwrap import dedent

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.core.problems import StoreUnavailable
from gateway.store import plans, subscribed
from gateway.store.errors import StoreError
from gateway.store.listing import Listing
from gateway.store.open import migrate, open_store
from gateway.store.store import Store
from gateway.store.url import place_of
from tests.databases.postgresql import execute, own_server
from tests.store.samples import ALICE, BY, NOW, pro


async def test_a_locked_file_is_our_fault_and_changes_nothing(tmp_path: Path) -> None:
    store = await open_store(f"sqlite:///{tmp_path}/store.db", patience_s=0.1)
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable) as refused:
            await plans.create(store, pro(), BY)
        assert refused.value.status == 503
        assert await subscribed.held(store, ALICE, NOW) == (), "readers are not locked out"
        other.execute("ROLLBACK")
    await plans.create(store, pro(), BY)
    await store.close()


async def test_readers_and_a_writer_work_at_once(store: Store) -> None:
    async with store.write(BY):
        assert await plans.page(store, Listing()) == ()


async def test_a_reader_sees_one_moment(store: Store) -> None:
    async with store.read() as connection:
        before = await plans_in(connection)
        await plans.create(store, pro(), BY)
        assert await plans_in(connection) == before == 0


async def plans_in(connection: AsyncConnection) -> int:
    return len((await connection.exec_driver_sql("SELECT id FROM plans")).all())


async def test_a_writer_that_is_cancelled_leaves_nothing_and_blocks_nobody(store: Store) -> None:
    entered = asyncio.Event()

    async def slow() -> None:
        async with store.write(BY) as act:
            act.note("plan.create", "x", None, pro())
            entered.set()
            await asyncio.sleep(60)

    task = asyncio.get_running_loop().create_task(slow())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    made = await asyncio.wait_for(plans.create(store, pro(), BY), 10)
    assert await plans.page(store, Listing()) == (made,)


async def test_more_readers_than_connections_wait_their_turn(store: Store) -> None:
    made = await plans.create(store, pro(), BY)
    pages = await asyncio.gather(*(plans.page(store, Listing()) for _ in range(100)))
    assert pages == [(made,)] * 100


async def test_a_server_that_dies_is_our_fault() -> None:
    with own_server() as running:
        url = running.database()
        await migrate(url)
        store = await open_store(url, patience_s=2)
        made = await plans.create(store, pro(), BY)
        killed = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname <> ''"
        )
        await execute(running.url, killed)
        assert await plans.get(store, made.id) == made, "connections that were cut are replaced"
    for act in (
        plans.get(store, made.id),
        plans.create(store, pro(slug="other"), BY),
        subscribed.held(store, ALICE, 0),
    ):
        with pytest.raises(StoreUnavailable):
            await act
    await store.close()


async def test_why_a_server_cannot_be_used_is_said_without_the_password(tmp_path: Path) -> None:
    for url in (
        f"postgresql://me:geheim@/db?host={tmp_path}&password=geheim",
        "postgresql://me:geheim@127.0.0.1:1/db",
        "postgresql://me:geheim@127.0.0.1:port/db",
        "postgres://me:geheim@[::1/db",
        "postgresql://me:Xk3/geheim@127.0.0.1/db",
        "postgresql://me:1/geheim@127.0.0.1/db",
        "postgresql://me:geheim?x@127.0.0.1/db",
        "postgresql://me:geheim#x@127.0.0.1/db",
        "postgresql://me:gehe@im/geheim@127.0.0.1/db",
        "postgresql://me@127.0.0.1:1/db?password=x@geheim",
    ):
        for act in (open_store, migrate):
            with pytest.raises(StoreError) as refused:
                await act(url, patience_s=1)
            assert "geheim" not in str(refused.value)


def test_places_are_read_and_shown() -> None:
    assert str(place_of("sqlite:///a/b.db")) == "sqlite:///a/b.db"
    assert place_of("sqlite:////a/b.db").path == Path("/a/b.db")
    assert str(place_of("postgresql://me:secret@host:5433/db?sslmode=require")) == "postgresql://me@host:5433/db"
    assert str(place_of("postgres:///db")) == "postgres:///db"
    for url in ("mysql://x", "sqlite:///", "sqlite:///:memory:", "sqlite:///x/", "sqlite:///x?y", "weighbridge.db"):
        with pytest.raises(ValueError, match="must"):
            place_of(url)


_WRITER = """
    import asyncio, sys
    from gateway.store import plans
    from gateway.store.open import open_store
    from tests.store.samples import BY, pro

    async def main():
        store = await open_store(sys.argv[1])
        for number in range(10_000):
            await plans.create(store, pro(slug=f"p{number}"), BY)
            print(number, flush=True)

    asyncio.run(main())
"""


def test_what_was_answered_survives_kill_9(store_url: str) -> None:
    argv = [sys.executable, "-c", dedent(_WRITER), store_url]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=env) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if line == "12\n":
                break
        writer.send_signal(signal.SIGKILL)
        answered = 13 + len(writer.stdout.read().splitlines())

    async def kept() -> int:
        store = await open_store(store_url)
        found = await plans.page(store, Listing(limit=1000))
        await store.close()
        return len(found)

    assert asyncio.run(kept()) in (answered, answered + 1)
