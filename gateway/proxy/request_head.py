"""The head of a request as it goes to the upstream."""

from dataclasses import dataclass, field

from gateway.core.forwarding import Forwarding, Hop, told_of_client
from gateway.core.hop_by_hop import HOP_BY_HOP, RawHeaders, dropped_of_request
from gateway.core.max_forwards import KEY, LIMITED, hops_left
from gateway.core.target import Target
from gateway.proxy.client_connection import ClientConnection, Told
from gateway.proxy.pool import Connections
from gateway.proxy.request import Request

_REMEMBERED = 256
_REQUEST_ID = frozenset({b"x-request-id"})


@dataclass(frozen=True, slots=True)
class Route:
    """Where requests go and what goes with them.

    ``protected``: keys of fields that tell who is asking or what it costs; see ``dropped_of_request``. ``removed``:
    keys of fields that never go on. ``head_bytes``: how long a head the upstream reads; ``None``: not known.
    ``own``: what the operator has the gateway say, as lines of a head.
    """

    pool: Connections
    forwarding: Forwarding = field(default_factory=Forwarding)
    protected: frozenset[bytes] = frozenset()
    removed: frozenset[bytes] = frozenset()
    head_bytes: int | None = None
    own: bytes = b""
    _dropped: dict[frozenset[bytes], frozenset[bytes]] = field(default_factory=dict, compare=False, repr=False)

    def dropped(self, strip: frozenset[bytes]) -> frozenset[bytes]:
        """The keys that do not go on if ``strip`` do not, either: joined once, since there are few such sets."""
        known = self._dropped.get(strip)
        if known is None:
            known = strip | self.removed | HOP_BY_HOP | self.forwarding.forged | _REQUEST_ID
            if len(self._dropped) < _REMEMBERED:
                self._dropped[strip] = known
        return known


def request_head(
    request: Request, target: Target, route: Route, strip: frozenset[bytes] = frozenset(), request_id: str = ""
) -> bytes:
    """The head, to the empty line: ``request``'s own fields as they came, less ``strip``, and what is ours to say.

    ``request_id``: takes the place of the client's, which proves nothing (decisions/0029); empty: it gets none. Raises
    ``BadRequest`` where ``Connection`` would take away what tells who is asking, or ``Max-Forwards`` is no number.
    """
    drop, keys, http_1_0 = route.dropped(strip), request.keys, request.minor == 0
    if request.connection and (named := dropped_of_request(request.connection, route.protected)):
        drop = drop | named
    host = route.forwarding.host or target.authority
    if host is not None:
        drop = drop | {b"host"}
    elif http_1_0 and request.host is None:
        host = route.pool.authority  # RFC 9110, 7.2: a 1.1 request has one
    counted = _counted_down(request) if request.method in LIMITED and KEY in keys else b""
    if counted:
        drop = drop | {KEY}
    if http_1_0:
        drop = drop | {b"expect"}  # RFC 9110, 10.1.1: a 1.0 client does not mean it
    lines = [b"%b %b HTTP/1.1\r\n" % (request.method.encode(), target.raw)]
    if host is not None:
        lines.append(b"Host: %b\r\n" % host)
    lines += [b"%b: %b\r\n" % pair for pair, key in zip(request.headers, keys, strict=True) if key not in drop]
    if request_id:
        lines.append(b"X-Request-ID: %b\r\n" % request_id.encode())
    to = target.authority or request.host or b""
    said = told(request.protocol, request.headers, to, request.minor, route.forwarding)
    lines += [counted, said, route.own, _of_this_hop(request), b"\r\n"]
    return b"".join(lines)


def _counted_down(request: Request) -> bytes:
    """RFC 9110, 7.6.2: one hop less. Who may go no further is not forwarded at all."""
    return b"Max-Forwards: %d\r\n" % max(0, (hops_left(request.headers) or 0) - 1)


def _of_this_hop(request: Request) -> bytes:
    """What is ours to say about our own connection to the upstream."""
    framing = b"Transfer-Encoding: chunked\r\n" if request.chunked else b""
    if request.upgrade:
        return framing + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    if request.takes_trailers:
        # RFC 9110, 10.1.4: ours to say, for this hop; what comes is passed on.
        return framing + b"Connection: TE\r\nTE: trailers\r\n"
    return framing


def told(client: ClientConnection, headers: RawHeaders, host: bytes, minor: int, forwarding: Forwarding) -> bytes:
    """What the upstream is told of the client, as lines: mostly the same for all requests of a connection."""
    known = client.told
    if known is not None and known.host == host and known.minor == minor and known.forwarding is forwarding:
        return known.wire
    hop = Hop(client.peer_bytes, client.scheme, host, minor)
    wire = b"".join([b"%b: %b\r\n" % pair for pair in told_of_client(headers, forwarding, hop)])
    if not forwarding.trusted_proxies:
        client.told = Told(host, minor, forwarding, wire)
    return wire
