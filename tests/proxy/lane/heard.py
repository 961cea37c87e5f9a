"""What a client heard, as answers: the same whatever chunks and reads they came in."""

import re
from dataclasses import dataclass

_VARIES = (
    (re.compile(rb"(?i)^(x-request-id|date|retry-after|x-ratelimit-reset): [^\r]*", re.MULTILINE), rb"\1: *"),
    (re.compile(rb";t=\d+"), b";t=*"),
    (re.compile(rb'"(request_id|retry_after|reset)":("[^"]*"|\d+)'), rb'"\1":*'),
    (re.compile(rb"in \d+ s"), b"in * s"),
    (re.compile(rb"^([^:\r\n]+):[ \t]*([^\r]*?)[ \t]*(?=\r)", re.MULTILINE), rb"\1: \2"),
)
_CODED = re.compile(rb"(?i)^transfer-encoding: chunked\r", re.MULTILINE)
_LENGTH = re.compile(rb"(?i)^content-length: (\d+)\r", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer. ``whole``: false where the connection ended within it."""

    head: bytes
    body: bytes
    whole: bool


def answers(came: bytes, methods: tuple[str, ...]) -> list[Heard]:
    """All answers of a connection that has ended, 1xx included."""
    found: list[Heard] = []
    asked = list(methods)
    while came:
        head, end, came = came.partition(b"\r\n\r\n")
        if not end:
            return [*found, Heard(_settled(head), b"", whole=False)]
        status = int(head[9:12])
        method = asked[0] if asked else ""
        asked = asked if status < 200 else asked[1:]
        body, came, whole = _body(head + b"\r\n", status, method, came)
        head = (
            re.sub(rb"(?i)\r\ncontent-length: \d+", b"\r\nContent-Length: *", head) if b'"request_id"' in body else head
        )
        found.append(Heard(_settled(head + b"\r\n"), _settled(body) if b'"request_id"' in body else body, whole=whole))
    return found


def _body(head: bytes, status: int, method: str, came: bytes) -> tuple[bytes, bytes, bool]:
    if method == "HEAD" or status in {204, 304} or status < 200:
        return b"", came, True
    if _CODED.search(head):
        return _dechunked(came)
    if (length := _LENGTH.search(head)) is not None:
        size = int(length[1])
        return came[:size], came[size:], len(came) >= size
    return came, b"", True


def _dechunked(came: bytes) -> tuple[bytes, bytes, bool]:
    body = b""
    while came:
        line, _, came = came.partition(b"\r\n")
        size = int(line or b"0", 16)
        if not size:
            trailers, _, came = came.partition(b"\r\n") if came.startswith(b"\r\n") else came.partition(b"\r\n\r\n")
            return body + trailers, came, True
        body, came = body + came[:size], came[size + 2 :]
    return body, b"", False


def _settled(text: bytes) -> bytes:
    for pattern, said in _VARIES:
        text = pattern.sub(said, text)
    return text
