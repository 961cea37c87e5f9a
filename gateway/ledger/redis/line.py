"""The line to Redis: acts go out, and what became of each is known before anybody goes on.

An answer that does not come is asked for once more, by the act's id. If that fails too, Redis is away: from then on
nobody waits for it, until it answers again.
"""

import contextlib
from collections.abc import Mapping
from typing import Any

from redis.exceptions import RedisError

from gateway.core.problems import StoreUnavailable
from gateway.core.scope import Scope
from gateway.ledger.redis.batch import STALE, Batches, Reply
from gateway.ledger.redis.names import Names
from gateway.ledger.redis.presence import Presence
from gateway.ledger.redis.servers import Refused, Unheard

Act = dict[str, Any]
_ELSEWHERE = frozenset(
    {"READONLY", "CLUSTERDOWN", "MASTERDOWN", "MovedError", "AskError", "TryAgainError", "SlotNotCoveredError"}
)
"""Reasons that mean: another server does it by now."""
_OF_ONE_NODE = frozenset({"OOM", "MISCONF", "NOREPLICAS"})
"""Reasons for which a node takes no writes, though it is there."""
_SHORT = ((b"Retry-After", b"1"),)


class Stale(StoreUnavailable):
    """The act was not done: Redis does not believe its instant."""


class Unknown(StoreUnavailable):
    """The act may have been done, or may yet be."""


def away() -> StoreUnavailable:
    """What a caller hears while Redis is away."""
    return StoreUnavailable("Budgets cannot be checked at the moment. Try again shortly.", headers=_SHORT)


class Line:
    """Sends acts, one by one or many together."""

    def __init__(self, batches: Batches, names: Names, presence: Presence) -> None:
        self._batches = batches
        self._names = names
        self._presence = presence

    async def act(self, scope: Scope, act: Act) -> Reply:
        """Do ``act``. Raises ``StoreUnavailable`` if it was not done, ``Stale`` or ``Unknown`` if that is why."""
        if not self._presence.here:
            raise away()
        marker, key = self._names.marker(scope), self._names.scope(scope)
        outcome = await self._batches.send(marker, key, act)
        if isinstance(outcome, list):
            return outcome
        unsure = isinstance(outcome, Unheard)
        if unsure or outcome.reason in _ELSEWHERE:
            await self._presence.renew()
            outcome = await self._batches.send(marker, key, {**act, "again": True} if unsure else act)
            if isinstance(outcome, list):
                return outcome
            unsure = unsure or isinstance(outcome, Unheard)
        stale = outcome.reason == STALE
        if not stale:
            self._presence.failed(outcome.reason, serious=not self._is_of_one_act(outcome))
        if unsure and "id" in act:
            raise Unknown("Budgets cannot be checked at the moment. Try again shortly.", headers=_SHORT)
        raise Stale("Budgets cannot be checked at the moment. Try again shortly.", headers=_SHORT) if stale else away()

    async def forget_kept(self, kept: Mapping[str, Scope]) -> None:
        """Let Redis forget acts that it was told to keep, by their charge's id. If that fails, time does it."""
        names = [(self._names.kept(scope), f"late:{id_}") for id_, scope in kept.items()]
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            await self._batches.servers.ask_all([("HDEL", key, id_) for key, id_ in names])

    def _is_of_one_act(self, outcome: Refused | Unheard) -> bool:
        """Whether others may well go on: a node of a cluster speaks for its own scopes only."""
        if not isinstance(outcome, Refused):
            return False
        return outcome.reason.startswith("a script failed") or (self._names.sharded and outcome.reason in _OF_ONE_NODE)
