"""Fields and bodies that nobody expects go through as they came: odd, repeated, compressed, partial."""

import gzip

import pytest

from tests.fakes.upstream import Conversation, Script, upstream
from tests.proxy.conftest import StartGateway

ODD = {
    "every character of a name": b"!#$%&'*+-.^_`|~09azAZ: 1",
    "digits only": b"42: 1",
    "an empty value": b"X-Empty: ",
    "bytes beyond ASCII": b"X-Bytes: \xe9\xff\x80 caf\xc3\xa9",
    "white space inside": b"X-Tabs: a\t b  c",
    "quotes and commas": b'X-Quoted: "a, b";c="d\\"e", f',
    "a long value": b"X-Long: " + b"a" * 20_000,
    "names that differ in case only": b"x-a: 1\r\nX-A: 2\r\nX-a: 3",
    "names that differ in _ only": b"x_a: 1\r\nx-a: 2",
    "repeated in a given order": b"Accept: a\r\nX-B: 1\r\nAccept: b\r\nX-B: 2\r\nAccept: a",
    "several cookies": b"Cookie: a=1; b=2\r\nCookie: c=3",
    "a date that is none": b"If-Modified-Since: yesterday",
    "another Via": b"Via: 1.0 fred, 1.1 p.example",
    "a range": b'Range: bytes=0-5, 7-9\r\nIf-Range: "v1"',
    "conditions": b'If-None-Match: W/"a", "b"\r\nIf-Match: *',
    "auth of another kind": b'Proxy-Authorization: Basic eDp5\r\nAuthorization: Digest a=b, c="d"',
}


def recorded(seen: list[bytes], wire: bytes) -> Script:
    """Remember the head that came, and answer ``wire``."""

    async def script(talk: Conversation) -> None:
        seen.append(await talk.head())
        await talk.send(wire)

    return script


@pytest.mark.parametrize("lines", ODD.values(), ids=ODD)
async def test_a_requests_fields_keep_bytes_and_order(start_gateway: StartGateway, lines: bytes) -> None:
    seen: list[bytes] = []
    async with upstream(recorded(seen, b"HTTP/1.1 204 No Content\r\n\r\n")) as up:
        gateway = await start_gateway(up.url)
        await gateway.exchange(b"GET / HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n\r\n")
    assert seen == [b"GET / HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\nVia: 1.1 weighbridge\r\n\r\n"]


@pytest.mark.parametrize("lines", ODD.values(), ids=ODD)
async def test_an_answers_fields_keep_bytes_and_order(start_gateway: StartGateway, lines: bytes) -> None:
    wire = b"HTTP/1.1 200 OK\r\n" + lines + b"\r\nContent-Length: 2\r\n\r\n"
    async with upstream(recorded([], wire + b"ok")) as up:
        gateway = await start_gateway(up.url)
        answer = await gateway.exchange(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer == wire[:-2] + b"Connection: close\r\n\r\nok"


REASONS = {
    "usual": b"OK",
    "long": b"Everything is quite all right",
    "beyond ASCII": b"Pas trouv\xe9",
    "none": b"",
}


@pytest.mark.parametrize("reason", REASONS.values(), ids=REASONS)
async def test_a_reason_phrase_is_kept(start_gateway: StartGateway, reason: bytes) -> None:
    async with upstream(recorded([], b"HTTP/1.1 200 %b\r\nContent-Length: 0\r\n\r\n" % reason)) as up:
        gateway = await start_gateway(up.url)
        answer = await gateway.exchange(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 %b\r\n" % reason)


@pytest.mark.parametrize("coding", [b"gzip", b"br", b"zstd", b"deflate, gzip", b"x-own"])
async def test_compressed_bodies_are_not_looked_into(start_gateway: StartGateway, coding: bytes) -> None:
    """Both ways; a body that lies about its coding passes as well."""
    packed = gzip.compress(b"word " * 1_000) + b"\x00\xff"
    received: list[bytes] = []

    async def script(talk: Conversation) -> None:
        received.append(await talk.head())
        received.append(await talk.exactly(len(packed)))
        fields = b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (coding, len(packed))
        await talk.send(b"HTTP/1.1 200 OK\r\n" + fields + packed)

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        fields = b"Content-Encoding: %b\r\nAccept-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (
            coding,
            coding,
            len(packed),
        )
        answer = await gateway.exchange(b"PUT / HTTP/1.1\r\nHost: a\r\n" + fields + packed)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert received[1] == body == packed
    assert b"Content-Encoding: %b\r\n" % coding in received[0]
    assert b"Accept-Encoding: %b\r\n" % coding in received[0]
    assert b"Content-Encoding: %b" % coding in head


async def test_every_byte_value_passes_in_both_bodies(start_gateway: StartGateway) -> None:
    body = bytes(range(256)) * 3 + b"\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"

    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + await talk.exactly(len(body)))

    async with upstream(script) as up:
        gateway = await start_gateway(up.url)
        answer = await gateway.exchange(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert answer.partition(b"\r\n\r\n")[2] == body


async def test_partial_content_and_not_modified_are_the_upstreams_affair(start_gateway: StartGateway) -> None:
    partial = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-2/9\r\nContent-Length: 3\r\n\r\nabc"
    async with upstream(recorded([], partial)) as up:
        gateway = await start_gateway(up.url)
        answer = await gateway.exchange(b"GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=0-2\r\n\r\n")
    assert answer == partial.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


TARGETS = [b"/", b"/a%2Fb/%7e?x=%zz&y", b"/?", b"/a?b?c", b"//a", b"/a/../b", b"/%", b"/a;b=c;d", b"/*", b"/a|b^c`d{e}"]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.decode())
async def test_a_target_is_forwarded_as_it_was_matched(start_gateway: StartGateway, target: bytes) -> None:
    seen: list[bytes] = []
    async with upstream(recorded(seen, b"HTTP/1.1 204 No Content\r\n\r\n")) as up:
        gateway = await start_gateway(up.url)
        await gateway.exchange(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % target)
    assert seen[0].split(b"\r\n")[0] == b"GET %b HTTP/1.1" % target
