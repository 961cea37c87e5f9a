"""The fast lane: the story of a plain request as one plain call, up to the upstream. What follows is in ``ride``.

It is the reference path's story (``handler``) where nothing has to be waited for and nothing is odd. At every step, if
in doubt, the reference path takes over: before the debit it reads the same bytes as if nothing had been, after it it
goes on from there.
"""

from gateway.clock import new_id, now_us
from gateway.core.hop_by_hop import KEYS, RawHeaders, key_of
from gateway.core.principal import Principal
from gateway.core.problems import Problem
from gateway.identity.config import Identified
from gateway.metering.meter import Meter
from gateway.metering.visit import Visit
from gateway.proxy.chronicle import Chronicle
from gateway.proxy.downstream import GatewayProtocol, Handler
from gateway.proxy.errand import Errand
from gateway.proxy.errands import Errands
from gateway.proxy.plain_request import Framing
from gateway.proxy.request_head import Route, told
from gateway.proxy.ride import Crew, Ride
from gateway.proxy.running import Live, Running
from gateway.tasks import Tasks

_PATIENCE_S = 5.0


class Lane:
    """Takes plain requests. ``go_on``: the reference path, for a request that the lane has begun."""

    def __init__(self, live: Live, meter: Meter, chronicle: Chronicle, go_on: Handler) -> None:
        self._live = live
        self._tasks = Tasks()
        self._crew = Crew(meter, chronicle, go_on, self._tasks)
        self._errands = Errands(live.running)

    def take(self, client: GatewayProtocol, data: bytes) -> bool:
        """Whether the lane has the request that ``data`` is; if not, nothing has happened."""
        running, errands = self._live.running, self._errands
        if errands.running is not running:
            errands = self._errands = Errands(running)
        head_end = client.plain.read(data)
        if not head_end or (errand := errands.find(data[: data.index(b"\r\n")], client.plain)) is None:
            return False
        body = data[head_end + 2 :]
        framing = client.plain.framing(errands.book, len(body))
        at_us = now_us()
        if framing is None or (identified := _identify(running, errand, framing, client.peer, at_us)) is None:
            return False
        principal, id_ = _admit(running, errand, identified, at_us), new_id()
        wire = _head(client, running.route, errand, framing, identified, head=data[:head_end], id_=id_)
        if principal is None or not wire:
            return False
        visit, cross_origin = Visit(id_, errand.rule, principal, running.snapshot, at_us), framing.cross_origin
        ride = Ride(self._crew, client, running, errand, identified, visit, wire, body, cross_origin)
        try:
            if not self._crew.meter.charge_now(visit):
                return ride.wait()
            ride.start()
        except Exception as error:  # noqa: BLE001  (it may have been debited: the client and the books hear of it)
            ride.fail(error)
        return True

    async def close(self) -> None:
        """Finish what was handed over, and write down what has ended."""
        await self._tasks.finish(_PATIENCE_S)
        self._crew.chronicle.catch_up()


def _identify(running: Running, errand: Errand, framing: Framing, peer: str, at_us: int) -> Identified | None:
    """Who asks; ``None``: the reference path finds out, says why not, or changes the target."""
    public, path_workspace = errand.rule.public, errand.path_workspace
    who = (framing.special, errand.target.query, peer, at_us)
    try:
        identified = running.authenticator.identify_now(*who, public=public, path_workspace=path_workspace)
    except Problem:
        return None
    return None if identified is None or identified.strip_query else identified


def _admit(running: Running, errand: Errand, identified: Identified, at_us: int) -> Principal | None:
    """The principal inside its workspace, where a workspace may have to pay; ``None``: that has to be asked."""
    workspace = identified.asked
    if workspace is None or not errand.asks_workspace or not identified.principal.verified:
        return identified.principal
    return identified.within() if running.membership.known(identified, workspace, at_us) is True else None


def _head(  # noqa: PLR0913  (each is a part of the head)
    client: GatewayProtocol,
    route: Route,
    errand: Errand,
    framing: Framing,
    identified: Identified,
    *,
    head: bytes,
    id_: str,
) -> bytes:
    """The head for the upstream, as it came where nothing is dropped; empty: it has to be cut to be read there."""
    forwarding, fields, drop = route.forwarding, client.plain.fields, route.dropped(identified.strip)
    cut = framing.named_connection or forwarding.host is not None
    for name, _ in framing.special:
        cut = cut or (KEYS.get(name) or key_of(name)) in drop
    if cut:
        head = _without(fields, errand, drop, forwarding.host)
    said = told(client, fields, framing.host, 1, forwarding)
    ours = b"X-Request-ID: %b\r\n%b%b%b\r\n" % (id_.encode(), said, route.own, identified.said)
    wire = head + ours
    return b"" if route.head_bytes is not None and len(wire) > route.head_bytes else wire


def _without(fields: RawHeaders, errand: Errand, drop: frozenset[bytes], host: bytes | None) -> bytes:
    """The head less the fields that do not go on. ``host``: what takes the place of the client's; ``None``: it goes."""
    lines = [b"%b %b HTTP/1.1\r\n" % (errand.method.encode(), errand.target.raw)]
    if host is not None:
        drop = drop | {b"host"}
        lines.append(b"Host: %b\r\n" % host)
    lines += [b"%b: %b\r\n" % field for field in fields if key_of(field[0]) not in drop]
    return b"".join(lines)
