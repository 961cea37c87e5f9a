"""A fault of ours in the fast lane: the client is told or cut off, the books are closed, the next request is served."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.metering.meter import Meter
from gateway.proxy import ride
from gateway.proxy.chronicle import Chronicle
from gateway.proxy.client_connection import ClientConnection
from gateway.proxy.ride import Ride
from gateway.proxy.upstream import UpstreamConnection
from tests.conformance.books import Books
from tests.conformance.script import Step
from tests.conformance.stage import Stage, staged
from tests.conformance.test_slow_reader import until

GET = "GET {path} HTTP/1.1", "Host: api.example", "{who}", ""
OK = "HTTP/1.1 200 OK", "Content-Length: 2", "", "ok\\"
SAID = "what a request said"
Break = Callable[..., None]


@pytest.fixture
def breaks(monkeypatch: pytest.MonkeyPatch) -> Break:
    """``breaks(owner, name)``: the next call of it fails, once; ``behind``: after it has done its work."""

    def break_once(owner: Any, name: str, *, behind: bool = False) -> None:
        whole, calls = getattr(owner, name), []

        def broken(*args: Any, **more: Any) -> Any:
            calls.append(name)
            if len(calls) > 1:
                return whole(*args, **more)
            if behind:
                whole(*args, **more)
            raise RuntimeError(SAID)

        monkeypatch.setattr(owner, name, broken)

    return break_once


async def sends(stage: Stage, path: str) -> None:
    await stage.play(Step("client sends", 0, tuple(line.replace("{path}", path) for line in GET)))


async def is_told_500(stage: Stage) -> None:
    await stage.play(Step("client gets", 0, ("500",)))
    await stage.play(Step("client's connection is kept", 0))


@pytest.mark.parametrize(
    ("owner", "name", "books"),
    [
        (Meter, "pay", []),
        (UpstreamConnection, "begin_ride", ["charge 3 ANY /x/** 500", "refund -3 ANY /x/**"]),
        (UpstreamConnection, "write", ["charge 3 ANY /x/** 500"]),
    ],
    ids=["debit", "no connection", "write"],
)
async def test_before_the_upstream_is_asked(
    tmp_path: Path, breaks: Break, owner: type, name: str, books: list[str]
) -> None:
    with capture_logs() as logs:
        async with staged(tmp_path, "fast_lane: true") as stage:
            breaks(owner, name)
            await sends(stage, "/x/1")
            await is_told_500(stage)
            await until(lambda: not stage.gateway.metrics.in_flight)
    only_its_kind_is_logged(logs)
    await Books(tmp_path / "ledger.db").compare(books, [])


async def test_in_a_refusal(tmp_path: Path, breaks: Break) -> None:
    with capture_logs() as logs:
        async with staged(tmp_path, "fast_lane: true") as stage:
            breaks(ride, "turned_away")
            await sends(stage, "/dear")
            await is_told_500(stage)
            await until(lambda: not stage.gateway.metrics.in_flight)
    only_its_kind_is_logged(logs)
    await Books(tmp_path / "ledger.db").compare(["refusal 1001 ANY /dear 500"], [])


@pytest.mark.parametrize(("path", "kept"), [("/x/1", "3"), ("/sure", "0")])
async def test_over_an_answer_that_was_not_passed_on(tmp_path: Path, breaks: Break, path: str, kept: str) -> None:
    rule = "ANY /x/**" if kept == "3" else f"ANY {path}"
    with capture_logs() as logs:
        async with staged(tmp_path, "fast_lane: true") as stage:
            await sends(stage, path)
            await stage.play(Step("upstream gets", 0, (f"GET {path} HTTP/1.1",)))
            breaks(Ride, "_answered")
            await stage.play(Step("upstream sends", 0, OK))
            await stage.play(Step("client gets", 0, ("500", f"X-Weighbridge-Cost: {kept}")))
            assert await stage.upstream.rest() == b""  # type: ignore[union-attr]
            await stage.play(Step("client's connection is kept", 0))
            await until(lambda: not stage.gateway.metrics.in_flight)
    only_its_kind_is_logged(logs)
    refund = [] if kept == "3" else [f"refund -3 {rule}"]
    await Books(tmp_path / "ledger.db").compare([f"charge 3 {rule} 500", *refund], stage.arrived)


@pytest.mark.parametrize(
    ("owner", "name"),
    [(ClientConnection, "write"), (Chronicle, "close_ride"), (Meter, "complete")],
    ids=["write", "log", "record"],
)
async def test_behind_an_answer(tmp_path: Path, breaks: Break, owner: type, name: str) -> None:
    with capture_logs() as logs:
        async with staged(tmp_path, "fast_lane: true") as stage:
            await sends(stage, "/x/1")
            await stage.play(Step("upstream gets", 0, ("GET /x/1 HTTP/1.1",)))
            breaks(owner, name, behind=True)
            await stage.play(Step("upstream sends", 0, OK))
            await stage.client.rest()
            assert stage.client.ended == "reset"
            await until(lambda: not stage.gateway.metrics.in_flight)
            await stage.play(Step("upstream's connection is kept", 0))
    only_its_kind_is_logged(logs)
    await Books(tmp_path / "ledger.db").compare(["charge 3 ANY /x/** 200"], stage.arrived)


def only_its_kind_is_logged(logs: list[Any]) -> None:
    (entry,) = [entry for entry in logs if entry["log_level"] in {"error", "critical"}]
    assert (entry["event"], entry["error"]) == ("a request failed", "RuntimeError")
    assert SAID not in str(entry)
