"""No request hides in another one: gateway and upstream see the same requests begin and end at the same bytes."""

from pathlib import Path

import pytest

from tests.e2e.dodges.judge import judging, price

INNER = b"GET /contact HTTP/1.1\r\nHost: b\r\n%(who)b\r\n"
LAST = b"GET /contact HTTP/1.1\r\nHost: b\r\nConnection: close\r\n%(who)b\r\n"
HEAD = b"POST /echo HTTP/1.1\r\nHost: a\r\n%(who)b"
NOBODY = b"POST /echo HTTP/1.1\r\nHost: a\r\n"
CHUNK = b"%(size_hex)b\r\n" + INNER + b"\r\n0\r\n\r\n"
SIZED = b"Content-Length: %(size)b\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
UPGRADE = b"Upgrade: websocket\r\nConnection: Upgrade\r\n"

WIRES = {
    "behind a head without a length": HEAD + b"\r\n" + INNER + LAST,
    "in a body": HEAD + SIZED + b"\r\n" + INNER + LAST,
    "in a chunk": HEAD + CHUNKED + b"\r\n" + CHUNK + LAST,
    "in a chunk, with a length": HEAD + b"Content-Length: 4\r\n" + CHUNKED + b"\r\n" + CHUNK + LAST,
    "two codings": HEAD + CHUNKED + b"Transfer-Encoding: identity\r\n\r\n" + CHUNK + LAST,
    "an unknown coding": HEAD + b"Transfer-Encoding: xchunked\r\nContent-Length: 0\r\n\r\n" + LAST,
    "a coding under another name": HEAD + b"Transfer_Encoding: chunked\r\n" + SIZED + b"\r\n" + INNER + LAST,
    "two lengths": HEAD + b"Content-Length: 0\r\n" + SIZED + b"\r\n" + INNER + LAST,
    "a signed length": HEAD + b"Content-Length: +0\r\n\r\n" + LAST,
    "an upgrade to HTTP/2": HEAD + b"Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n" + LAST,
    "behind an upgrade": HEAD.replace(b"POST", b"GET") + UPGRADE + b"\r\n" + LAST,
    "an upgrade with a body": HEAD + UPGRADE + SIZED + b"\r\n" + INNER + LAST,
    "HTTP/1.0": HEAD.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n" + LAST,
    "a credential in trailers": NOBODY + CHUNKED + b"Trailer: Authorization\r\n\r\n0\r\n%(who)b\r\n" + LAST,
    "a line that ends with LF": NOBODY + b"X: y\n%(who)b\r\n" + LAST,
    "a line that ends with CR": NOBODY + b"X: y\r%(who)b\r\n" + LAST,
    "a NUL in a value": NOBODY + b"X: y\0\r\n%(who)b\r\n" + LAST,
    "no Host": b"GET /bytes/1 HTTP/1.1\r\n\r\n" + LAST,
    "no version": b"GET /bytes/1\r\n" + LAST,
}


@pytest.mark.parametrize("wire", WIRES.values(), ids=list(WIRES))
async def test_requests_hidden_in_other_requests_are_debited_or_do_not_pass(tmp_path: Path, wire: bytes) -> None:
    async with judging(tmp_path) as judge:
        who = "".join(f"{name}: {value}\r\n" for name, value in judge.who).encode()
        size = len(INNER % {b"who": who})
        await judge.send(wire % {b"who": who, b"size": b"%d" % size, b"size_hex": b"%x" % size})
        await judge.settle()
        assert judge.debited == price(judge.since(0))
