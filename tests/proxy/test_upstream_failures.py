"""An upstream that is down, slow, broken or rude: one clear answer, and the truth about what it may have seen."""

import asyncio
import socket

import pytest

from gateway.proxy.failures import UpstreamFailed, UpstreamTimedOut
from tests.fakes.upstream import Conversation, ScriptedUpstream, answers, upstream
from tests.proxy.conftest import StartGateway

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_an_upstream_that_is_down_is_502_and_saw_nothing(start_gateway: StartGateway) -> None:
    gateway = await start_gateway(f"http://127.0.0.1:{unused_port()}")
    answer = await gateway.exchange(GET)
    assert answer.startswith(b"HTTP/1.1 502 ")
    outcome = gateway.outcomes[0]
    assert isinstance(outcome.failure, UpstreamFailed)
    assert outcome.failure.message.endswith("Nothing of your request reached it: send it again in a moment.")
    assert (outcome.request_sent, outcome.status, outcome.upstream_us) == (False, None, None)


async def test_an_upstream_that_comes_back_is_used_again(start_gateway: StartGateway) -> None:
    up = ScriptedUpstream(answers(OK))
    port = unused_port()
    gateway = await start_gateway(f"http://127.0.0.1:{port}")
    client = await gateway.connect()
    await client.send(GET)
    head = await client.head()
    assert head.startswith(b"HTTP/1.1 502 ")
    await client.exactly(int(head.partition(b"Content-Length: ")[2].partition(b"\r")[0]))
    await up.start(port)
    await client.send(GET)
    assert (await client.head()).startswith(b"HTTP/1.1 200 ")
    await up.stop()


async def test_an_upstream_that_takes_no_connection_is_504_and_saw_nothing(start_gateway: StartGateway) -> None:
    # A full backlog: the kernel lets further connects hang.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            fillers.append(filler)
        gateway = await start_gateway(f"http://127.0.0.1:{listener.getsockname()[1]}", connect_timeout=0.2)
        answer = await gateway.exchange(GET)
        for filler in fillers:
            filler.close()
    assert answer.startswith(b"HTTP/1.1 504 ")
    assert gateway.outcomes[0].request_sent is False


async def test_an_upstream_that_says_nothing_is_504_and_may_have_seen_it(start_gateway: StartGateway) -> None:
    async with upstream(Conversation.until_lost) as up:
        gateway = await start_gateway(up.url, read_timeout=0.1)
        answer = await gateway.exchange(GET)
        await asyncio.wait_for(up.conversations[0].lost.wait(), 5)
    assert answer.startswith(b"HTTP/1.1 504 ")
    assert isinstance(gateway.outcomes[0].failure, UpstreamTimedOut)
    assert gateway.outcomes[0].request_sent is True


async def test_an_upstream_that_does_not_read_the_body_is_504(start_gateway: StartGateway) -> None:
    async def script(talk: Conversation) -> None:
        await asyncio.sleep(30)
        await talk.rest()

    async with upstream(script) as up:
        gateway = await start_gateway(up.url, read_timeout=0.2)
        client = await gateway.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
        pouring = asyncio.ensure_future(client.send(*[bytes(2**20)] * 95))
        assert (await client.head()).startswith(b"HTTP/1.1 504 ")
        pouring.cancel()


async def test_a_client_that_is_slow_with_its_body_is_not_the_upstreams_fault(start_gateway: StartGateway) -> None:
    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.exactly(4)
        await talk.send(OK)

    async with upstream(script) as up:
        gateway = await start_gateway(up.url, read_timeout=0.1)
        client = await gateway.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo")
        await asyncio.sleep(0.3)
        await client.send(b"dy")
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")


GARBLED = {
    "no HTTP": b"hello\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
    "length and coding": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "another coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a coding that is not chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
    "a folded line": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "a head without end": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000,
    "fields without end": b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 40_000,
    "HTTP/2": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "nothing": b"",
    "a broken chunk in the first read": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    "1xx without end": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100,
}


@pytest.mark.parametrize("wire", GARBLED.values(), ids=GARBLED)
async def test_an_answer_that_is_not_http_is_502(start_gateway: StartGateway, wire: bytes) -> None:
    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.send(wire)

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        answer = await gateway.exchange(GET)
        await asyncio.wait_for(up.conversations[0].lost.wait(), 5)
    assert b"HTTP/1.1 502 " in answer
    assert gateway.outcomes[0].request_sent is True
    assert gateway.pool.counts()["idle",] == 0


@pytest.mark.parametrize(
    ("head", "body"),
    [(b"Content-Length: 100", b"ten bytes!"), (b"Transfer-Encoding: chunked", b"a\r\nten bytes!\r\n")],
    ids=["with a length", "chunked"],
)
@pytest.mark.parametrize("how", ["reset", "closed"])
async def test_an_upstream_that_breaks_off_cuts_the_client_off_too(
    start_gateway: StartGateway, head: bytes, body: bytes, how: str
) -> None:
    go_on = asyncio.Event()

    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.send(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % head + body)
        await go_on.wait()
        if how == "reset":
            talk.reset()

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        client = await gateway.connect()
        await client.send(GET + GET)
        received = await client.head() + await client.exactly(len(body))
        go_on.set()
        with pytest.raises(ConnectionResetError):
            await client.reader.read(-1)
    assert received.endswith(body)
    assert gateway.outcomes[0].status == 200
    assert isinstance(gateway.outcomes[0].failure, UpstreamFailed)
    assert len(gateway.requests) == 1


async def test_an_answer_before_the_body_is_over_ends_both_connections(start_gateway: StartGateway) -> None:
    refusal = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno"

    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.send(refusal)
        await talk.rest()

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        client = await gateway.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nthe first bytes")
        assert b"Connection: close\r\n" in await client.head()
        assert await client.exactly(2) == b"no"
        # What the client is still sending is read, so that the answer is not destroyed by a reset.
        await client.send(bytes(500_000))
        assert await client.reader.read(1) == b""
        await asyncio.wait_for(up.conversations[0].lost.wait(), 5)
    assert gateway.outcomes[0].status == 413
    assert gateway.outcomes[0].failure is None
