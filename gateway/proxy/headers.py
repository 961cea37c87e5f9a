"""Which fields go on: of the request to the upstream, and of its answer to the client."""

from collections.abc import Callable

from gateway.core.cascade import Charge
from gateway.core.hop_by_hop import RawHeaders
from gateway.core.problems import BadRequest
from gateway.core.rate_limit_fields import EXPOSED
from gateway.identity.config import Identified
from gateway.proxy.chronicle import Trip
from gateway.proxy.request import Request

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
_EXPOSE = (b"Access-Control-Expose-Headers", ", ".join(EXPOSED).encode())


def request_fields(request: Request, identified: Identified, honours: frozenset[bytes], request_id: str) -> RawHeaders:
    """The fields to forward: as they came, less carriers that must not go on and overrides that nobody weighed."""
    strip = identified.strip | (OVERRIDES - honours)
    kept = [field for field in request.headers if canonical(field[0]) not in strip]
    if not any(canonical(name) == b"x-request-id" for name, _ in kept):
        kept.append((b"X-Request-ID", request_id.encode()))
    return kept


def canonical(name: bytes) -> bytes:
    """A field name as upstreams may compare it: lower case, ``_`` as ``-``."""
    return name.lower().replace(b"_", b"-")


def overridden(request: Request, honours: frozenset[bytes]) -> tuple[str, bytes]:
    """Method and raw target as an upstream that honours override fields understands them. Raises ``BadRequest``."""
    method, raw = request.method, request.raw_target
    seen: set[bytes] = set()
    for name, value in request.headers:
        key = canonical(name)
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


def answer_head(trip: Trip, charge: Charge | None) -> Callable[[int, RawHeaders], RawHeaders]:
    """What is done to the head of the upstream's answer: our rate-limit fields replace its own where we charged."""

    def edit(_status: int, fields: RawHeaders) -> RawHeaders:
        if charge is not None:
            fields = [field for field in fields if field[0].lower() not in _OURS]
            fields += trip.running.snapshot.families.of_charge(charge, trip.at_us)
        names = {name.lower() for name, _ in fields}
        if b"x-request-id" not in names:
            fields.append((b"X-Request-ID", trip.id.encode()))
        if trip.cross_origin and b"access-control-allow-origin" in names:
            fields.append(_EXPOSE)
        return fields

    return edit
