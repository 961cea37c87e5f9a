"""How the upstream is told about the client: ``Via`` (RFC 9110, 7.6.3), ``Forwarded`` (RFC 7239), ``X-Forwarded-*``."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from gateway.core.hop_by_hop import RawHeaders, values

_TELLS_OF_CLIENT = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"})


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

    @property
    def forged(self) -> frozenset[bytes]:
        """The keys of the fields that only ``told_of_client`` may write, from here on."""
        return frozenset() if self.style == "none" else _TELLS_OF_CLIENT


class Hop(NamedTuple):
    """How a request came: the peer's address, ``http`` or ``https``, the ``Host`` it said, HTTP/1.``minor``."""

    client: bytes
    scheme: bytes
    host: bytes
    minor: int


def told_of_client(headers: RawHeaders, forwarding: Forwarding, hop: Hop) -> RawHeaders:
    """The fields that tell of the client, to put in the place of ``forwarding.forged`` in ``headers``.

    What earlier hops said goes on only where they are trusted, and only in the family that is sent.
    """
    via = (b"Via", b"1.%d %b" % (hop.minor, forwarding.name))  # a second line says the same as a longer list
    match forwarding.style:
        case "none":
            return [via]
        case "forwarded":
            earlier = _said(headers, b"forwarded") if forwarding.trusted_proxies else []
            return [*earlier, (b"Forwarded", _element(hop)), via]
        case _:
            told = _appended(headers, hop) if forwarding.trusted_proxies else _x_forwarded(hop)
            return [*told, via]


def _said(headers: RawHeaders, name: bytes) -> RawHeaders:
    """What trusted hops said: a proxy replaces or extends its own spelling; one with ``_`` is the client's word."""
    return [field for field in headers if field[0].lower() == name]


def _x_forwarded(hop: Hop) -> RawHeaders:
    """What the peer's connection says."""
    told = [(b"X-Forwarded-For", hop.client), (b"X-Forwarded-Proto", hop.scheme)]
    if hop.host:
        told.append((b"X-Forwarded-Host", hop.host))
    return told


def _appended(headers: RawHeaders, hop: Hop) -> RawHeaders:
    """Our peer as the last address; scheme and host only where no trusted hop said them."""
    earlier = values(headers, b"x-forwarded-for")
    told = [(b"X-Forwarded-For", b", ".join([*earlier, hop.client]))]
    for field in _x_forwarded(hop)[1:]:
        told += _said(headers, field[0].lower()) or [field]
    return told


def _element(hop: Hop) -> bytes:
    """One element of ``Forwarded`` (RFC 7239): an IPv6 address in brackets and quotes, the host quoted."""
    client = b'"[%b]"' % hop.client if b":" in hop.client else hop.client
    element = b"for=%b;proto=%b" % (client, hop.scheme)
    return b'%b;host="%b"' % (element, hop.host) if hop.host and b'"' not in hop.host else element
