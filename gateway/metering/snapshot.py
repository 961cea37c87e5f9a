"""What metering needs, frozen: built whole from the configuration, swapped whole on reload.

A request takes the snapshot once and keeps it to its end. The caches in here belong to it and vanish with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from gateway.core.allowance import Allowance
from gateway.core.answers import Dialect
from gateway.core.cascade import Costs
from gateway.core.rate_limit_fields import FieldFamilies
from gateway.core.rules import Match, RuleTable
from gateway.core.target import Profile, Target, canonical_target, under_prefixes
from gateway.core.till import Till, till_of
from gateway.metering.catalog import CACHED_ALLOWANCES, Catalog
from gateway.metering.till_text import TillText, text_of

StorePolicy = Literal["open", "closed", "lease"]
REMEMBERED_LINES = 20_000
REMEMBERED_BYTES = 512


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
    _tills: dict[int, tuple[Till, TillText]] = field(default_factory=dict, compare=False, repr=False)

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

    def till(self, allowance: Allowance, costs: Costs) -> tuple[Till, TillText] | None:
        """Where an allowance pays such costs from, and what is said of it; ``None``: there is more to it.

        One for all who may spend it: many callers share a workspace. Remembered by the allowance's identity.
        """
        known = self._tills.get(id(allowance))
        if known is None or known[0].allowance is not allowance:
            till = till_of(allowance, costs)
            if till is None:
                return None
            known = till, text_of(till, self.families)
            if not allowance.fallback:  # made anew for each who asks
                if len(self._tills) >= CACHED_ALLOWANCES:
                    self._tills.clear()
                self._tills[id(allowance)] = known
        return known if [*costs] == [known[0].meter] else None
