"""One whole answer from the upstream, for questions of the gateway's own: health checks, memberships and profiles."""

import asyncio
from typing import NamedTuple

from gateway.core.hop_by_hop import RawHeaders
from gateway.proxy.failures import UpstreamFailed, UpstreamProblem
from gateway.proxy.response_parser import ResponseHead
from gateway.proxy.upstream import UpstreamConnection


class Fetched(NamedTuple):
    """An answer. ``body``: ``None`` if it was longer than asked for."""

    status: int
    headers: RawHeaders
    body: bytes | None


class Stale(UpstreamFailed):
    """A kept connection had died: nothing is lost by asking again on another."""


class _Collector:
    """Takes an answer whole."""

    def __init__(self, most: int, done: "asyncio.Future[Fetched]") -> None:
        self._most = most
        self._done = done
        self._head: ResponseHead | None = None
        self._body = bytearray()
        self.too_long = False

    def response_interim(self, head: ResponseHead) -> None:
        """Not wanted."""

    def response_head(self, head: ResponseHead) -> None:
        """The head of the answer."""
        self._head = head

    def response_body(self, data: bytes) -> None:
        """The next bytes of its body."""
        if len(self._body) + len(data) > self._most:
            self.too_long = True
        else:
            self._body += data

    def response_flush(self) -> None:
        """Whatever is longer than asked for need not be waited for."""
        if self.too_long:
            self.response_end([])

    def response_end(self, _trailers: RawHeaders) -> None:
        """The answer is whole."""
        if self._head is not None and not self._done.done():
            body = None if self.too_long else bytes(self._body)
            self._done.set_result(Fetched(self._head.status, self._head.headers, body))

    def response_upgraded(self, _head: ResponseHead, _rest: bytes) -> None:
        """Never: no upgrade is asked for."""

    def response_failed(self, problem: UpstreamProblem, *, stale: bool) -> None:
        """There will be no answer."""
        if not self._done.done():
            self._done.set_exception(Stale(problem.message, request_sent=True) if stale else problem)

    def upstream_writable(self) -> None:
        """The request is one short write."""


async def fetch(connection: UpstreamConnection, wire: bytes, most: int) -> Fetched:
    """Write the request ``wire``, without a body, and read its answer, with ``most`` bytes of body.

    Raises ``Stale`` or another ``UpstreamProblem``. If cancelled, or if the body is longer, the connection is dropped.
    """
    done: asyncio.Future[Fetched] = asyncio.get_running_loop().create_future()
    collector = _Collector(most, done)
    connection.begin(collector)
    connection.write(wire)
    connection.end_request()
    try:
        fetched = await done
    except asyncio.CancelledError:
        connection.abort()
        raise
    if fetched.body is None:
        connection.abort()
    return fetched
