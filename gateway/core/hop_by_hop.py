"""What a proxy takes away from a message: RFC 9110, 7.6, on header fields as they came.

Fields are pairs of bytes in the order they came in, names in their own case; they are compared by ``key_of``.
"""

from collections.abc import Iterable
from functools import lru_cache

from gateway.core.problems import BadRequest

RawHeaders = list[tuple[bytes, bytes]]

HOP_BY_HOP = frozenset(
    {b"connection", b"http2-settings", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade"}
)
"""Fields for one connection only (RFC 9110, 7.6.1); HTTP2-Settings goes with an upgrade that is not passed on."""

CONNECTION_OPTIONS = HOP_BY_HOP | {b"close"}
"""What ``Connection`` may say without taking anything else away."""

KEPT_ALWAYS = frozenset(
    {
        b"accept", b"authorization", b"cache-control", b"content-encoding", b"content-length", b"content-range",
        b"content-type", b"cookie", b"date", b"expect", b"forwarded", b"host", b"if-match", b"if-none-match", b"origin",
        b"proxy-authorization", b"range", b"set-cookie", b"trailer", b"via", b"x-forwarded-for", b"x-forwarded-host",
        b"x-forwarded-proto", b"x-request-id",
    }
)  # fmt: skip
"""Fields meant for everybody, which a sender must not name in ``Connection`` (RFC 9110, 7.6.1)."""

_NOTHING: frozenset[bytes] = frozenset()

KEYS: dict[bytes, bytes] = {}
"""What ``key_of`` has found already; ``KEYS.get(name) or key_of(name)`` saves a call."""
_KEPT_KEYS, _KEPT_LENGTH = 4_096, 64


def key_of(name: bytes) -> bytes:
    """A field name as upstreams may compare it: lower case, and ``_`` as ``-`` (to CGI-like ones they are one)."""
    key = KEYS.get(name)
    if key is None:
        key = name.lower().replace(b"_", b"-")
        if len(name) <= _KEPT_LENGTH:
            if len(KEYS) >= _KEPT_KEYS:
                KEYS.clear()
            KEYS[name] = key
    return key


def lines(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Fields as lines of a head, each with its CRLF."""
    return b"".join([b"%b: %b\r\n" % field for field in fields])


def values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    """Every value of the field ``name`` (in lower case), in order."""
    return [value for field, value in headers if field.lower() == name]


@lru_cache(maxsize=64)
def named_by(connection: bytes) -> frozenset[bytes]:
    """The keys of the fields that a ``Connection`` field's value takes away, besides ``HOP_BY_HOP``.

    Several such fields are one, joined by commas (RFC 9110, 5.3).
    """
    if connection.lower() in CONNECTION_OPTIONS:
        return _NOTHING
    return frozenset(key_of(option.strip(b" \t")) for option in connection.split(b",")) - CONNECTION_OPTIONS - {b""}


def dropped_of_request(connection: bytes, protected: frozenset[bytes] = frozenset()) -> frozenset[bytes]:
    """The keys of a request's fields that its ``Connection`` takes away, besides ``HOP_BY_HOP``.

    ``protected``: more keys that tell who is asking or what it costs. A ``Connection`` that names one of them, or one
    of ``KEPT_ALWAYS``, would make the upstream judge another request than we did: ``BadRequest``.
    """
    named = named_by(connection)
    for key in named:
        if key in KEPT_ALWAYS or key in protected:
            raise BadRequest(f"Connection names the field {key.decode('latin-1')}, which is not for this hop only.")
    return named


def dropped_of_response(connection: bytes) -> frozenset[bytes]:
    """The keys of a response's fields that its ``Connection`` takes away, besides ``HOP_BY_HOP``."""
    return named_by(connection) - KEPT_ALWAYS


def passing_trailers(trailers: RawHeaders, protected: frozenset[bytes] = frozenset()) -> RawHeaders:
    """Trailers without the names that mean something in a head (RFC 9110, 6.5.1).

    A reader that merges trailers into the head would take them for a credential, or for framing.
    """
    return [
        field
        for field in trailers
        if (name := key_of(field[0])) not in HOP_BY_HOP and name not in KEPT_ALWAYS and name not in protected
    ]
