"""Heads and bodies of answers as bytes: nothing is added that was not given."""

from collections.abc import Iterable
from email.utils import formatdate
from http import HTTPStatus

from gateway.clock import now_us
from gateway.core.answers import Answer

_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}
_BODILESS = frozenset({204, 304})
_date = (0, b"")


def head(status: int, reason: bytes, fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A response head. The version is ours whatever the client speaks (RFC 9112, 2.3)."""
    return b"".join((b"HTTP/1.1 %d %b\r\n" % (status, reason), *[b"%b: %b\r\n" % field for field in fields], b"\r\n"))


def whole(answer: Answer, *, close: bool, minor: int, without_body: bool) -> bytes:
    """An answer of our own, with ``Date``, ``Content-Length`` and what the connection needs. HEAD: ``without_body``."""
    fields = [*answer.fields, (b"Date", http_date())]
    if answer.status not in _BODILESS:
        fields.append((b"Content-Length", b"%d" % len(answer.body)))
    fields += connection_fields(close=close, minor=minor)
    start = head(answer.status, _REASONS.get(answer.status, b""), fields)
    return start if without_body or answer.status in _BODILESS else start + answer.body


def connection_fields(*, close: bool, minor: int) -> list[tuple[bytes, bytes]]:
    """What the client must be told about its connection: only what is not the rule in its version."""
    if close:
        return [(b"Connection", b"close")]
    return [(b"Connection", b"keep-alive")] if minor == 0 else []


def http_date() -> bytes:
    """``Date`` (RFC 9110, 6.6.1), made once a second."""
    global _date  # noqa: PLW0603  (a cache of one value)
    second = now_us() // 1_000_000
    if _date[0] != second:
        _date = (second, formatdate(second, usegmt=True).encode())
    return _date[1]
