"""How far a shared ledger can be off, in units: what may be refused too early, what may be admitted too much.

Zero stands only where it is proved by the tests. ``amount`` is a budget per window, ``cost`` what a request costs.
"""

from collections.abc import Sequence
from typing import NamedTuple

HORIZON_S = 25
FLUSH_MS = 100
"""How long a journal gathers records: a gateway that is killed loses these, and those of the write under way."""
GUARD_MS = 50
"""A slice ends so long before its window, for clocks that disagree."""
NEAR_S = 30
"""States of a budget that are so near to one another may have changed their order: ``lua/merge.lua``."""
SHARE, MOST_HELD = 16, 2_048
"""Of a leased budget one gateway holds at most a ``SHARE``th of what is left, and ``MOST_HELD`` units."""


class Bound(NamedTuple):
    """What happens, and by how many units at most a budget is then off in either direction, as formulas."""

    event: str
    refused_early: str
    admitted_too_much: str


_REBUILT_EARLY = f"what was given back within {NEAR_S} s of a budget's last charge, or since"
_REBUILT_TOO_MUCH = f"what was charged in the last {FLUSH_MS} ms of gateways that were killed"
_ANY = (
    Bound("Redis and all gateways work", "0", "0"),
    Bound(
        "an answer of Redis is lost, or comes late",
        "cost, for each such request, until a second after Redis is back",
        "0",
    ),
    Bound(
        f"Redis is away for more than {HORIZON_S} s while an answer is lost",
        "cost, for each such request",
        "cost, for each such request",
    ),
    Bound("a gateway is killed", "cost, for each request it had in hand, or refund that waited for Redis", "0"),
    Bound("a gateway stops in order while Redis is away", "cost, for each refund that waited for Redis", "0"),
    Bound(
        f"a gateway is killed: its journal lacks what it charged in its last {FLUSH_MS} ms, and while it last wrote",
        "0",
        "0",
    ),
    Bound(
        f"a gateway is killed within {FLUSH_MS} ms of letting requests through without Redis",
        "0",
        "cost, for each that its journal had not written yet",
    ),
    Bound("Redis restarts with appendfsync always, and is no cluster", "0", "0"),
    Bound("Redis restarts otherwise, and every gateway brings its journal", _REBUILT_EARLY, _REBUILT_TOO_MUCH),
    Bound(
        "Redis restarts with appendfsync everysec, and a gateway never comes back",
        _REBUILT_EARLY,
        "what only that gateway charged in the last second of Redis",
    ),
    Bound(
        "Redis restarts from a snapshot (RDB) without AOF, and a gateway never comes back",
        _REBUILT_EARLY,
        "what only that gateway charged since that snapshot",
    ),
    Bound("Redis fails over to a replica", "0", "what was charged within the replication lag"),
    Bound(
        "Redis fails over because a partition cut its primary off",
        "0",
        "what was charged there meanwhile: for a few seconds by gateways that reach a Sentinel;"
        " by others with min-replicas-to-write 1 for min-replicas-max-lag, else until it ended",
    ),
    Bound(
        "Redis comes back empty, and every gateway brings its journal",
        _REBUILT_EARLY,
        _REBUILT_TOO_MUCH,
    ),
    Bound(
        "Redis comes back empty, and a gateway never comes back",
        "0",
        "what only that gateway charged since anybody else charged the scope",
    ),
)
_OPEN = Bound(
    "Redis is away, on_store_failure open",
    "0",
    "all requests meanwhile, less what is left and ledger.late_debt, which is debited afterwards",
)
_CLOSED = Bound("Redis is away, on_store_failure closed", "amount (503, not 429)", "0")
_LEASE = Bound("Redis is away, on_store_failure lease", "amount less what is held (503, not 429)", "0")
_LEASED = (
    Bound("a refund or a change elsewhere, leased", "cost, for a second at most", "0"),
    Bound(f"the last {GUARD_MS} ms of a window, leased", "what other gateways hold of it, the same each", "0"),
    Bound(
        "a gateway dies or does not answer within 0.1 s, or Redis restarts or comes back empty,"
        f" or is away for more than {HORIZON_S} s while an answer is lost, leased",
        f"min({MOST_HELD}, amount / {SHARE}), for each such gateway, until the window ends",
        "0",
    ),
)


def largest_held(amount: int) -> int:
    """The most units of a budget that one gateway can hold: what its owner loses if it dies."""
    return min(MOST_HELD, amount // SHARE)


def bounds(*, leased: bool, policies: Sequence[str]) -> list[Bound]:
    """What holds for a ledger of one mode, with these ``on_store_failure``."""
    away = {"open": _OPEN, "closed": _CLOSED, "lease": _LEASE}
    return [*_ANY, *(away[policy] for policy in dict.fromkeys(policies)), *(_LEASED if leased else ())]


def sentence(bound: Bound) -> str:
    """A bound on one line."""
    return f"{bound.event}: refused too early {bound.refused_early}; admitted too much {bound.admitted_too_much}"


def exact_sentence(plan: str) -> str:
    """That a plan's budgets are not leased."""
    return f"plan '{plan}': exact in mode leased too, because only one limit with windows is cut into slices"


def held_sentence(plan: str, amount: int) -> str:
    """What a plan's owner can lose to one gateway that dies."""
    return (
        f"plan '{plan}': a gateway that dies takes at most {largest_held(amount)} of {amount} units with it "
        f"(min({MOST_HELD}, {amount} / {SHARE})) until the window ends"
    )
