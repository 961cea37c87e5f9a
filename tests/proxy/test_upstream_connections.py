"""Connections to the upstream: kept, counted, waited for, and never trusted further than they deserve."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from gateway.proxy.endpoint import Endpoint
from gateway.proxy.pool import PoolLimits, UpstreamPool
from gateway.proxy.upstream import UpstreamConnection
from tests.fakes.upstream import Conversation, ScriptedUpstream, answers, upstream
from tests.proxy.conftest import StartGateway

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def test_a_kept_connection_is_used_again(start_gateway: StartGateway) -> None:
    async with upstream(answers(OK, OK, OK)) as up:
        gateway = await start_gateway(up.url)
        client = await gateway.connect()
        for _ in range(3):
            await client.send(GET)
            await client.head()
            await client.exactly(2)
        assert len(up.conversations) == 1
        assert gateway.pool.counts() == {("idle",): 1, ("busy",): 0, ("connecting",): 0}


@pytest.mark.parametrize(
    "last",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
        OK + b"x",
    ],
    ids=["close", "HTTP/1.0", "a second answer", "a stray byte"],
)
async def test_a_connection_that_cannot_be_trusted_is_not_kept(start_gateway: StartGateway, last: bytes) -> None:
    async with upstream(answers(last)) as up:
        gateway = await start_gateway(up.url)
        client = await gateway.connect()
        await client.send(GET)
        await client.head()
        assert await client.exactly(2) == b"ok"
        await asyncio.wait_for(up.conversations[0].lost.wait(), 5)
        await client.send(GET)
        await client.head()
        assert len(up.conversations) == 2


async def test_an_answer_that_nobody_asked_for_closes_the_connection(start_gateway: StartGateway) -> None:
    poison = asyncio.Event()

    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.send(OK)
        await poison.wait()
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
        await talk.rest()

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        client = await gateway.connect()
        await client.send(GET)
        await client.head()
        await client.exactly(2)
        poison.set()
        await asyncio.wait_for(up.conversations[0].lost.wait(), 5)
        await client.send(GET)
        await client.head()
        assert await client.exactly(2) == b"ok"


def dies_on_second(received: list[bytes]) -> ScriptedUpstream:
    """Answers one request on its first connection and drops that connection when the second request comes."""

    async def script(talk: Conversation) -> None:
        received.append(await talk.head())
        await talk.send(OK)
        received.append(await talk.head())
        if len(up.conversations) == 1:
            talk.reset()
        else:
            await talk.send(OK)

    up = ScriptedUpstream(script)
    return up


async def second_request(start_gateway: StartGateway, wire: bytes) -> tuple[bytes, list[bytes]]:
    received: list[bytes] = []
    up = dies_on_second(received)
    await up.start()
    gateway = await start_gateway(up.url)
    client = await gateway.connect()
    await client.send(GET)
    await client.head()
    await client.exactly(2)
    await client.send(wire)
    head = await client.head()
    await up.stop()
    assert gateway.outcomes[1].request_sent is True
    return head, received


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"PUT", b"DELETE"])
async def test_a_dead_kept_connection_costs_an_idempotent_request_nothing(
    start_gateway: StartGateway, method: bytes
) -> None:
    head, received = await second_request(start_gateway, method + b" /again HTTP/1.1\r\nHost: a\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert [wire.split(b" ")[1] for wire in received] == [b"/", b"/again", b"/again"]


@pytest.mark.parametrize(
    "wire",
    [
        b"POST /again HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        b"PATCH /again HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PUT /again HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf",
    ],
    ids=["POST", "PATCH", "a body still on its way"],
)
async def test_what_may_have_had_an_effect_is_not_sent_twice(start_gateway: StartGateway, wire: bytes) -> None:
    head, received = await second_request(start_gateway, wire)
    assert head.startswith(b"HTTP/1.1 502 ")
    assert len(received) == 2


async def test_an_upstream_that_dies_between_two_tries_may_have_carried_out_the_first(
    start_gateway: StartGateway,
) -> None:
    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.send(OK)
        await talk.head()
        assert up._server is not None
        up._server.close()
        talk.reset()

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        client = await gateway.connect()
        await client.send(GET)
        await client.head()
        await client.exactly(2)
        await client.send(GET)
        assert (await client.head()).startswith(b"HTTP/1.1 502 ")
    outcome = gateway.outcomes[1]
    assert outcome.request_sent is True
    assert outcome.failure is not None
    assert outcome.failure.message.endswith("may have been carried out: look before you send it again.")


async def test_a_fresh_connection_that_dies_is_not_tried_again(start_gateway: StartGateway) -> None:
    async def script(talk: Conversation) -> None:
        await talk.head()
        talk.reset()

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        answer = await gateway.exchange(GET)
        assert len(up.conversations) == 1
    assert answer.startswith(b"HTTP/1.1 502 ")


async def test_no_more_connections_are_opened_than_allowed(start_gateway: StartGateway) -> None:
    release = asyncio.Event()
    most = 0

    async def script(talk: Conversation) -> None:
        nonlocal most
        while True:
            await talk.head()
            most = max(most, len(up.conversations))
            await release.wait()
            await talk.send(OK)

    async with upstream(script) as up:
        gateway = await start_gateway(up.url, pool_limits=PoolLimits(connections=2, waiting=3))
        clients = [await gateway.connect() for _ in range(6)]
        for client in clients:
            await client.send(GET)
        # Two are served, three wait, one is too many.
        while len(gateway.outcomes) < 1:
            await asyncio.sleep(0.01)
        release.set()
        heads = [await client.head() for client in clients]
        assert sorted(head.split(b" ")[1] for head in heads) == [b"200"] * 5 + [b"503"]
        (problem,) = gateway.problems
        assert problem.headers == ((b"Retry-After", b"1"),)
    assert most == 2
    assert gateway.outcomes[0].request_sent is False


async def test_waiting_for_a_connection_is_bounded_in_time(start_gateway: StartGateway) -> None:
    async with upstream(Conversation.until_lost) as up:
        gateway = await start_gateway(up.url, pool_limits=PoolLimits(connections=1), connect_timeout=0.2)
        first = await gateway.connect()
        await first.send(GET)
        answer = await gateway.exchange(GET)
    assert answer.startswith(b"HTTP/1.1 504 ")
    assert [outcome.request_sent for outcome in gateway.outcomes[:1]] == [False]


@asynccontextmanager
async def pool_of(connections: int) -> AsyncIterator[UpstreamPool]:
    async with upstream(answers(OK)) as up:
        pool = UpstreamPool(Endpoint.parse(up.url), PoolLimits(connections=connections))
        yield pool
        await pool.close()


async def waiting(pool: UpstreamPool, *, fresh: bool = False) -> asyncio.Task[UpstreamConnection]:
    """Somebody who has begun to wait for a connection."""
    task = asyncio.create_task(pool.acquire(fresh=fresh))
    before = pool.load
    while pool.load == before:
        await asyncio.sleep(0)
    return task


async def test_whoever_waits_has_the_next_free_connection_whatever_the_fast_lane_takes_meanwhile() -> None:
    async with pool_of(1) as pool:
        only = await pool.acquire()
        first, second = await waiting(pool), await waiting(pool)
        pool.keep(only)
        assert pool.take() is None, "it is the first one's, who has not even been told"
        assert await first is only
        assert not second.done()
        pool.keep(only)
        assert await second is only
        pool.keep(only)
        assert pool.take() is only


async def test_a_connection_for_somebody_who_gave_up_is_the_next_ones() -> None:
    async with pool_of(1) as pool:
        only = await pool.acquire()
        first, second = await waiting(pool), await waiting(pool)
        pool.keep(only)
        first.cancel()
        assert await second is only
        third = await waiting(pool)
        pool.keep(only)
        third.cancel()
        with suppress(asyncio.CancelledError):
            await third
        assert pool.take() is only, "nobody else wants it"


async def test_a_connection_that_ends_on_its_way_to_somebody_is_followed_by_a_new_one() -> None:
    async with pool_of(1) as pool:
        only = await pool.acquire()
        first, second = await waiting(pool), await waiting(pool)
        pool.keep(only)
        only.close()
        new = await first
        assert new is not only
        assert not second.done()
        pool.keep(new)
        assert await second is new


@pytest.mark.parametrize("idle", [True, False])
async def test_whoever_needs_a_new_connection_gets_one_in_the_place_of_a_kept_one(*, idle: bool) -> None:
    async with pool_of(1) as pool:
        only = await pool.acquire()
        if idle:
            pool.keep(only)
            new = await pool.acquire(fresh=True)
        else:
            task = await waiting(pool, fresh=True)
            pool.keep(only)
            new = await task
        assert new is not only
        assert pool.load == 1


async def test_an_unused_connection_is_closed_after_a_while(start_gateway: StartGateway) -> None:
    async with upstream(answers(OK)) as up:
        gateway = await start_gateway(up.url, read_timeout=0.1, pool_limits=PoolLimits(idle_timeout=0.05))
        await gateway.exchange(GET)
        await asyncio.wait_for(up.conversations[0].lost.wait(), 5)
        while gateway.pool.counts()["idle",]:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("url", ["ftp://a", "http://", "http://a/base", "a:80", "http://a/?x=1", "unix:relative"])
async def test_what_is_not_the_address_of_an_upstream_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="an upstream"):
        Endpoint.parse(url)
