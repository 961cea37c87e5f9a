"""Reloads of a running gateway: what is swapped in, what is refused, and what is watched meanwhile."""

from pathlib import Path

import pytest

from gateway.server import Reloader
from tests.e2e.world import PLANS, SECRET, World, merged, world


def rewritten(here: World, yaml: str) -> None:
    here.config.write_text(merged(here.config.read_text(), yaml))


async def test_a_file_that_a_refused_configuration_brought_along_is_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JWT_SECRET", SECRET)
    async with world(tmp_path, PLANS) as here:
        reloader = Reloader(here.gateway, here.config)
        extra = tmp_path / "extra.yaml"
        extra.write_text("log: {level: debug}\n")
        assert str(extra) not in reloader.digests()
        rewritten(here, "include: [extra.yaml]\nlog: {format: console}")
        assert not await reloader.reload()
        assert str(extra) in reloader.digests()
        # The repair is made in both; from then on only what runs is watched.
        rewritten(here, f"include: []\nlog: {{access: {tmp_path}/access.log}}")
        assert await reloader.reload()
        assert str(extra) not in reloader.digests()
