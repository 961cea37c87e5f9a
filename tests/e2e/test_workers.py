"""One gateway of several processes: one budget, one scrape, and whoever dies is started again."""

import asyncio
import os
import re
import resource
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.gateways import SHARED, spent, storm, token, workers_of
from tests.e2e.plain_upstream import plain_upstream
from tests.e2e.served import Served, configure, served
from tests.redis_server.fixtures import mortal
from tests.redis_server.server import RedisServer

pytestmark = pytest.mark.slow

__all__ = ["mortal"]
BUDGET = 200


def prepared(folder: Path, upstream: str, redis: str, *, workers: int = 3, budget: int = BUDGET) -> None:
    yaml = SHARED.format(redis=redis, folder=folder, store="null", budget=budget, mode="exact", debt=0)
    configure(folder, upstream, f"{yaml}workers: {workers}\n")


async def metric(here: Served, name: str) -> float:
    text = await (await here.ask("/-/metrics")).text()
    return sum(float(value) for value in re.findall(rf"^weighbridge_{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE))


async def test_workers_share_a_budget_and_one_scrape_tells_of_all(tmp_path: Path, mortal: RedisServer) -> None:
    async with plain_upstream() as upstream:
        prepared(tmp_path, upstream.url, mortal.url)
        async with served(tmp_path) as here:
            answers = await storm([here], 3 * BUDGET)
            assert (answers[200], answers[429]) == (BUDGET, 2 * BUDGET)
            assert await metric(here, "workers") == 3
            assert await metric(here, "units_total") == BUDGET
            assert await metric(here, "refusals_total") == 2 * BUDGET
            assert await here.end() == 0
    assert sorted(path.name for path in tmp_path.glob("ledger-worker*.db")) == [
        f"ledger-worker{n}.db" for n in (1, 2, 3)
    ]
    assert spent(mortal.client()) == BUDGET


async def test_a_worker_that_dies_is_started_again_and_others_go_on(tmp_path: Path, mortal: RedisServer) -> None:
    async with plain_upstream() as upstream:
        prepared(tmp_path, upstream.url, mortal.url, workers=2)
        async with served(tmp_path) as here:
            before = set(workers_of(here))
            victim = min(before)
            os.kill(victim, signal.SIGKILL)
            assert (await here.ask("/one", token())).status == 200
            await here.until_logged("a worker died and is started again")
            async with asyncio.timeout(30):
                while await metric(here, "workers") != 2:
                    await asyncio.sleep(0.05)
            after = set(workers_of(here))
            assert (len(after), victim in after) == (2, False)
            assert await here.end() == 0


async def test_a_worker_that_cannot_be_started_now_is_started_later(tmp_path: Path, mortal: RedisServer) -> None:
    async with plain_upstream() as upstream:
        prepared(tmp_path, upstream.url, mortal.url, workers=2)
        async with served(tmp_path) as here:
            soft, hard = resource.prlimit(here.process.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(here.process.pid, resource.RLIMIT_NOFILE, (3, hard))
            os.kill(min(workers_of(here)), signal.SIGKILL)
            died = await here.until_logged("a worker died and is started again", times=3)
            assert died["reason"] == "it cannot be started: Too many open files"
            assert died["in_s"] > here.logged("a worker died and is started again")[0]["in_s"], "each time later"
            assert (await here.ask("/one", token())).status == 200
            resource.prlimit(here.process.pid, resource.RLIMIT_NOFILE, (soft, hard))
            async with asyncio.timeout(60):
                while await metric(here, "workers") != 2:
                    await asyncio.sleep(0.05)
            assert await here.end() == 0


async def test_a_worker_that_starts_reloads_once_it_serves(tmp_path: Path, mortal: RedisServer) -> None:
    async with plain_upstream() as upstream:
        prepared(tmp_path, upstream.url, mortal.url, workers=2)
        async with served(tmp_path) as here:
            before = set(workers_of(here))
            os.kill(min(before), signal.SIGKILL)
            async with asyncio.timeout(30):
                while not set(workers_of(here)) - before:
                    await asyncio.sleep(0.005)
            here.send(signal.SIGHUP)
            await here.until_logged("reloaded", times=2)
            assert len(here.logged("a worker died and is started again")) == 1
            assert await here.end() == 0


async def test_workers_are_replaced_without_a_lost_request(tmp_path: Path, mortal: RedisServer) -> None:
    async with plain_upstream() as upstream:
        prepared(tmp_path, upstream.url, mortal.url, workers=2, budget=1_000_000)
        async with served(tmp_path) as here:
            before, answers, over = set(workers_of(here)), Counter[int](), asyncio.Event()
            port = int(here.url.rpartition(":")[2])
            head = f"POST /one HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token()}\r\n"
            asked = f"{head}Content-Length: 0\r\n\r\n".encode()

            async def ask_on() -> None:  # as a client that may not ask twice: what is lost stays lost
                while not over.is_set():
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    told = False
                    while not told and not over.is_set():
                        writer.write(asked)
                        try:
                            head = (await reader.readuntil(b"\r\n\r\n")).lower()
                            await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r")[0]))
                        except (asyncio.IncompleteReadError, OSError):
                            answers[0] += 1
                            break
                        answers[int(head.split()[1])] += 1
                        told = b"connection: close" in head
                    writer.close()

            asking = asyncio.gather(*(ask_on() for _ in range(8)))
            here.send(signal.SIGUSR2)
            await here.until_logged("all workers were replaced")
            over.set()
            await asking
            assert set(workers_of(here)).isdisjoint(before)
            assert set(answers) == {200}
            assert await here.end() == 0


async def test_workers_end_with_their_supervisor(tmp_path: Path, mortal: RedisServer) -> None:
    async with plain_upstream() as upstream:
        prepared(tmp_path, upstream.url, mortal.url, workers=2)
        async with served(tmp_path) as here:
            workers = workers_of(here)
            await here.end(signal.SIGKILL)
            async with asyncio.timeout(30):
                while any(Path(f"/proc/{pid}").exists() for pid in workers):
                    await asyncio.sleep(0.05)


async def test_workers_that_cannot_start_end_the_start(tmp_path: Path, mortal: RedisServer) -> None:
    async with plain_upstream() as upstream:
        prepared(tmp_path, upstream.url, mortal.url, workers=2)
        (tmp_path / "ledger-worker1.db").write_text("no journal, but of some length, so that it is not an empty file")
        with pytest.raises(AssertionError, match=r"(?s)not a journal.*a worker could not start; the reason stands"):
            async with served(tmp_path):
                pass
