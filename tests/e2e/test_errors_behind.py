"""What is behind the gateway fails: the upstream, its word on memberships, the store. One shape; the truth on cost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.demo.data import ACME, BOB
from tests.e2e.shapes import DIALECTS, shape, unused_port
from tests.e2e.wire import request, send
from tests.e2e.world import PLANS, World, world
from tests.fakes.upstream import Conversation, upstream

Script = Callable[[Conversation], Awaitable[None]]


@asynccontextmanager
async def before(folder: Path, yaml: str, script: Script) -> AsyncIterator[World]:
    async with upstream(script) as up, world(folder, yaml, upstream=up.url) as here:
        yield here


async def garbage(talk: Conversation) -> None:
    await talk.head()
    await talk.send(b"hello\r\n\r\n")


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_upstream_that_does_not_speak_http_is_502(tmp_path: Path, dialect: str) -> None:
    async with before(tmp_path, f"{PLANS}errors: {dialect}\n", garbage) as here:
        answer = await send(here.url, request(b"/x", here.headers(BOB).items()))
        assert (answer.status, shape(answer, dialect)["code"]) == (502, "bad_gateway")
        # It may have done what it was asked: charged, and said so.
        assert answer.get("X-Weighbridge-Cost") == "1"
        assert answer.get("X-RateLimit-Remaining") == "9"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_upstream_that_is_down_is_502_and_free(tmp_path: Path, dialect: str) -> None:
    async with world(tmp_path, f"{PLANS}errors: {dialect}\n", upstream=f"http://127.0.0.1:{unused_port()}") as here:
        answer = await send(here.url, request(b"/x", here.headers(BOB).items()))
        assert (answer.status, shape(answer, dialect)["code"]) == (502, "bad_gateway")
        assert answer.get("X-Weighbridge-Cost") == "0"
        assert answer.get("X-RateLimit-Remaining") == "10"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_upstream_that_says_nothing_is_504(tmp_path: Path, dialect: str) -> None:
    async with upstream(Conversation.until_lost) as up:
        yaml = f'{PLANS}errors: {dialect}\nupstream: {{url: "{up.url}", read_timeout: 100ms}}\n'
        async with world(tmp_path, yaml) as here:
            answer = await send(here.url, request(b"/x", here.headers(BOB).items()))
            assert (answer.status, shape(answer, dialect)["code"]) == (504, "gateway_timeout")
            assert answer.get("X-Weighbridge-Cost") == "1"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_membership_that_cannot_be_found_out_is_503_and_free(tmp_path: Path, dialect: str) -> None:
    yaml = PLANS.replace("trust_clients", "upstream")
    async with world(tmp_path, f"{yaml}errors: {dialect}\n", upstream=f"http://127.0.0.1:{unused_port()}") as here:
        answer = await send(here.url, request(b"/x", here.headers(BOB, ACME.id).items()))
        assert (answer.status, shape(answer, dialect)["code"]) == (503, "store_unavailable")
        assert answer.get("Retry-After") == "1"
        assert sum(here.gateway.metrics.units.values()) == 0


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_store_that_cannot_be_written_is_503_where_the_policy_is_closed(tmp_path: Path, dialect: str) -> None:
    async with world(tmp_path, f"{PLANS}errors: {dialect}\non_store_failure: closed\n") as here:
        journal = here.gateway._recording.journal
        assert journal is not None
        await journal._run(lambda: journal._store.connection.execute("PRAGMA query_only = 1").fetchall())
        wire = request(b"/echo", here.headers(BOB).items())
        # The first is let through: whether it can be written is known only afterwards.
        assert (await send(here.url, wire)).status == 200
        async with asyncio.timeout(20):
            while not here.gateway._recording.failing():
                await asyncio.sleep(0.02)
        answer = await send(here.url, wire)
        assert (answer.status, shape(answer, dialect)["code"]) == (503, "store_unavailable")
        assert answer.get("Retry-After") == "1"
        assert len(here.backend.requests) == 1
        await journal._run(lambda: journal._store.connection.execute("PRAGMA query_only = 0").fetchall())
        async with asyncio.timeout(20):
            while (await send(here.url, wire)).status != 200:
                await asyncio.sleep(0.02)
