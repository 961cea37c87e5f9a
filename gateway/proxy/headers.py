"""Fields that mean something to the meter: those that override a request, and those that tell of budgets."""

from gateway.core.hop_by_hop import RawHeaders
from gateway.core.problems import BadRequest
from gateway.core.rate_limit_fields import EXPOSED
from gateway.proxy.chronicle import Trip
from gateway.proxy.relay import Edit, OnHead
from gateway.proxy.request import Request
from gateway.proxy.response_parser import ResponseHead
from gateway.proxy.stripping import looked_through

OVERRIDES = frozenset({b"x-http-method-override", b"x-method-override", b"x-original-url", b"x-rewrite-url"})
"""Fields that turn a request into another one at some upstreams: removed, unless the upstream honours them."""

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


def overridden(request: Request, honours: frozenset[bytes]) -> tuple[str, bytes]:
    """Method and raw target as an upstream that honours override fields understands them. Raises ``BadRequest``."""
    method, raw = request.method, request.raw_target
    seen: set[bytes] = set()
    for (_, value), key in zip(request.headers, request.keys, strict=True):
        if key not in honours:
            continue
        if key in seen:
            raise BadRequest(f"The header {key.decode()} is there more than once. Send it once.")
        seen.add(key)
        if b"method" in key:
            method = value.decode("latin-1").upper()
        else:
            raw = value
    return method, raw


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
