"""A stranger's path names a workspace: it pays for what the upstream accepts, and is never refused (decisions/0006)."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import ClientResponse

from gateway.demo.data import ACME, ACME_PHONE, ALICE, BETA, BETA_PHONE
from gateway.demo.webhook_in import signature
from tests.e2e.world import World, world

TEAM = f"""\
identity: {{jwt: {{secret: "${{JWT_SECRET}}"}}, anonymous: public_only}}
workspace:
  map: {{waba_id: {{"{ACME_PHONE.waba_id}": "{ACME.id}"}}}}
defaults: {{user: team, workspace: null}}
plans: [{{slug: team, throughput_limit: 4, window_seconds: 86400}}]
subscriptions: [{{plan: team, scope: workspace, id: "{ACME.id}"}}]
rules:
  - {{method: POST, path: "/webhook-in/{{waba_id}}", public: true, pays: [workspace], charge: on_success,
     enforce: false}}
"""
EVENT = b'{"entry":[]}'


async def deliver(here: World, waba_id: str, *, secret: str = ACME_PHONE.app_secret) -> ClientResponse:
    signed = {"X-Hub-Signature-256": signature(secret, EVENT), "Content-Type": "application/json"}
    return await here.ask(f"/webhook-in/{waba_id}", method="POST", data=EVENT, headers=signed)


async def left(here: World) -> str:
    """What the workspace has left, after paying 1 for the question."""
    return (await here.ask("/contact", ALICE, workspace=ACME.id)).headers["X-RateLimit-Remaining"]


def units(here: World) -> dict[str, int]:
    found: dict[str, int] = {}
    for (_, _, scope), amount in here.gateway.metrics.units.items():
        found[scope] = found.get(scope, 0) + amount
    return found


async def settled(here: World) -> None:
    """Wait until nothing is in flight: such a charge is made after its answer."""
    async with asyncio.timeout(10):
        while here.gateway.metrics.in_flight:
            await asyncio.sleep(0.001)


async def test_the_workspace_pays_for_each_event_that_was_accepted(tmp_path: Path) -> None:
    async with world(tmp_path, TEAM) as here:
        for _ in range(2):
            assert (await deliver(here, ACME_PHONE.waba_id)).status == 200
        await settled(here)
        assert units(here) == {"workspace": 2}
        assert await left(here) == "1"


async def test_events_are_delivered_whatever_is_left_and_the_rest_is_counted_as_overrun(tmp_path: Path) -> None:
    async with world(tmp_path, TEAM) as here:
        assert [(await deliver(here, ACME_PHONE.waba_id)).status for _ in range(6)] == [200] * 6
        await settled(here)
        assert sum(here.gateway.metrics.overrun_units.values()) == 2
        assert here.arrived == [f"POST /webhook-in/{ACME_PHONE.waba_id}"] * 6
        # The workspace is empty now; what its members do is paid by themselves.
        answer = await here.ask("/contact", ALICE, workspace=ACME.id)
        assert answer.headers["X-RateLimit-Scope"] == "user"


async def test_nobody_can_drain_a_workspace_with_events_that_the_upstream_refuses(tmp_path: Path) -> None:
    async with world(tmp_path, TEAM) as here:
        for _ in range(5):
            assert (await deliver(here, ACME_PHONE.waba_id, secret="a guess")).status == 401
        await settled(here)
        assert units(here) == {}
        assert await left(here) == "3"


@pytest.mark.parametrize(("waba_id", "status"), [(BETA_PHONE.waba_id, 200), ("0", 404)])
async def test_what_is_not_in_the_map_costs_nobody_anything(tmp_path: Path, waba_id: str, status: int) -> None:
    async with world(tmp_path, TEAM) as here:
        assert (await deliver(here, waba_id)).status == status
        await settled(here)
        assert units(here) == {}


async def test_what_else_a_stranger_says_does_not_count(tmp_path: Path) -> None:
    async with world(tmp_path, TEAM) as here:
        said = {**here.headers(ALICE, BETA.id), "X-Hub-Signature-256": signature(ACME_PHONE.app_secret, EVENT)}
        path = f"/webhook-in/{ACME_PHONE.waba_id}?workspace_id={BETA.id}"
        assert (await here.ask(path, method="POST", data=EVENT, headers=said)).status == 200
        await settled(here)
        assert {scope for _, _, scope in here.gateway.metrics.units} == {"workspace"}
        assert await left(here) == "2"


async def test_a_member_is_asked_for_in_the_workspace_that_the_map_names(tmp_path: Path) -> None:
    """Not public: the map is one more place that names a workspace, and all places must agree."""
    rule = '  - {method: GET, path: "/echo/{waba_id}"}\n'
    async with world(tmp_path, TEAM + rule) as here:
        path = f"/echo/{ACME_PHONE.waba_id}"
        assert (await here.ask(path, ALICE)).headers["X-RateLimit-Scope"] == "workspace"
        assert (await here.ask(path, ALICE, workspace=BETA.id)).status == 400
        assert (await here.ask("/echo/other", ALICE)).headers["X-RateLimit-Scope"] == "user"
