"""One exchange between a client and the upstream, in both directions, by callbacks: no task, no copy, no queue.

What is held is what one read brought, plus the two transports' write buffers: whoever does not keep up stops the other.
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from gateway.core.hop_by_hop import HOP_BY_HOP, RawHeaders, dropped_of_response, passing_trailers, values
from gateway.core.problems import Problem
from gateway.proxy.client_connection import ClientConnection
from gateway.proxy.failures import UpstreamFailed, UpstreamProblem
from gateway.proxy.outbox import Outbox
from gateway.proxy.request import Request
from gateway.proxy.response_parser import ResponseHead
from gateway.proxy.tunnel import Tunnel
from gateway.proxy.upstream import UpstreamConnection

_NOTHING: frozenset[bytes] = frozenset()
_LENGTH = frozenset({b"content-length"})


class Edit(NamedTuple):
    """What is changed in an answer: fields taken off, by key, and lines of the head added. Never its framing.

    ``box``: what its body goes through instead of as it comes; one that measures gets no other framing.
    """

    drop: frozenset[bytes]
    add: bytes
    box: Outbox | None = None


OnHead = Callable[[ResponseHead], Edit]
Join = Callable[[ResponseHead, tuple[ClientConnection, UpstreamConnection], Callable[[], None]], Tunnel]
"""Makes the tunnel behind a 101, not started yet, between the two ends; the last is called when it has ended."""


class Relay:
    """Takes the request's body to the upstream and the answer to the client.

    ``done`` is set when nothing more will happen. ``failure``: what the upstream, or the client's body, did wrong.
    ``stale``: it was a kept connection that had died, nothing is lost by trying again. ``error``: what ``on_head``
    raised. ``head_time``: the loop's time at the head of the answer. ``first_write``: the request, if it was one write.
    """

    __slots__ = (
        "_connection",
        "_ended",
        "_join",
        "_loop",
        "_on_head",
        "_out",
        "_protected",
        "_request",
        "_tunnel",
        "_up",
        "bytes_out",
        "done",
        "error",
        "failure",
        "first_write",
        "head_time",
        "stale",
        "status",
    )

    def __init__(
        self, request: Request, on_head: OnHead, protected: frozenset[bytes], join: Join | None = None
    ) -> None:
        self._request = request
        self._join = join
        self._on_head = on_head
        self._protected = protected
        self._loop = asyncio.get_running_loop()
        self._connection: UpstreamConnection | None = None
        self._tunnel: Tunnel | None = None
        self._out = Outbox()
        self._up = Outbox()
        self._ended = False
        self.status: int | None = None
        self.bytes_out = 0
        self.head_time = 0.0
        self.failure: Problem | None = None
        self.error: Exception | None = None
        self.stale = False
        self.first_write: bytes | None = None
        self.done: asyncio.Future[None] = self._loop.create_future()

    def start(self, connection: UpstreamConnection, wire: bytes) -> None:
        """Write the head ``wire`` and what there is of the body; the rest follows as it comes."""
        request = self._request
        self._connection = connection
        connection.begin(self, head_only=request.method == "HEAD", upgrade=request.upgrade)
        request.request_sent = True
        if request.complete and not request.bytes_in and not request.chunked:
            # Most requests have no body: nothing will follow.
            request.take_body(self)
            self.first_write, self._ended = wire, True
            connection.write(wire)
            connection.end_request()
            return
        self._up.chunked = request.chunked
        self._up.head(wire)
        if body := request.take_body(self):
            self.request_body(body)
        if request.complete:
            self.request_end(request.trailers)
            self.first_write = self._up.take()
            self._up.head(self.first_write)
        self.request_flush()

    def adopt(self, connection: UpstreamConnection, wire: bytes) -> None:
        """Take the answer to a request that was written whole, as ``wire``."""
        self._connection, self.first_write, self._ended = connection, wire, True
        self._request.request_sent = True
        self._request.take_body(self)

    def again(self, connection: UpstreamConnection) -> None:
        """Try once more with ``first_write``."""
        self.failure, self.stale = None, False
        self.done = self._loop.create_future()
        self._connection = connection
        connection.begin(self, head_only=self._request.method == "HEAD", upgrade=self._request.upgrade)
        self._up.head(self.first_write or b"")
        self.request_flush()

    def request_body(self, data: bytes) -> None:
        """The client sends."""
        if self._connection is not None:
            self._up.body(data)

    def request_end(self, trailers: RawHeaders) -> None:
        """The client has sent all."""
        self._ended = True
        self._up.end(passing_trailers(trailers, self._protected) if trailers else trailers)

    def request_flush(self) -> None:
        """Write what one read brought."""
        connection = self._connection
        if connection is None:
            return
        if data := self._up.take():
            connection.write(data)
        if self._ended:
            connection.end_request()
        elif connection.write_paused:
            self._request.protocol.pause_reading()

    def request_broken(self, problem: Problem) -> None:
        """What the client sends is not HTTP: the upstream must not take it for a whole request."""
        self.failure = problem
        self._stop()

    def upstream_writable(self) -> None:
        """The upstream has caught up."""
        self._request.protocol.resume_reading()

    def client_writable(self) -> None:
        """The client has caught up."""
        if self._connection is not None:
            self._connection.resume_reading()

    def client_lost(self) -> None:
        """The client has left: so do we."""
        if self._tunnel is None:
            self._stop()

    def response_interim(self, response: ResponseHead) -> None:
        """1xx goes to whoever can understand it (RFC 9110, 15.2)."""
        if self._request.minor == 1:
            self._request.protocol.write(b"".join([*start_of(response, _NOTHING), b"\r\n"]))

    def response_head(self, response: ResponseHead) -> None:
        """Make the client's head: its fields byte for byte, its framing as this client's version has it."""
        request = self._request
        lines = self._edited(response)
        if lines is None:
            return
        if not (response.bodiless or response.length is not None or self._out.measures):
            if request.minor == 1:
                self._out.chunked = True
                lines.append(b"Transfer-Encoding: chunked\r\n")
            else:
                request.keep_alive = False
        if request.protocol.decide_close(request):
            lines.append(b"Connection: close\r\n")
        elif request.minor == 0:
            lines.append(b"Connection: keep-alive\r\n")
        lines.append(b"\r\n")
        self._out.head(b"".join(lines))

    def _edited(self, response: ResponseHead) -> list[bytes] | None:
        self.status, self.head_time = response.status, self._loop.time()
        try:
            edit = self._on_head(response)
        except UpstreamFailed:
            raise  # it counts as the upstream's failure
        except Exception as error:  # noqa: BLE001  (raised again where somebody awaits it)
            self.error = error
            self._stop()
            return None
        lines = start_of(response, edit.drop)
        lines.append(edit.add)
        if edit.box is not None:
            self._out = edit.box
        return lines

    def response_body(self, data: bytes) -> None:
        """The upstream sends."""
        self.bytes_out += len(data)
        self._out.body(data)

    def response_flush(self) -> None:
        """Write what one read brought."""
        data = self._out.take()
        if not data:
            return
        protocol = self._request.protocol
        self._request.head_sent = True
        protocol.write(data)
        if protocol.writing_paused and self._connection is not None:
            self._connection.pause_reading()

    def response_end(self, trailers: RawHeaders) -> None:
        """The upstream has sent all."""
        self._connection = None
        self._out.end(passing_trailers(trailers) if trailers else trailers)
        self.response_flush()
        if not self._request.complete:
            self._request.protocol.resume_reading()
        self._finish()

    def response_upgraded(self, response: ResponseHead, rest: bytes) -> None:
        """101: write the head, then join the two connections."""
        request, connection = self._request, self._connection
        lines = self._edited(response)
        if lines is None or connection is None:
            return
        lines.append(b"Connection: Upgrade\r\n")
        lines += [b"Upgrade: %b\r\n" % token for token in values(response.headers, b"upgrade")]
        request.head_sent, request.keep_alive = True, False
        request.protocol.write(b"".join([*lines, b"\r\n"]))
        ends = (request.protocol, connection)
        self._tunnel = (
            Tunnel(*ends, self._tunnel_ended) if self._join is None else self._join(response, ends, self._tunnel_ended)
        )
        self._tunnel.start(request.protocol.take_ahead(), rest)

    def _tunnel_ended(self) -> None:
        if self._tunnel is not None:
            self._request.bytes_in, self.bytes_out = self._tunnel.bytes_in, self._tunnel.bytes_out
        self._finish()

    def response_failed(self, problem: UpstreamProblem, *, stale: bool) -> None:
        """There will be no more answer. One that has begun must not look whole."""
        self._connection = None
        self.failure, self.stale = problem, stale
        if self._request.head_sent:
            self._request.protocol.abort()
        else:
            self.status = None  # the client has not heard of it
        self._finish()

    def abort(self) -> None:
        """Whoever waited has been cancelled."""
        if self._tunnel is not None:
            self._tunnel.close()
        self._stop()

    def _stop(self) -> None:
        """Drop the upstream; a client that has part of an answer is dropped as well."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()
        if self._request.head_sent and not self._request.client_left:
            self._request.protocol.abort()
        self._finish()

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


def start_of(response: ResponseHead, drop: frozenset[bytes]) -> list[bytes]:
    """The lines of an answer's head: the status, and its end-to-end fields but for ``drop``.

    The version is ours whatever the client speaks (RFC 9112, 2.3).
    """
    if response.connection and (named := dropped_of_response(response.connection)):
        drop = drop | named
    if response.status < 200 or response.status == 204:  # noqa: PLR2004  (RFC 9110, 8.6: some clients would wait for it)
        drop = drop | _LENGTH
    lines = [b"HTTP/1.1 %d %b\r\n" % (response.status, response.reason)]
    lines += [
        b"%b: %b\r\n" % field
        for field, key in zip(response.headers, response.keys, strict=True)
        if key not in HOP_BY_HOP and key not in drop
    ]
    return lines
