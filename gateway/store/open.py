"""Opening the store that a URL names. Only this module knows which database it is."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

import sqlalchemy.exc as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.store import sqlite_file
from gateway.store.engine import PATIENCE_S, engine_for
from gateway.store.errors import StoreError
from gateway.store.migrate import STEPS, Steps, upgrade, version_of
from gateway.store.store import Store
from gateway.store.url import Place, place_of

_T = TypeVar("_T")


class Migrated(NamedTuple):
    """What ``migrate`` did: the store, and the number of its last step before and after."""

    place: Place
    before: str
    after: str


async def open_store(url: str, *, patience_s: float = PATIENCE_S, steps: Steps = STEPS) -> Store:
    """The store at ``url``. An SQLite file is made and migrated; a PostgreSQL database is migrated by ``migrate``.

    Raises ``StoreError`` with the reason.
    """
    place = place_of(url)
    engine = await _engine(place, patience_s)

    async def ready() -> None:
        found = await version_of(engine, place, steps)
        if found == steps.head:
            return
        if place.path is None:
            state = "has no tables yet" if not found else f"is at step {found} of {steps.head}"
            raise StoreError(f"the store {place} {state}; run `weighbridge migrate` first")
        await upgrade(engine, place, steps)

    await _or_close(engine, place, ready)
    return Store(place, engine)


async def migrate(url: str, *, patience_s: float = PATIENCE_S, steps: Steps = STEPS) -> Migrated:
    """Bring the database at ``url`` to this version. Raises ``StoreError`` with the reason."""
    place = place_of(url)
    engine = await _engine(place, patience_s)
    before = await _or_close(engine, place, lambda: upgrade(engine, place, steps))
    await engine.dispose()
    return Migrated(place, before, steps.head)


async def _engine(place: Place, patience_s: float) -> AsyncEngine:
    if place.path is not None:
        await asyncio.to_thread(sqlite_file.prepare, place.path, patience_s)
    return engine_for(place, patience_s=patience_s)


async def _or_close(engine: AsyncEngine, place: Place, act: Callable[[], Awaitable[_T]]) -> _T:
    """``act``; if it fails, let go of the database and say why in a sentence."""
    try:
        return await act()
    except (sa.SQLAlchemyError, OSError) as error:
        await engine.dispose()
        reason = error.orig if isinstance(error, sa.DBAPIError) else error
        raise StoreError(f"the store {place} cannot be used ({reason}); see that it is there and free") from error
    except BaseException:
        await engine.dispose()
        raise
