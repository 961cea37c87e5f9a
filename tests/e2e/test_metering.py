"""What requests cost, who pays, and what they are told, through a whole gateway."""

import asyncio
from pathlib import Path

from gateway.demo.data import ACME, ALICE, BOB
from tests.e2e.world import PLANS, world

TEAM = """\
workspace: {membership: trust_clients}
defaults: {user: free, workspace: null}
plans:
  - {slug: free, name: Free, throughput_limit: 10, window_seconds: 3600}
  - {slug: team, name: Team, throughput_limit: 4, window_seconds: 3600}
subscriptions:
  - {plan: team, scope: workspace, id: "aa0e8400-e29b-41d4-a716-446655440005"}
rules:
  - {method: POST, path: /message/whatsapp, weight: 3}
  - {method: ANY, path: /status/**, weight: 0}
"""


async def test_the_workspace_pays_until_it_cannot_then_the_user_and_then_nobody(tmp_path: Path) -> None:
    async with world(tmp_path, TEAM) as here:
        payers = []
        for _ in range(5):
            answer = await here.ask("/message/whatsapp", ALICE, method="POST", workspace=ACME.id, json={})
            payers.append((answer.status, answer.headers.get("X-RateLimit-Scope")))
        assert payers == [(201, "workspace"), (201, "user"), (201, "user"), (201, "user"), (429, "user")]
        # One unit is left in each: smaller requests still go through.
        small = [await here.ask("/contact", ALICE, workspace=ACME.id) for _ in range(3)]
        assert [(answer.status, answer.headers["X-RateLimit-Scope"]) for answer in small] == [
            (200, "workspace"),
            (200, "user"),
            (429, "user"),
        ]


async def test_of_500_concurrent_requests_for_100_places_exactly_100_are_admitted(tmp_path: Path) -> None:
    yaml = PLANS.replace("throughput_limit: 10,", "throughput_limit: 100,")
    async with world(tmp_path, yaml) as here:
        answers = await asyncio.gather(*[here.ask("/contact", BOB, workspace=ACME.id) for _ in range(500)])
        statuses = [answer.status for answer in answers]
        assert (statuses.count(200), statuses.count(429)) == (100, 400)
        assert len(here.backend.requests) == 100
