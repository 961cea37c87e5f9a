"""What a provider remembers beyond a restart, in our store."""

from collections.abc import Callable

from gateway.payments.port import Account, Strange
from gateway.store import attempts, orders, syncs
from gateway.store.mandate import Actor, Mandate
from gateway.store.store import Store


class StoreMemory:
    """See ``payments.port.Memory``."""

    def __init__(self, store: Store, provider: str, now_us: Callable[[], int]) -> None:
        self._store, self._provider, self._now_us = store, provider, now_us

    async def admit(self, account: Account) -> None:
        """See the port. One whose name was not known before is taken for the one it turns out to be."""
        kept = (await syncs.get(self._store, self._provider)).account
        before = None if kept is None else Account.named(kept)
        if before is not None and not before.may_be(account):
            if not await orders.any_of(self._store, self._provider):
                await self._move(before, account)
                return
            raise Strange(
                f"The key is of {account}, and what is kept here was sold through {before}. Nothing was asked or "
                "changed there. Put the key of that account back; or, to sell through this one from now on, run "
                "`weighbridge sync --move-account`: what was sold stays as it is, and is not kept in step any more."
            )
        if before is None or (before.id is None and account.id is not None):
            async with self._store.write(self._by()) as act:
                await syncs.bind(act, self._provider, account.name, kept)

    async def _move(self, before: Account, account: Account) -> None:
        """Nothing was sold yet: then there is nothing to lose."""
        async with self._store.write(self._by()) as act:
            await syncs.move(act, self._provider, before.name, account.name)

    async def attempt(self, act: str) -> int:
        """See the port."""
        return await attempts.count(self._store, self._provider, act)

    async def use_up(self, act: str, attempt: int) -> None:
        """See the port."""
        await attempts.use_up(self._store, self._provider, act, attempt, self._by())

    def _by(self) -> Mandate:
        return Mandate(Actor("provider", self._provider), self._now_us())
