"""What the fast lane remembers of callers: one entry for each, whatever else they send, and none that is large."""

from pathlib import Path

import pytest

from tests.conformance.script import Step
from tests.conformance.stage import Stage, staged

OK = "HTTP/1.1 200 OK", "Content-Length: 2", "", "ok\\"


async def asks(stage: Stage, *fields: str, host: str = "api.example") -> None:
    await stage.play(Step("client sends", 0, ("GET /x/1 HTTP/1.1", f"Host: {host}", "{who}", *fields, "")))
    await stage.play(Step("upstream gets", 0, ("GET /x/1 HTTP/1.1",)))
    await stage.play(Step("upstream sends", 0, OK))
    await stage.play(Step("client gets", 0, ("200",)))


def remembered(stage: Stage) -> int:
    lane = stage.gateway._lane
    assert lane is not None
    return len(lane._errands.callers._known)


@pytest.mark.parametrize("name", ["X-Request-ID", "X-Forwarded-For", "Forwarded"])
async def test_a_value_that_is_only_cut_makes_no_caller_of_its_own(tmp_path: Path, name: str) -> None:
    async with staged(tmp_path, "fast_lane: true") as stage:
        for number in range(4):
            await asks(stage, f"{name}: for=192.0.2.{number}")
        assert remembered(stage) == 1
        assert not any("192.0.2." in str(field) for came in stage.arrived for field in came.fields)
        stage.gateway.metrics.text()
        assert stage.gateway.metrics.fast_lane_requests[()] >= 3


async def test_a_long_host_is_served_and_not_remembered(tmp_path: Path) -> None:
    async with staged(tmp_path, "fast_lane: true") as stage:
        for number in range(3):
            await asks(stage, host=f"{number}{'a' * 5000}.example")
        assert remembered(stage) == 0
        await asks(stage)
        assert remembered(stage) == 1
