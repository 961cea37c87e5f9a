"""Two gateways as processes of their own: what an admin changes through one is in force on the other within 2 s."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from aiohttp import ClientSession

from gateway.clock import now_us
from gateway.store import plans
from gateway.store.open import open_store
from tests.databases.fixtures import migrated_database, postgresql, store_url
from tests.e2e.gateways import USER, gateways, token
from tests.e2e.plain_upstream import plain_upstream
from tests.e2e.selling import by, edited
from tests.e2e.served import Served
from tests.redis_server.server import RedisServer, own_redis

__all__ = ["migrated_database", "postgresql", "store_url"]
ROOT = "11111111-2222-4333-8444-555555555555"
ADMINS = f'admins: {{users: ["{ROOT}"]}}\n'
PROMISED_US = 2_000_000
CHANGES = 3
on_postgresql = pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)


@pytest.fixture
def counters() -> Iterator[RedisServer]:
    with own_redis() as server:
        yield server


async def call(here: Served, method: str, path: str, body: object) -> dict[str, Any]:
    """Use the billing API as an admin."""
    headers = {"Authorization": f"Bearer {token(ROOT)}"}
    async with ClientSession() as session, session.request(method, here.url + path, json=body, headers=headers) as said:
        read: dict[str, Any] = json.loads(await said.read())
        assert said.status in (200, 201), read
        return read


async def bought(here: Served, amount: int) -> dict[str, Any]:
    """A plan of ``amount``, which the user has."""
    terms = {"name": "Pro", "slug": "pro", "throughput_limit": amount, "window_seconds": 86_400, "duration_days": 30}
    plan = await call(here, "POST", "/billing/plan", terms)
    await call(here, "POST", "/billing/subscription/manual", {"plan_id": plan["id"], "scope": "user", "user_id": USER})
    return plan


async def until_in_force(here: Served, amount: int) -> None:
    """Send requests until the limit is ``amount``, just after it was changed: none that is sent later than promised may
    see the old one."""
    changed_us, limit = now_us(), ""
    while limit != str(amount):
        sent_us = now_us()
        answer = await here.ask("/one", token())
        assert answer.status == 200
        limit = answer.headers["X-RateLimit-Limit"]
        assert limit == str(amount) or sent_us - changed_us < PROMISED_US, limit


@on_postgresql
async def test_a_plan_changed_through_one_gateway_is_in_force_on_the_other_within_two_seconds(
    tmp_path: Path, counters: RedisServer, store_url: str
) -> None:
    async with (
        plain_upstream() as upstream,
        gateways(tmp_path, 2, upstream.url, counters.url, budget=50, store=store_url, more=ADMINS) as (one, two),
    ):
        plan = await bought(one, 1_000_000)
        await until_in_force(two, 1_000_000)
        for amount in range(2_000_000, 2_000_000 + CHANGES):
            body = {"throughput_limit": amount, "apply_to": "existing"}
            await call(one, "PUT", f"/billing/plan?id={plan['id']}", body)
            answer = await one.ask("/one", token())
            assert answer.headers["X-RateLimit-Limit"] == str(amount), "where it was made, with the next request"
            await until_in_force(two, amount)


@on_postgresql
async def test_a_notice_that_is_lost_costs_a_second_and_no_more(
    tmp_path: Path, counters: RedisServer, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        plain_upstream() as upstream,
        gateways(tmp_path, 1, upstream.url, counters.url, budget=50, store=store_url, more=ADMINS) as (here,),
    ):
        plan = await bought(here, 1_000_000)
        monkeypatch.setattr("gateway.store.store.NOTIFY", sa.text("SELECT 1"))  # in this process, which only writes
        store = await open_store(store_url)
        for amount in range(3_000_000, 3_000_000 + CHANGES):
            await plans.update(store, plan["id"], edited(amount, 86_400_000_000), by())
            await until_in_force(here, amount)
        await store.close()
