"""One request in the fast lane, from its debit to its end: by callbacks, without a task, a relay or a second parser.

An answer that does not come whole at once, or not at all, is the reference path's: it gets the request, what was found
out so far and the connection, and goes on from there.
"""

from typing import TYPE_CHECKING, NamedTuple

from gateway.clock import now_us
from gateway.core.cascade import Charge, Refusal
from gateway.core.hop_by_hop import key_of
from gateway.core.problems import StoreUnavailable
from gateway.identity.config import Identified
from gateway.metering.meter import Meter
from gateway.metering.visit import Visit
from gateway.proxy import answer
from gateway.proxy.answer_writer import whole
from gateway.proxy.chronicle import Chronicle, Trip
from gateway.proxy.downstream import GatewayProtocol, Handler
from gateway.proxy.errand import Errand
from gateway.proxy.headers import EXPOSE, answer_head
from gateway.proxy.plain_answer import ALLOW_ORIGIN, OURS, REQUEST_ID, PlainAnswer
from gateway.proxy.relay import Relay
from gateway.proxy.request import Request
from gateway.proxy.running import Running
from gateway.tasks import Tasks

if TYPE_CHECKING:
    from gateway.proxy.upstream import UpstreamConnection


class Crew(NamedTuple):
    """Who works for every ride. ``go_on``: the reference path, for a request whose ``begun`` is set."""

    meter: Meter
    chronicle: Chronicle
    go_on: Handler
    tasks: Tasks


class Begun(NamedTuple):
    """A request that the lane has begun. ``relay``: it has been sent, and this has the answer; ``None``: not yet.

    ``wire``: its head for the upstream. ``started``: the loop's time at which it was sent. ``error``: a fault of ours
    has ended it. ``unpaid``: the ledger has said this, and the meter has to ``conclude``.
    """

    trip: Trip
    wire: bytes
    relay: Relay | None
    started: float
    error: Exception | None = None
    unpaid: Refusal | StoreUnavailable | None = None


class Ride:
    """A request that has been debited. ``wire``, ``body``: as it goes on. ``cross_origin``: a browser's script asks."""

    __slots__ = (
        "_awaits_debit",
        "_begun",
        "_body",
        "_client",
        "_client_left",
        "_connection",
        "_crew",
        "_cross_origin",
        "_errand",
        "_identified",
        "_running",
        "_started",
        "_status",
        "_visit",
        "_wire",
        "_written_down",
    )
    complete = True
    """The request has come whole: always."""

    def __init__(  # noqa: PLR0913, PLR0917  (what the lane has found out; names cost time)
        self,
        crew: Crew,
        client: GatewayProtocol,
        running: Running,
        errand: Errand,
        identified: Identified,
        visit: Visit,
        wire: bytes,
        body: bytes,
        cross_origin: bool,  # noqa: FBT001
    ) -> None:
        self._crew = crew
        self._client = client
        self._running = running
        self._errand = errand
        self._identified = identified
        self._visit = visit
        self._wire = wire
        self._body = body
        self._cross_origin = cross_origin
        self._connection: UpstreamConnection | None = None
        self._started = 0.0
        self._status = 0
        self._begun = self._written_down = self._awaits_debit = self._client_left = False

    def start(self) -> None:
        """Answer it, or send it."""
        self._begin()
        self._set_out()

    def wait(self) -> bool:
        """Have the ledger asked; whether it is: then it goes on in ``charged``. If not, nothing has happened."""
        if not self._crew.meter.charge_soon(self._visit, self.charged):
            return False
        self._begin()
        self._awaits_debit = True
        return True

    def charged(self, odd: Refusal | StoreUnavailable | None) -> None:
        """The ledger has answered, and the visit has its outcome; ``odd``: the reference path finds out what to do."""
        self._awaits_debit = False
        try:
            if odd is not None or self._client_left:
                self._wait_for_connection(odd)
            else:
                self._set_out()
        except Exception as error:  # noqa: BLE001  (whatever it is, the client and the books hear of it)
            self.fail(error)

    def _set_out(self) -> None:
        if isinstance(self._visit.outcome, Refusal):
            self._refuse(self._visit.outcome)
        elif (connection := self._running.route.pool.take()) is not None:
            self._connection = connection
            self._started = connection.begin_ride(self)
            connection.write(self._wire + self._body)
        else:
            self._wait_for_connection()

    def _begin(self) -> None:
        self._begun = True
        self._crew.chronicle.begin(fast=True)
        self._client.begin_ride(self)

    def _refuse(self, refusal: Refusal) -> None:
        """Nobody can pay: 429, and nothing goes on."""
        client, visit, close = self._client, self._visit, self._client.closing
        snapshot, cross_origin = self._running.snapshot, self._cross_origin
        said = answer.of_refusal(refusal, snapshot, visit.id, visit.at_us, cross_origin=cross_origin)
        self._status = said.status
        client.write(whole(said, close=close, minor=1, without_body=False))
        self._close(said.status, None, 0, close=close)

    def answered(self, plain: PlainAnswer, now: float) -> bool:
        """The whole answer has come, at the loop's time ``now``. ``False``: it is not for the lane."""
        try:
            return self._answered(plain, now)
        except Exception as error:  # noqa: BLE001  (whatever it is, the client and the books hear of it)
            self.fail(error)
            return True

    def _answered(self, plain: PlainAnswer, now: float) -> bool:
        visit, client, charge, add = self._visit, self._client, self._visit.outcome, b""
        if isinstance(charge, Charge):
            if plain.noted & OURS or not visit.rule.is_paid_at(plain.status):
                return False
            add = self._running.snapshot.families.lines_of_charge(charge, visit.at_us)
        if not plain.noted & REQUEST_ID:
            add += b"X-Request-ID: %b\r\n" % visit.id.encode()
        if plain.noted & ALLOW_ORIGIN and self._cross_origin and self._running.snapshot.allow_origin is not None:
            add += EXPOSE
        if close := client.closing:
            add += b"Connection: close\r\n"
        wire = b"".join((plain.head, add, plain.behind))
        if self._connection is not None:
            self._connection.end_ride()
            self._connection = None
        self._status = plain.status
        client.write(wire)
        self._close(plain.status, int((now - self._started) * 1_000_000), plain.body, close=close)
        return True

    def _close(self, status: int, upstream_us: int | None, bytes_out: int, *, close: bool) -> None:
        """The end of it: the access log, the counters, the record; then the client may ask again."""
        visit, sent = self._visit, len(self._body)
        latency_us = max(0, now_us() - visit.at_us)
        peer = self._client.peer
        self._written_down = True
        try:
            self._crew.chronicle.close_ride(
                (visit, self._errand, self._identified, peer, status, latency_us, upstream_us, sent, bytes_out)
            )
        finally:
            self._crew.meter.close(visit, status=status, latency_us=latency_us, upstream_latency_us=upstream_us)
        self._client.end_ride(self, close=close)

    def fail(self, error: Exception) -> None:
        """A fault of ours: the reference path answers it, settles and writes it down as it does its own.

        A client that may have its answer is cut off, and an upstream connection of which nobody knows is not kept.
        """
        if self._written_down:
            self._crew.chronicle.failed(self._visit.id, error)
            self._client.abort()
            self._client.end_ride(self, close=True)
            return
        if not self._begun:
            self._begin()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()
        request = self._request()
        request.request_sent, request.head_sent = bool(self._started), bool(self._status)
        trip = self._trip(request)
        trip.status = self._status
        self._go_on(request, Begun(trip, self._wire, None, self._started, error))

    def hand_over(self) -> Relay:
        """The reference path goes on with what has been sent; its relay takes the answer."""
        request = self._request()
        trip = self._trip(request)
        relay = Relay(request, answer_head(trip), self._running.route.protected)
        if self._connection is not None:
            relay.adopt(self._connection, self._wire + self._body)
        self._go_on(request, Begun(trip, self._wire, relay, self._started))
        return relay

    def _wait_for_connection(self, unpaid: Refusal | StoreUnavailable | None = None) -> None:
        """There is no kept one: the reference path waits for one, or first finds out who pays."""
        request = self._request()
        request.client_left = self._client_left
        self._go_on(request, Begun(self._trip(request), self._wire, None, 0.0, unpaid=unpaid))

    def lose_client(self) -> None:
        """The client has left: its upstream is dropped, and the rest is written down. A debit on its way is awaited."""
        if self._awaits_debit:
            self._client_left = True
            return
        self.hand_over()
        self._client.lose_client()

    def writable(self) -> None:
        """The client takes more: nothing waits for that."""

    def _go_on(self, request: Request, begun: Begun) -> None:
        request.begun = begun
        self._client.hand_over(request)
        self._crew.tasks.start(self._client.finish_ride(request, self._crew.go_on), "finish a request")

    def _request(self) -> Request:
        """The request as the reference path knows it."""
        client, errand, body = self._client, self._errand, self._body
        headers = [(name, value.rstrip(b" \t")) for name, value in client.plain.fields]
        keys = [key_of(name) for name, _ in headers]
        request = Request(client, errand.method, errand.target.raw, 1, headers, keys)
        said = dict(zip(keys, headers, strict=True))
        request.host = said[b"host"][1]
        request.length = len(body) if b"content-length" in said else None
        if body:
            request.feed(body)
        request.finish([])
        return request

    def _trip(self, request: Request) -> Trip:
        visit, errand = self._visit, self._errand
        return Trip(
            request,
            self._running,
            visit.id,
            visit.at_us,
            path=errand.path,
            query=errand.target.query,
            identified=self._identified,
            visit=visit,
        )
