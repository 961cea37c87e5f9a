"""What is left of each budget, limit by limit, as the next answer's headers will say it. Asking costs nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.core.allowance import Allowance
from gateway.core.bucket import Calendar, Refill
from gateway.core.cascade import Standing
from gateway.core.plan import EVERY_METER, THROUGHPUT
from gateway.core.scope import Scope
from gateway.ledger.port import Ledger
from gateway.metering.catalog import Catalog

SECOND_US = 1_000_000
_YEAR_S = 31_536_000


@dataclass(frozen=True, slots=True)
class Budget:
    """One limit of a scope; ``standing`` ``None``: the meter has none. ``ends_us``: of its first subscription."""

    scope: Scope
    fallback: bool
    meter: str
    plan: str
    standing: Standing | None = None
    ends_us: int | None = None

    @property
    def limit(self) -> int:
        """Units per window; 0: unlimited."""
        return 0 if self.standing is None else self.standing.limit.amount

    @property
    def capacity(self) -> int:
        """How much can be left at most: more than the limit where bursts are allowed."""
        return 0 if self.standing is None else self.standing.limit.burst

    @property
    def left(self) -> int:
        """Units that are left; -1: unlimited."""
        return -1 if self.standing is None else self.standing.left

    @property
    def used(self) -> int:
        """Units that are not there now."""
        return max(0, self.capacity - self.left) if self.standing is not None else 0

    @property
    def refill(self) -> Refill | None:
        """How it comes back; ``None``: it need not."""
        return None if self.standing is None else self.standing.limit.key.refill

    @property
    def calendar(self) -> Calendar | None:
        """Whose days or months its windows are; ``None``: they are as long as ``window_s`` says."""
        anchor = None if self.standing is None else self.standing.limit.key.anchor
        return anchor if isinstance(anchor, Calendar) else None

    @property
    def resets_us(self) -> int | None:
        """When it is full again; ``None``: never, or always."""
        return None if self.standing is None else self.standing.reset_us

    def window_s(self, now_us: int) -> int:
        """Seconds of a window, 0 where nothing is counted. Of what never refills: until it ends."""
        if self.standing is None:
            return 0
        if self.standing.limit.key.window_us:
            return max(1, self.standing.limit.key.window_us // SECOND_US)
        return _YEAR_S if self.ends_us is None else max(60, (self.ends_us - now_us) // SECOND_US)


async def budgets(catalog: Catalog, ledger: Ledger, scopes: Sequence[Scope], now_us: int) -> list[Budget]:
    """Every limit of these scopes, and a user's fallback budget once it counts. Who has nothing has no entry.

    Raises ``StoreUnavailable`` while what they have bought, or spent, is not known.
    """
    found: list[Budget] = []
    for scope in scopes:
        allowance = await catalog.find(scope, now_us)
        own = [] if allowance is None else await _of(allowance, ledger, now_us)
        found += own
        spare = catalog.fallback_of(scope, now_us) if scope.kind == "user" else None
        if spare is not None:
            fallback = await _of(spare, ledger, now_us)
            if _is_empty(own) or any(each.used for each in fallback):
                found += fallback
    return found


async def _of(allowance: Allowance, ledger: Ledger, now_us: int) -> list[Budget]:
    scope = Scope("user", allowance.scope.id) if allowance.fallback else allowance.scope
    plans = "+".join(allowance.names)
    found = [Budget(scope, allowance.fallback, meter, plans) for meter in _unlimited(allowance.unlimited)]
    for standing in await ledger.standings(allowance, now_us):
        purse = allowance.purses[standing.purse]
        meter = standing.limit.key.meter
        found.append(Budget(scope, allowance.fallback, meter, purse.plan, standing, purse.ends_us))
    return found


def _unlimited(meters: Iterable[str]) -> list[str]:
    """Meters without a limit, each once; of a plan that counts nothing the one that everything is counted on."""
    named = set(meters)
    return [THROUGHPUT] if EVERY_METER in named else sorted(named)


def _is_empty(own: Iterable[Budget]) -> bool:
    """Whether not one unit can be paid: no purse has anything left on any of its limits."""
    purses: dict[int, bool] = {}
    for budget in own:
        if budget.standing is None:
            return False
        purse = budget.standing.purse
        purses[purse] = purses.get(purse, True) and budget.left > 0
    return not any(purses.values())
