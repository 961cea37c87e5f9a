"""Which gateway does a background job: one row for each job, changed only by whoever names what it holds.

No clock is compared with another machine's: ``beat`` counts up while its holder lives, and who waits to take over
watches it by his own clock. ``token`` grows with each holder: what an earlier one still writes can be told from it.
"""

from typing import NamedTuple

import sqlalchemy as sa

from gateway.core.problems import PreconditionFailed
from gateway.store.mandate import Actor, Mandate
from gateway.store.store import Act, Store
from gateway.store.tables import leases

_GATEWAY = Actor("gateway")


class LeaseRow(NamedTuple):
    """Who does the job ``name``: ``holder``; ``None``: nobody, since it was let go."""

    name: str
    holder: str | None
    token: int
    beat: int


async def look(store: Store, name: str) -> LeaseRow | None:
    """The lease as it is; ``None``: nobody ever had it. Raises ``StoreUnavailable``."""
    async with store.read() as connection:
        found = (await connection.execute(sa.select(leases).where(leases.c.name == name))).one_or_none()
        return None if found is None else LeaseRow(*found)


async def take(store: Store, name: str, holder: str, seen: LeaseRow | None, now_us: int) -> LeaseRow | None:
    """Take the lease over, if it still is as it was ``seen``; ``None``: somebody was faster, or its holder lives."""
    async with store.write(Mandate(_GATEWAY, now_us)) as act:
        if seen is None:
            held = await act.connection.execute(sa.select(leases.c.name).where(leases.c.name == name))
            if held.first() is not None:
                return None
            taken = LeaseRow(name, holder, 1, 1)
            await act.connection.execute(sa.insert(leases).values(**taken._asdict()))
            return taken
        taken = LeaseRow(name, holder, seen.token + 1, seen.beat + 1)
        return taken if await _change(act, seen, taken) else None


async def renew(store: Store, held: LeaseRow, now_us: int) -> LeaseRow | None:
    """Show that its holder lives; ``None``: it is somebody else's."""
    async with store.write(Mandate(_GATEWAY, now_us)) as act:
        renewed = held._replace(beat=held.beat + 1)
        return renewed if await _change(act, held, renewed) else None


async def let_go(store: Store, held: LeaseRow, now_us: int) -> None:
    """Leave the job to whoever comes first."""
    async with store.write(Mandate(_GATEWAY, now_us)) as act:
        await _change(act, held, held._replace(holder=None, beat=held.beat + 1))


async def fence(act: Act, held: LeaseRow) -> None:
    """Before a job writes: raises ``PreconditionFailed`` if somebody else does it by now; nothing is then committed."""
    found = await act.connection.execute(sa.select(leases.c.token).where(leases.c.name == held.name))
    if found.scalar() != held.token:
        raise PreconditionFailed(f"The job '{held.name}' is done by another gateway now.")


async def _change(act: Act, before: LeaseRow, after: LeaseRow) -> bool:
    same = [leases.c.name == before.name, leases.c.token == before.token, leases.c.beat == before.beat]
    done = await act.connection.execute(sa.update(leases).where(*same).values(**after._asdict()))
    return done.rowcount == 1
