"""Clients that leave, dawdle, stop half-way or are told no."""

import asyncio
import gc
from contextlib import suppress

import pytest
import structlog

from gateway.core.answers import Answer
from gateway.core.problems import Forbidden
from gateway.proxy.client_connection import ClientLimits
from gateway.proxy.request import Request
from tests.fakes.upstream import Conversation, ScriptedUpstream, answers, upstream
from tests.proxy.conftest import PassThrough, StartGateway

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def until_outcome(gateway: PassThrough) -> None:
    async with asyncio.timeout(5):
        while not gateway.outcomes:
            await asyncio.sleep(0.005)


async def test_a_read_that_ends_a_body_may_bring_the_next_request(start_gateway: StartGateway) -> None:
    async def script(talk: Conversation) -> None:
        for size in (10, 0):
            await talk.head()
            assert len(await talk.exactly(size)) == size
            await talk.send(OK)
        await talk.rest()

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        client = await gateway.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234")
        await up_has_conversation(up)
        await client.send(b"56789" + GET)
        for _ in range(2):
            head = await asyncio.wait_for(client.reader.readuntil(b"\r\n\r\n"), 5)
            assert head.startswith(b"HTTP/1.1 200 ")
            assert await client.reader.readexactly(2) == b"ok"


async def up_has_conversation(up: ScriptedUpstream) -> None:
    async with asyncio.timeout(5):
        while not up.conversations:
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("how", ["reset", "close"])
async def test_a_client_that_leaves_takes_its_upstream_request_along(start_gateway: StartGateway, how: str) -> None:
    arrived = asyncio.Event()

    async def script(talk: Conversation) -> None:
        await talk.head()
        arrived.set()
        await talk.until_lost()

    async with upstream(script) as up:
        gateway = await start_gateway(up.url, limits=ClientLimits(half_close=0.1))
        client = await gateway.connect()
        await client.send(GET)
        await arrived.wait()
        if how == "reset":
            client.reset()
        else:
            client.writer.close()
        await asyncio.wait_for(up.conversations[0].lost.wait(), 5)
        await until_outcome(gateway)
    outcome = gateway.outcomes[0]
    assert (outcome.client_left, outcome.request_sent, outcome.status, outcome.failure) == (True, True, None, None)
    assert gateway.pool.counts()["idle",] == 0


async def test_a_client_that_leaves_in_mid_answer_takes_its_upstream_request_along(start_gateway: StartGateway) -> None:
    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await talk.send(b"3\r\nabc\r\n")
            await asyncio.sleep(0.005)

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        client = await gateway.connect()
        await client.send(GET)
        await client.head()
        client.writer.close()
        await asyncio.wait_for(up.conversations[0].lost.wait(), 5)
        await until_outcome(gateway)
    assert gateway.outcomes[0].client_left
    assert gateway.outcomes[0].status == 200


async def test_a_client_that_leaves_in_mid_body_takes_its_upstream_request_along(start_gateway: StartGateway) -> None:
    received: list[bytes] = []

    async def script(talk: Conversation) -> None:
        received.append(await talk.rest())

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        client = await gateway.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await asyncio.sleep(0.05)
        client.writer.close()
        await asyncio.wait_for(up.conversations[0].lost.wait(), 5)
        await until_outcome(gateway)
    assert not any(wire.endswith(b"0\r\n\r\n") for wire in received)
    assert gateway.outcomes[0].client_left


async def test_nothing_is_sent_for_a_client_that_left_before(start_gateway: StartGateway) -> None:
    go_on = asyncio.Event()

    async with upstream(answers(OK)) as up:
        gateway = await start_gateway(up.url, limits=ClientLimits(half_close=0.01))
        inner = gateway.server.request_handler

        async def slow(request: Request) -> None:
            await go_on.wait()
            await inner(request)  # type: ignore[arg-type]

        gateway.server.request_handler = slow  # type: ignore[assignment]
        client = await gateway.connect()
        await client.send(GET)
        await asyncio.sleep(0.05)
        client.reset()
        await asyncio.sleep(0.05)
        go_on.set()
        await until_outcome(gateway)
        assert up.conversations == []
    assert gateway.outcomes[0].client_left
    assert gateway.outcomes[0].request_sent is False


async def test_a_half_closed_client_gets_its_answer(start_gateway: StartGateway) -> None:
    async def script(talk: Conversation) -> None:
        await talk.head()
        await asyncio.sleep(0.2)
        await talk.send(OK)

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        assert (await gateway.exchange(GET)).endswith(b"ok")


@pytest.mark.parametrize(
    "wire",
    [b"", b"GET / HTT", b"GET / HTTP/1.1\r\nHost: a\r\nX: y", GET[:-2]],
    ids=["nothing", "half a line", "half a field", "half a head"],
)
async def test_a_head_that_does_not_come_ends_the_connection(start_gateway: StartGateway, wire: bytes) -> None:
    async with upstream(answers()) as up:
        gateway = await start_gateway(up.url, limits=ClientLimits(head_timeout=0.2))
        client = await gateway.connect()
        await client.send(wire)
        assert await asyncio.wait_for(client.rest(), 5) == b""


async def test_a_head_that_trickles_does_not_get_more_time(start_gateway: StartGateway) -> None:
    async with upstream(answers(OK)) as up:
        gateway = await start_gateway(up.url, limits=ClientLimits(head_timeout=0.3))
        client = await gateway.connect()
        await client.send(GET)
        await client.head()
        await client.exactly(2)
        started = asyncio.get_running_loop().time()
        await client.send(b"GET / HTTP/1.1\r\n")
        with pytest.raises(ConnectionError):
            while True:
                await client.send(b"X: y\r\n")
                await asyncio.sleep(0.02)
        assert asyncio.get_running_loop().time() - started < 3


async def test_a_body_that_stops_coming_ends_both_connections(start_gateway: StartGateway) -> None:
    async with upstream(Conversation.until_lost) as up:
        gateway = await start_gateway(up.url, limits=ClientLimits(body_timeout=0.2))
        client = await gateway.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        assert await asyncio.wait_for(client.rest(), 5) == b""
        await asyncio.wait_for(up.conversations[0].lost.wait(), 5)
        await until_outcome(gateway)
    assert gateway.outcomes[0].client_left


async def test_a_client_that_does_not_take_its_answer_is_cut_off(start_gateway: StartGateway) -> None:
    arrived = asyncio.Event()

    async def script(talk: Conversation) -> None:
        await talk.head()
        arrived.set()
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n", *[bytes(2**20)] * 95)

    async with upstream(script) as up:
        gateway = await start_gateway(up.url, limits=ClientLimits(body_timeout=0.2))
        client = await gateway.connect()
        await client.send(GET)
        await arrived.wait()
        await asyncio.wait_for(up.conversations[0].lost.wait(), 5)
        await until_outcome(gateway)
    assert gateway.outcomes[0].client_left


async def test_an_unused_connection_is_closed_after_a_while(start_gateway: StartGateway) -> None:
    async with upstream(answers(OK)) as up:
        limits = ClientLimits(keepalive_timeout=0.05, head_timeout=0.2)
        gateway = await start_gateway(up.url, limits=limits)
        client = await gateway.connect()
        await client.send(GET)
        await client.head()
        assert await asyncio.wait_for(client.rest(), 5) == b"ok"


def refusing(status: int = 429) -> Answer:
    return Answer(status, [(b"Retry-After", b"7")], b"later")


async def respond_429(request: Request) -> None:
    request.respond(refusing())


async def test_a_refusal_comes_before_100_continue(start_gateway: StartGateway) -> None:
    gateway = await start_gateway("http://127.0.0.1:1", handler=respond_429)
    client = await gateway.connect()
    await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
    answer = await client.rest()
    assert answer.startswith(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nDate: ")
    assert answer.endswith(b"Content-Length: 5\r\nConnection: close\r\n\r\nlater")


async def test_a_refused_client_with_a_short_body_keeps_its_connection(start_gateway: StartGateway) -> None:
    gateway = await start_gateway("http://127.0.0.1:1", handler=respond_429)
    client = await gateway.connect()
    for _ in range(2):
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n")
        assert b"Connection" not in await client.head()
        assert await client.exactly(5) == b"later"
        await client.send(b"body")


async def test_a_refused_client_with_a_long_body_can_read_why(start_gateway: StartGateway) -> None:
    gateway = await start_gateway("http://127.0.0.1:1", handler=respond_429)
    client = await gateway.connect()
    await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n")
    await client.send(bytes(2_000_000))
    assert (await asyncio.wait_for(client.rest(), 5)).endswith(b"\r\n\r\nlater")


async def test_a_refused_client_that_goes_on_sending_is_listened_to_for_a_while_only(
    start_gateway: StartGateway,
) -> None:
    gateway = await start_gateway("http://127.0.0.1:1", handler=respond_429, limits=ClientLimits(linger=0.3))
    client = await gateway.connect()
    await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n")
    assert (await client.head()).startswith(b"HTTP/1.1 429 ")
    async with asyncio.timeout(10):
        with suppress(ConnectionError):
            while True:
                await client.send(bytes(1000))
                await asyncio.sleep(0.02)


async def test_a_refused_client_whose_long_body_has_come_whole_is_read_on(start_gateway: StartGateway) -> None:
    async def once_whole(request: Request) -> None:
        while not request.complete:
            await asyncio.sleep(0.005)
        await respond_429(request)

    gateway = await start_gateway("http://127.0.0.1:1", handler=once_whole)
    client = await gateway.connect()
    for _ in range(2):
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 65600\r\n\r\n" + bytes(65_600))
        assert b"Connection" not in await asyncio.wait_for(client.head(), 5)
        assert await client.exactly(5) == b"later"


async def test_our_own_answers_to_head_have_no_body(start_gateway: StartGateway) -> None:
    gateway = await start_gateway("http://127.0.0.1:1", handler=respond_429)
    client = await gateway.connect()
    await client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + GET)
    assert b"Content-Length: 5\r\n" in await client.head()
    assert (await client.head()).startswith(b"HTTP/1.1 429 ")


async def test_answers_that_nobody_reads_do_not_pile_up(start_gateway: StartGateway) -> None:
    async def respond(request: Request) -> None:
        request.respond(Answer(200, [], bytes(50_000)))

    gateway = await start_gateway("http://127.0.0.1:1", handler=respond)
    client = await gateway.connect()
    sending = asyncio.ensure_future(client.send(*[GET * 1000] * 100))
    await asyncio.sleep(0.3)
    connection = next(iter(gateway.server.connections))
    assert connection.transport is not None
    assert connection.transport.get_write_buffer_size() < 512 * 1024
    sending.cancel()


async def test_a_problem_is_answered_in_our_shape(start_gateway: StartGateway) -> None:
    async def refuse(_request: Request) -> None:
        raise Forbidden("Not you.")

    gateway = await start_gateway("http://127.0.0.1:1", handler=refuse)
    answer = await gateway.exchange(GET)
    assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\n")
    assert answer.endswith(b"Not you.")


async def test_a_handler_that_fails_is_500_and_logs_no_content(start_gateway: StartGateway) -> None:
    async def fail(request: Request) -> None:
        raise ValueError(request.headers)

    gateway = await start_gateway("http://127.0.0.1:1", handler=fail)
    with structlog.testing.capture_logs() as logs:
        answer = await gateway.exchange(b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer s3cr3t\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"s3cr3t" not in answer
    assert [entry["error"] for entry in logs] == ["ValueError"]
    assert "s3cr3t" not in str(logs)


async def test_a_handler_that_forgets_to_answer_is_500(start_gateway: StartGateway) -> None:
    async def forget(_request: Request) -> None:
        pass

    gateway = await start_gateway("http://127.0.0.1:1", handler=forget)
    assert (await gateway.exchange(GET)).startswith(b"HTTP/1.1 500 ")


async def test_stopping_finishes_what_is_in_flight(start_gateway: StartGateway) -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def script(talk: Conversation) -> None:
        await talk.head()
        arrived.set()
        await go_on.wait()
        await talk.exactly(4)
        await talk.send(OK)

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        idle = await gateway.connect()
        client = await gateway.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo")
        await arrived.wait()
        stopping = asyncio.ensure_future(gateway.runner.cleanup())
        assert await asyncio.wait_for(idle.rest(), 5) == b""
        # Even a body that is still on its way is taken.
        await client.send(b"dy")
        go_on.set()
        assert await client.rest() == OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        await asyncio.wait_for(stopping, 5)
        with pytest.raises(ConnectionError):
            await gateway.connect()


async def test_stopping_does_not_wait_for_ever(start_gateway: StartGateway) -> None:
    arrived = asyncio.Event()

    async def script(talk: Conversation) -> None:
        await talk.head()
        arrived.set()
        await talk.until_lost()

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        client = await gateway.connect()
        await client.send(GET)
        await arrived.wait()
        await asyncio.wait_for(gateway.server.shutdown(0.1), 5)
        assert await client.rest() == b""
        await asyncio.wait_for(up.conversations[0].lost.wait(), 5)
    assert gateway.requests[0].request_sent is True


async def test_a_client_that_leaves_without_reading_its_answer_is_no_error_of_ours(
    start_gateway: StartGateway, caplog: pytest.LogCaptureFixture
) -> None:
    answered = asyncio.Event()

    async def handle(request: Request) -> None:
        request.respond(Answer(200, [], bytes(32 * 2**20)))
        answered.set()

    gateway = await start_gateway("http://127.0.0.1:9", handler=handle)
    client = await gateway.connect()
    await client.send(GET)
    await asyncio.wait_for(answered.wait(), 10)
    client.reset()
    async with asyncio.timeout(10):
        while gateway.server.connections:
            await asyncio.sleep(0.01)
    gc.collect()
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
