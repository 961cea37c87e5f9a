"""Several upstream addresses: who is asked, and what becomes of a request when one of them dies."""

import asyncio
from pathlib import Path

from tests.transport.backend import Backend, backends
from tests.transport.world import ask, running, until


def urls(*behind: Backend, more: str = "") -> str:
    listed = ", ".join(f"'{backend.url}'" for backend in behind)
    return f"upstream: {{urls: [{listed}]{more}}}"


async def test_each_address_gets_its_share(tmp_path: Path) -> None:
    async with backends("a", "b") as (first, second), running(tmp_path, urls(first, second)) as gateway:
        for _ in range(10):
            await ask(gateway.urls[0])
        assert min(len(first.requests), len(second.requests)) >= 1
        assert len(first.requests) + len(second.requests) == 10


async def test_a_request_that_a_dead_address_never_got_is_carried_out_by_another(tmp_path: Path) -> None:
    async with backends("a", "b") as (first, second):
        async with running(tmp_path, urls(first, second)) as gateway:
            await first.kill()
            answers = [await ask(gateway.urls[0]) for _ in range(6)]
            assert [(answer.status, answer.body) for answer in answers] == [(200, b"b")] * 6
            post = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            assert (await ask(gateway.urls[0], post)).status == 200
        await first.listen()


async def test_without_any_address_the_answer_is_502(tmp_path: Path) -> None:
    async with backends("a", "b") as (first, second), running(tmp_path, urls(first, second)) as gateway:
        await first.kill()
        await second.kill()
        assert (await ask(gateway.urls[0])).status == 502
        await first.listen()
        await second.listen()

        async def back() -> bool:
            return (await ask(gateway.urls[0])).status == 200

        await until(back)


async def test_an_address_that_says_it_is_ill_is_left_alone_until_it_is_well(tmp_path: Path) -> None:
    health = ", health: {path: /healthz, interval: 100ms, unhealthy_after: 1, healthy_after: 1}"
    async with backends("a", "b") as (first, second):
        first.status = b"503 Service Unavailable"
        async with running(tmp_path, urls(first, second, more=health)) as gateway:

            async def only(name: bytes) -> bool:
                return all([(await ask(gateway.urls[0])).body == name for _ in range(4)])

            async def only_b() -> bool:
                return await only(b"b")

            await until(only_b)
            first.status = b"200 OK"

            async def a_again() -> bool:
                return any([(await ask(gateway.urls[0])).body == b"a" for _ in range(4)])

            await until(a_again)


async def test_a_retry_is_for_those_that_never_reached_one(tmp_path: Path) -> None:
    """An address that died with the request on it may have carried it out: a POST is not sent again."""
    async with backends("a", "b") as (first, second), running(tmp_path, urls(first, second)) as gateway:
        first.gate.clear()
        second.gate.clear()
        post = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        asking = asyncio.get_running_loop().create_task(ask(gateway.urls[0], post))
        await until(lambda: bool(first.requests or second.requests))
        reached, other = (first, second) if first.requests else (second, first)
        await reached.kill()
        assert (await asking).status == 502
        assert other.requests == []
        await reached.listen()
