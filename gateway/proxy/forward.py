"""Forward one request to the upstream and its answer to the client, and say how it went."""

import asyncio
from typing import NamedTuple

from gateway.core.problems import Problem
from gateway.proxy.failures import NO_CONNECTION
from gateway.proxy.pool import Connections
from gateway.proxy.relay import Join, OnHead, Relay
from gateway.proxy.request import Request
from gateway.proxy.request_head import Route
from gateway.proxy.upstream import UpstreamConnection

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""What may be sent again when a kept connection turns out to be dead (RFC 9110, 9.2.2)."""


class Forwarded(NamedTuple):
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


async def forward(request: Request, wire: bytes, route: Route, on_head: OnHead, join: Join | None = None) -> Forwarded:
    """Forward ``request`` with the head ``wire``, as ``request_head`` made it, and its answer as ``on_head`` edits it.

    ``join`` makes the tunnel behind a 101; ``None``: one that weighs nothing. It is followed until it ends. Cancelling
    drops both sides; ``request.request_sent`` then still tells the truth. Raises ``BadRequest`` before a byte is
    written if the body turned out not to be HTTP.
    """
    if request.broken is not None:
        raise request.broken
    relay = Relay(request, on_head, route.protected, join)
    loop = asyncio.get_running_loop()
    started = loop.time()
    if request.client_left:
        return _outcome(request, relay, started)
    try:
        if connection := await _connected(request, route.pool, fresh=False):
            started = loop.time()
            relay.start(connection, wire)
            await _done(request, relay, route)
    except NO_CONNECTION as problem:
        relay.failure = problem
    return _ended(request, relay, started)


async def follow(request: Request, relay: Relay, route: Route, started: float) -> Forwarded:
    """The rest of ``forward`` for a ``relay`` that has the answer to a request sent at the loop's time ``started``."""
    await _done(request, relay, route)
    return _ended(request, relay, started)


async def _done(request: Request, relay: Relay, route: Route) -> None:
    """Wait for the end. A request that may be repeated is, once, where a kept connection turns out to be dead."""
    try:
        await relay.done
        if (
            relay.stale
            and relay.first_write is not None
            and request.method in IDEMPOTENT
            and (connection := await _connected(request, route.pool, fresh=True))
        ):
            relay.again(connection)
            await relay.done
    except NO_CONNECTION as problem:
        relay.failure = relay.failure or problem  # the first of two says what may have been carried out
    except asyncio.CancelledError:
        relay.abort()
        raise


def _ended(request: Request, relay: Relay, started: float) -> Forwarded:
    if relay.error is not None:
        raise relay.error
    return _outcome(request, relay, started)


async def _connected(request: Request, pool: Connections, *, fresh: bool) -> UpstreamConnection | None:
    """A connection for ``request``, or ``None`` if nobody wants it any more. Raises one of ``NO_CONNECTION``."""
    connection = await pool.acquire(fresh=True) if fresh else pool.take() or await pool.acquire()
    if request.wanted:
        return connection
    connection.give_back()
    return None


def _outcome(request: Request, relay: Relay, started: float) -> Forwarded:
    return Forwarded(
        relay.status,
        request.request_sent,
        request.client_left,
        relay.failure or request.broken,
        None if relay.status is None else int((relay.head_time - started) * 1_000_000),
        request.bytes_in,
        relay.bytes_out,
    )
