"""The rate-limit fields of an answer: wacraft's ``X-RateLimit-*``, the IETF list form, and the cost."""

from collections.abc import Sequence
from functools import lru_cache

from gateway.core.allowance import Allowance
from gateway.core.bucket import Refill
from gateway.core.cascade import NOBODY, Charge, Costs, Refusal, Shortfall, Standing
from gateway.core.hop_by_hop import lines
from gateway.core.scope import Scope
from gateway.core.till import Till

Fields = list[tuple[bytes, bytes]]

SECOND_US = 1_000_000
_TEMPLATES = 65_536
COST = b"X-Weighbridge-Cost"
EXPOSED = (
    "Retry-After",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-RateLimit-Scope",
    "X-RateLimit-Scope-ID",
    "X-RateLimit-Fallback",
    "RateLimit",
    "RateLimit-Policy",
    "X-Weighbridge-Cost",
    "X-Request-ID",
)
"""What a browser's script must be able to read (CORS: ``Access-Control-Expose-Headers``)."""

TELL_OF_BUDGETS = frozenset(
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
"""The keys of all fields that say how a budget stands."""

_LARGEST = 999_999_999_999_999
"""Of the integers of RFC 9651, 3.3.1; a larger one would make a whole field unreadable."""


def seconds_until(instant_us: int, now_us: int) -> int:
    """Whole seconds from now to then, rounded up, at least 1: nobody is told to come back too early."""
    return max(1, -((now_us - instant_us) // SECOND_US))


def wacraft_fields(allowance: Allowance, shown: Standing | None, costs: Costs) -> Fields:
    """The six of wacraft; unlimited is ``0``, ``-1``, ``0``. ``Reset``: Unix seconds, rounded up; 0: never.

    Nothing to show is unlimited only where a plan says so; who has nothing at all has 0 left.
    """
    if shown is None:
        unlimited = bool(allowance.unlimited) and all(allowance.is_unlimited(meter) for meter in costs)
        limit, left, reset = 0, -1 if unlimited else 0, 0
    else:
        limit, left = shown.limit.amount, shown.left
        reset = 0 if shown.reset_us is None else -(-shown.reset_us // SECOND_US)
    fields = [
        (b"X-RateLimit-Limit", b"%d" % limit),
        (b"X-RateLimit-Remaining", b"%d" % left),
        (b"X-RateLimit-Reset", b"%d" % reset),
        *_scope_fields(shown_kind(allowance), allowance.scope.id),
    ]
    if allowance.fallback:
        fields.append((b"X-RateLimit-Fallback", b"true"))
    return fields


@lru_cache(maxsize=65_536)
def _scope_fields(kind: str, scope_id: str) -> Fields:
    """Who paid: the same for every answer to a scope."""
    return [(b"X-RateLimit-Scope", kind.encode()), (b"X-RateLimit-Scope-ID", scope_id.encode("utf-8", "replace"))]


def ietf_fields(
    allowance: Allowance, standings: Sequence[Standing], now_us: int, ready_us: int | None = None
) -> Fields:
    """``RateLimit-Policy`` and ``RateLimit`` (draft-ietf-httpapi-ratelimit-headers-11) for all limits of a scope.

    ``ready_us``: the instant of ``Retry-After``, if there is one. It should not lie before the end of a window (draft,
    6), and what comes back evenly has none: until then no more can be used than is left, which is all that ``t`` says.
    """
    if not standings:
        return []
    policies: list[bytes] = []
    limits: list[bytes] = []
    for name, standing in policy_names(allowance, standings):
        limit, reset_us = standing.limit, standing.reset_us
        if ready_us is not None and reset_us is not None and limit.key.refill is Refill.CONTINUOUS:
            reset_us = min(reset_us, ready_us)
        quoted, policy = _policy(name, limit.amount, limit.key.window_us)
        policies.append(policy)
        left = min(_LARGEST, standing.left)
        if reset_us is None:
            limits.append(b"%b;r=%d" % (quoted, left))
        else:
            wait = -((now_us - reset_us) // SECOND_US)
            limits.append(b"%b;r=%d;t=%d" % (quoted, left, max(0, wait)))
    return [(b"RateLimit-Policy", b", ".join(policies)), (b"RateLimit", b", ".join(limits))]


@lru_cache(maxsize=4_096)
def _policy(name: str, amount: int, window_us: int) -> tuple[bytes, bytes]:
    """The quoted name, and one member of ``RateLimit-Policy``; a pack has no window."""
    window = f";w={max(1, window_us // SECOND_US)}" if window_us else ""
    return f'"{name}"'.encode(), f'"{name}";q={min(amount, _LARGEST)}{window}'.encode()


def policy_names(allowance: Allowance, standings: Sequence[Standing]) -> list[tuple[str, Standing]]:
    """Each limit with a name that is unique in its answer: ``workspace.pro``, then ``workspace.pro.2``."""
    kind, seen, named = shown_kind(allowance), dict[str, int](), []
    for standing in standings:
        base = f"{kind}.{allowance.purses[standing.purse].plan}"
        count = seen[base] = seen.get(base, 0) + 1
        named.append((base if count == 1 else f"{base}.{count}", standing))
    return named


def shown_kind(allowance: Allowance) -> str:
    """The kind that headers name: a user's fallback budget is a scope of its own, shown as ``user``."""
    return "user" if allowance.fallback else allowance.scope.kind


def cost_field(costs: Costs) -> tuple[bytes, bytes]:
    """What this request cost, in units: ``5``; with several meters ``throughput=5, tokens=812``."""
    if len(costs) == 1:
        return COST, b"%d" % next(iter(costs.values()))
    return COST, ", ".join(f"{meter}={amount}" for meter, amount in costs.items()).encode()


class FieldFamilies:
    """Which families of rate-limit fields a deployment sends."""

    __slots__ = ("_templates", "cost", "ietf", "wacraft")

    def __init__(self, *, wacraft: bool = True, ietf: bool = True, cost: bool = True) -> None:
        self._templates: dict[Scope, tuple[Allowance, bytes]] = {}
        self.wacraft = wacraft
        self.ietf = ietf
        self.cost = cost

    def of_charge(self, charge: Charge, now_us: int) -> Fields:
        """The fields of an answer that was paid for."""
        fields = wacraft_fields(charge.allowance, charge.shown, charge.costs) if self.wacraft else []
        if self.ietf:
            fields += ietf_fields(charge.allowance, charge.standings, now_us)
        if self.cost:
            fields.append(cost_field(charge.costs))
        return fields

    def lines_of_charge(self, charge: Charge, now_us: int) -> bytes:
        """``of_charge`` as lines of a head, each with its CRLF; for most charges only the numbers are new."""
        shown = charge.shown
        if charge.allowance.sole is None or shown is None or shown.reset_us is None or len(charge.costs) != 1:
            return lines(self.of_charge(charge, now_us))
        (cost,) = charge.costs.values()
        return self.filled(self._template(charge.allowance, shown), shown.left, shown.reset_us, cost, now_us)

    def template_of(self, till: Till) -> bytes:
        """What ``filled`` fills in for charges to ``till``."""
        return self._template(till.allowance, Standing(till.limit, 0, 0, 0))

    def filled(self, template: bytes, left: int, reset_us: int, cost: int, now_us: int) -> bytes:
        """The lines of a charge that has left so much until then."""
        numbers: tuple[int, ...] = (left, -(-reset_us // SECOND_US)) if self.wacraft else ()
        if self.ietf:
            wait = -((now_us - reset_us) // SECOND_US)
            numbers += (min(_LARGEST, left), max(0, wait))
        return template % ((*numbers, cost) if self.cost else numbers)

    def _template(self, allowance: Allowance, shown: Standing) -> bytes:
        """The lines for charges to this allowance, with a place for each number."""
        known = self._templates.get(allowance.scope)
        if known is not None and known[0] is allowance:
            return known[1]
        limit, fields = shown.limit, list[tuple[bytes, bytes]]()
        if self.wacraft:
            fields += [(name, _literal(value)) for name, value in wacraft_fields(allowance, shown, {})]
            fields[1:3] = [(b"X-RateLimit-Remaining", b"%d"), (b"X-RateLimit-Reset", b"%d")]
        if self.ietf:
            ((name, _),) = policy_names(allowance, (shown,))
            quoted, policy = map(_literal, _policy(name, limit.amount, limit.key.window_us))
            fields += [(b"RateLimit-Policy", policy), (b"RateLimit", quoted + b";r=%d;t=%d")]
        if self.cost:
            fields.append((COST, b"%d"))
        template = lines(fields)
        if len(self._templates) >= _TEMPLATES:
            self._templates.clear()
        self._templates[allowance.scope] = (allowance, template)
        return template

    def of_refusal(self, refusal: Refusal, now_us: int) -> Fields:
        """The fields of a 429: the scope that can pay first, and when to come back, if that helps."""
        first = refusal.first or _NOBODY
        fields: Fields = []
        if refusal.ready_us is not None:
            fields.append((b"Retry-After", b"%d" % seconds_until(refusal.ready_us, now_us)))
        if self.wacraft:
            fields += wacraft_fields(first.allowance, first.tightest, refusal.costs)
        if self.ietf:
            fields += ietf_fields(first.allowance, first.standings, now_us, refusal.ready_us)
        if self.cost:
            fields.append(cost_field(refusal.costs))
        return fields


def _literal(value: bytes) -> bytes:
    """What stays as it is when a template is filled in: ids may hold a percent sign."""
    return value.replace(b"%", b"%%")


_NOBODY = Shortfall(NOBODY, (), None, None)
"""Stands in the headers of a 429 for the scopes that nobody has given anything."""
