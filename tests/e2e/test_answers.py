"""What metered answers say of the budget, and what a refusal says, through a whole gateway (product.md 2.7 and 4)."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.demo.data import ACME, ALICE, BOB
from tests.core.structured import parse_list
from tests.e2e.wire import Answered, request, send
from tests.e2e.world import World, world

SOLD = """\
workspace: {membership: trust_clients}
defaults: {user: free, workspace: null}
plans:
  - {slug: free, name: Free, throughput_limit: 10, window_seconds: 3600}
  - {slug: team, name: Team, throughput_limit: 4, window_seconds: 60}
  - {slug: all, name: All, unlimited: true}
  - slug: paced
    name: Paced
    limits: [{amount: 5, window: 60s, refill: continuous}, {amount: 1000, window: 1d}]
subscriptions:
  - {plan: team, scope: workspace, id: "aa0e8400-e29b-41d4-a716-446655440005"}
  - {plan: all, scope: workspace, id: "aa0e8400-e29b-41d4-a716-446655440a11"}
  - {plan: paced, scope: workspace, id: "aa0e8400-e29b-41d4-a716-446655440bac"}
buy_url: https://shop.example/plans
rules:
  - {method: POST, path: /message/whatsapp, weight: 3}
  - {method: GET, path: /echo/dear, weight: 11}
  - {method: ANY, path: /echo/free, weight: 0}
  - {method: ANY, path: /user/oauth/token, weight: 0, public: true}
"""
ALL, PACED = "aa0e8400-e29b-41d4-a716-446655440a11", "aa0e8400-e29b-41d4-a716-446655440bac"
FAMILY = (
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-RateLimit-Scope",
    "X-RateLimit-Scope-ID",
)
START_US = 1_800_000_000_000_000 - 1_800_000_000_000_000 % 3_600_000_000 + 5_250_000
"""5.25 s into an hour."""
START_S = START_US // 1_000_000


class Clock:
    """The time that requests arrive at."""

    def __init__(self) -> None:
        self.now_us = START_US

    def __call__(self) -> int:
        return self.now_us


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("gateway.proxy.handler.now_us", clock)
    return clock


async def ask(here: World, path: str, *, workspace: str | None = None, method: str = "GET") -> Answered:
    token = here.backend.token(BOB, lifetime_s=10 * 365 * 86_400)
    who = [("Authorization", f"Bearer {token}"), *([("X-Workspace-ID", workspace)] if workspace else [])]
    return await send(here.url, request(path.encode(), who, method))


def family(answer: Answered) -> list[str | None]:
    return [answer.get(name) for name in FAMILY]


async def test_the_scope_that_pays_is_the_scope_described(tmp_path: Path, clock: Clock) -> None:
    async with world(tmp_path, SOLD) as here:
        assert clock.now_us == START_US
        first = await ask(here, "/echo", workspace=ACME.id)
        assert family(first) == ["4", "3", str(START_S + 55), "workspace", ACME.id]
        await ask(here, "/echo", workspace=ACME.id)
        await ask(here, "/echo", workspace=ACME.id)
        await ask(here, "/echo", workspace=ACME.id)
        fifth = await ask(here, "/echo", workspace=ACME.id)
        assert family(fifth) == ["10", "9", str(START_S + 3595), "user", BOB.id]
        assert fifth.get("X-Weighbridge-Cost") == "1"
        assert parse_list((fifth.get("RateLimit-Policy") or "").encode()) == [("user.free", {"q": 10, "w": 3600})]
        assert parse_list((fifth.get("RateLimit") or "").encode()) == [("user.free", {"r": 9, "t": 3595})]
        for answer in (first, fifth):
            assert answer.get("X-RateLimit-Fallback") is None
            assert answer.get("Retry-After") is None


async def test_unlimited_and_free_have_the_headers_too(tmp_path: Path, clock: Clock) -> None:
    async with world(tmp_path, SOLD) as here:
        unlimited = await ask(here, "/echo", workspace=ALL)
        assert family(unlimited) == ["0", "-1", "0", "workspace", ALL]
        assert unlimited.get("RateLimit") is None
        free = await ask(here, "/echo/free")
        assert family(free) == ["10", "10", str(clock.now_us // 1_000_000 + 3595), "user", BOB.id]
        assert free.get("X-Weighbridge-Cost") == "0"


async def test_all_limits_of_a_plan_are_listed_and_the_tightest_is_shown(tmp_path: Path, clock: Clock) -> None:
    async with world(tmp_path, SOLD) as here:
        answer = await ask(here, "/echo", workspace=PACED)
        # One of five comes back every twelve seconds.
        assert family(answer)[:4] == ["5", "4", str(START_S + 13), "workspace"]
        day = 86_400 - START_S % 86_400
        assert parse_list((answer.get("RateLimit") or "").encode()) == [
            ("workspace.paced", {"r": 4, "t": 12}),
            ("workspace.paced.2", {"r": 999, "t": day}),
        ]
        assert clock.now_us == START_US


async def test_a_refusal_tells_the_earliest_moment_that_works(tmp_path: Path, clock: Clock) -> None:
    async with world(tmp_path, SOLD) as here:
        for _ in range(4):
            await ask(here, "/message/whatsapp", workspace=ACME.id, method="POST")
        refused = await ask(here, "/message/whatsapp", workspace=ACME.id, method="POST")
        # The workspace has one unit left until its minute ends, the user one until the hour does.
        assert refused.status == 429
        assert refused.get("Retry-After") == "55"
        assert family(refused) == ["4", "1", str(START_S + 55), "workspace", ACME.id]
        clock.now_us += 54_000_000
        early = await ask(here, "/message/whatsapp", workspace=ACME.id, method="POST")
        assert (early.status, early.get("Retry-After")) == (429, "1")
        clock.now_us += 1_000_000
        assert (await ask(here, "/message/whatsapp", workspace=ACME.id, method="POST")).status != 429
        assert len(here.backend.requests) == 5


async def test_an_even_refill_is_waited_for_to_the_second(tmp_path: Path, clock: Clock) -> None:
    yaml = SOLD.replace("user: free", "user: null")
    async with world(tmp_path, yaml) as here:
        for _ in range(5):
            assert (await ask(here, "/echo", workspace=PACED)).status == 200
        refused = await ask(here, "/echo", workspace=PACED)
        assert (refused.status, refused.get("Retry-After")) == (429, "12")
        limits = dict(parse_list((refused.get("RateLimit") or "").encode()))
        assert limits["workspace.paced"] == {"r": 0, "t": 12}
        clock.now_us += 11_999_999
        assert (await ask(here, "/echo", workspace=PACED)).status == 429
        clock.now_us += 1
        assert (await ask(here, "/echo", workspace=PACED)).status == 200


async def test_a_refusal_says_in_wacrafts_words_what_was_empty_and_where_to_buy(tmp_path: Path, clock: Clock) -> None:
    async with world(tmp_path, SOLD) as here:
        for _ in range(4):
            await ask(here, "/message/whatsapp", workspace=ACME.id, method="POST")
        refused = await ask(here, "/message/whatsapp", workspace=ACME.id, method="POST")
        body: dict[str, Any] = json.loads(refused.body)
    sentence = "Throughput limit exceeded: 4 weighted requests per 60s"
    assert (body["context"], body["message"], body["description"]) == ("billing", sentence, sentence)
    assert refused.get("Content-Type") == "application/json"
    content = body["content"]
    assert (content["code"], content["buy_url"]) == ("wait", "https://shop.example/plans")
    assert [(each["scope"], each["id"], each["retry_after"]) for each in content["budgets"]] == [
        ("workspace", ACME.id, 55),
        ("user", BOB.id, 3595),
    ]
    assert clock.now_us == START_US


async def test_a_refusal_can_be_problem_details(tmp_path: Path, clock: Clock) -> None:
    async with world(tmp_path, SOLD + "errors: problem\n") as here:
        refused = await ask(here, "/echo/dear")
        body = json.loads(refused.body)
    assert (refused.status, refused.get("Content-Type")) == (429, "application/problem+json")
    assert body["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
    assert (body["status"], body["violated-policies"], body["code"]) == (429, ["user.free"], "buy")
    # Waiting never helps: eleven units never fit into ten.
    assert refused.get("Retry-After") is None
    assert family(refused)[:2] == ["10", "10"]
    assert clock.now_us == START_US


async def test_who_has_nothing_at_all_is_told_so_in_every_header(tmp_path: Path) -> None:
    async with world(tmp_path, SOLD.replace("user: free", "user: null")) as here:
        refused = await ask(here, "/echo")
        assert (refused.status, refused.get("Retry-After")) == (429, None)
        assert family(refused) == ["0", "0", "0", "nobody", ""]
        assert json.loads(refused.body)["content"]["code"] == "buy"
        free = await ask(here, "/echo/free")
        assert (free.status, family(free)) == (200, ["0", "0", "0", "nobody", ""])


@pytest.mark.parametrize("kept", ["wacraft", "ietf", "cost"])
async def test_each_family_of_headers_can_be_switched_off(tmp_path: Path, kept: str) -> None:
    chosen = ", ".join(f"{name}: {str(name == kept).lower()}" for name in ("wacraft", "ietf", "cost"))
    async with world(tmp_path, f"{SOLD}headers: {{{chosen}}}\n") as here:
        for answer in (await ask(here, "/echo"), await ask(here, "/echo/dear")):
            assert (answer.get("X-RateLimit-Limit") is not None) == (kept == "wacraft")
            assert (answer.get("RateLimit") is not None) == (kept == "ietf")
            assert (answer.get("X-Weighbridge-Cost") is not None) == (kept == "cost")


async def test_the_upstreams_own_limits_pass_where_nobody_is_charged(tmp_path: Path) -> None:
    form = {"grant_type": "password", "username": ALICE.email, "password": ALICE.password}
    async with world(tmp_path, SOLD) as here:
        login = await here.ask("/user/oauth/token", method="POST", json=form)
        assert login.status == 200
        # Seconds that remain, as wacraft's own limiter says it.
        assert login.headers["X-RateLimit-Limit"] == "10"
        assert int(login.headers["X-RateLimit-Reset"]) <= 900
        assert "X-RateLimit-Scope" not in login.headers
        assert "X-Weighbridge-Cost" not in login.headers
