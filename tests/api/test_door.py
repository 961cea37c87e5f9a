"""Our own API through a whole gateway: how its routes are found, and how their answers are made."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from gateway.demo.data import ACME, ALICE, BETA, BOB
from tests.e2e.world import World, world

YAML = """\
defaults: {user: free, workspace: null}
plans:
  - {slug: free, name: Free, throughput_limit: 10, window_seconds: 3600}
"""


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path, YAML) as running:
        yield running


async def test_a_route_is_found_whatever_its_case_and_with_a_slash_at_its_end(here: World) -> None:
    for path in ("/billing/me", "/billing/me/", "/Billing/ME", "/bILLING/mE/"):
        assert (await here.ask(path, ALICE)).status == 200, path
    for path in ("/billing//me", "/billing/me/x", "/billing/nothing"):
        assert (await here.ask(path, ALICE)).status == 404, path


async def test_another_method_is_told_which_there_are(here: World) -> None:
    answer = await here.ask("/billing/me", ALICE, method="DELETE")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    head = await here.ask("/billing/me", ALICE, method="HEAD")
    assert head.status == 200
    assert int(head.headers["Content-Length"]) > 50


async def test_who_calls_is_said_and_costs_nothing(here: World) -> None:
    for _ in range(20):
        answer = await here.ask("/billing/me", ALICE)
    assert await answer.json() == {"user_id": ALICE.id, "admin": False, "via": "jwt", "policies": []}
    assert (await here.ask("/user/me", ALICE)).headers["X-RateLimit-Remaining"] == "9"
    assert here.arrived == ["GET /user/me"]


async def test_a_stranger_and_a_forger_are_refused(here: World) -> None:
    for headers in ({}, {"Authorization": "Bearer abc"}, {"Authorization": "Bearer wbadmin_abc"}):
        answer = await here.ask("/billing/me", headers=headers)
        assert answer.status == 401
        assert "WWW-Authenticate" in answer.headers
        assert (await answer.json())["content"]["code"] == "unauthorized"


async def test_a_workspace_is_for_its_members(here: World) -> None:
    answer = await here.ask("/billing/me", ALICE, workspace=ACME.id.upper())
    assert (await answer.json())["workspace_id"] == ACME.id
    assert (await here.ask("/billing/me", ALICE, workspace=BETA.id)).status == 403, "as the upstream says it"
    assert (await here.ask("/billing/me", BOB, workspace=BETA.id)).status == 200
    assert (await here.ask("/billing/me", ALICE, workspace="nonsense")).status == 400, "as the upstream says it"


async def test_nothing_new_is_304(here: World) -> None:
    first = await here.ask("/billing/me", ALICE)
    tag = first.headers["ETag"]
    assert tag.startswith('W/"')
    again = await here.ask("/billing/me", ALICE, headers={"If-None-Match": f'"x", {tag}'})
    assert (again.status, again.headers["ETag"]) == (304, tag)
    assert "Content-Type" not in again.headers
    other = await here.ask("/billing/me", BOB, headers={"If-None-Match": tag})
    assert other.status == 200


async def test_a_query_that_is_not_known_is_named(here: World) -> None:
    answer = await here.ask("/billing/me?limt=1", ALICE)
    assert answer.status == 422
    assert (await answer.json())["content"]["fields"] == [{"field": "limt", "problem": "is not known here"}]
    assert (await here.ask("/billing/me?a=%ff", ALICE)).status == 400
    assert (await here.ask("/billing/me?a=1&a=2", ALICE)).status == 400


async def test_browsers_may_read_the_answers(here: World) -> None:
    answer = await here.ask("/billing/me", ALICE, headers={"Origin": "https://app.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    exposed = ", ".join(answer.headers.getall("Access-Control-Expose-Headers"))
    assert {"ETag", "Retry-After", "X-Request-ID"} <= set(exposed.split(", "))
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    preflight = {"Origin": "https://app.example", "Access-Control-Request-Method": "PUT"}
    asked = await here.ask("/billing/me", method="OPTIONS", headers=preflight)
    assert (asked.status, "PUT" in asked.headers["Access-Control-Allow-Methods"]) == (204, True)


async def test_calls_have_a_rate_of_their_own(here: World) -> None:
    seen = [(await here.ask("/billing/me", ALICE)).status for _ in range(130)]
    assert 115 <= seen.index(429) <= 129, "120, and what came back meanwhile"
    refused = await here.ask("/billing/me", ALICE)
    assert (refused.status, (await refused.json())["content"]["code"]) == (429, "too_many_requests")
    assert int(refused.headers["Retry-After"]) >= 1
    assert (await here.ask("/billing/me", BOB)).status == 200
    assert (await here.ask("/user/me", ALICE)).status == 200, "what is forwarded is another matter"


@pytest.mark.parametrize(
    ("path", "most"), [("/billing/subscription", 30), ("/user/me", 120)], ids=["ours", "forwarded"]
)
async def test_who_comes_with_many_workspaces_is_told_to_wait_and_nothing_is_out_of_order(
    tmp_path: Path, path: str, most: int
) -> None:
    async with world(tmp_path, YAML + "limits: {api_calls_per_minute: 10000}\n") as here:
        # Enough for two minutes, if a new one begins meanwhile.
        seen = [await here.ask(path, ALICE, workspace=str(uuid4())) for _ in range(2 * most + 1)]
        assert {answer.status for answer in seen} == {404, 429}, "its own excess is no 5xx: of those operators are told"
        refused = next(answer for answer in seen if answer.status == 429)
        said = await refused.json()
        assert (said["context"], said["content"]["code"]) == ("gateway", "too_many_questions")
        assert "too many different workspaces in a minute" in said["description"]
        assert 1 <= int(refused.headers["Retry-After"]) == said["content"]["retry_after"] <= 60
        assert (await here.ask(path, BOB, workspace=BETA.id)).status == 200
        assert (await here.ask("/user/me", ALICE)).status == 200, "without a workspace nobody has to be asked"


async def test_strangers_are_counted_by_address(here: World) -> None:
    seen = [(await here.ask("/billing/me")).status for _ in range(130)]
    assert seen.count(429) >= 5
    assert (await here.ask("/billing/me", ALICE)).status == 200
