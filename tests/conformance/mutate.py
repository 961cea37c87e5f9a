"""Requests that no client sends: those of the corpus, spoiled by chance, which a seed makes the same again."""

import random
from collections.abc import Mapping, Sequence

from tests.conformance.script import Case, wire

PIECES = (
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b";", b",", b"\r\n\r\n", b"\r\n ", b"0\r\n\r\n", b"%", b"%2f",
    b"%2e%2e", b"/", b"//", b"/../", b"\\", b"?", b"#", b"\xff", b"\xc3\xa9", b"\x7f", b"_", b"-", b"+", b"0x",
    b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n",
    b"Connection: Authorization\r\n", b"Expect: 100-continue\r\n", b"Upgrade: websocket\r\nConnection: Upgrade\r\n",
    b"9" * 19, b"Host: b\r\n", b"Max-Forwards: 0\r\n", b"TE: trailers\r\n", b"HTTP/1.0", b"HTTP/1.1", b"GET ",
    b"HEAD ", b"POST ", b"OPTIONS * ", b"http://h", b"/free", b"/x", b"/sure", b"/me", b"/framed",
    b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n", b"1\r\na\r\n",
    b"X-HTTP-Method-Override: DELETE\r\n", b"X-Request-ID: mine\r\n", b"Authorization: Bearer x\r\n",
    b"Origin: https://a\r\nAccess-Control-Request-Method: PUT\r\n", b"Accept-Encoding: br\r\n",
)  # fmt: skip


_MOST = 4000


def seeds(cases: Sequence[Case], words: Mapping[str, str]) -> list[bytes]:
    """What clients send in the corpus, short enough to send often; what is passed on, four times as often."""
    good = [case for case in cases if any(step.verb == "upstream gets" for step in case.steps)]
    refused = _blocks(cases, "client sends", words)
    passed = _blocks(good, "client sends", words)
    return refused + passed * max(1, 4 * len(refused) // len(passed))


def answers(cases: Sequence[Case]) -> list[bytes]:
    """What upstreams send in the corpus."""
    return _blocks(cases, "upstream sends", {})


def _blocks(cases: Sequence[Case], verb: str, words: Mapping[str, str]) -> list[bytes]:
    blocks = {wire(step.lines, words) for case in cases for step in case.steps if step.verb == verb}
    return sorted(block for block in blocks if b"HTTP/1" in block and len(block) <= _MOST)


def spoiled(chance: random.Random, found: Sequence[bytes]) -> bytes:
    """One of them, or several behind one another, changed in a few places."""
    data = b"".join(chance.choice(found) for _ in range(chance.choice((1, 1, 1, 2, 3))))
    for _ in range(chance.choice((0, 1, 1, 2, 3, 5))):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(7):
            case 0:
                data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
            case 1:
                data = data[:at] + data[at + chance.randrange(1, 8) :]
            case 2:
                data = data[:at] + chance.choice(PIECES) + data[at:]
            case 3:
                data = data[:at] + chance.choice(PIECES) + data[at + chance.randrange(1, 8) :]
            case 4:
                end = min(len(data), at + chance.randrange(1, 60))
                data = data[:end] + data[at:end] + data[end:]
            case 5:
                other = chance.choice(found)
                data = data[:at] + other[chance.randrange(len(other)) :]
            case _:
                data = at_a_line(chance, data)
    return data


def at_a_line(chance: random.Random, data: bytes) -> bytes:
    """A line more, a line less, or two lines that change places: what stays is mostly HTTP."""
    lines = data.split(b"\r\n")
    at = chance.randrange(len(lines))
    match chance.randrange(3):
        case 0:
            lines.insert(at, chance.choice(PIECES).removesuffix(b"\r\n"))
        case 1:
            del lines[at]
        case _:
            other = chance.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
    return b"\r\n".join(lines)
