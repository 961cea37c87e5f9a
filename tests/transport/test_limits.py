"""How much a connection may bring: bodies, requests, years; on both sides of the gateway."""

import asyncio
from pathlib import Path

import pytest

from tests.fakes.upstream import Conversation, upstream
from tests.transport.backend import Backend, backends
from tests.transport.world import GET, answer, ask, connect, ended, running

POST = b"POST / HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n"


async def test_a_body_that_says_it_is_too_long_is_413_and_goes_nowhere(tmp_path: Path) -> None:
    async with backends("a") as (backend,):
        yaml = f"limits: {{body_bytes: 10B}}\nupstream: {{url: '{backend.url}'}}"
        async with running(tmp_path, yaml) as gateway:
            assert (await ask(gateway.urls[0], POST + b"Content-Length: 11\r\n\r\nhello hello")).status == 413
            assert backend.heads == []
            short = await ask(gateway.urls[0], POST + b"Content-Length: 0\r\n\r\n")
            assert (short.status, short.body) == (200, b"a")


async def test_a_body_that_turns_out_too_long_is_413_and_never_looks_whole(tmp_path: Path) -> None:
    received: list[bytes] = []

    async def script(talk: Conversation) -> None:
        received.append(await talk.rest())

    async with upstream(script) as up:
        yaml = f"limits: {{body_bytes: 10B}}\nupstream: {{url: '{up.url}'}}"
        async with running(tmp_path, yaml) as gateway:
            talk = await connect(gateway.urls[0])
            await talk.send(POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            while not up.conversations:
                await asyncio.sleep(0.01)
            await talk.send(b"6\r\n hello\r\n0\r\n\r\n")
            assert (await ended(talk)).startswith(b"HTTP/1.1 413 ")
    assert received
    assert not received[0].endswith(b"0\r\n\r\n")


async def test_a_connection_brings_so_many_requests_and_is_told_at_the_last(tmp_path: Path) -> None:
    async with backends("a") as (backend,):
        yaml = f"limits: {{connection_requests: 3}}\nupstream: {{url: '{backend.url}'}}"
        async with running(tmp_path, yaml) as gateway:
            talk = await connect(gateway.urls[0])
            said = [(await answer(talk)).get("Connection") for _ in range(3)]
            assert said == [None, None, "close"]
            assert await ended(talk) == b""


async def test_pipelined_requests_over_the_number_are_not_carried_out(tmp_path: Path) -> None:
    async with backends("a") as (backend,):
        yaml = f"limits: {{connection_requests: 2}}\nupstream: {{url: '{backend.url}'}}"
        async with running(tmp_path, yaml) as gateway:
            talk = await connect(gateway.urls[0])
            await talk.send(GET * 5)
            assert (await ended(talk)).count(b"HTTP/1.1 200 OK") == 2
        assert len(backend.heads) == 2


async def test_an_old_connection_is_told_at_its_next_answer(tmp_path: Path) -> None:
    async with backends("a") as (backend,):
        yaml = f"limits: {{connection_age: 300ms}}\nupstream: {{url: '{backend.url}'}}"
        async with running(tmp_path, yaml) as gateway:
            talk = await connect(gateway.urls[0])
            said: list[str | None] = []
            async with asyncio.timeout(10):
                while not said or said[-1] is None:
                    said.append((await answer(talk)).get("Connection"))
                    await asyncio.sleep(0.02)
            assert said[-1] == "close"
            assert await ended(talk) == b""


@pytest.mark.parametrize("limit", ["connection_requests: 2", "connection_age: 1ms", "idle_timeout: 1ms"])
async def test_an_upstreams_connection_is_given_up_in_time(tmp_path: Path, limit: str) -> None:
    async with (
        backends("a") as (backend,),
        running(tmp_path, f"upstream: {{url: '{backend.url}', {limit}}}") as gateway,
    ):
        talk = await connect(gateway.urls[0])
        async with asyncio.timeout(10):
            while len(backend.shown) < 2:
                assert (await answer(talk)).body == b"a"
                # Idle connections are looked at once a second.
                await asyncio.sleep(1.1 if "idle" in limit else 0.01)
        talk.writer.close()


async def test_more_requests_than_connections_wait_for_their_turn(tmp_path: Path) -> None:
    async with backends("a") as (backend,):
        backend.gate.clear()
        yaml = f"upstream: {{url: '{backend.url}', max_connections: 2, connect_timeout: 10s}}"
        async with running(tmp_path, yaml) as gateway:
            asking = [asyncio.ensure_future(ask(gateway.urls[0])) for _ in range(6)]
            while len(backend.heads) < 2:
                await asyncio.sleep(0.01)
            backend.gate.set()
            assert [(await each).body for each in asking] == [b"a"] * 6
        assert len(backend.shown) == 2


async def test_a_request_that_waits_too_long_for_a_connection_is_504_and_never_sent(tmp_path: Path) -> None:
    backend = Backend()
    await backend.listen()
    backend.gate.clear()
    yaml = f"upstream: {{url: '{backend.url}', max_connections: 1, connect_timeout: 200ms}}"
    async with running(tmp_path, yaml) as gateway:
        first = asyncio.ensure_future(ask(gateway.urls[0]))
        while not backend.heads:
            await asyncio.sleep(0.01)
        assert (await ask(gateway.urls[0])).status == 504
        backend.gate.set()
        assert (await first).body == b"a"
    assert len(backend.heads) == 1
    await backend.kill()
