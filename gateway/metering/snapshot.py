"""What metering needs, frozen: built whole from the configuration, swapped whole on reload.

A request takes the snapshot once and keeps it to its end. The caches in here belong to it and vanish with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from gateway.core.allowance import Allowance, Plan, Subscription, fallback_allowance, resolve
from gateway.core.answers import Dialect
from gateway.core.rate_limit_fields import FieldFamilies
from gateway.core.rules import Match, RuleTable
from gateway.core.scope import Scope
from gateway.core.target import Profile, Target, canonical_target, under_prefixes

StorePolicy = Literal["open", "closed"]
CACHED_ALLOWANCES = 100_000
REMEMBERED_LINES = 20_000
REMEMBERED_BYTES = 512


@dataclass(frozen=True, slots=True)
class Catalog:
    """Plans and who has them. ``defaults``: kind of scope to the plan of those who bought nothing, or ``None``."""

    plans: Mapping[str, Plan]
    defaults: Mapping[str, Plan | None]
    fallback: Plan | None = None
    subscriptions: Mapping[Scope, tuple[Subscription, ...]] = field(default_factory=dict)
    _resolved: dict[Scope, Allowance | None] = field(default_factory=dict, compare=False, repr=False)

    def allowance(self, scope: Scope, now_us: int) -> Allowance | None:
        """What ``scope`` may spend now; ``None``: it has nothing of its own."""
        cached = self._resolved.get(scope)
        if cached is not None and (cached.until_us is None or now_us < cached.until_us):
            return cached
        found = resolve(scope, self.subscriptions.get(scope, ()), self.defaults.get(scope.kind), now_us)
        if len(self._resolved) >= CACHED_ALLOWANCES:
            self._resolved.clear()
        self._resolved[scope] = found
        return found

    def fallback_of(self, user: Scope, now_us: int) -> Allowance | None:
        """The separate budget with which a user without budget can still look at plans and pay."""
        return None if self.fallback is None else fallback_allowance(user, self.fallback, now_us)


class Reading(NamedTuple):
    """What a request line means: its canonical target, its rule (none: the gateway's own), and the path for people."""

    target: Target
    match: Match | None
    path: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The running configuration, as far as requests see it."""

    loaded_us: int
    profile: Profile
    rules: RuleTable
    catalog: Catalog
    cascade: tuple[str, ...]
    on_store_failure: StorePolicy = "open"
    own_prefixes: tuple[str, ...] = ()
    honours: frozenset[bytes] = frozenset()
    workspace_param: str | None = None
    families: FieldFamilies = field(default_factory=FieldFamilies)
    dialect: Dialect = "wacraft"
    allow_origin: str | None = "*"
    buy_url: str | None = None
    strip_bytes: int = 4 * 1024 * 1024
    _read: dict[tuple[str, bytes], Reading] = field(default_factory=dict, compare=False, repr=False)

    def read(self, method: str, raw_target: bytes) -> Reading:
        """The meaning of a request line. Raises ``BadRequest``.

        Remembered where it has no query, which may hold a credential: most paths come again.
        """
        known = self._read.get((method, raw_target))
        if known is not None:
            return known
        target = canonical_target(method, raw_target, self.profile)
        own = under_prefixes(target, self.own_prefixes)
        reading = Reading(target, None if own else self.rules.match(method, target.segments), target.path)
        if len(raw_target) <= REMEMBERED_BYTES and b"?" not in raw_target:
            if len(self._read) >= REMEMBERED_LINES:
                self._read.clear()
            self._read[method, raw_target] = reading
        return reading
