"""Every answer that the gateway makes itself has one shape, in two dialects, with an id and the way out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gateway.demo.data import ACME, BOB
from gateway.identity.membership import Relayed
from tests.e2e.shapes import DIALECTS, shape
from tests.e2e.wire import request, send
from tests.e2e.world import PLANS, World, world

TIGHT = PLANS.replace("throughput_limit: 10,", "throughput_limit: 1,")


@dataclass(frozen=True, slots=True)
class Case:
    """A request and what is wrong with it. ``fields`` get the credential added unless they bring one."""

    status: int
    code: str
    target: bytes = b"/contact"
    fields: Sequence[tuple[str, str]] = ()
    method: str = "GET"
    anonymous: bool = False
    raw: bytes = b""

    def wire(self, here: World) -> bytes:
        who = [] if self.anonymous else [*here.headers(BOB).items()]
        return self.raw or request(self.target, [*who, *self.fields], self.method)


REFUSED = {
    "two credentials": Case(400, "bad_request", fields=[("Authorization", "Bearer x")]),
    "an empty segment": Case(400, "bad_request", b"/contact//x"),
    "Connection names who asks": Case(400, "bad_request", fields=[("Connection", "authorization")]),
    "no Host": Case(400, "bad_request", raw=b"GET / HTTP/1.1\r\n\r\n"),
    "not HTTP": Case(400, "bad_request", raw=b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "a forged token": Case(401, "unauthorized", fields=[("Authorization", "Bearer a.b.c")], anonymous=True),
    "xBearer": Case(401, "unauthorized", fields=[("Authorization", "xBearer a.b.c")], anonymous=True),
    "nothing of ours": Case(404, "not_found", b"/billing/nothing"),
    "nothing internal": Case(404, "not_found", b"/-/nothing"),
    "a method that health does not know": Case(405, "method_not_allowed", b"/-/health/live", method="POST"),
    "a head too long": Case(431, "head_too_large", fields=[("X-Long", "a" * 70_000)]),
    "an unknown method": Case(501, "not_implemented", method="BREW"),
    "CONNECT": Case(501, "not_implemented", b"a:443", method="CONNECT"),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
async def test_what_the_client_did_wrong_is_said_in_one_shape(tmp_path: Path, dialect: str, case: Case) -> None:
    profile = 'upstream: {url: "http://127.0.0.1:1", profile: strict}\n'
    async with world(tmp_path, f"{PLANS}{profile}errors: {dialect}\n") as here:
        answer = await send(here.url, case.wire(here))
        assert (answer.status, shape(answer, dialect)["code"]) == (case.status, case.code)
        assert sum(here.gateway.metrics.units.values()) == 0
        # Nothing was asked of a budget, so nothing is said of one.
        assert answer.get("X-RateLimit-Limit") is None


async def test_a_401_says_how_to_do_better(tmp_path: Path) -> None:
    async with world(tmp_path, f'{PLANS}identity: {{jwt: {{secret: "${{JWT_SECRET}}"}}, anonymous: reject}}\n') as here:
        missing = await send(here.url, request(b"/contact"))
        wrong = await send(here.url, request(b"/contact", [("Authorization", "Bearer a.b.c")]))
    assert (missing.status, missing.get("WWW-Authenticate")) == (401, "Bearer")
    assert b"Authorization: Bearer <token>" in missing.body
    assert (wrong.status, wrong.get("WWW-Authenticate")) == (401, 'Bearer error="invalid_token"')


async def test_a_405_says_what_is_allowed(tmp_path: Path) -> None:
    async with world(tmp_path, PLANS) as here:
        answer = await send(here.url, request(b"/-/metrics", method="DELETE"))
    assert (answer.status, answer.get("Allow")) == (405, "GET, HEAD")


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_workspace_that_is_not_the_callers_is_403(tmp_path: Path, dialect: str) -> None:
    yaml = PLANS.replace("trust_clients", "claim").replace("{membership", "{claim: workspace, membership")
    async with world(tmp_path, f"{yaml}errors: {dialect}\n") as here:
        answer = await send(here.url, request(b"/contact", here.headers(BOB, ACME.id).items()))
        assert (answer.status, shape(answer, dialect)["code"]) == (403, "forbidden")
        assert sum(here.gateway.metrics.units.values()) == 0


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_empty_budget_is_429(tmp_path: Path, dialect: str) -> None:
    async with world(tmp_path, f"{TIGHT}errors: {dialect}\n") as here:
        wire = request(b"/echo", here.headers(BOB).items())
        assert (await send(here.url, wire)).status == 200
        answer = await send(here.url, wire)
        details = shape(answer, dialect)
        assert (answer.status, details["code"]) == (429, "wait")
        assert answer.get("Retry-After") == str(details["retry_after"])
        assert 1 <= details["retry_after"] <= 3600


TOLD = "Bearer secret"


class Broken:
    """A part of the gateway that fails in a way nobody thought of, with a secret in its message."""

    lasting = False

    def known(self, *_args: object) -> bool | None:
        raise ZeroDivisionError(TOLD)

    async def ask(self, *_args: object) -> Relayed | None:
        raise NotImplementedError

    def forget(self) -> None:
        raise NotImplementedError


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_fault_of_ours_is_500_with_an_id_and_without_its_cause(
    tmp_path: Path, dialect: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with world(tmp_path, f"{PLANS}errors: {dialect}\n") as here:
        live = here.gateway.live
        live.running = replace(live.running, membership=Broken())
        answer = await send(here.url, request(b"/contact", here.headers(BOB, ACME.id).items()))
        details = shape(answer, dialect)
        assert (answer.status, details["code"]) == (500, "internal")
        assert here.gateway.metrics.requests["", "problem", "500"] == 1
    line = json.loads((tmp_path / "access.log").read_text())
    assert (line["request_id"], line["status"], line["problem"]) == (details["request_id"], 500, "internal")
    said = capsys.readouterr().out
    assert "ZeroDivisionError" in said
    assert TOLD not in said


HEADLESS = {name: REFUSED[name] for name in ("two credentials", "a forged token", "nothing of ours")}


@pytest.mark.parametrize("case", HEADLESS.values(), ids=HEADLESS)
async def test_head_gets_the_head_of_an_error_and_no_body(tmp_path: Path, case: Case) -> None:
    async with world(tmp_path, PLANS) as here:
        whole, bare = [await send(here.url, replace(case, method=method).wire(here)) for method in ("GET", "HEAD")]
    assert (bare.status, bare.body) == (whole.status, b"")
    assert bare.get("Content-Length") == whole.get("Content-Length")
    assert bare.get("Content-Type") == whole.get("Content-Type")


async def test_head_of_a_refusal_has_the_headers_and_no_body(tmp_path: Path) -> None:
    async with world(tmp_path, TIGHT) as here:
        wires = [request(b"/echo", here.headers(BOB).items(), method) for method in ("HEAD", "HEAD", "GET")]
        answers = [await send(here.url, wire) for wire in wires]
    assert [answer.status for answer in answers] == [200, 429, 429]
    assert answers[1].body == b""
    assert answers[1].get("Content-Length") == answers[2].get("Content-Length")
    for name in ("Retry-After", "X-RateLimit-Remaining", "X-RateLimit-Reset", "RateLimit", "X-Weighbridge-Cost"):
        assert answers[1].get(name) is not None


async def test_every_answer_has_an_id_of_its_own(tmp_path: Path) -> None:
    async with world(tmp_path, TIGHT) as here:
        who = [*here.headers(BOB).items()]
        wires = [
            request(b"/echo", who),
            request(b"/echo", who),
            request(b"/-/health/live"),
            request(b"/billing/x"),
            request(b"/billing", [("Origin", "https://a"), ("Access-Control-Request-Method", "GET")], "OPTIONS"),
            b"nonsense\r\n\r\n",
            b"nonsense\r\n\r\n",
        ]
        answers = [await send(here.url, wire) for wire in wires]
    assert [answer.status for answer in answers] == [200, 429, 200, 404, 204, 400, 400]
    ids = [answer.get("X-Request-ID") for answer in answers]
    assert len({*ids} - {None, ""}) == len(wires)
