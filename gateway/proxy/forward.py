"""Forward one request to the upstream and its answer to the client, and say how it went."""

import asyncio
from dataclasses import dataclass, field

from gateway.core.hop_by_hop import (
    Forwarding,
    RawHeaders,
    end_to_end_request,
    told_of_client,
    values,
)
from gateway.core.problems import Problem
from gateway.core.target import Target
from gateway.proxy.failures import UpstreamFailed, UpstreamTimedOut
from gateway.proxy.pool import UpstreamPool
from gateway.proxy.relay import OnHead, Relay
from gateway.proxy.request import Request
from gateway.proxy.upstream import UpstreamConnection

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""What may be sent again when a kept connection turns out to be dead (RFC 9110, 9.2.2)."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where requests go and what goes with them.

    ``protected``: names (lower case, with ``-``) that tell who is asking or what it costs; see ``end_to_end_request``.
    """

    pool: UpstreamPool
    forwarding: Forwarding = field(default_factory=Forwarding)
    protected: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Forwarded:
    """How it went.

    ``status``: of the upstream's answer, ``None`` if none came. ``failure``: what went wrong, ``None`` if the client
    has a whole answer or has left. ``request.head_sent`` tells whether the failure can still be answered; if not,
    the client's connection has been cut. ``request_sent``: whether one byte of the request may have reached the
    upstream; only if not, its charge may be given back (product.md 2.9). ``upstream_us``: microseconds from writing
    the request to the head of the answer. ``bytes_in``, ``bytes_out``: of bodies, or through a tunnel.
    """

    status: int | None
    request_sent: bool
    client_left: bool
    failure: Problem | None
    upstream_us: int | None
    bytes_in: int
    bytes_out: int


async def forward(request: Request, head: RawHeaders, target: Target, route: Route, on_head: OnHead) -> Forwarded:
    """Forward ``request`` with the fields ``head``, its own as the caller edited them.

    Taken away here: hop-by-hop fields. Added here: framing, ``Via``, ``Forwarded`` or ``X-Forwarded-*``.
    ``on_head(status, fields)`` is called once, with the answer's end-to-end fields, and returns those to send; it must
    not touch framing. A 101 is followed until the tunnel ends. Raises ``BadRequest`` before a byte is written.
    Cancelling it drops both sides; ``request.request_sent`` then still tells the truth.
    """
    wire = request_head(request, head, target, route)
    if request.broken is not None:
        raise request.broken
    relay = Relay(request, on_head, route.protected)
    loop = asyncio.get_running_loop()
    started = loop.time()
    if request.client_left:
        return _outcome(request, relay, started)
    try:
        if connection := await _connected(request, route.pool, fresh=False):
            started = loop.time()
            relay.start(connection, wire)
            await relay.done
            if (
                relay.stale
                and relay.first_write is not None
                and request.method in IDEMPOTENT
                and (connection := await _connected(request, route.pool, fresh=True))
            ):
                relay.again(connection)
                await relay.done
    except (UpstreamFailed, UpstreamTimedOut) as problem:
        relay.failure = problem
    except asyncio.CancelledError:
        relay.abort()
        raise
    if relay.error is not None:
        raise relay.error
    return _outcome(request, relay, started)


async def _connected(request: Request, pool: UpstreamPool, *, fresh: bool) -> UpstreamConnection | None:
    """A connection for ``request``, or ``None`` if nobody wants it any more. Raises ``UpstreamFailed``."""
    connection = await pool.acquire(fresh=True) if fresh else pool.take() or await pool.acquire()
    if request.wanted:
        return connection
    pool.keep(connection)
    return None


def _outcome(request: Request, relay: Relay, started: float) -> Forwarded:
    return Forwarded(
        status=relay.status,
        request_sent=request.request_sent,
        client_left=request.client_left,
        failure=relay.failure or request.broken,
        upstream_us=int((relay.head_time - started) * 1_000_000) if relay.status is not None else None,
        bytes_in=request.bytes_in,
        bytes_out=relay.bytes_out,
    )


def request_head(request: Request, head: RawHeaders, target: Target, route: Route) -> bytes:
    """The head as it goes to the upstream. Raises ``BadRequest``."""
    fields = told_of_client(end_to_end_request(head, route.protected), route.forwarding, request.hop)
    if request.minor == 0:
        # RFC 9110, 10.1.1: a 1.0 client does not mean it; 7.2: a 1.1 request has a Host.
        fields = [pair for pair in fields if pair[0].lower() != b"expect"]
        if not values(fields, b"host"):
            fields.append((b"Host", route.forwarding.host or route.pool.authority))
    if request.chunked:
        fields.append((b"Transfer-Encoding", b"chunked"))
    if request.upgrade:
        fields += [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
    elif request.takes_trailers:
        # RFC 9110, 10.1.4: ours to say, for this hop; what comes is passed on.
        fields += [(b"Connection", b"TE"), (b"TE", b"trailers")]
    start = b"%b %b HTTP/1.1\r\n" % (request.method.encode(), target.raw)
    return b"".join((start, *[b"%b: %b\r\n" % pair for pair in fields], b"\r\n"))
