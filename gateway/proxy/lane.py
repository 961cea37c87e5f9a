"""The fast lane: the story of a plain request as one plain call, up to the upstream. What follows is in ``ride``.

It is the reference path's story (``handler``) where nothing has to be waited for and nothing is odd. At every step, if
in doubt, the reference path takes over: before the debit it reads the same bytes as if nothing had been, after it it
goes on from there.

A warm request is a few look-ups: its request line (``errands``), the names of its fields (``plain_request``), who
sends it (``callers``), and what they may spend (``Caller.stand``); a debit (``Meter.pay``); one join, one write. The
debit has another way out: a ledger that has to be asked. Then the ride waits, without a task, for ``Ride.charged``.
"""

from gateway.clock import id_at, now_us
from gateway.core.hop_by_hop import key_of
from gateway.core.problems import Problem
from gateway.metering.meter import Meter
from gateway.metering.visit import Visit
from gateway.proxy.callers import Caller
from gateway.proxy.chronicle import Chronicle
from gateway.proxy.downstream import GatewayProtocol, Handler
from gateway.proxy.errands import Errands
from gateway.proxy.plain_request import Shape, fields_of
from gateway.proxy.request_head import Route
from gateway.proxy.ride import Crew, Ride
from gateway.proxy.running import Live, Running
from gateway.tasks import Tasks

_PATIENCE_S = 5.0


class Lane:
    """Takes plain requests. ``go_on``: the reference path, for a request that the lane has begun."""

    def __init__(self, live: Live, meter: Meter, chronicle: Chronicle, go_on: Handler) -> None:
        self._live = live
        self._tasks = Tasks()
        self._meter = meter
        self._crew = Crew(meter, chronicle, go_on, self._tasks)
        self._errands = Errands(live.running)

    def take(self, client: GatewayProtocol, data: bytes) -> bool:
        """Whether the lane has the request that ``data`` is; if not, nothing has happened."""
        running, errands, plain = self._live.running, self._errands, client.plain
        if errands.running is not running:
            errands = self._errands = Errands(running)
        line = data[: data.find(b"\r\n")]
        try:
            errand = errands.known[line]
        except KeyError:
            errand = errands.find(line)
        if errand is None or (shape := plain.read(data, errands.book)) is None:
            return False
        at_us, end, route = now_us(), plain.end, running.route
        caller = errands.callers.find(client, errand, shape, plain.fields, at_us)
        if caller is None or (caller.asks and not _is_member(running, caller, at_us)):
            return False
        head, id_ = data[:end], id_at(at_us)
        if caller.cut or shape.connection is not None or route.forwarding.host is not None:
            head = _cut(head, shape, caller, plain.fields, route)
        id_line = b"X-Request-ID: %b\r\n" % id_.encode()
        if route.head_bytes is not None and len(head) + len(id_line) + len(caller.lines) > route.head_bytes:
            return False  # it has to be cut to be read there
        ride = Ride()
        ride.crew, ride.client, ride.running, ride.errand, ride.caller = self._crew, client, running, errand, caller
        ride.id, ride.id_line, ride.at_us, ride.data, ride.end = id_, id_line, at_us, data, end
        ride.wire = b"".join((head, id_line, caller.lines, data[end + 2 :]))
        ride.cross_origin, ride.head_only = shape.cross_origin, errand.head_only
        ride.sent_us, ride.status, ride.state = 0, 0, 0
        ride.visit = ride.taken = ride.stand = ride.connection = None
        return self._pay(ride, at_us)

    def _pay(self, ride: Ride, at_us: int) -> bool:
        """Debit it, and send it on; whether it was the lane's."""
        errand, caller, running = ride.errand, ride.caller, ride.running
        try:
            stand = caller.stands.get(errand.paying)
            if stand is None or not stand.holds(at_us):
                stand = caller.stand(running, errand, at_us)
            if stand is not None and errand.cost > 0:
                ride.stand = stand
                taken = ride.taken = self._meter.pay(stand, errand.rule, errand.cost, ride.id, at_us)
                if taken is not None:
                    ride.start()
                    return True
            visit = ride.visit = Visit(ride.id, errand.rule, caller.principal, running.snapshot, at_us)
            if not caller.free and not self._meter.charge_now(visit):
                return ride.wait()
            ride.start()
        except Exception as error:  # noqa: BLE001  (it may have been debited: the client and the books hear of it)
            ride.fail(error)
        return True

    async def close(self) -> None:
        """Finish what was handed over, or whose client has left, and write down what has ended."""
        await self._crew.chronicle.finish(_PATIENCE_S)
        await self._tasks.finish(_PATIENCE_S)
        self._crew.chronicle.catch_up()


def _is_member(running: Running, caller: Caller, at_us: int) -> bool:
    """Whether the caller is known to belong to the workspace that it names; else that has to be asked."""
    identified = caller.identified
    workspace = identified.asked
    try:
        return workspace is None or running.membership.known(identified, workspace, at_us) is True
    except Problem:
        return False


def _cut(head: bytes, shape: Shape, caller: Caller, fields: dict[bytes, bytes], route: Route) -> bytes:
    """The head less the fields that do not go on, and with the upstream's own ``Host`` where that is set."""
    host, names = route.forwarding.host, caller.cut if shape.connection is None else (*caller.cut, shape.connection)
    whole = head
    if host is None:
        for name in names:
            head = head.replace(b"\r\n%b: %b\r\n" % (name, fields[name]), b"\r\n", 1)
        if len(whole) - len(head) == sum(len(name) + len(fields[name]) + 4 for name in names):
            return head
    return _rewritten(whole, frozenset(map(key_of, names)), host)


def _rewritten(head: bytes, drop: frozenset[bytes], host: bytes | None) -> bytes:
    """The head field by field: for spellings of lines that ``_cut`` does not find."""
    lines = [head[: head.find(b"\r\n") + 2]]
    if host is not None:
        drop = drop | {b"host"}
        lines.append(b"Host: %b\r\n" % host)
    lines += [b"%b: %b\r\n" % field for field in fields_of(head) if key_of(field[0]) not in drop]
    return b"".join(lines)
