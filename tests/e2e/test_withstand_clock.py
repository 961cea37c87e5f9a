"""A clock that steps forward and back while the gateway runs: nobody is charged twice, nothing is minted or breaks."""

import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.demo.backend import Backend
from gateway.demo.data import ALICE, BOB
from tests.e2e.served import Served, configure, served, until
from tests.e2e.world import PLANS, SECRET

HOUR_S = 3600
DAY_S = 24 * HOUR_S


class Clock:
    """The clock of the gateway; it stands ten minutes into an hour, so that no test meets a window's end."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "clock"
        self.base_s = HOUR_S - int(time.time()) % HOUR_S + 600
        self.step(0)

    def step(self, seconds: int) -> None:
        """Set it so far from where it began."""
        new = self.file.with_suffix(".new")
        new.write_text(str(self.base_s + seconds))
        new.replace(self.file)

    @property
    def command(self) -> tuple[str | Path, ...]:
        return (sys.executable, "-P", Path(__file__).with_name("stepped_clock.py"), self.file, "serve")


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path)


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    """An upstream, with the gateway configured for it."""
    backend = Backend(jwt_secret=SECRET)
    configure(tmp_path, await backend.start(), PLANS)
    yield backend
    await backend.close()


async def left(here: Served, token: str) -> int:
    """What is left after one more request."""
    answer = await here.ask("/contact", token)
    assert answer.status in {200, 400}, answer.status  # 400: the backend wants a workspace; it was charged all the same
    return int(answer.headers["X-RateLimit-Remaining"])


async def test_budgets_survive_steps_forward_and_back_and_a_restart_in_the_past(
    tmp_path: Path, backend: Backend, clock: Clock
) -> None:
    alice, bob = backend.token(ALICE, 30 * DAY_S), backend.token(BOB, 30 * DAY_S)
    async with served(tmp_path, command=clock.command) as here:
        assert [await left(here, alice) for _ in range(10)] == list(range(9, -1, -1))
        refused = await here.ask("/contact", alice)
        assert (refused.status, int(refused.headers["Retry-After"]) <= HOUR_S) == (429, True)
        clock.step(HOUR_S)
        assert await left(here, alice) == 9  # a new window
        clock.step(0)
        assert await left(here, alice) == 8  # which is not left again: stepping back refills nothing
        assert await left(here, bob) == 9
        clock.step(-HOUR_S)
        assert await left(here, alice) == 7
        assert await left(here, bob) == 8
        assert await here.end() == 0
    clock.step(-2 * HOUR_S)
    async with served(tmp_path, command=clock.command) as again:
        assert await left(again, alice) == 6
        assert await left(again, bob) == 7
        clock.step(10 * DAY_S)
        assert await left(again, alice) == 9
        assert (await again.ask("/-/health/ready")).status == 200
        assert await again.end() == 0
        assert [event for event in again.events if event["level"] == "error"] == []


async def test_a_token_expires_by_the_clock_and_is_good_again_when_that_steps_back(
    tmp_path: Path, backend: Backend, clock: Clock
) -> None:
    token = backend.token(ALICE, 2 * HOUR_S)
    async with served(tmp_path, command=clock.command) as here:
        assert await left(here, token) == 9
        clock.step(2 * HOUR_S)
        expired = await here.ask("/contact", token)
        assert expired.status == 401
        assert "expired" in (await expired.json())["description"]
        clock.step(0)
        assert await left(here, token) == 8
        await until(lambda: len(here.accesses) == 3, "three lines in the access log")
        assert [line["outcome"] for line in here.accesses] == ["charged", "problem", "charged"]
        assert all(line["latency_us"] >= 0 for line in here.accesses)
