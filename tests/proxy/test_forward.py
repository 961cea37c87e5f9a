"""Plain conversations: what goes out is what came in, but for what belongs to one connection."""

import asyncio

import pytest

from gateway.core.forwarding import Forwarding
from gateway.core.rule import METHODS
from gateway.proxy.relay import Edit
from gateway.proxy.response_parser import ResponseHead
from tests.fakes.upstream import Conversation, answers, upstream
from tests.proxy.conftest import StartGateway

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def test_a_request_and_its_answer_pass_byte_for_byte(start_gateway: StartGateway) -> None:
    seen: list[bytes] = []
    wire = (
        b"HTTP/1.1 299 Odd \xe9 reason\r\nx-LOWER: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Bytes: v\xe9\xff\r\n"
        b"X-Empty: \r\nContent-Length: 3\r\n\r\nabc"
    )

    async def script(talk: Conversation) -> None:
        seen.append(await talk.head())
        await talk.send(wire)

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        head = b"GET /a%2Fb/%7e?x=%zz&y HTTP/1.1\r\nHost: Shop.example:81\r\nX-Odd: a\xe9b\r\nx-Two: 1\r\nX-two: 2\r\n"
        answer = await gateway.exchange(head + b"Accept-Encoding: gzip\r\n\r\n")
    assert seen == [head + b"Accept-Encoding: gzip\r\nVia: 1.1 weighbridge\r\n\r\n"]
    # The client had ended its side, so its connection is closed after the answer.
    assert answer == wire.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    assert gateway.outcomes[0].status == 299
    assert gateway.outcomes[0].bytes_out == 3


@pytest.mark.parametrize("method", sorted(METHODS - {"HEAD"}))
async def test_any_method_passes(start_gateway: StartGateway, method: str) -> None:
    seen: list[bytes] = []

    async def script(talk: Conversation) -> None:
        seen.append(await talk.head())
        await talk.send(OK)

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        answer = await gateway.exchange(b"%b /x HTTP/1.1\r\nHost: a\r\n\r\n" % method.encode())
    assert seen[0].startswith(method.encode() + b" /x HTTP/1.1\r\n")
    assert answer.endswith(b"ok")


@pytest.mark.parametrize("status", [200, 201, 203, 206, 301, 400, 402, 418, 429, 499, 500, 503, 599, 799, 999])
async def test_any_status_passes(start_gateway: StartGateway, status: int) -> None:
    async with upstream(answers(b"HTTP/1.1 %d Any\r\nContent-Length: 0\r\n\r\n" % status)) as up:
        gateway = await start_gateway(up.url)
        answer = await gateway.exchange(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 %d Any\r\n" % status)


async def test_answers_that_have_no_body_leave_the_connections_in_step(start_gateway: StartGateway) -> None:
    wires = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nETag: x\r\nContent-Length: 1000\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        OK,
    ]
    async with upstream(answers(*wires)) as up:
        gateway = await start_gateway(up.url)
        client = await gateway.connect()
        received = []
        for method in (b"HEAD", b"HEAD", b"GET", b"GET", b"HEAD", b"GET"):
            await client.send(b"%b / HTTP/1.1\r\nHost: a\r\n\r\n" % method)
            received.append(await client.head())
        assert await client.exactly(2) == b"ok"
    assert len(up.conversations) == 1
    assert received[0] == wires[0]
    assert received[2] == wires[2]
    assert received[3] == wires[3]
    assert received[5] == OK[:-2]


async def test_a_chunked_answer_stays_chunked_and_brings_its_trailers(start_gateway: StartGateway) -> None:
    wire = (
        b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;ext=1\r\nabc\r\n0\r\nX-Sum: 9\xe9\r\nSet-Cookie: a=1\r\n\r\n"
    )
    async with upstream(answers(wire)) as up:
        gateway = await start_gateway(up.url)
        client = await gateway.connect()
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n")
        head = await client.head()
        body = await client.chunked()
    assert head == b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"
    # A trailer that would mean something in a head does not pass (RFC 9110, 6.5.1).
    assert body == b"3\r\nabc\r\n0\r\nX-Sum: 9\xe9\r\n\r\n"


async def test_a_chunked_request_stays_chunked_and_brings_its_trailers(start_gateway: StartGateway) -> None:
    seen: list[bytes] = []

    async def script(talk: Conversation) -> None:
        seen.extend((await talk.head(), await talk.chunked()))
        await talk.send(OK)
        seen.append(await talk.head())
        await talk.send(OK)

    async with upstream(script) as up:
        gateway = await start_gateway(up.url, protected=frozenset({b"x-user"}))
        client = await gateway.connect()
        await client.send(
            b"POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTrailer: X-Sum\r\nTransfer-Encoding: Chunked\r\n\r\n"
            b"3\r\nabc\r\n0\r\nX-Sum: 9\r\nAuthorization: Bearer stolen\r\nX_User: 1\r\n\r\n"
        )
        await client.head()
        await client.exactly(2)
        await client.send(b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
        await client.head()
    assert b"Trailer: X-Sum\r\n" in seen[0]
    assert b"Connection: TE\r\nTE: trailers\r\n" in seen[0]
    # Trailers never become fields of a head: neither of this request nor of the next.
    assert seen[1] == b"3\r\nabc\r\n0\r\nX-Sum: 9\r\n\r\n"
    assert seen[2] == b"GET /next HTTP/1.1\r\nHost: a\r\nVia: 1.1 weighbridge\r\n\r\n"


async def test_a_body_that_ends_with_the_connection_becomes_chunked(start_gateway: StartGateway) -> None:
    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.send(b"HTTP/1.0 200 OK\r\nX: 1\r\n\r\nall of it")

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        client = await gateway.connect()
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert await client.head() == b"HTTP/1.1 200 OK\r\nX: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
        wire = await client.chunked()
    assert wire.endswith(b"0\r\n\r\n")
    assert b"all of it" in wire


async def test_a_client_of_http_1_0_gets_what_it_understands(start_gateway: StartGateway) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    async with upstream(answers(early + chunked, OK)) as up:
        gateway = await start_gateway(up.url)
        plain = await gateway.exchange(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        client = await gateway.connect()
        await client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        kept = await client.head()
    assert plain == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc"
    assert kept == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n"


async def test_interim_answers_pass_as_they_come(start_gateway: StartGateway) -> None:
    go_on = asyncio.Event()

    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")
        await go_on.wait()
        await talk.send(b"HTTP/1.1 102 Processing\r\n\r\n" + OK)

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        client = await gateway.connect()
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert await client.head() == b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
        go_on.set()
        assert await client.head() == b"HTTP/1.1 102 Processing\r\n\r\n"
        assert await client.head() == OK[:-2]


async def test_events_arrive_one_by_one(start_gateway: StartGateway) -> None:
    turns: asyncio.Queue[bytes] = asyncio.Queue()

    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        while event := await turns.get():
            await talk.send(b"%x\r\n%b\r\n" % (len(event), event))
        await talk.send(b"0\r\n\r\n")

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        client = await gateway.connect()
        await client.send(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
        await client.head()
        for number in range(3):
            turns.put_nowait(b"data: %d\n\n" % number)
            assert await client.exactly(14) == b"9\r\ndata: %d\n\n\r\n" % number
        turns.put_nowait(b"")
        assert await client.exactly(5) == b"0\r\n\r\n"


async def test_a_client_that_expects_100_continue_hears_it_from_the_upstream(start_gateway: StartGateway) -> None:
    seen: list[bytes] = []

    async def script(talk: Conversation) -> None:
        seen.append(await talk.head())
        await talk.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        seen.append(await talk.exactly(4))
        await talk.send(OK)

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        client = await gateway.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert await client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(b"body")
        assert await client.head() == OK[:-2]
    assert b"Expect: 100-continue\r\n" in seen[0]
    assert seen[1] == b"body"


async def test_an_upstream_may_refuse_a_body_it_was_asked_about(start_gateway: StartGateway) -> None:
    refusal = b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n"
    async with upstream(answers(refusal)) as up:
        gateway = await start_gateway(up.url)
        client = await gateway.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        # The body never comes, so this connection cannot carry another request.
        assert await client.rest() == refusal[:-2] + b"Connection: close\r\n\r\n"


async def test_fields_of_one_connection_do_not_pass_in_either_direction(start_gateway: StartGateway) -> None:
    seen: list[bytes] = []

    async def script(talk: Conversation) -> None:
        seen.append(await talk.head())
        await talk.send(
            b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nX-End: 1\r\n"
            b"Proxy-Connection: x\r\nContent-Length: 0\r\n\r\n"
        )

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        answer = await gateway.exchange(
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close, x-hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: gzip\r\n"
            b"Proxy-Connection: x\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nX-End: 1\r\n\r\n"
        )
    assert seen == [b"GET / HTTP/1.1\r\nHost: a\r\nX-End: 1\r\nVia: 1.1 weighbridge\r\n\r\n"]
    assert answer == b"HTTP/1.1 200 OK\r\nX-End: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "named", [b"authorization", b"X-Workspace-ID", b"content-length", b"x_workspace_id", b"Cookie"]
)
async def test_connection_cannot_take_away_who_is_asking(start_gateway: StartGateway, named: bytes) -> None:
    async with upstream(answers(OK)) as up:
        gateway = await start_gateway(up.url, protected=frozenset({b"x-workspace-id"}))
        answer = await gateway.exchange(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: %b\r\n\r\n" % named)
        assert up.conversations == []
    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_the_hook_edits_the_head_of_the_answer(start_gateway: StartGateway) -> None:
    def on_head(head: ResponseHead) -> Edit:
        return Edit(frozenset({b"x-ours"}), b"X-Ours: %d\r\n" % head.status)

    async with upstream(answers(b"HTTP/1.1 200 OK\r\nX-Ours: theirs\r\nContent-Length: 2\r\n\r\nok")) as up:
        gateway = await start_gateway(up.url, on_head=on_head)
        answer = await gateway.exchange(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Ours: 200\r\nConnection: close\r\n\r\nok"


async def test_a_hook_that_fails_costs_the_answer_and_nothing_else(start_gateway: StartGateway) -> None:
    def on_head(_head: ResponseHead) -> Edit:
        raise ZeroDivisionError

    async with upstream(answers(OK)) as up:
        gateway = await start_gateway(up.url, on_head=on_head)
        answer = await gateway.exchange(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 500 ")


async def test_the_upstream_is_told_of_the_client(start_gateway: StartGateway) -> None:
    seen: list[bytes] = []

    async def script(talk: Conversation) -> None:
        seen.append(await talk.head())
        await talk.send(OK)

    async with upstream(script) as up:
        gateway = await start_gateway(up.url, forwarding=Forwarding(host=b"inner"))
        await gateway.exchange(b"GET / HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n")
    assert seen == [
        (
            b"GET / HTTP/1.1\r\nHost: inner\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n"
            b"X-Forwarded-Host: shop.example\r\nVia: 1.1 weighbridge\r\n\r\n"
        )
    ]
