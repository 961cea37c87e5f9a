"""What a client or an upstream may take its time for, from outside: each wait ends by itself."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from tests.fakes.upstream import Conversation, upstream
from tests.transport.backend import backends
from tests.transport.world import GET, PATIENCE_S, answer, ask, connect, ended, running, until

GONE = (ConnectionError, RuntimeError)
"""What writing to a connection that has ended raises; the latter is uvloop's word for it."""
POST = b"POST / HTTP/1.1\r\nHost: api.example\r\n"


@pytest.mark.parametrize("begun", [b"", b"GET / HT", GET[:-2]], ids=["nothing", "half a line", "half a head"])
async def test_a_head_that_does_not_come_ends_the_connection(tmp_path: Path, begun: bytes) -> None:
    async with backends("a") as (backend,):
        yaml = f"limits: {{head_timeout: 200ms}}\nupstream: {{url: '{backend.url}'}}"
        async with running(tmp_path, yaml) as gateway:
            talk = await connect(gateway.urls[0])
            await talk.send(begun)
            assert await ended(talk) == b""
        assert backend.heads == []


async def test_a_head_that_trickles_gets_no_more_time(tmp_path: Path) -> None:
    async with backends("a") as (backend,):
        yaml = f"limits: {{head_timeout: 300ms}}\nupstream: {{url: '{backend.url}'}}"
        async with running(tmp_path, yaml) as gateway:
            talk = await connect(gateway.urls[0])
            async with asyncio.timeout(PATIENCE_S):
                with suppress(*GONE):
                    await talk.send(GET[:-2])
                    while not talk.reader.at_eof():
                        await talk.send(b"X: y\r\n")
                        await asyncio.sleep(0.02)
            talk.writer.close()
        assert backend.heads == []


async def test_hundreds_that_trickle_are_in_nobodys_way(tmp_path: Path) -> None:
    async with backends("a") as (backend,):
        yaml = f"limits: {{head_timeout: 30s}}\nupstream: {{url: '{backend.url}'}}"
        async with running(tmp_path, yaml) as gateway:
            slow = [await connect(gateway.urls[0]) for _ in range(300)]
            for talk in slow:
                await talk.send(b"GET / HTTP/1.1\r\nX: ")
            assert (await ask(gateway.urls[0])).body == b"a"
            for talk in slow:
                talk.reset()
        assert len(backend.heads) == 1


async def test_a_body_that_trickles_is_cut_off_on_both_sides(tmp_path: Path) -> None:
    """Each byte is in time; all of them together are too slow."""
    async with upstream(Conversation.until_lost) as up:
        yaml = f"limits: {{body_idle_timeout: 300ms, body_rate: 1KiB}}\nupstream: {{url: '{up.url}'}}"
        async with running(tmp_path, yaml) as gateway:
            talk = await connect(gateway.urls[0])
            await talk.send(POST + b"Content-Length: 1000000\r\n\r\n")
            async with asyncio.timeout(PATIENCE_S):
                with suppress(*GONE):
                    while not talk.reader.at_eof():
                        await talk.send(b"x")
                        await asyncio.sleep(0.02)
                await up.conversations[0].lost.wait()
            talk.writer.close()


async def test_a_body_that_stops_is_cut_off_on_both_sides(tmp_path: Path) -> None:
    async with upstream(Conversation.until_lost) as up:
        yaml = f"limits: {{body_idle_timeout: 200ms, body_rate: null}}\nupstream: {{url: '{up.url}'}}"
        async with running(tmp_path, yaml) as gateway:
            talk = await connect(gateway.urls[0])
            await talk.send(POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
            with suppress(ConnectionError):
                assert await ended(talk) == b""
            await asyncio.wait_for(up.conversations[0].lost.wait(), PATIENCE_S)


async def test_an_answer_that_nobody_takes_ends_both_connections(tmp_path: Path) -> None:
    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n", *[bytes(2**20)] * 95)

    async with upstream(script) as up:
        yaml = f"limits: {{body_idle_timeout: 200ms}}\nupstream: {{url: '{up.url}'}}"
        async with running(tmp_path, yaml) as gateway:
            talk = await connect(gateway.urls[0])
            await talk.send(GET)
            await until(lambda: bool(up.conversations))
            await asyncio.wait_for(up.conversations[0].lost.wait(), PATIENCE_S)
            talk.reset()


async def test_a_connection_without_requests_ends(tmp_path: Path) -> None:
    async with backends("a") as (backend,):
        yaml = f"limits: {{keepalive_timeout: 200ms}}\nupstream: {{url: '{backend.url}'}}"
        async with running(tmp_path, yaml) as gateway:
            talk = await connect(gateway.urls[0])
            assert (await answer(talk)).body == b"a"
            assert await ended(talk) == b""


async def test_an_upstream_that_takes_its_time_for_all_of_an_answer_is_cut_off(tmp_path: Path) -> None:
    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await talk.send(b"1\r\na\r\n")
            await asyncio.sleep(0.02)

    async with upstream(script) as up:
        yaml = f"upstream: {{url: '{up.url}', read_timeout: 5s, total_timeout: 300ms}}"
        async with running(tmp_path, yaml) as gateway:
            talk = await connect(gateway.urls[0])
            await talk.send(GET)
            head = await talk.head()
            assert head.startswith(b"HTTP/1.1 200 ")
            with suppress(ConnectionError):
                assert not (await ended(talk)).endswith(b"0\r\n\r\n")
            await asyncio.wait_for(up.conversations[0].lost.wait(), PATIENCE_S)
