"""Plans and who has them, as one snapshot sees them: what a scope may spend now, resolved once and remembered."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple, Protocol

from gateway.core.allowance import Allowance, Plan, Subscription, fallback_allowance, resolve
from gateway.core.principal import Principal
from gateway.core.scope import Scope

_FOREVER = 1 << 62
CACHED_ALLOWANCES = 100_000
_NOT_YET = Allowance(Scope("", ""), ())


class Unresolved(Exception):  # noqa: N818  (not an error: the answer has to be fetched first)
    """What ``scope`` has bought is not in memory. ``Catalog.load`` brings it; then ask again."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(str(scope))
        self.scope = scope


class Holdings(Protocol):
    """What scopes have bought, kept elsewhere. ``plans``: those of the configuration, by slug."""

    def known(self, scope: Scope, plans: Mapping[str, Plan]) -> tuple[Subscription, ...] | None:
        """The subscriptions of a scope that are in memory; ``None``: they have to be loaded."""
        ...

    async def load(self, scope: Scope, plans: Mapping[str, Plan]) -> None:
        """Bring them into memory. Raises ``StoreUnavailable``."""
        ...


class _Asked(NamedTuple):
    principal: Principal
    allowances: tuple[Allowance, ...]
    until_us: int


@dataclass(frozen=True, slots=True)
class Catalog:
    """Plans and who has them. ``defaults``: kind of scope to the plan of those who bought nothing, or ``None``.

    ``subscriptions``: those of the configuration; ``holdings``: all others.
    """

    plans: Mapping[str, Plan]
    defaults: Mapping[str, Plan | None]
    fallback: Plan | None = None
    subscriptions: Mapping[Scope, tuple[Subscription, ...]] = field(default_factory=dict)
    holdings: Holdings | None = None
    changes: list[int] = field(default_factory=lambda: [0], compare=False, repr=False)
    """One number, another one whenever what somebody has may have changed: for who keeps what was ``asked``."""
    _resolved: dict[Scope, Allowance | None] = field(default_factory=dict, compare=False, repr=False)
    _asked: dict[tuple[int, tuple[str, ...], bool], _Asked] = field(default_factory=dict, compare=False, repr=False)

    def allowance(self, scope: Scope, now_us: int) -> Allowance | None:
        """What ``scope`` may spend now; ``None``: it has nothing of its own. Raises ``Unresolved``."""
        cached = self._resolved.get(scope, _NOT_YET)
        if cached is None:
            return None
        if cached is not _NOT_YET and (cached.until_us is None or now_us < cached.until_us):
            return cached
        bought = self.subscriptions.get(scope, ())
        if self.holdings is not None:
            held = self.holdings.known(scope, self.plans)
            if held is None:
                raise Unresolved(scope)
            bought += held
        found = resolve(scope, bought, self.defaults.get(scope.kind), now_us)
        _make_room(self._resolved)
        self._resolved[scope] = found
        return found

    async def load(self, scope: Scope) -> None:
        """Fetch what ``allowance`` could not resolve. Raises ``StoreUnavailable``."""
        if self.holdings is not None:
            await self.holdings.load(scope, self.plans)

    async def find(self, scope: Scope, now_us: int) -> Allowance | None:
        """``allowance``, fetched where it has to be. Raises ``StoreUnavailable``."""
        while True:
            try:
                return self.allowance(scope, now_us)
            except Unresolved:
                await self.load(scope)

    def forget(self, scopes: Iterable[Scope] | None) -> None:
        """Resolve these scopes anew, because what they have has changed; ``None``: all."""
        self.changes[0] += 1
        if scopes is None:
            self._resolved.clear()
        for scope in scopes or ():
            self._resolved.pop(scope, None)
        self._asked.clear()  # by callers, each of whom may act for several scopes; asking again is cheap

    def asked(
        self, principal: Principal, kinds: tuple[str, ...], now_us: int, *, fallback: bool
    ) -> tuple[Allowance, ...]:
        """What a principal's scopes of these kinds may spend, in this order, and last its ``fallback`` budget.

        Remembered by the principal's identity: the same object comes with every request of a known caller.
        Raises ``Unresolved``.
        """
        return self.asked_until(principal, kinds, now_us, fallback=fallback)[0]

    def asked_until(
        self, principal: Principal, kinds: tuple[str, ...], now_us: int, *, fallback: bool
    ) -> tuple[tuple[Allowance, ...], int]:
        """``asked``, and until when that holds if nothing changes."""
        key = (id(principal), kinds, fallback)
        known = self._asked.get(key)
        if known is not None and known.principal is principal and now_us < known.until_us:
            return known.allowances, known.until_us
        found = self._all_of(principal, kinds, now_us, fallback=fallback)
        until_us = min((each.until_us for each in found if each.until_us is not None), default=_FOREVER)
        _make_room(self._asked)
        self._asked[key] = _Asked(principal, found, until_us)
        return found, until_us

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


def _make_room(cache: dict[Any, Any]) -> None:
    """Let go of the oldest tenth of a full cache, so that not all of it has to be found again at once."""
    if len(cache) >= CACHED_ALLOWANCES:
        for key in list(islice(cache, CACHED_ALLOWANCES // 10)):
            del cache[key]
