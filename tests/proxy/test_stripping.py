"""Answers that are looked through for members that must not get out, and those that are left alone."""

import gzip
import json

import pytest

from gateway.proxy.relay import Edit, OnHead
from gateway.proxy.response_parser import ResponseHead
from gateway.proxy.stripping import looked_through
from tests.fakes.upstream import Conversation, Script, answers, upstream
from tests.proxy.conftest import PassThrough, StartGateway

ME = b'{"name":"Alice","password":"$2a$10$abc","role":"user"}'
PLAIN = b'{"name":"Alice","role":"user"}'
JSON = (b"Content-Type", b"application/json")


def looking(most: int = 1_000, names: frozenset[str] = frozenset({"password"})) -> OnHead:
    return lambda head: looked_through(head, Edit(frozenset(), b"X-Ours: 1\r\n"), names, most)


def answer(body: bytes, *fields: tuple[bytes, bytes], status: bytes = b"200 OK") -> bytes:
    lines = [b"HTTP/1.1 " + status, *[b"%b: %b" % pair for pair in fields], b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*lines, b"", body])


async def ask(
    start: StartGateway, script: Script, wire: bytes = b"GET /me HTTP/1.1\r\nHost: a\r\n\r\n", most: int = 1_000
) -> tuple[bytes, bytes, PassThrough]:
    """Head and body of what the client got, and the gateway it went through."""
    async with upstream(script) as up:
        gateway = await start(up.url, on_head=looking(most))
        head, _, body = (await gateway.exchange(wire)).partition(b"\r\n\r\n")
    return head + b"\r\n", body, gateway


@pytest.mark.parametrize(
    "kind",
    [b"application/json", b"Application/JSON; charset=utf-8", b"application/problem+json", b"text/json ;x=y"],
)
async def test_json_arrives_without_the_member_and_says_its_own_length(
    start_gateway: StartGateway, kind: bytes
) -> None:
    head, body, _ = await ask(start_gateway, answers(answer(ME, (b"Content-Type", kind))))
    assert body == PLAIN
    assert head.count(b"Content-Length: %d\r\n" % len(PLAIN)) == head.lower().count(b"content-length") == 1
    assert b"Transfer-Encoding" not in head
    assert b"Content-Type: " + kind + b"\r\n" in head
    assert b"X-Ours: 1\r\n" in head


async def test_json_without_the_member_arrives_as_it_is(start_gateway: StartGateway) -> None:
    odd = b'{ "n": 1.10, "passwords": [ ], "u": "\\u00e9" }\n'
    assert (await ask(start_gateway, answers(answer(odd, JSON))))[1] == odd


@pytest.mark.parametrize("kind", [b"text/html", b"application/octet-stream", b"application/jsonp", b""])
async def test_what_is_not_json_streams_through_untouched_at_any_length(
    start_gateway: StartGateway, kind: bytes
) -> None:
    wire = answer(ME * 100, *([(b"Content-Type", kind)] if kind else []), (b"ETag", b'"a"'))
    head, body, gateway = await ask(start_gateway, answers(wire))
    assert body == ME * 100
    assert b'ETag: "a"\r\n' in head
    assert gateway.outcomes[0].failure is None


async def test_chunks_and_their_trailers_become_one_body_with_a_length(start_gateway: StartGateway) -> None:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (ME[:20], ME[20:23], ME[23:]))
    wire = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    head, body, _ = await ask(start_gateway, answers(wire + chunks + b"0\r\nX-Sum: 1\r\n\r\n"))
    assert body == PLAIN
    assert b"Content-Length: %d\r\n" % len(PLAIN) in head
    assert b"chunked" not in head


async def test_a_body_that_ends_with_the_connection_gets_a_length(start_gateway: StartGateway) -> None:
    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.send(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n", ME)

    head, body, _ = await ask(start_gateway, script)
    assert (body, b"Content-Length: %d\r\n" % len(PLAIN) in head) == (PLAIN, True)


async def test_the_connection_is_good_for_the_next_request(start_gateway: StartGateway) -> None:
    async with upstream(answers(answer(ME, JSON), answer(b"two", (b"Content-Type", b"text/plain")))) as up:
        gateway = await start_gateway(up.url, on_head=looking())
        client = await gateway.connect()
        bodies = []
        for size in (len(PLAIN), 3):
            await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await client.head()
            bodies.append(await client.exactly(size))
    assert bodies == [PLAIN, b"two"]
    assert len(up.conversations) == 1


@pytest.mark.parametrize(("tag", "passed"), [(b'"a"', b'W/"a"'), (b'W/"a"', b'W/"a"')], ids=["strong", "weak"])
async def test_what_speaks_of_the_bytes_does_not_stay_as_it_was(
    start_gateway: StartGateway, tag: bytes, passed: bytes
) -> None:
    of_bytes = [(b"ETag", tag), (b"Content-MD5", b"x"), (b"Digest", b"x"), (b"Repr-Digest", b"x")]
    wire = answer(
        ME, JSON, *of_bytes, (b"Content-Digest", b"x"), (b"Accept-Ranges", b"bytes"), (b"Last-Modified", b"x")
    )
    head, _, _ = await ask(start_gateway, answers(wire))
    assert b"ETag: " + passed + b"\r\n" in head
    assert b"Last-Modified: x\r\n" in head
    for gone in (b"digest", b"md5", b"accept-ranges"):
        assert gone not in head.lower()


async def test_an_answer_to_head_does_not_tell_the_length_of_another_text(start_gateway: StartGateway) -> None:
    wire = answer(b"", JSON, (b"ETag", b'"a"')).replace(b"Content-Length: 0", b"Content-Length: 54")
    head, body, _ = await ask(start_gateway, answers(wire), b"HEAD /me HTTP/1.1\r\nHost: a\r\n\r\n")
    assert body == b""
    assert b"content-length" not in head.lower()
    assert b'ETag: W/"a"\r\n' in head


async def test_not_modified_names_the_tag_that_the_text_was_given_with(start_gateway: StartGateway) -> None:
    wire = b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n'
    head, body, _ = await ask(start_gateway, answers(wire))
    assert (head.count(b'ETag: W/"a"\r\n'), body) == (1, b"")


REFUSED = {
    "compressed": answer(gzip.compress(ME), JSON, (b"Content-Encoding", b"gzip")),
    "of a coding nobody knows": answer(ME, JSON, (b"Content-Encoding", b"rot13")),
    "a part": answer(ME[10:], JSON, (b"Content-Range", b"bytes 10-53/54"), status=b"206 Partial Content"),
    "too long": answer(json.dumps(["x" * 2_000]).encode(), JSON),
    "too long, in chunks": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"190\r\n%b\r\n" % (b" " * 400) * 3
    + b"0\r\n\r\n",
    "cut off": answer(ME, JSON)[:-5],
}


@pytest.mark.parametrize("wire", REFUSED.values(), ids=REFUSED)
async def test_what_cannot_be_looked_through_does_not_get_through(start_gateway: StartGateway, wire: bytes) -> None:
    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.send(wire)

    head, body, gateway = await ask(start_gateway, script)
    assert head.startswith(b"HTTP/1.1 502 ")
    assert b"$2a$" not in body
    (outcome,) = gateway.outcomes
    assert (outcome.status, outcome.request_sent) == (None, True)


async def test_an_answer_of_exactly_the_most_that_is_held_passes(start_gateway: StartGateway) -> None:
    assert (await ask(start_gateway, answers(answer(ME, JSON)), most=len(ME)))[1] == PLAIN
    assert (await ask(start_gateway, answers(answer(ME, JSON)), most=len(ME) - 1))[0].startswith(b"HTTP/1.1 502 ")


def test_an_answer_without_a_body_has_nothing_to_look_through() -> None:
    head = ResponseHead(204, b"No Content", [JSON], [b"content-type"], bodiless=True)
    assert looked_through(head, Edit(frozenset(), b""), frozenset({"password"}), 10).box is None
