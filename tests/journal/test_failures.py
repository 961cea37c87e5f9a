"""A disk that takes nothing for a while: nothing corrupts, nothing is written twice, what is lost is counted."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.journal import Bounds, Journal, JournalError, Options, Pace, open_journal
from gateway.journal.health import monotonic_us
from tests.journal.world import World, on_disk, spent, user

BY_HAND = Options(pace=Pace(flush_s=3600, fold_s=3600, retry_s=0, retry_most_s=0))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=False, capture_output=True)
    if made.returncode:
        pytest.skip("mounting a file system takes root")
    yield folder
    subprocess.run(["umount", folder], check=True)


async def set_room(journal: Journal, pages: int) -> None:
    """Let the file grow to ``pages`` pages and no further."""
    await journal._run(lambda: journal._store.connection.execute(f"PRAGMA max_page_count = {pages}").fetchall())


async def refuse_writes(journal: Journal, *, refuse: bool) -> None:
    """Let SQLite refuse every write, as on a disk that was mounted anew to be read only."""
    await journal._run(lambda: journal._store.connection.execute(f"PRAGMA query_only = {int(refuse)}").fetchall())


async def test_a_full_disk_loses_nothing_and_is_written_when_there_is_room(small_disk: Path) -> None:
    path, world = small_disk / "j.db", World()
    ballast = small_disk / "ballast"
    async with await open_journal(path, options=BY_HAND) as journal:
        journal.append(world.charge(user(1)))
        assert await journal.fold()
        ballast.write_bytes(bytes(1 << 20))
        while await journal.flush():
            for number in range(500):
                journal.append(world.charge(user(number)))
        assert journal.failing_since_us is not None
        assert "is full" in str(journal.report.failure)
        for number in range(1_000):
            journal.append(world.charge(user(number)))
        assert not await journal.flush()
        assert journal.pending > 1_000
        assert spent(await journal.load(user(7))) == world.spent[user(7)]
        ballast.unlink()
        assert await journal.flush()
        assert (journal.failing_for_us, journal.lost, journal.pending) == (0, 0, 0)
        assert journal.report.failure is None
        assert spent(await journal.load(user(7))) == world.spent[user(7)]
        assert await journal.prove() == []
    assert [record.id for record in on_disk(path)] == [f"r{n + 1}" for n in range(world.charged)]


async def test_what_failed_is_written_once_and_in_order(tmp_path: Path) -> None:
    path, world = tmp_path / "j.db", World()
    async with await open_journal(path, options=BY_HAND) as journal:
        await refuse_writes(journal, refuse=True)
        before = journal.last_written_us
        for _ in range(5):
            for number in range(300):
                journal.append(world.charge(user(number)))
            assert not await journal.flush()
        assert (journal.pending, journal.written, journal.last_written_us) == (1_500, 0, before)
        since = journal.failing_since_us
        assert since is not None
        assert 0 <= monotonic_us() - since == pytest.approx(journal.failing_for_us, abs=1_000_000)
        assert not await journal.fold()
        await refuse_writes(journal, refuse=False)
        assert await journal.flush()
        assert (journal.written, journal.failing_for_us) == (1_500, 0)
        assert await journal.prove() == []
    assert [record.id for record in on_disk(path)] == [f"r{n + 1}" for n in range(1_500)]


async def test_a_fold_that_finds_no_room_is_tried_again(tmp_path: Path) -> None:
    world = World()
    async with await open_journal(tmp_path / "j.db", options=BY_HAND) as journal:
        for number in range(3_000):
            journal.append(world.charge(user(number)))
        assert await journal.flush()
        await set_room(journal, 1)
        assert not await journal.fold()
        assert "is full" in str(journal.report.fold_failure)
        assert journal.failing_since_us is None
        await set_room(journal, 10_000)
        assert await journal.fold()
        assert journal.report.fold_failure is None
        assert await journal.prove() == []


async def test_a_batch_that_was_written_though_it_seemed_to_fail_is_not_written_again(tmp_path: Path) -> None:
    path, world = tmp_path / "j.db", World()
    async with await open_journal(path, options=BY_HAND) as journal:
        await refuse_writes(journal, refuse=True)
        journal.append(world.charge(user(1)))
        assert not await journal.flush()
        await refuse_writes(journal, refuse=False)
        batch = journal._store.waiting[0]
        row = (batch.seq, batch.at_us, batch.count, batch.blob)
        await journal._run(lambda: journal._store.connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?)", row))
        assert await journal.flush()
        assert await journal.prove() == []
    assert [record.id for record in on_disk(path)] == [f"r{n + 1}" for n in range(world.charged)]


async def test_when_memory_runs_short_single_requests_go_and_the_sums_stay(tmp_path: Path) -> None:
    path, world = tmp_path / "j.db", World()
    options = Options(pace=BY_HAND.pace, bounds=Bounds(records=1_000))
    async with await open_journal(path, options=options) as journal:
        await refuse_writes(journal, refuse=True)
        for _ in range(30):
            for number in range(100):
                journal.append(world.charge(user(number % 10)))
            assert not await journal.flush()
        assert journal.pending <= 1_000
        assert (journal.lost, journal.report.condensed > 1_000) == (0, True)
        assert spent(await journal.load(user(3))) == world.spent[user(3)]
        await refuse_writes(journal, refuse=False)
        assert await journal.fold()
        for scope, units in world.spent.items():
            assert spent(await journal.load(scope)) == units
        assert await journal.prove() == []
    assert sum(record.costs.get("throughput", 0) for record in on_disk(path)) == 3_000
    assert sum(record.times for record in on_disk(path)) == 3_000


async def test_what_cannot_be_kept_at_all_is_counted_as_lost(tmp_path: Path) -> None:
    world = World()
    options = Options(pace=BY_HAND.pace, bounds=Bounds(records=50))
    async with await open_journal(tmp_path / "j.db", options=options) as journal:
        await refuse_writes(journal, refuse=True)
        for number in range(300):
            journal.append(world.charge(user(number)))
            if number % 10 == 9:
                await journal.flush()
        assert journal.lost > 0
        assert journal.pending <= 50 + 10
        await refuse_writes(journal, refuse=False)
        assert await journal.flush()


async def test_a_thread_that_hangs_does_not_fill_the_memory(tmp_path: Path) -> None:
    world = World()
    options = Options(pace=Pace(flush_s=3600, flush_records=10), bounds=Bounds(records=100))
    async with await open_journal(tmp_path / "j.db", options=options) as journal:
        for number in range(250):
            journal.append(world.charge(user(number)))
        assert journal.lost > 0
        assert journal.lost + journal.pending == 250


async def test_closing_says_what_could_not_be_written(tmp_path: Path) -> None:
    journal = await open_journal(tmp_path / "j.db", options=BY_HAND)
    await refuse_writes(journal, refuse=True)
    for number in range(300):
        journal.append(World().charge(user(number)))
    with pytest.raises(JournalError, match=r"300 records are not on disk: .*not writable"):
        await journal.close()
    async with await open_journal(tmp_path / "j.db"):
        pass
