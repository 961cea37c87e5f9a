"""Reloads of a running process: by SIGHUP and by saving the file. What cannot be applied leaves the old one running."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.core.scope import Scope
from gateway.demo.backend import Backend
from gateway.demo.data import BOB
from gateway.settings.load import load
from gateway.store import subscriptions
from gateway.store.open import open_store
from tests.e2e.selling import by, sold
from tests.e2e.served import Served, configure, served
from tests.e2e.world import PLANS, SECRET

APPLIED, REFUSED = "reloaded", "reload refused, the old configuration goes on"
BIGGER = PLANS.replace("throughput_limit: 10,", "throughput_limit: 50,")


class Here:
    """A process before a backend, and what a request of Bob's says of its plan."""

    def __init__(self, running: Served, upstream: str, token: str) -> None:
        self.running = running
        self.token = token
        self._upstream = upstream

    def write(self, yaml: str) -> None:
        configure(self.running.folder, self._upstream, yaml)

    async def limit(self) -> str:
        answer = await self.running.ask("/user/me", self.token)
        assert answer.status == 200
        return answer.headers["X-RateLimit-Limit"]

    async def metric(self, result: str) -> bool:
        """Whether a reload with this result was counted."""
        text = await (await self.running.ask("/-/metrics")).text()
        return f'weighbridge_config_reloads_total{{result="{result}"}} 1.0' in text


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Here]:
    backend = Backend(jwt_secret=SECRET)
    upstream = await backend.start()
    configure(tmp_path, upstream, PLANS)
    async with served(tmp_path) as running:
        yield Here(running, upstream, backend.token(BOB))
        assert await running.end() == 0
    await backend.close()


async def test_sighup_applies_a_new_file_and_keeps_what_was_spent(here: Here) -> None:
    assert await here.limit() == "10"
    here.write(BIGGER)
    assert (await here.running.reload())["event"] == APPLIED
    answer = await here.running.ask("/user/me", here.token)
    assert (answer.headers["X-RateLimit-Limit"], answer.headers["X-RateLimit-Remaining"]) == ("50", "48")


async def test_saving_the_file_is_enough(here: Here) -> None:
    assert await here.limit() == "10"
    here.write(BIGGER)
    await here.running.until_logged(APPLIED)
    assert here.running.logged("configuration changed")[0]["files"] == [str(here.running.config)]
    assert await here.limit() == "50"
    assert await here.metric("applied")


@pytest.mark.parametrize("how", ["SIGHUP", "saved"])
async def test_a_bad_file_leaves_the_old_one_running_and_says_everything_that_is_wrong(here: Here, how: str) -> None:
    here.write(f"{BIGGER}cascades: [user]\nerrors: loud\n")
    refused = await here.running.reload() if how == "SIGHUP" else await here.running.until_logged(REFUSED)
    assert (refused["event"], refused["level"]) == (REFUSED, "error")
    assert "cascades: unknown key; did you mean cascade?" in refused["reason"]
    assert "errors: must be" in refused["reason"]
    assert await here.limit() == "10"
    assert await here.metric("refused")
    here.write(BIGGER)  # the repair is noticed without a word
    await here.running.until_logged(APPLIED)
    assert await here.limit() == "50"


async def test_what_needs_a_restart_is_refused_by_name_and_nothing_else_is_applied(here: Here) -> None:
    here.write(f"{BIGGER}ledger: 'memory:'\nlisten: 127.0.0.1:1\n")
    refused = await here.running.reload()
    assert refused["event"] == REFUSED
    assert refused["reason"] == "listen, ledger.url can only change with a restart"
    assert await here.limit() == "10"


async def test_a_plan_that_somebody_has_cannot_be_taken_away(here: Here) -> None:
    team = PLANS + "  - {slug: team, name: Team, throughput_limit: 70, window_seconds: 3600}\n"
    here.write(team)
    assert (await here.running.reload())["event"] == APPLIED
    store = await open_store(load(here.running.config, {"JWT_SECRET": SECRET}).store or "")
    try:
        await subscriptions.create(store, sold("team", Scope("user", BOB.id)), by())
    finally:
        await store.close()
    here.write(PLANS)
    refused = await here.running.reload()
    assert refused["event"] == REFUSED
    assert refused["reason"] == "plans: there are subscriptions to 'team', which is not there any more; put it back"
    async with asyncio.timeout(20):  # what was bought elsewhere is in force within two seconds
        while await here.limit() != "70":
            await asyncio.sleep(0.05)


async def test_a_file_that_is_gone_leaves_the_old_configuration_running(here: Here) -> None:
    here.running.config.unlink()
    refused = await here.running.until_logged(REFUSED)
    assert "cannot be read" in refused["reason"]
    assert await here.limit() == "10"


async def test_no_reload_tells_a_secret(here: Here) -> None:
    here.write(f"{BIGGER}identity: {{jwt: {{secrets: '{SECRET}'}}}}\n")
    assert (await here.running.reload())["event"] == REFUSED
    assert SECRET not in json.dumps(here.running.events)
