"""One request in the fast lane, from its debit to its end: by callbacks, without a task, a relay or a second parser.

An answer that does not come whole at once, or not at all, is the reference path's: it gets the request, what was found
out so far and the connection, and goes on from there.
"""

from typing import TYPE_CHECKING, NamedTuple, cast

from gateway.clock import now_us
from gateway.core.cascade import Bill, Charge, Posting, Refusal
from gateway.core.hop_by_hop import key_of
from gateway.core.problems import StoreUnavailable
from gateway.core.till import charge_of
from gateway.metering.meter import Meter, Taken
from gateway.metering.stand import Stand
from gateway.metering.visit import Visit
from gateway.proxy import answer
from gateway.proxy.answer_writer import whole
from gateway.proxy.callers import Caller
from gateway.proxy.chronicle import Chronicle, Trip
from gateway.proxy.downstream import GatewayProtocol, Handler
from gateway.proxy.errand import Errand
from gateway.proxy.headers import EXPOSE, answer_head
from gateway.proxy.plain_answer import ALLOW_ORIGIN, OURS, REQUEST_ID, AnswerReader
from gateway.proxy.plain_request import fields_of
from gateway.proxy.relay import Relay
from gateway.proxy.request import Request
from gateway.proxy.running import Running
from gateway.proxy.stripping import stripped
from gateway.proxy.turned_away import turned_away
from gateway.tasks import Tasks

if TYPE_CHECKING:
    from gateway.proxy.upstream import UpstreamConnection

_MADE, _AWAITS_DEBIT, _ABANDONED, _BEGUN, _WRITTEN_DOWN = range(5)


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
    """A request that is debited. Made by the lane, which sets all of it: a constructor's call costs a microsecond.

    ``data``: as it came; ``end``: of its head. ``wire``: as it goes on. ``cross_origin``: a browser's script asks.
    ``head_only``: it is HEAD. ``taken``: from the tills of ``stand``; else ``visit`` has the outcome. ``sent_us``: when
    it was sent, if it was. What it ended with is for the books: ``status``, ``latency_us``, ``upstream_us``,
    ``bytes_out``.
    """

    __slots__ = (
        "at_us", "bytes_out", "caller", "client", "connection", "crew", "cross_origin", "data", "end", "errand",
        "head_only", "id", "id_line", "latency_us", "running", "sent_us", "stand", "state", "status", "taken",
        "upstream_us", "visit", "wire",
    )  # fmt: skip
    complete = True
    """The request has come whole: always."""
    at_us: int
    bytes_out: int
    caller: Caller
    client: GatewayProtocol
    connection: "UpstreamConnection | None"
    crew: Crew
    cross_origin: bool
    data: bytes
    end: int
    errand: Errand
    head_only: bool
    id: str
    id_line: bytes
    latency_us: int
    running: Running
    sent_us: int
    stand: Stand | None
    state: int
    status: int
    taken: Taken | None
    upstream_us: int | None
    visit: Visit | None
    wire: bytes

    def start(self) -> None:
        """Answer it, or send it."""
        self.begin()
        self._set_out(self.at_us)

    def begin(self) -> None:
        """From here on it is the client's current request, and somebody's to answer."""
        self.state = _BEGUN
        self.crew.chronicle.begin_ride()
        self.client.begin_ride(self)

    def wait(self) -> bool:
        """Have the ledger asked; whether it is: then it goes on in ``charged``. If not, nothing has happened."""
        if self.visit is None or not self.crew.meter.charge_soon(self.visit, self.charged):
            return False
        self.begin()
        self.state = _AWAITS_DEBIT
        return True

    def charged(self, odd: Refusal | StoreUnavailable | None) -> None:
        """The ledger has answered, and the visit has its outcome; ``odd``: the reference path finds out what to do."""
        abandoned, self.state = self.state == _ABANDONED, _BEGUN
        try:
            if odd is not None or abandoned:
                self._wait_for_connection(odd, client_left=abandoned)
            else:
                self._set_out(now_us())
        except Exception as error:  # noqa: BLE001  (whatever it is, the client and the books hear of it)
            self.fail(error)

    def _set_out(self, at_us: int) -> None:
        taken = self.taken
        if taken is not None:
            if taken[0] < 0:
                self._turn_away(taken)
                return
        elif self.visit is not None and isinstance(self.visit.outcome, Refusal):
            self._refuse(self.visit.outcome)
            return
        connection = self.connection = self.running.route.pool.take()
        if connection is not None:
            connection.begin_ride(self, self.wire, at_us)
        else:
            self._wait_for_connection()

    def _refuse(self, refusal: Refusal) -> None:
        """Nobody can pay: 429, and nothing goes on."""
        client, close = self.client, self.client.closing
        snapshot, cross_origin = self.running.snapshot, self.cross_origin
        said = answer.of_refusal(refusal, snapshot, self.id, self.at_us, cross_origin=cross_origin)
        self.status = said.status
        client.write(whole(said, close=close, minor=1, without_body=self.head_only))
        self._close(said.status, 0, 0, close=close)

    def _turn_away(self, taken: Taken) -> None:
        """``_refuse`` where all tills have said no."""
        client, stand, snapshot, refusal = self.client, self.stand, self.running.snapshot, taken.outcome
        if stand is None or not isinstance(refusal, Refusal) or snapshot.dialect != "wacraft" or self.head_only:
            self._refuse(cast("Refusal", refusal))
            return
        close = client.closing
        wire = turned_away(refusal, stand, snapshot, self.id_line[14:-2], cross_origin=self.cross_origin, close=close)
        self.status = 429
        client.write(wire)
        self._close(429, 0, 0, close=close)

    def answered(self, status: int, plain: AnswerReader) -> bool:
        """The whole answer has come. ``False``: it is not for the lane."""
        try:
            return self._answered(status, plain)
        except Exception as error:  # noqa: BLE001  (whatever it is, the client and the books hear of it)
            self.fail(error)
            return True

    def _answered(self, status: int, plain: AnswerReader) -> bool:
        client, noted, lines = self.client, plain.noted, b""
        if self.taken is not None:
            if noted & OURS or not (self.errand.always_paid or self.errand.rule.is_paid_at(status)):
                return False
            lines = self._lines(self.taken)
        elif self.visit is not None and isinstance(self.visit.outcome, Charge):
            if noted & OURS or not self.visit.rule.is_paid_at(status):
                return False
            lines = self.running.snapshot.families.lines_of_charge(self.visit.outcome, self.at_us)
        if not noted & REQUEST_ID:
            lines += self.id_line
        if noted & ALLOW_ORIGIN and self.cross_origin and self.running.snapshot.allow_origin is not None:
            lines += EXPOSE
        last = b"Connection: close\r\n" if (close := client.closing) else b""
        if names := self.errand.rule.strip_json:
            most = self.running.snapshot.strip_bytes
            changed = stripped(plain, status, (names, most), (lines, last), head_only=self.head_only)
            if changed is None:
                return False
            wire = changed
        else:
            wire = b"".join((plain.head, lines, last, plain.behind))
        body = plain.body
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.end_ride()
        self.status = status
        client.write(wire)
        self._close(status, self.sent_us, body, close=close)
        return True

    def _lines(self, taken: Taken) -> bytes:
        """How the till stands now that it has paid."""
        stand, (place, posting, _) = self.stand, taken
        if stand is None or not isinstance(posting, Posting):
            return b""
        after, till = posting[4], stand.tills[place]
        reset_us, families = after[0] + till.window_us, self.running.snapshot.families
        return families.filled(stand.texts[place][0], till.capacity - after[1], reset_us, self.errand.cost, self.at_us)

    def _close(self, status: int, sent_us: int, bytes_out: int, *, close: bool) -> None:
        """The end of it: the access log, the counters, the record; then the client may ask again.

        ``sent_us``: 0: it was not.
        """
        now = now_us()  # the wall clock: it may have been set back
        latency_us = self.latency_us = now - self.at_us if now > self.at_us else 0
        upstream_us = self.upstream_us = None if not sent_us else now - sent_us if now > sent_us else 0
        self.bytes_out, self.wire = bytes_out, b""  # what was sent is not kept until the books are closed
        self.state = _WRITTEN_DOWN
        crew, taken = self.crew, self.taken
        try:
            crew.chronicle.close_ride(self)
        finally:
            if taken is not None:
                crew.meter.complete(taken[2], status, latency_us, upstream_us)
            elif self.visit is not None:
                crew.meter.close(self.visit, status=status, latency_us=latency_us, upstream_latency_us=upstream_us)
        self.client.end_ride(self, close=close)

    def fail(self, error: Exception) -> None:
        """A fault of ours: the reference path answers it, settles and writes it down as it does its own.

        A client that may have its answer is cut off, and an upstream connection of which nobody knows is not kept.
        """
        if self.state == _WRITTEN_DOWN:
            self.crew.chronicle.failed(self.id, error)
            self.client.abort()
            self.client.end_ride(self, close=True)
            return
        if self.state == _MADE:
            self.begin()
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.abort()
        request = self._request()
        request.request_sent, request.head_sent = bool(self.sent_us), bool(self.status)
        trip = self._trip(request)
        trip.status = self.status
        self._go_on(request, Begun(trip, self._head(), None, self._started(), error))

    def hand_over(self) -> Relay:
        """The reference path goes on with what has been sent; its relay takes the answer."""
        request = self._request()
        trip = self._trip(request)
        relay = Relay(request, answer_head(trip), self.running.route.protected)
        if self.connection is not None:
            relay.adopt(self.connection, self.wire)
        self._go_on(request, Begun(trip, self._head(), relay, self._started()))
        return relay

    def _wait_for_connection(
        self, unpaid: Refusal | StoreUnavailable | None = None, *, client_left: bool = False
    ) -> None:
        """There is no kept one: the reference path waits for one, or first finds out who pays."""
        request = self._request()
        request.client_left = client_left
        self._go_on(request, Begun(self._trip(request), self._head(), None, 0.0, unpaid=unpaid))

    def lose_client(self) -> None:
        """The client has left: its upstream is dropped, and the rest is written down. A debit on its way is awaited."""
        if self.state == _AWAITS_DEBIT:
            self.state = _ABANDONED
        elif self.state != _ABANDONED:
            self.hand_over()
            self.client.lose_client()

    def writable(self) -> None:
        """The client takes more: nothing waits for that."""

    def _go_on(self, request: Request, begun: Begun) -> None:
        request.begun = begun
        self.client.hand_over(request)
        self.crew.tasks.start(self.client.finish_ride(request, self.crew.go_on), "finish a request")

    def _head(self) -> bytes:
        """Of the request for the upstream, without its body."""
        return self.wire[: len(self.wire) - len(self.data) + self.end + 2]

    def _started(self) -> float:
        """The loop's time at which it was sent; 0: it was not."""
        return self.client.loop_time() - (now_us() - self.sent_us) / 1_000_000 if self.sent_us else 0.0

    def _request(self) -> Request:
        """The request as the reference path knows it."""
        client, errand, body = self.client, self.errand, self.data[self.end + 2 :]
        headers = fields_of(self.data[: self.end])
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
        errand = self.errand
        return Trip(
            request,
            self.running,
            self.id,
            self.at_us,
            path=errand.path,
            query=errand.target.query,
            identified=self.caller.named,
            visit=self.visit or self._visit(),
        )

    def _visit(self) -> Visit:
        """The visit of a request that was paid from a till."""
        rule, caller, taken, stand = self.errand.rule, self.caller, self.taken, self.stand
        visit = self.visit = Visit(self.id, rule, caller.principal, self.running.snapshot, self.at_us)
        if taken is not None and stand is not None:
            place, outcome, visit.record = taken
            visit.bill = Bill(self.id, rule.costs, stand.allowances)
            if isinstance(outcome, Posting):
                visit.outcome = charge_of(stand.tills[place], outcome, self.id, rule.costs, self.at_us)
            else:
                visit.outcome = outcome
        return visit
