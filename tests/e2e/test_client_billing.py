"""What the web client of wacraft asks of the billing API runs through the whole gateway, on both databases."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.demo.data import ADMIN, ALICE
from gateway.demo.stripe.server import FakeStripe
from tests.databases.fixtures import migrated_database, migrated_file, postgresql, store_url
from tests.e2e.preset import preset
from tests.e2e.test_client_calls import WORKSPACES
from tests.e2e.world import World
from tests.payments.stripe.judge import judged
from tests.presets.billing_story import Step, at, check_entity, check_holds, filled, parsed, story

__all__ = ["migrated_database", "migrated_file", "postgresql", "store_url"]

SELLING = """\
store: "{store}"
admins: {{users: ["{admin}"]}}
limits: {{api_calls_per_minute: 10000}}
payments: {{stripe: {{api_key: sk_test_ofTheTests1, api_base: "{stripe}", demo: true}}}}
"""


@pytest.fixture
async def stripe() -> AsyncIterator[FakeStripe]:
    async with judged() as running:
        yield running


async def test_the_client_runs_on_our_billing(tmp_path: Path, store_url: str, stripe: FakeStripe) -> None:
    names: dict[str, str] = {}
    yaml = SELLING.format(store=store_url, admin=ADMIN.id, stripe=stripe.url)
    async with preset(tmp_path, yaml) as here:
        steps = list(story())
        assert len(steps) > 50
        for step in steps:
            try:
                await take(here, step, names)
            except AssertionError as error:
                error.add_note(f"billing.txt, line {step.line}: {step.who} {step.method} {step.target}")
                raise
        assert not [path for path in here.arrived if "/billing" in path], "none of it went upstream"


async def take(here: World, step: Step, names: dict[str, str]) -> None:
    """Send one call as the client does, look at the answer, and keep what later calls name."""
    user = None if step.who == "-" else step.who
    headers = {"Origin": "https://app.example"}
    if user is not None:
        headers["Authorization"] = f"Bearer {here.backend.token(user)}"
    if step.workspace != "-":
        headers["X-Workspace-ID"] = WORKSPACES[step.workspace]
    body = None if step.body is None else json.loads(filled(step.body, names))
    answer = await here.ask(filled(step.target, names), method=step.method, headers=headers, json=body)
    assert answer.status == step.status, (answer.status, await answer.text())
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    said = None if step.entity == "-" else await answer.json()
    if step.entity != "-":
        check_entity(said, step.entity)
    if step.holds is not None:
        check_holds(said, parsed(filled(step.holds, names)))
    for name, path in step.kept.items():
        names[name] = at(said, path)
    for page in step.paid:
        async with here.session.post(filled(page, names), data={"do": "pay"}, allow_redirects=False) as paid:
            assert paid.status == 303
            assert paid.headers["Location"].startswith("https://app.example/billing-success")


async def test_the_client_finds_billing_where_it_looks(tmp_path: Path, store_url: str, stripe: FakeStripe) -> None:
    yaml = SELLING.format(store=store_url, admin=ADMIN.id, stripe=stripe.url)
    async with preset(tmp_path, yaml) as here:
        answer = await here.ask("/user/me", ALICE, headers={"Origin": "https://app.example"})
        assert "X-RateLimit-Limit" in answer.headers, "the menu has Billing"
        assert "x-ratelimit-limit" in answer.headers["Access-Control-Expose-Headers"].lower()
        while (answer := await here.ask("/status", ALICE)).status != 429:
            assert answer.status == 200
        assert (await answer.json())["context"] == "billing", "then the client goes to the page where one buys"
