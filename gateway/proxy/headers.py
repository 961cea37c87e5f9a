"""Fields that mean something to the meter: those that tell of budgets."""

from gateway.core.hop_by_hop import RawHeaders
from gateway.core.rate_limit_fields import EXPOSED
from gateway.proxy.chronicle import Trip
from gateway.proxy.relay import Edit, OnHead
from gateway.proxy.response_parser import ResponseHead
from gateway.proxy.stripping import looked_through

_OURS = frozenset(
    {
        b"ratelimit",
        b"ratelimit-policy",
        b"x-ratelimit-limit",
        b"x-ratelimit-remaining",
        b"x-ratelimit-reset",
        b"x-ratelimit-scope",
        b"x-ratelimit-scope-id",
        b"x-ratelimit-fallback",
        b"x-weighbridge-cost",
    }
)
_NOTHING: frozenset[bytes] = frozenset()
_NO_NAMES: frozenset[str] = frozenset()
_EXPOSE = (b"Access-Control-Expose-Headers", ", ".join(EXPOSED).encode())


def answer_head(trip: Trip) -> OnHead:
    """What is done to the upstream's answer: our rate-limit fields replace its own where we charged.

    What the rule takes out of JSON is not in its body.
    """

    def edit(head: ResponseHead) -> Edit:
        fields: RawHeaders = []
        charge = None if trip.visit is None else trip.visit.told(head.status)
        if charge is not None:
            fields = trip.running.snapshot.families.of_charge(charge, trip.at_us)
        if b"x-request-id" not in head.keys:
            fields.append((b"X-Request-ID", trip.id.encode()))
        if trip.exposes and b"access-control-allow-origin" in head.keys:
            fields.append(_EXPOSE)
        edit = Edit(_NOTHING if charge is None else _OURS, fields)
        names = _NO_NAMES if trip.visit is None else trip.visit.rule.strip_json
        return looked_through(head, edit, names, trip.running.snapshot.strip_bytes) if names else edit

    return edit
