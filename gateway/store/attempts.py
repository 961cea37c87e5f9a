"""How many keys of an act are used up: a provider repeats what it first answered to one, its own failures too."""

import sqlalchemy as sa

from gateway.store.mandate import Mandate
from gateway.store.sales_tables import attempts
from gateway.store.store import Act, Store

KEPT_US = 30 * 86_400_000_000
"""Longer than any provider remembers a key."""


async def count(store: Store, provider: str, act: str) -> int:
    """How many keys of this act are used up."""
    own = (attempts.c.provider == provider, attempts.c.act == act)
    async with store.read() as connection:
        found: int | None = (await connection.execute(sa.select(attempts.c.count).where(*own))).scalar()
        return found or 0


async def use_up(store: Store, provider: str, act: str, seen: int, by: Mandate) -> None:
    """One more is used up, if ``seen`` still are: two who met the same failure go on with the same key."""
    own = (attempts.c.provider == provider, attempts.c.act == act)
    async with store.write(by) as write:
        found = (await write.connection.execute(sa.select(attempts.c.count).where(*own))).scalar()
        if (found or 0) != seen:
            return
        row = {"count": seen + 1, "changed_us": by.now_us}
        if found is None:
            await write.connection.execute(sa.insert(attempts), {"provider": provider, "act": act, **row})
        else:
            await write.connection.execute(sa.update(attempts).where(*own).values(**row))


async def forget(act: Act) -> None:
    """Let go of what no provider remembers any more."""
    await act.connection.execute(sa.delete(attempts).where(attempts.c.changed_us < act.now_us - KEPT_US))
