"""The fast lane before a ledger that has to be asked: the request waits for it without a task of its own."""

import asyncio
from pathlib import Path

import pytest

from gateway.ledger.memory import MemoryLedger
from tests.conformance.books import Books
from tests.conformance.script import Step
from tests.conformance.stage import Stage, staged
from tests.conformance.test_slow_reader import until
from tests.proxy.lane.asked import Asked

GET = "GET {path} HTTP/1.1", "Host: api.example", "{who}", ""
OK = "HTTP/1.1 200 OK", "Content-Length: 2", "", "ok\\"


async def sends(stage: Stage, path: str) -> None:
    await stage.play(Step("client sends", 0, tuple(line.replace("{path}", path) for line in GET)))


def ask(stage: Stage) -> Asked:
    """Put the ledger behind a turn of the loop."""
    meter = stage.gateway._meter
    assert isinstance(meter._ledger, MemoryLedger)
    asked = Asked(meter._ledger)
    meter._ledger = asked
    return asked


async def test_what_is_paid_goes_on_and_what_is_not_is_refused(tmp_path: Path) -> None:
    async with staged(tmp_path, "fast_lane: true") as stage:
        asked = ask(stage)
        await sends(stage, "/x/1")
        await stage.play(Step("upstream gets", 0, ("GET /x/1 HTTP/1.1",)))
        await stage.play(Step("upstream sends", 0, OK))
        await stage.play(Step("client gets", 0, ("200", "X-Weighbridge-Cost: 3")))
        await sends(stage, "/dear")
        await stage.play(Step("client gets", 0, ("429",)))
        assert asked.asked == 2
        await until(lambda: not stage.gateway.metrics.in_flight)
        stage.gateway.metrics.text()  # what the lane took is counted together
        assert stage.gateway.metrics.fast_lane_requests[()] == 2
    await Books(tmp_path / "ledger.db").compare(["charge 3 ANY /x/** 200", "refusal 1001 ANY /dear 429"], stage.arrived)


@pytest.mark.parametrize(("policy", "status"), [("open", "200"), ("closed", "503")])
async def test_a_ledger_that_is_away_leaves_it_to_the_policy(tmp_path: Path, policy: str, status: str) -> None:
    async with staged(tmp_path, f"fast_lane: true\non_store_failure: {policy}") as stage:
        asked = ask(stage)
        asked.away = True
        await sends(stage, "/x/1")
        if policy == "open":
            await stage.play(Step("upstream gets", 0, ("GET /x/1 HTTP/1.1",)))
            await stage.play(Step("upstream sends", 0, OK))
        await stage.play(Step("client gets", 0, (status,)))
        await until(lambda: not stage.gateway.metrics.in_flight)
        assert stage.gateway._meter.late == (policy == "open")


async def test_a_client_that_leaves_meanwhile_pays_nothing_and_nothing_goes_on(tmp_path: Path) -> None:
    async with staged(tmp_path, "fast_lane: true") as stage:
        asked = ask(stage)
        asked.gate = asyncio.Event()
        await sends(stage, "/x/1")
        await until(lambda: bool(asked.asked))
        await stage.play(Step("client resets", 0, ()))
        await until(lambda: not stage.gateway._doors._doors[0][1].connections)  # type: ignore[union-attr]
        assert stage.gateway.metrics.in_flight == 1
        asked.gate.set()
        await until(lambda: not stage.gateway.metrics.in_flight)
        await stage.play(Step("upstream gets nothing", 0, ()))
    await Books(tmp_path / "ledger.db").compare(["charge 3 ANY /x/** 499", "refund -3 ANY /x/**"], [])
