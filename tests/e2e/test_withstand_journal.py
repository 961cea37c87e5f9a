"""A journal that cannot be written, read or had: before the start, and under a gateway that is running."""

import asyncio
import os
import re
import resource
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from gateway.core.scope import Scope
from gateway.demo.backend import Backend
from gateway.demo.data import BOB
from tests.e2e.audit import restored_from
from tests.e2e.served import PATIENCE_S, PROGRAM, Served, configure, environment, served
from tests.e2e.world import PLANS, SECRET

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits files of a running process")

ME = Scope("user", BOB.id)
YAML = PLANS.replace(
    "throughput_limit: 10, window_seconds: 3600", "throughput_limit: 100000, window_seconds: 315360000"
)


class Full:
    """A gateway whose disk can be filled: none of its files can grow any more. ``charged``: requests that cost one."""

    def __init__(self, running: Served, backend: Backend) -> None:
        self.running = running
        self.backend = backend
        self.charged = 0
        self._token = backend.token(BOB)
        self._roomy = resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE)

    async def ask(self) -> int:
        answer = await self.running.ask("/user/me", self._token)
        if answer.status == 200:
            self.charged += 1
            assert answer.headers["X-RateLimit-Remaining"] == str(100_000 - self.charged), "the counters stay exact"
        else:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
            assert "X-RateLimit-Remaining" not in answer.headers
        return answer.status

    async def fill(self) -> None:
        """Fill the disk, and ask until that has been noticed for long enough."""
        size = (self.running.folder / "ledger.db-wal").stat().st_size
        resource.prlimit(self.running.process.pid, resource.RLIMIT_FSIZE, (size, self._roomy[1]))
        async with asyncio.timeout(PATIENCE_S):
            while await self.parts() == "ok":
                await self.ask()
                await asyncio.sleep(0.05)

    def make_room(self) -> None:
        resource.prlimit(self.running.process.pid, resource.RLIMIT_FSIZE, self._roomy)

    async def parts(self) -> str:
        """What readiness says of the journal."""
        answer = await self.running.ask("/-/health/ready")
        said: str = (await answer.json())["parts"]["journal"]
        assert (answer.status == 200) == (said == "ok")
        return said

    async def metric(self, name: str) -> float:
        text = await (await self.running.ask("/-/metrics")).text()
        (value,) = re.findall(rf"^weighbridge_{name} (\S+)$", text, re.MULTILINE)
        return float(value)


@asynccontextmanager
async def full(folder: Path, policy: str) -> AsyncIterator[Full]:
    backend = Backend(jwt_secret=SECRET)
    configure(folder, await backend.start(), f"{YAML}on_store_failure: {policy}\n")
    try:
        async with served(folder) as running:
            here = Full(running, backend)
            assert await here.ask() == 200
            async with asyncio.timeout(PATIENCE_S):
                while await here.metric("journal_pending_records"):
                    await asyncio.sleep(0.05)
            yield here
    finally:
        await backend.close()


async def test_open_lets_through_and_writes_it_all_down_once_there_is_room(tmp_path: Path) -> None:
    async with full(tmp_path, "open") as here:
        await here.fill()
        assert [await here.ask() for _ in range(20)] == [200] * 20
        assert await here.metric("journal_failing") == 1
        assert await here.metric("journal_pending_records") >= 20
        assert await here.metric("journal_lost_records_total") == 0
        reason = here.running.logged("journal cannot be written")[0]["reason"]
        assert f"the journal {tmp_path}/ledger.db cannot be read or written" in reason
        assert len(here.backend.requests) == here.charged
        here.make_room()
        await here.running.until_logged("journal is written again")
        assert await here.parts() == "ok"
        assert await here.metric("journal_failing") == 0
        assert await here.running.end() == 0
        assert [event for event in here.running.events if event["event"] == "task failed"] == []
    assert await restored_from(tmp_path / "ledger.db", [ME]) == ({ME: here.charged}, [])


async def test_closed_refuses_with_503_and_charges_nobody_until_there_is_room(tmp_path: Path) -> None:
    async with full(tmp_path, "closed") as here:
        await here.fill()
        before = len(here.backend.requests)
        assert [await here.ask() for _ in range(20)] == [503] * 20
        assert len(here.backend.requests) == before == here.charged
        here.make_room()
        async with asyncio.timeout(PATIENCE_S):
            while await here.ask() != 200:
                await asyncio.sleep(0.05)
        assert await here.running.end() == 0
    assert await restored_from(tmp_path / "ledger.db", [ME]) == ({ME: here.charged}, [])


async def test_a_gateway_that_must_stop_while_the_disk_is_full_says_what_is_lost(tmp_path: Path) -> None:
    async with full(tmp_path, "open") as here:
        await here.fill()
        kept = [await here.ask() for _ in range(5)]
        assert kept == [200] * 5
        assert await here.running.end() == 1
        said = (tmp_path / "events.log").read_text()
    (lost,) = re.findall(
        r"^Error: stopped, but (\d+) records are not on disk: .*cannot be read or written", said, re.MULTILINE
    )
    assert int(lost) >= 5
    assert "Traceback" not in said
    spent, wrong = await restored_from(tmp_path / "ledger.db", [ME])
    assert wrong == []
    assert 1 <= spent[ME] < here.charged


async def refused(folder: Path) -> str:
    """Start, and see it end with exit code 1 and one sentence."""
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "serve", cwd=folder, env=environment(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, errors = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    said = errors.decode()
    assert (process.returncode, out) == (1, b"")
    assert said.startswith("Error: ")
    assert "Traceback" not in said
    return said


def garbage(path: Path) -> None:
    path.write_bytes(os.urandom(100_000))


def somebody_elses(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")


def a_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (garbage, "is damaged or not a journal"),
        (somebody_elses, "is another program's database, not a journal"),
        (a_folder, "is not a file"),
    ],
)
async def test_a_file_that_is_no_journal_is_named_and_left_alone(
    tmp_path: Path, spoil: Callable[[Path], None], why: str
) -> None:
    configure(tmp_path, "http://127.0.0.1:9", YAML)
    path = tmp_path / "ledger.db"
    spoil(path)
    before = path.read_bytes() if path.is_file() else b""
    said = await refused(tmp_path)
    assert str(path) in said
    assert why in said
    assert (path.read_bytes() if path.is_file() else b"") == before


async def test_a_journal_that_was_cut_in_its_middle_is_named(tmp_path: Path) -> None:
    backend = Backend(jwt_secret=SECRET)
    configure(tmp_path, await backend.start(), YAML)
    path = tmp_path / "ledger.db"
    async with served(tmp_path) as here:
        for _ in range(30):
            await here.ask("/user/me", backend.token(BOB))
        assert await here.end() == 0
    await backend.close()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert f"the journal {path} is damaged" in await refused(tmp_path)
    path.write_bytes(whole)
    assert await restored_from(path, [ME]) == ({ME: 30}, [])


@pytest.mark.parametrize("folder", ["/proc", "/nowhere/at/all"])
async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, folder: str) -> None:
    configure(tmp_path, "http://127.0.0.1:9", f"{YAML}ledger: sqlite:///{folder}/ledger.db\n")
    said = await refused(tmp_path)
    assert folder in said
    assert "writable" in said or "does not exist" in said


async def test_a_second_gateway_on_the_same_journal_names_the_first_and_leaves_it_alone(tmp_path: Path) -> None:
    backend = Backend(jwt_secret=SECRET)
    configure(tmp_path, await backend.start(), YAML)
    async with served(tmp_path) as here:
        said = await refused(tmp_path)
        assert f"is in use by process {here.process.pid}: one process per journal" in said
        answer = await here.ask("/user/me", backend.token(BOB))
        assert (answer.status, answer.headers["X-RateLimit-Remaining"]) == (200, "99999")
        assert await here.end() == 0
    await backend.close()
    assert await restored_from(tmp_path / "ledger.db", [ME]) == ({ME: 1}, [])
