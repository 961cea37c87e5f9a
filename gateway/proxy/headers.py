"""Fields that mean something to the meter: those that tell of budgets."""

from gateway.core.rate_limit_fields import EXPOSED, TELL_OF_BUDGETS
from gateway.proxy.chronicle import Trip
from gateway.proxy.failures import UpstreamFailed
from gateway.proxy.outgoing import EXTENSIONS
from gateway.proxy.relay import Edit, OnHead
from gateway.proxy.response_parser import ResponseHead
from gateway.proxy.stripping import looked_through

SWITCHING_PROTOCOLS = 101
_NOTHING: frozenset[bytes] = frozenset()
_NO_NAMES: frozenset[str] = frozenset()
EXPOSE = b"Access-Control-Expose-Headers: %b\r\n" % ", ".join(EXPOSED).encode()


def _refuse_unasked(trip: Trip) -> None:
    """The client would use an extension that we did not offer for it. Raises ``UpstreamFailed``."""
    if trip.visit is not None and trip.visit.rule.frame_match is not None:
        raise UpstreamFailed("The upstream agreed to a WebSocket extension that it was not offered.", request_sent=True)


def answer_head(trip: Trip) -> OnHead:
    """What is done to the upstream's answer: our rate-limit fields replace its own where we charged.

    What the rule takes out of JSON is not in its body.
    """

    def edit(head: ResponseHead) -> Edit:
        if head.status == SWITCHING_PROTOCOLS and not EXTENSIONS.isdisjoint(head.keys):
            _refuse_unasked(trip)
        drop, add = _NOTHING, b""
        charge = None if trip.visit is None else trip.visit.told(head.status)
        if charge is not None:
            drop, add = TELL_OF_BUDGETS, trip.running.snapshot.families.lines_of_charge(charge, trip.at_us)
        if b"x-request-id" not in head.keys:
            add += b"X-Request-ID: %b\r\n" % trip.id.encode()
        if b"access-control-allow-origin" in head.keys and trip.exposes:
            add += EXPOSE
        names = _NO_NAMES if trip.visit is None else trip.visit.rule.strip_json
        edit = Edit(drop, add)
        return looked_through(head, edit, names, trip.running.snapshot.strip_bytes) if names else edit

    return edit
