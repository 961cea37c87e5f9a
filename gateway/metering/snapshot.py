"""What metering needs, frozen: built whole from the configuration, swapped whole on reload.

A request takes the snapshot once and keeps it to its end. The caches in here belong to it and vanish with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from gateway.core.allowance import Allowance, Plan, Subscription, fallback_allowance, resolve
from gateway.core.answers import Dialect
from gateway.core.principal import Principal
from gateway.core.rate_limit_fields import FieldFamilies
from gateway.core.rules import Match, RuleTable
from gateway.core.scope import Scope
from gateway.core.target import Profile, Target, canonical_target, under_prefixes

StorePolicy = Literal["open", "closed"]
_FOREVER = 1 << 62
CACHED_ALLOWANCES = 100_000
REMEMBERED_LINES = 20_000
REMEMBERED_BYTES = 512


class _Asked(NamedTuple):
    principal: Principal
    allowances: tuple[Allowance, ...]
    until_us: int


@dataclass(frozen=True, slots=True)
class Catalog:
    """Plans and who has them. ``defaults``: kind of scope to the plan of those who bought nothing, or ``None``."""

    plans: Mapping[str, Plan]
    defaults: Mapping[str, Plan | None]
    fallback: Plan | None = None
    subscriptions: Mapping[Scope, tuple[Subscription, ...]] = field(default_factory=dict)
    _resolved: dict[Scope, Allowance | None] = field(default_factory=dict, compare=False, repr=False)
    _asked: dict[tuple[int, tuple[str, ...], bool], _Asked] = field(default_factory=dict, compare=False, repr=False)

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

    def asked(
        self, principal: Principal, kinds: tuple[str, ...], now_us: int, *, fallback: bool
    ) -> tuple[Allowance, ...]:
        """What a principal's scopes of these kinds may spend, in this order, and last its ``fallback`` budget.

        Remembered by the principal's identity: the same object comes with every request of a known caller.
        """
        key = (id(principal), kinds, fallback)
        known = self._asked.get(key)
        if known is not None and known.principal is principal and now_us < known.until_us:
            return known.allowances
        found = self._all_of(principal, kinds, now_us, fallback=fallback)
        until_us = min((each.until_us for each in found if each.until_us is not None), default=_FOREVER)
        if len(self._asked) >= CACHED_ALLOWANCES:
            self._asked.clear()
        self._asked[key] = _Asked(principal, found, until_us)
        return found

    def _all_of(
        self, principal: Principal, kinds: tuple[str, ...], now_us: int, *, fallback: bool
    ) -> tuple[Allowance, ...]:
        scopes = [scope for kind in kinds if (scope := principal.scope(kind)) is not None]
        found = [self.allowance(scope, now_us) for scope in scopes]
        if fallback and (user := principal.scope("user")) is not None:
            found.append(self.fallback_of(user, now_us))
        return tuple(each for each in found if each is not None)

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
    workspace_map: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    families: FieldFamilies = field(default_factory=FieldFamilies)
    dialect: Dialect = "wacraft"
    allow_origin: str | None = "*"
    buy_url: str | None = None
    strip_bytes: int = 4 * 1024 * 1024
    _read: dict[tuple[str, bytes], Reading] = field(default_factory=dict, compare=False, repr=False)

    def workspace_in(self, params: Mapping[str, str]) -> str | None:
        """The workspace that a path names, as it says it, or through ``workspace_map``; not more than claimed."""
        if self.workspace_param is not None and (named := params.get(self.workspace_param)) is not None:
            return named
        for param, values in self.workspace_map.items():
            if (value := params.get(param)) is not None:
                return values.get(value)
        return None

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
