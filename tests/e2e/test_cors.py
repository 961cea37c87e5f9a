"""Browsers: preflights are free, every answer can be read by a script, and so can its headers (wacraft's contract)."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.core.rate_limit_fields import EXPOSED
from gateway.demo.cors import EXPOSED as WACRAFTS
from gateway.demo.data import ACME, BOB
from tests.e2e.shapes import unused_port
from tests.e2e.wire import Answered, request, send
from tests.e2e.world import PLANS, World, world
from tests.fakes.upstream import answers, upstream

ORIGIN = ("Origin", "https://app.example")
ASKS = (ORIGIN, ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "authorization,x-a"))
TIGHT = PLANS.replace("throughput_limit: 10,", "throughput_limit: 1,")
REJECT = 'identity: {jwt: {secret: "${JWT_SECRET}"}, anonymous: reject}\n'


def exposed(answer: Answered) -> set[str]:
    return {name.strip() for line in answer.all("Access-Control-Expose-Headers") for name in line.split(",")}


def readable(answer: Answered) -> bool:
    """Whether a browser would let a script of any origin read it, with all our headers."""
    return answer.all("Access-Control-Allow-Origin") == ["*"] and {*EXPOSED, *WACRAFTS.split(", ")} <= exposed(answer)


async def preflight(here: World, path: bytes, more: Sequence[tuple[str, str]] = ()) -> Answered:
    return await send(here.url, request(path, [*ASKS, *more], "OPTIONS"))


@pytest.mark.parametrize("path", [b"/contact", b"/nowhere", b"/billing/plan", b"/-/health/live"])
@pytest.mark.parametrize("yaml", [TIGHT, TIGHT + REJECT], ids=["forward", "reject"])
async def test_preflights_are_answered_as_wacraft_does_and_cost_nothing(tmp_path: Path, path: bytes, yaml: str) -> None:
    async with world(tmp_path, yaml) as here:
        for _ in range(3):
            answer = await preflight(here, path)
            assert (answer.status, answer.body) == (204, b"")
            assert answer.get("Access-Control-Allow-Methods") == "GET,POST,HEAD,PUT,DELETE,PATCH"
            assert answer.get("Access-Control-Allow-Headers") == "authorization,x-a"
            assert readable(answer)
            assert answer.get("X-Weighbridge-Cost") is None
            assert answer.get("Content-Length") is None
        assert sum(here.gateway.metrics.units.values()) == 0
        assert len(here.backend.requests) == (3 if path in (b"/contact", b"/nowhere") else 0)


async def test_a_preflight_that_asks_for_no_headers_is_given_none(tmp_path: Path) -> None:
    async with world(tmp_path, PLANS) as here:
        answer = await send(here.url, request(b"/billing", ASKS[:2], "OPTIONS"))
    assert (answer.status, answer.get("Access-Control-Allow-Headers")) == (204, None)


@pytest.mark.parametrize("missing", [ASKS[:1], ASKS[1:2]], ids=["no method", "no Origin"])
async def test_options_that_is_no_preflight_is_metered(tmp_path: Path, missing: Sequence[tuple[str, str]]) -> None:
    async with world(tmp_path, PLANS) as here:
        answer = await send(here.url, request(b"/echo", [*here.headers(BOB).items(), *missing], "OPTIONS"))
        assert answer.get("X-Weighbridge-Cost") == "1"
        assert sum(here.gateway.metrics.units.values()) == 1


async def test_scripts_can_read_every_kind_of_answer(tmp_path: Path) -> None:
    async with world(tmp_path, TIGHT) as here:
        who = [*here.headers(BOB).items(), ORIGIN]
        answers = [
            await send(here.url, wire)
            for wire in (
                request(b"/echo", who),
                request(b"/echo", who),
                request(b"/echo", [*who, ("Authorization", "x")]),
                request(b"/echo", [("Authorization", "Bearer a.b.c"), ORIGIN]),
                request(b"/billing/x", who),
                request(b"/-/health/live", [ORIGIN]),
                request(b"/-/health/live", [ORIGIN], "PUT"),
            )
        ]
    assert [answer.status for answer in answers] == [200, 429, 400, 401, 404, 200, 405]
    assert all(readable(answer) for answer in answers)


async def test_scripts_can_read_that_the_upstream_failed(tmp_path: Path) -> None:
    async with world(tmp_path, PLANS, upstream=f"http://127.0.0.1:{unused_port()}") as here:
        answer = await send(here.url, request(b"/x", [*here.headers(BOB).items(), ORIGIN]))
        assert (answer.status, readable(answer)) == (502, True)
        assert (await preflight(here, b"/x")).status == 502


async def test_a_refused_membership_is_the_upstreams_answer_and_readable(tmp_path: Path) -> None:
    """Relayed as it came: status, type and body; who asked was the gateway, so the CORS fields are ours."""
    yaml = PLANS.replace("trust_clients", "upstream")
    stranger = "aa0e8400-e29b-41d4-a716-446655440fff"
    async with world(tmp_path, yaml) as here:
        who = [*here.headers(BOB, stranger).items()]
        direct = await send(
            here.gateway.settings.upstream.addresses[0], request(f"/workspace/{stranger}".encode(), who)
        )
        for fields in ([*who, ORIGIN], [*who, ORIGIN], who):
            answer = await send(here.url, request(b"/contact", fields))
            assert (answer.status, answer.body) == (direct.status, direct.body)
            assert answer.get("Content-Type") == direct.get("Content-Type")
            assert readable(answer) == (ORIGIN in fields)
            assert answer.get("X-Request-ID")
        assert direct.status == 404
        assert sum(here.gateway.metrics.units.values()) == 0


async def test_nobody_who_names_no_origin_is_told_of_cors(tmp_path: Path) -> None:
    async with world(tmp_path, TIGHT) as here:
        who = [*here.headers(BOB, ACME.id).items()]
        for path, status in ((b"/echo", 200), (b"/echo", 429), (b"/billing/x", 404)):
            answer = await send(here.url, request(path, who))
            assert (answer.status, b"access-control" in answer.head.lower()) == (status, False)


async def test_one_origin_can_be_allowed_instead_of_all(tmp_path: Path) -> None:
    yaml = PLANS + "cors: {allow_origin: https://app.example}\n"
    async with world(tmp_path, yaml) as here:
        for origin in ("https://app.example", "https://evil.example"):
            answer = await send(here.url, request(b"/billing/x", [("Origin", origin)]))
            # The browser compares; the answer is the same for everybody.
            assert answer.get("Access-Control-Allow-Origin") == "https://app.example"


async def test_without_an_allowed_origin_nothing_of_ours_is_exposed(tmp_path: Path) -> None:
    async with world(tmp_path, TIGHT + "cors: {allow_origin: null}\n") as here:
        who = [*here.headers(BOB).items(), ORIGIN]
        passed = await send(here.url, request(b"/echo", who))
        refused = await send(here.url, request(b"/echo", who))
        ours = await preflight(here, b"/billing")
    assert (passed.status, refused.status, ours.status) == (200, 429, 204)
    # What the upstream says for itself passes.
    assert passed.all("Access-Control-Expose-Headers") == [WACRAFTS]
    for answer in (refused, ours):
        assert answer.get("Access-Control-Allow-Origin") is None
        assert answer.get("Access-Control-Expose-Headers") is None


async def test_an_upstream_without_cors_is_not_given_any(tmp_path: Path) -> None:
    """Whether a script may read the upstream's own answers is the upstream's affair."""
    ok = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
    async with upstream(answers(ok)) as up, world(tmp_path, PLANS, upstream=up.url) as here:
        answer = await send(here.url, request(b"/x", [*here.headers(BOB).items(), ORIGIN]))
        assert (answer.status, b"access-control" in answer.head.lower()) == (200, False)
