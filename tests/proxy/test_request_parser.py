"""What can be read in two ways is refused before anything is forwarded."""

import pytest

from tests.fakes.upstream import Conversation, answers, upstream
from tests.proxy.conftest import StartGateway

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKS = b"3\r\nabc\r\n0\r\n\r\n"

REFUSED = {
    "length and coding": (400, POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS),
    "coding and length": (400, POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n" + CHUNKS),
    "two equal lengths": (400, POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
    "two lengths": (400, POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc"),
    "a list of lengths": (400, POST + b"Content-Length: 3, 3\r\n\r\nabc"),
    "a signed length": (400, POST + b"Content-Length: +3\r\n\r\nabc"),
    "a negative length": (400, POST + b"Content-Length: -3\r\n\r\nabc"),
    "a hexadecimal length": (400, POST + b"Content-Length: 0x3\r\n\r\nabc"),
    "an empty length": (400, POST + b"Content-Length:\r\n\r\nabc"),
    "a length beyond all numbers": (400, POST + b"Content-Length: 99999999999999999999999\r\n\r\nabc"),
    "a second coding": (501, POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKS),
    "chunked not last": (400, POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n" + CHUNKS),
    "chunked twice": (400, POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS),
    "an unknown coding": (501, POST + b"Transfer-Encoding: xchunked\r\n\r\n" + CHUNKS),
    "the coding identity": (501, POST + b"Transfer-Encoding: identity\r\n\r\nabc"),
    "a coding in HTTP/1.0": (400, b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS),
    "a coding with an underscore": (400, POST + b"Transfer_Encoding: chunked\r\n\r\n" + CHUNKS),
    "a length with an underscore": (400, POST + b"Content_Length: 3\r\n\r\nabc"),
    "a folded line": (400, GET + b"X: a\r\n b\r\n\r\n"),
    "a folded first line": (400, b"GET / HTTP/1.1\r\n X: a\r\nHost: a\r\n\r\n"),
    "bare line feeds": (400, b"GET / HTTP/1.1\nHost: a\n\n"),
    "one bare line feed": (400, b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"),
    "a bare carriage return": (400, GET + b"X: a\rb\r\n\r\n"),
    "a nul": (400, GET + b"X: a\0b\r\n\r\n"),
    "a control byte": (400, GET + b"X: a\x01b\r\n\r\n"),
    "a space before the colon": (400, b"GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
    "no colon": (400, GET + b"abc\r\n\r\n"),
    "an empty name": (400, GET + b": b\r\n\r\n"),
    "a name that is no token": (400, GET + b"a(b: c\r\n\r\n"),
    "no host": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "two hosts": (400, GET + b"Host: b\r\n\r\n"),
    "two equal hosts": (400, GET + b"Host: a\r\n\r\n"),
    "a host that is none": (400, b"GET / HTTP/1.1\r\nHost: a/b@c\r\n\r\n"),
    "an unknown method": (501, b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a method in lower case": (501, b"get / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "CONNECT": (501, b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"),
    "TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "HTTP/2": (400, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "HTTP/2.0 in words": (400, b"GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
    "HTTP/0.9": (400, b"GET /\r\n\r\n"),
    "HTTP/1.2": (400, b"GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
    "a byte beyond ASCII in the target": (400, b"GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a tab in the target": (400, b"GET /\ta HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a head too long": (431, GET + b"X: " + b"a" * 70_000 + b"\r\n\r\n"),
    "a head that never ends": (431, GET + b"X: " + b"a" * 200_000),
    "a target too long": (431, b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
    "too many fields": (431, GET + b"X: 1\r\n" * 201 + b"\r\n"),
}


@pytest.mark.parametrize(("status", "wire"), REFUSED.values(), ids=REFUSED)
async def test_what_is_ambiguous_is_refused_and_nothing_is_forwarded(
    start_gateway: StartGateway, status: int, wire: bytes
) -> None:
    async with upstream(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as up:
        gateway = await start_gateway(up.url)
        answer = await gateway.exchange(wire)
        assert up.conversations == []
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"Connection: close\r\n" in answer
    assert answer.count(b"HTTP/1.1 ") - answer.count(b"not HTTP/1.1") - answer.count(b"An HTTP/1.1") <= 2
    assert len(gateway.problems) == 1


async def test_a_refusal_quotes_nothing_of_the_request(start_gateway: StartGateway) -> None:
    async with upstream(answers()) as up:
        gateway = await start_gateway(up.url)
        answer = await gateway.exchange(GET + b"Authorization: Bearer s3cr3t\r\nX: a\rb s3cr3t\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"s3cr3t" not in answer


BROKEN_BODIES = {
    "a size that is none": b"x\r\nabc\r\n0\r\n\r\n",
    "a size with 0x": b"0x3\r\nabc\r\n0\r\n\r\n",
    "a space behind the size": b"3 \r\nabc\r\n0\r\n\r\n",
    "bare line feeds": b"3\nabc\n0\n\n",
    "a chunk longer than it says": b"3\r\nabcd\r\n0\r\n\r\n",
    "a line feed in an extension": b"3;a\nb\r\nabc\r\n0\r\n\r\n",
    "an extension without end": b"3;" + b"a" * 200_000,
    "trailers without end": b"0\r\nX: " + b"a" * 200_000,
    "a length among the trailers": b"3\r\nabc\r\n0\r\nContent-Length: 3\r\n\r\n",
}


@pytest.mark.parametrize("body", BROKEN_BODIES.values(), ids=BROKEN_BODIES)
async def test_a_broken_body_never_reaches_the_upstream_as_a_whole_one(
    start_gateway: StartGateway, body: bytes
) -> None:
    received: list[bytes] = []

    async def script(talk: Conversation) -> None:
        received.append(await talk.rest())

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        client = await gateway.connect()
        await client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        await client.send(b"2\r\nok\r\n")
        await client.send(body)
        answer = await client.rest()
    assert answer.startswith(b"HTTP/1.1 4")
    assert all(b"0\r\n\r\n" not in wire for wire in received)


async def test_requests_behind_one_another_are_answered_in_order(start_gateway: StartGateway) -> None:
    async def script(talk: Conversation) -> None:
        while True:
            path = (await talk.head()).split(b" ")[1]
            await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path))

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        wire = b"".join(
            b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n
            if n % 3
            else b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody" % n
            for n in range(3000)
        )
        answer = await gateway.exchange(wire)
    bodies = [part.rpartition(b"\r\n\r\n")[2] for part in answer.split(b"HTTP/1.1 200 OK")[1:]]
    assert bodies == [b"/%d" % n for n in range(3000)]
    assert len(up.conversations) == 1


async def test_a_bad_request_behind_a_good_one_is_answered_after_it(start_gateway: StartGateway) -> None:
    async with upstream(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")) as up:
        gateway = await start_gateway(up.url)
        answer = await gateway.exchange(GET + b"\r\nGET / HTTP/1.1\r\n\r\n")
    good, _, bad = answer.partition(b"ok")
    assert good.startswith(b"HTTP/1.1 200 ")
    assert bad.startswith(b"HTTP/1.1 400 ")


async def test_bytes_behind_a_request_that_said_close_mean_nothing(start_gateway: StartGateway) -> None:
    async with upstream(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")) as up:
        gateway = await start_gateway(up.url)
        answer = await gateway.exchange(GET + b"Connection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.endswith(b"Connection: close\r\n\r\nok")
    assert len(gateway.requests) == 1


async def test_a_request_may_come_byte_by_byte(start_gateway: StartGateway) -> None:
    seen: list[bytes] = []

    async def script(talk: Conversation) -> None:
        seen.append(await talk.head())
        seen.append(await talk.exactly(3))
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        client = await gateway.connect()
        wire = b"\r\n" + POST + b"X-Long-Name:  value \t\r\nContent-Length: 3\r\n\r\nabc"
        for number in range(len(wire)):
            await client.send(wire[number : number + 1])
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")
    assert seen[0] == POST + b"X-Long-Name: value\r\nContent-Length: 3\r\nVia: 1.1 weighbridge\r\n\r\n"
    assert seen[1] == b"abc"
