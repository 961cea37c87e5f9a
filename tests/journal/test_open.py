"""Files that cannot be a journal, and journals that are somebody else's."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.journal import JournalError, open_journal
from gateway.journal.lock import Lock
from tests.journal.world import World, user

HOLDER = """
import asyncio, pathlib, sys
from gateway.journal import open_journal

async def main():
    await open_journal(pathlib.Path(sys.argv[1]))
    print("open", flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""


async def refusal(path: Path) -> str:
    with pytest.raises(JournalError) as caught:
        await open_journal(path)
    return str(caught.value)


async def test_a_second_process_is_told_who_has_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with subprocess.Popen([sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE) as holder:  # noqa: ASYNC220
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        assert f"in use by process {holder.pid}" in await refusal(path)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        async with await open_journal(path):
            pass


async def test_a_link_to_a_journal_in_use_is_the_same_journal(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "j.db")
    async with await open_journal(tmp_path / "j.db"):
        assert f"in use by process {os.getpid()}" in await refusal(tmp_path / "link.db")


async def test_a_closed_journal_can_be_opened_again_in_the_same_process(tmp_path: Path) -> None:
    for _ in range(3):
        async with await open_journal(tmp_path / "j.db"):
            pass


async def test_a_refused_journal_is_not_kept_locked(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    path.write_bytes(b"no database at all, but long enough to be one" * 100)
    await refusal(path)
    Lock(path.resolve()).close()


async def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    path.write_bytes(b"no database at all, but long enough to be one" * 100)
    before = path.read_bytes()
    message = await refusal(path)
    assert "damaged or not a journal" in message
    assert "move it" in message
    assert path.read_bytes() == before


async def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE mine (x)")
    other.close()
    assert "another program's database" in await refusal(path)


async def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    async with await open_journal(path):
        pass
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert "newer version (format 99" in await refusal(path)


async def test_a_damaged_page_is_noticed_at_start(tmp_path: Path) -> None:
    path, world = tmp_path / "j.db", World()
    async with await open_journal(path) as journal:
        for number in range(2_000):
            journal.append(world.charge(user(number)))
    content = bytearray(path.read_bytes())
    content[8192:16384] = b"\xff" * 8192
    path.write_bytes(content)
    assert "damaged" in await refusal(path)


async def test_a_damaged_entry_is_named(tmp_path: Path) -> None:
    path, world = tmp_path / "j.db", World()
    async with await open_journal(path) as journal:
        journal.append(world.charge(user(1)))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE entries SET blob = x'5b7b7d5d'")
        connection.execute("UPDATE folded SET seq = 0")
    connection.close()
    assert "entry 1" in await refusal(path)


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert str(tmp_path / "nowhere") in await refusal(tmp_path / "nowhere" / "j.db")


async def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "j.db").mkdir()
    assert "is not a file" in await refusal(tmp_path / "j.db")


async def test_a_folder_that_cannot_be_written_is_refused() -> None:
    # Not even root can make a file there.
    assert "must be writable" in await refusal(Path("/proc/self/j.db"))


async def test_a_process_that_died_while_making_the_file_leaves_nothing_half_made(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    path.touch()
    async with await open_journal(path) as journal:
        journal.append(World().charge(user(1)))
        assert await journal.prove() == []
