"""The whole gateway with a billing database that is away, or does not fit its configuration."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.core.scope import Scope
from gateway.demo.data import BOB
from gateway.server import StartError, start
from gateway.settings.load import load
from gateway.store import plans, subscriptions
from gateway.store.migrate import STEPS
from gateway.store.open import migrate
from tests.databases.fixtures import migrated_database, migrated_file, postgresql, store_url
from tests.databases.postgresql import OwnServer, own_server
from tests.e2e.selling import CONFIG, ME, by, draft, left, sold, store_of
from tests.e2e.world import SECRET, World, world

__all__ = ["migrated_database", "migrated_file", "postgresql", "store_url"]


@pytest.fixture
async def here(store_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path, CONFIG.format(url=store_url)) as running:
        yield running


async def test_a_plan_of_the_configuration_that_somebody_has_cannot_go(here: World) -> None:
    await subscriptions.create(store_of(here), sold("team"), by())
    assert await left(here) == ("50", "49")
    text = here.config.read_text()
    gone = text.replace("  - {slug: team, name: Team, throughput_limit: 50, window_seconds: 3600}\n", "")
    assert gone != text
    here.config.write_text(gone)
    with pytest.raises(ValueError, match="there are subscriptions to 'team'"):
        await here.gateway.reload(load(here.config, {"JWT_SECRET": SECRET}))
    assert await left(here) == ("50", "48")
    with pytest.raises(StartError, match="there are subscriptions to 'team'"):
        await start(load(here.config, {"JWT_SECRET": SECRET}))
    here.config.write_text(text.replace("throughput_limit: 50", "throughput_limit: 60"))
    await here.gateway.reload(load(here.config, {"JWT_SECRET": SECRET}))
    assert await left(here) == ("60", "57")


DOWN = CONFIG + "on_store_failure: {policy}\n"


@contextmanager
def mortal(policy: str) -> Iterator[tuple[OwnServer, str]]:
    with own_server() as running:
        yield running, DOWN.replace("{policy}", policy).format(url=running.database())


async def test_a_payer_is_never_a_free_user_while_the_database_is_away(tmp_path: Path) -> None:
    with mortal("open") as (running, yaml):
        await migrate(yaml.split('"')[1])
        async with world(tmp_path, yaml) as here:
            plan = await plans.create(store_of(here), draft(), by())
            for scope in (ME, Scope("user", BOB.id)):
                await subscriptions.create(store_of(here), sold(plan, scope), by())
            assert await left(here) == ("100", "99")
            running.stop()
            assert await left(here) == ("100", "98"), "known: goes on"
            answer = await here.ask("/user/me", BOB)
            assert answer.status == 200, "unknown: passes, and is charged afterwards"
            assert "X-RateLimit-Limit" not in answer.headers
            ready = await here.ask("/-/health/ready")
            running.start()
            assert (ready.status, (await ready.json())["parts"]["store"][:8]) in [(200, "ok"), (200, "degraded")]
            async with asyncio.timeout(20):
                while here.gateway._meter.late:
                    await asyncio.sleep(0.05)
            assert await left(here, BOB) == ("100", "98"), "both were charged to what was bought"


async def test_where_the_rule_is_closed_nobody_unknown_passes(tmp_path: Path) -> None:
    with mortal("closed") as (running, yaml):
        await migrate(yaml.split('"')[1])
        async with world(tmp_path, yaml) as here:
            assert await left(here) == ("10", "9")
            running.stop()
            assert (await here.ask("/user/me", BOB)).status == 503
            assert await left(here) == ("10", "8")
            assert len(here.backend.requests) == 2
            running.start()
            async with asyncio.timeout(20):
                while (await here.ask("/user/me", BOB)).status == 503:
                    await asyncio.sleep(0.05)


async def test_without_a_store_there_is_no_database(tmp_path: Path) -> None:
    config = CONFIG.replace('store: "{url}"', "store: null").format()
    async with world(tmp_path, config) as here:
        assert here.gateway.stocked.shop is None
        assert await left(here) == ("10", "9")
        assert not list(tmp_path.glob("store.db*"))


async def test_a_gateway_says_why_it_cannot_use_its_store(tmp_path: Path) -> None:
    config = tmp_path / "gateway.yaml"
    for url, why in (
        (f"sqlite:///{tmp_path}/none/store.db", "does not exist"),
        ("postgresql://me:geheim@127.0.0.1:1/x", "cannot be used"),
    ):
        config.write_text(f'upstream: {{url: "http://127.0.0.1:9"}}\nstore: "{url}"\nledger: memory\nidentity: {{}}\n')
        with pytest.raises(StartError, match=why) as refused:
            await start(load(config, {}))
        assert "geheim" not in str(refused.value)


def weighbridge(folder: Path, *argv: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", "from gateway.cli import main; main()", *argv]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_migrates_what_the_configuration_names(tmp_path: Path) -> None:
    config = 'upstream: {url: "http://127.0.0.1:9"}\n'
    (tmp_path / "gateway.yaml").write_text(config)
    first, second = weighbridge(tmp_path, "migrate"), weighbridge(tmp_path, "migrate", "--json")
    assert (first.returncode, first.stdout) == (0, f"sqlite:///weighbridge.db: from nothing to step {STEPS.head}.\n")
    told = {"ok": True, "store": "sqlite:///weighbridge.db", "before": STEPS.head, "after": STEPS.head}
    assert json.loads(second.stdout) == told
    (tmp_path / "gateway.yaml").write_text(f"{config}store: null\n")
    refused = weighbridge(tmp_path, "migrate")
    assert (refused.returncode, "nothing to migrate" in refused.stderr) == (1, True)
