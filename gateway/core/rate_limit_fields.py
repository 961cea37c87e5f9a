"""The rate-limit fields of an answer: wacraft's ``X-RateLimit-*``, the IETF list form, and the cost."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from gateway.core.allowance import Allowance
from gateway.core.cascade import Charge, Costs, Refusal, Standing

Fields = list[tuple[bytes, bytes]]

SECOND_US = 1_000_000
COST = b"X-Weighbridge-Cost"
SHADOW = b"X-Weighbridge-Shadow"
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


def seconds_until(instant_us: int, now_us: int) -> int:
    """Whole seconds from now to then, rounded up, at least 1: nobody is told to come back too early."""
    return max(1, -((now_us - instant_us) // SECOND_US))


def wacraft_fields(allowance: Allowance, shown: Standing | None) -> Fields:
    """The six of wacraft; unlimited is ``0``, ``-1``, ``0``. ``Reset``: Unix seconds, rounded up; 0: never."""
    if shown is None:
        limit, left, reset = 0, -1, 0
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


def ietf_fields(allowance: Allowance, standings: Sequence[Standing], now_us: int) -> Fields:
    """``RateLimit-Policy`` and ``RateLimit`` (draft-ietf-httpapi-ratelimit-headers-10) for all limits of a scope."""
    if not standings:
        return []
    policies, limits = [], []
    for name, standing in policy_names(allowance, standings):
        reset = "" if standing.reset_us is None else f";t={max(0, -((now_us - standing.reset_us) // SECOND_US))}"
        policies.append(_policy(name, standing.limit.amount, standing.limit.key.window_us))
        limits.append(f'"{name}";r={standing.left}{reset}')
    return [(b"RateLimit-Policy", ", ".join(policies).encode()), (b"RateLimit", ", ".join(limits).encode())]


@lru_cache(maxsize=4_096)
def _policy(name: str, amount: int, window_us: int) -> str:
    """One member of ``RateLimit-Policy``; a pack has no window."""
    window = f";w={max(1, window_us // SECOND_US)}" if window_us else ""
    return f'"{name}";q={amount}{window}'


def policy_names(allowance: Allowance, standings: Sequence[Standing]) -> Iterator[tuple[str, Standing]]:
    """Each limit with a name that is unique in its answer: ``workspace.pro``, then ``workspace.pro.2``."""
    seen: dict[str, int] = {}
    for standing in standings:
        base = f"{shown_kind(allowance)}.{allowance.purses[standing.purse].plan}"
        seen[base] = seen.get(base, 0) + 1
        yield (base if seen[base] == 1 else f"{base}.{seen[base]}"), standing


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

    __slots__ = ("cost", "ietf", "wacraft")

    def __init__(self, *, wacraft: bool = True, ietf: bool = True, cost: bool = True) -> None:
        self.wacraft = wacraft
        self.ietf = ietf
        self.cost = cost

    def of_charge(self, charge: Charge, now_us: int) -> Fields:
        """The fields of an answer that was paid for."""
        fields = self._of_scope(charge.allowance, charge.shown, charge.standings, now_us)
        if self.cost:
            fields.append(cost_field(charge.costs))
        return fields

    def of_refusal(self, refusal: Refusal, now_us: int) -> Fields:
        """The fields of a 429: the scope that can pay first, and when to come back, if that helps."""
        fields: Fields = []
        if refusal.ready_us is not None:
            fields.append((b"Retry-After", b"%d" % seconds_until(refusal.ready_us, now_us)))
        if refusal.first is not None:
            first = refusal.first
            fields += self._of_scope(first.allowance, first.tightest, first.standings, now_us)
        if self.cost:
            fields.append(cost_field(refusal.costs))
        return fields

    def _of_scope(
        self, allowance: Allowance, shown: Standing | None, standings: Sequence[Standing], now_us: int
    ) -> Fields:
        fields = wacraft_fields(allowance, shown) if self.wacraft else []
        if self.ietf:
            fields += ietf_fields(allowance, standings, now_us)
        return fields
