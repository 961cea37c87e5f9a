"""How we keep in step with a provider: whose account, how far its happenings were read, what the last runs found."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from gateway.store.sales_tables import orders, syncs
from gateway.store.store import Act, Store

RUNS = 20
_JSON = ("runs", "drift", "walk")


@dataclass(frozen=True, slots=True)
class SyncRow:
    """``cursor``: the happening up to which all were read. ``full_us``: when everything was compared last.

    ``account``: whose key it was. ``walk``: how far a comparison of everything has come. ``asked``: the run that
    somebody waits for. ``drift``: what of the catalog was wrong at ``drift_us``; ``drift_due``: look again.
    """

    provider: str
    cursor: str | None = None
    cursor_us: int | None = None
    full_us: int | None = None
    runs: tuple[Mapping[str, object], ...] = ()
    account: str | None = None
    walk: Mapping[str, object] | None = None
    asked: str | None = None
    drift: tuple[str, ...] = ()
    drift_us: int | None = None
    drift_due: bool = False


async def get(store: Store, provider: str) -> SyncRow:
    """The state of a provider's sync."""
    async with store.read() as connection:
        for row in await connection.execute(sa.select(syncs).where(syncs.c.provider == provider)):
            found = row._asdict()
            return SyncRow(
                **{
                    **found,
                    "runs": tuple(orjson.loads(found["runs"])),
                    "walk": None if found["walk"] is None else orjson.loads(found["walk"]),
                    "drift": tuple(orjson.loads(found["drift"] or "[]")),
                    "drift_due": bool(found["drift_due"]),
                }
            )
    return SyncRow(provider)


async def change(act: Act, provider: str, **values: object) -> None:
    """Change these fields of it."""
    written = {
        name: orjson.dumps(value).decode() if name in _JSON and value is not None else value
        for name, value in values.items()
    }
    done = await act.connection.execute(sa.update(syncs).where(syncs.c.provider == provider).values(**written))
    if not done.rowcount:
        await act.connection.execute(sa.insert(syncs), {"provider": provider, "runs": "[]", **written})


async def add_run(
    act: Act, provider: str, run: Mapping[str, Any], *, instead_of: Callable[[Mapping[str, Any]], bool] | None = None
) -> None:
    """Keep what a run found, with those before it; in place of the last one, if that is one to be replaced."""
    found = await act.connection.execute(sa.select(syncs.c.runs).where(syncs.c.provider == provider))
    before = orjson.loads(found.scalar() or "[]")
    if before and instead_of is not None and instead_of(before[0]):
        del before[0]
    await change(act, provider, runs=[run, *before][:RUNS])


async def ask(act: Act, provider: str, word: str) -> None:
    """Somebody waits for a run of this kind."""
    found = await act.connection.execute(sa.select(syncs.c.asked).where(syncs.c.provider == provider))
    words = {*(found.scalar() or "").split(), word}
    await change(act, provider, asked=" ".join(sorted(words)))


async def take_asked(act: Act, provider: str) -> frozenset[str]:
    """The kinds of runs that somebody waits for; from now on nobody does."""
    found = await act.connection.execute(sa.select(syncs.c.asked).where(syncs.c.provider == provider))
    words = frozenset((found.scalar() or "").split())
    if words:
        await change(act, provider, asked=None)
    return words


async def bind(act: Act, provider: str, account: str, before: str | None) -> None:
    """It is through ``account`` that everything here was sold. ``before``: its name until it was known."""
    if before is not None:
        of_it = (orders.c.provider == provider, orders.c.account == before)
        await act.connection.execute(sa.update(orders).where(*of_it).values(account=account))
    await change(act, provider, account=account)


async def move(act: Act, provider: str, before: str, account: str) -> None:
    """From now on through ``account``. What was sold before stays what it is, and of the account ``before``."""
    nobodys = (orders.c.provider == provider, orders.c.account.is_(None))
    await act.connection.execute(sa.update(orders).where(*nobodys).values(account=before))
    await change(act, provider, account=account, cursor=None, cursor_us=None, full_us=None, walk=None, drift=[])
