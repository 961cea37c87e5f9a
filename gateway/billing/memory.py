"""What a provider remembers beyond a restart, in our store."""

from collections.abc import Callable

from gateway.store import attempts
from gateway.store.mandate import Actor, Mandate
from gateway.store.store import Store


class StoreMemory:
    """See ``payments.port.Memory``."""

    def __init__(self, store: Store, provider: str, now_us: Callable[[], int]) -> None:
        self._store, self._provider, self._now_us = store, provider, now_us

    async def attempt(self, act: str) -> int:
        """See the port."""
        return await attempts.count(self._store, self._provider, act)

    async def use_up(self, act: str, attempt: int) -> None:
        """See the port."""
        by = Mandate(Actor("provider", self._provider), self._now_us())
        await attempts.use_up(self._store, self._provider, act, attempt, by)
