"""What a proxy takes away from a message and what it adds: RFC 9110, 7.6, on header fields as they came.

Fields are pairs of bytes in the order they came in, names in their own case; nothing here decodes a value.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

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

_X_FORWARDED = frozenset(
    # Some upstreams read ``_`` as ``-``: both spellings speak of the client.
    b"x%bforwarded%b%b" % (first, second, what)
    for first in (b"-", b"_")
    for second in (b"-", b"_")
    for what in (b"for", b"host", b"proto")
)
_TELLS_OF_CLIENT = _X_FORWARDED | {b"forwarded"}


def values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    """Every value of the field ``name`` (in lower case), in order."""
    return [value for field, value in headers if field.lower() == name]


def connection_options(headers: Iterable[tuple[bytes, bytes]]) -> frozenset[bytes]:
    """The options of all ``Connection`` fields, in lower case (RFC 9110, 7.6.1)."""
    listed = b",".join(values(headers, b"connection"))
    return frozenset(option.strip(b" \t").lower() for option in listed.split(b",")) - {b""}


def end_to_end_request(headers: RawHeaders, protected: frozenset[bytes] = frozenset()) -> RawHeaders:
    """A request's fields without those that were for this connection only.

    ``protected``: more names (lower case) that tell who is asking or what it costs. A ``Connection`` that names one of
    them, or one of ``KEPT_ALWAYS``, would make the upstream judge another request than we did: ``BadRequest``.
    """
    kept = [field for field in headers if field[0].lower() not in HOP_BY_HOP]
    if len(kept) == len(headers):
        return kept
    named = connection_options(headers) - CONNECTION_OPTIONS
    if not named:
        return kept
    for name in named:
        spelled = name.replace(b"_", b"-")
        if spelled in KEPT_ALWAYS or spelled in protected:
            raise BadRequest(f"Connection names the field {name.decode('latin-1')}, which is not for this hop only.")
    return [field for field in kept if field[0].lower() not in named]


def end_to_end_response(headers: RawHeaders) -> RawHeaders:
    """A response's fields without those that were for the upstream's connection only; ``KEPT_ALWAYS`` stay."""
    kept = [field for field in headers if field[0].lower() not in HOP_BY_HOP]
    if len(kept) == len(headers):
        return kept
    named = connection_options(headers) - CONNECTION_OPTIONS - KEPT_ALWAYS
    return [field for field in kept if field[0].lower() not in named] if named else kept


def passing_trailers(trailers: RawHeaders, protected: frozenset[bytes] = frozenset()) -> RawHeaders:
    """Trailers without the names that mean something in a head (RFC 9110, 6.5.1).

    A reader that merges trailers into the head would take them for a credential, or for framing.
    """
    return [
        field
        for field in trailers
        if (name := field[0].lower().replace(b"_", b"-")) not in HOP_BY_HOP
        and name not in KEPT_ALWAYS
        and name not in protected
    ]


@dataclass(frozen=True, slots=True)
class Forwarding:
    """How the upstream is told about the client.

    ``style``: the one family of fields that is sent; the other is removed, so that a client cannot speak in its name.
    ``trusted_proxies``: 0: what the request says about earlier hops is replaced; otherwise it is added to.
    ``name``: our pseudonym in ``Via``. ``host``: ``None`` passes ``Host`` as it came, a value replaces it.
    """

    style: Literal["x-forwarded", "forwarded", "none"] = "x-forwarded"
    trusted_proxies: int = 0
    name: bytes = b"weighbridge"
    host: bytes | None = None


@dataclass(frozen=True, slots=True)
class Hop:
    """How a request came: the peer's address, ``http`` or ``https``, the ``Host`` it said, HTTP/1.``minor``."""

    client: bytes
    scheme: bytes
    host: bytes
    minor: int


def told_of_client(headers: RawHeaders, forwarding: Forwarding, hop: Hop) -> RawHeaders:
    """``headers`` (end-to-end) with ``Via``, ``Host`` and the forwarding fields as ``forwarding`` says."""
    told = _without_forged(headers, forwarding)
    if forwarding.host is not None:
        told = [(b"Host", forwarding.host) if field[0].lower() == b"host" else field for field in told]
    if forwarding.style == "x-forwarded":
        if forwarding.trusted_proxies:
            _extend_x_forwarded(told, hop)
        else:
            told += _x_forwarded(hop)
    elif forwarding.style == "forwarded":
        told.append((b"Forwarded", _forwarded_element(hop)))
    # RFC 9110, 7.6.3. A second line says the same as a longer list.
    told.append((b"Via", b"1.%d %b" % (hop.minor, forwarding.name)))
    return told


def _without_forged(headers: RawHeaders, forwarding: Forwarding) -> RawHeaders:
    """What earlier hops said is kept only where they are trusted, and only in the family that is sent."""
    if forwarding.style == "none":
        return list(headers)
    if forwarding.trusted_proxies == 0:
        return [field for field in headers if field[0].lower() not in _TELLS_OF_CLIENT]
    other = _X_FORWARDED if forwarding.style == "forwarded" else frozenset({b"forwarded"})
    return [field for field in headers if field[0].lower() not in other]


def _x_forwarded(hop: Hop) -> RawHeaders:
    """What the peer's connection says."""
    told = [(b"X-Forwarded-For", hop.client), (b"X-Forwarded-Proto", hop.scheme)]
    if hop.host:
        told.append((b"X-Forwarded-Host", hop.host))
    return told


def _extend_x_forwarded(told: RawHeaders, hop: Hop) -> None:
    """Our peer as the last address; scheme and host only where no trusted hop said them."""
    earlier = values(told, b"x-forwarded-for")
    if earlier:
        told[:] = [field for field in told if field[0].lower() != b"x-forwarded-for"]
    told.append((b"X-Forwarded-For", b", ".join([*earlier, hop.client])))
    told += [field for field in _x_forwarded(hop)[1:] if not values(told, field[0].lower())]


def _forwarded_element(hop: Hop) -> bytes:
    """One element of ``Forwarded`` (RFC 7239): an IPv6 address in brackets and quotes, the host quoted."""
    client = b'"[%b]"' % hop.client if b":" in hop.client else hop.client
    element = b"for=%b;proto=%b" % (client, hop.scheme)
    return b'%b;host="%b"' % (element, hop.host) if hop.host and b'"' not in hop.host else element
