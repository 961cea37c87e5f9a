"""What is sent through both ways: conversations of a client, and the answers that an upstream plays to them."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.proxy.lane.recorder import Play

PATHS = (
    "/contact", "/contact/7", "/contact/7/notes", "/message/send", "/free/x", "/refunded", "/tried", "/open/page",
    "/stripped", "/open/stripped", "/framed", "/contact?ws=aa0e8400-e29b-41d4-a716-446655440005",
    "/contact?limit=3&offset=0", "/contact/%41", "/contact/a%2Fb", "/a//b", "/contact/../x", "/none",
    "/-/health/live", "/billing/plans", "/caf%C3%A9", "/contact;v=1", "/x?access_token=1", "/kept/secret",
)  # fmt: skip
METHODS = (
    ("GET",) * 10
    + ("POST",) * 5
    + ("PUT", "DELETE", "PATCH", "HEAD", "HEAD", "OPTIONS", "OPTIONS", "TRACE", "PROPFIND")
)
HARMLESS: Sequence[tuple[str, str]] = (
    ("Accept", "application/json"), ("accept", "*/*"), ("User-Agent", "curl/8.5.0"), ("Accept-Encoding", "gzip, br"),
    ("X-Odd_Name", "1"), ("Cookie", "a=b; c=d"), ("Referer", "http://x/"), ("If-None-Match", '"1"'), ("X-Empty", ""),
    ("Range", "bytes=0-9"), ("DNT", "1"), ("Sec-Fetch-Mode", "cors"), ("Accept", "text/html"), ("Via", "1.1 cdn"),
    ("Upgrade-Insecure-Requests", "1"), ("X-Forwarded-Host", "evil"), ("Priority", "u=1"),
    ("Cache-Control", "no-cache"), ("If-Range", '"1"'), ("Accept_Encoding", "br"),
    ("Sec-WebSocket-Extensions", "permessage-deflate"),
)  # fmt: skip
ODD: Sequence[tuple[str, str]] = (
    ("Origin", "https://app.example"), ("Connection", "keep-alive"), ("Connection", "Keep-Alive"),
    ("Connection", "keep-alive, X-Hop"), ("X-Hop", "1"), ("Connection", "Authorization"), ("TE", "trailers"),
    ("Keep-Alive", "timeout=5"), ("Upgrade", "h2c"), ("X-Forwarded-For", "9.9.9.9"), ("X_Forwarded_For", "9.9.9.9"),
    ("X-Request-ID", "mine"), ("X-HTTP-Method-Override", "GET"), ("Proxy-Connection", "keep-alive"),
    ("Max-Forwards", "0"), ("Max-Forwards", "3"), ("Access-Control-Request-Method", "GET"), ("Trailer", "X-T"),
    ("X-User", "root"), ("x-user", "root"), ("Forwarded", "for=1"), ("Content_Length", "3"), ("Host_", "x"),
)  # fmt: skip
PREFLIGHT = (("Origin", "https://app.example"), ("Access-Control-Request-Method", "PUT"))
BROKEN: Sequence[bytes] = (
    b"Host: other.example", b"Content-Length: 3\r\nContent-Length: 3", b"Content-Length: 3\r\nContent-Length: 4",
    b"Transfer-Encoding: chunked\r\nContent-Length: 3", b"Transfer-Encoding: gzip, chunked", b"Content-Length: +3",
    b"Content-Length: 0x3", b"X: a\r\n folded", b"X : spaced", b"X: bare\rreturn", b"X: bare\nline",
    b"Expect: 200-maybe",
    b"Transfer_Encoding: chunked", b"content-length:3", b"Content-Length: 03", b"X-Bytes: \xff\xfe", b": nameless",
    b"X-Long: " + b"y" * 9_000, b"\r\n".join(b"X-%d: z" % n for n in range(220)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Conversation:
    """Everything that a client says on one connection, in ``pieces``. ``methods``: of its requests, in order.

    ``half_closes``: then it shuts down its sending side; else its last request says ``Connection: close``.
    """

    pieces: tuple[bytes, ...]
    methods: tuple[str, ...]
    half_closes: bool


@dataclass(slots=True)
class Corpus:
    """Conversations, and the plays that their requests name."""

    plays: list[Play] = field(default_factory=list)
    conversations: list[Conversation] = field(default_factory=list)


def made(count: int, seed: int, tokens: Sequence[str], workspaces: Sequence[str]) -> Corpus:
    """``count`` conversations; the same for the same seed."""
    return _Maker(random.Random(seed), tokens, workspaces).corpus(count)


class _Maker:
    def __init__(self, chance: random.Random, tokens: Sequence[str], workspaces: Sequence[str]) -> None:
        self._chance = chance
        self._tokens = tokens
        self._workspaces = workspaces
        self._plays = [Play((_answer(200, b"ok"),))]

    def corpus(self, count: int) -> Corpus:
        return Corpus(self._plays, [self._conversation() for _ in range(count)])

    def _conversation(self) -> Conversation:
        chance = self._chance
        wires, methods, half_closes = [], [], chance.random() < 0.5
        for _ in range(chance.choice((1, 2, 3, 5))):
            method = chance.choice(METHODS)
            wires.append(self._request(method, odd=chance.random() < 0.25))
            methods.append(method)
        wires.append(self._request("GET", odd=False, last=not half_closes))
        methods.append("GET")
        way = chance.random()
        if way < 0.7:
            pieces = wires
        elif way < 0.8:
            pieces = [b"".join(wires)]
        elif way < 0.9:
            pieces = cut(chance, b"".join(wires))
        else:
            pieces = [part for wire in wires for part in cut(chance, wire)]
        return Conversation(tuple(pieces), tuple(methods), half_closes)

    def _request(self, method: str, *, odd: bool, last: bool = False) -> bytes:
        chance = self._chance
        path = chance.choice(PATHS) if odd or chance.random() < 0.5 else chance.choice(PATHS[:11])
        fields = [("Host", "api.example"), *chance.sample(HARMLESS, chance.randrange(6))]
        fields += [("X-Play", str(self._play(method)))]
        if chance.random() < 0.9:
            fields.append((chance.choice(("Authorization", "authorization")), self._credential()))
        if chance.random() < 0.6:
            fields.append(("X-Workspace-ID", chance.choice(self._workspaces)))
        fields += chance.sample(ODD, chance.choice((0, 1, 1, 2))) if odd else []
        if method == "OPTIONS" and chance.random() < 0.5:
            fields += PREFLIGHT
        chance.shuffle(fields)
        if last:
            fields.append(("Connection", "close"))
        lines = [_line(chance, name, value) if odd else f"{name}: {value}".encode() for name, value in fields]
        if odd and chance.random() < 0.2:
            lines.insert(chance.randrange(len(lines)), chance.choice(BROKEN))
        framing, body = self._body(method)
        version = b"HTTP/1.0" if last and chance.random() < 0.1 else b"HTTP/1.1"
        start = b"%b %b %b" % (method.encode(), path.encode(), version)
        return b"\r\n".join([start, *lines, *framing, b"", body])

    def _credential(self) -> str:
        known = f"Bearer {self._chance.choice(self._tokens)}"
        return self._chance.choice((known,) * 20 + ("Bearer wrong", "bearer x y", "Basic YTpi", known + "x"))

    def _body(self, method: str) -> tuple[list[bytes], bytes]:
        chance = self._chance
        if method in {"GET", "HEAD", "DELETE", "OPTIONS", "TRACE"} and chance.random() < 0.9:
            return [], b""
        body = chance.randbytes(chance.choice((0, 1, 5, 300, 5_000, 40_000)))
        if chance.random() < 0.7:
            return [b"Content-Length: %d" % len(body)], body
        return [b"Transfer-Encoding: chunked"], chunked(cut(chance, body) if body else [])

    def _play(self, method: str) -> int:
        if self._chance.random() < 0.5:
            return 0
        self._plays.append(self._answer(method))
        return len(self._plays) - 1

    def _answer(self, method: str) -> Play:
        chance = self._chance
        status = chance.choice((200, 200, 200, 201, 204, 206, 304, 304, 302, 400, 404, 429, 500, 503))
        body = chance.randbytes(chance.choice((0, 1, 20, 2_000, 70_000)))
        fields = chance.sample(ANSWER_FIELDS, chance.randrange(5))
        if chance.random() < 0.4:
            body, fields = _json(chance), [*fields, chance.choice(JSON_FIELDS)]
        way = chance.random()
        if method == "HEAD" or status in {204, 304}:
            wire, ends = _answer(status, b"", fields, None if chance.random() < 0.5 else len(body)), False
        elif way < 0.55:
            wire, ends = _answer(status, body, fields), False
        elif way < 0.8:
            parts = chunked(cut(chance, body) if body else [], chance.choice((b"", b"", b"X-Trailer: 1\r\n")))
            wire, ends = _answer(status, parts, [*fields, b"Transfer-Encoding: chunked"], None), False
        elif way < 0.9:
            wire, ends = _answer(status, body, fields, None), True
        elif way < 0.95:
            wire, ends = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + _answer(status, body, fields), False
        else:
            wire, ends = chance.choice(BROKEN_ANSWERS), True
        pieces = (wire,) if chance.random() < 0.6 else tuple(cut(chance, wire))
        return Play(pieces, ends)


ANSWER_FIELDS = (
    b"Content-Type: application/json", b"Server: x", b"Connection: keep-alive", b"connection: Keep-Alive",
    b"Connection:keep-alive", b"Set-Cookie: a=1", b"Set-Cookie: b=2", b"X-RateLimit-Limit: 7", b'RateLimit: "x";r=1',
    b"X-Request-ID: theirs", b"Access-Control-Allow-Origin: *", b"Keep-Alive: timeout=5", b"X-Odd:  spaced ",
    b"Connection: X-Gone", b"X-Gone: 1", b"Date: Thu, 01 Jan 1970 00:00:00 GMT", b"X-Bytes: \xe9", b"Vary: Origin",
    b"Connection: close", b"X-Empty:", b'ETag: "a"', b'etag: W/"b"', b"Content-Encoding: gzip", b"Accept-Ranges: bytes",
    b"Content-Encoding: identity", b"Digest: x",
)  # fmt: skip
BROKEN_ANSWERS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nshort", b"nonsense\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok", b"HTTP/2.0 200 OK\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more",
)  # fmt: skip


JSON_FIELDS = (
    b"Content-Type: application/json", b"Content-Type: application/json; charset=utf-8", b"content-type:text/json",
    b"Content-Type: application/problem+json", b"Content_Type: application/json",
)  # fmt: skip


def _json(chance: random.Random) -> bytes:
    """A text that may have what rules take out, and may be longer than is looked through."""
    secret = chance.choice(('"secret": {"a": [1, "}"]}', '"s\\u0065cret":"\\"",', '"other": 1', '"\u00e9": null,'))
    return ("{" + secret + ' "n": 1.10, "x": "' + "y" * chance.choice((0, 100, 3_000, 29_950, 40_000)) + '"}').encode()


def _answer(status: int, body: bytes, fields: Sequence[bytes] = (), length: int | None = -1) -> bytes:
    """``length``: what Content-Length says; -1: the truth; ``None``: nothing."""
    said = [] if length is None else [b"Content-Length: %d" % (len(body) if length < 0 else length)]
    return b"\r\n".join([b"HTTP/1.1 %d Said" % status, *fields, *said, b"", body])


def _line(chance: random.Random, name: str, value: str) -> bytes:
    return chance.choice((f"{name}: {value}", f"{name}:{value}", f"{name}:  {value} ")).encode()


def chunked(parts: Sequence[bytes], trailers: bytes = b"") -> bytes:
    return b"".join([b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part]) + b"0\r\n" + trailers + b"\r\n"


def cut(chance: random.Random, wire: bytes) -> list[bytes]:
    """``wire`` in up to five parts."""
    places = (
        sorted(chance.sample(range(1, len(wire)), min(chance.randrange(5), len(wire) - 1))) if len(wire) > 1 else []
    )
    return [wire[start:end] for start, end in zip([0, *places], [*places, len(wire)], strict=True)]
