"""A store: transactions that read, and transactions that write, each with its audit rows and its revision.

Writers take the catalog's row first, so there is one at a time on either database: what a use case has looked at is
still true when it commits, and revisions become visible in their order.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.util import greenlet_spawn

from gateway.core.scope import Scope
from gateway.store import engine as engines
from gateway.store.facts import text_of
from gateway.store.faults import translated
from gateway.store.mandate import Actor, Mandate
from gateway.store.notices import NOTIFY
from gateway.store.tables import audit, catalog
from gateway.store.url import Place

FAREWELL_S = 0.25
"""So long connections that are given up may take to end in order."""
Changed = Callable[[int], Awaitable[None]]
"""Called with the new revision after a commit, before whoever wrote goes on."""


@dataclass(slots=True)
class Act:
    """One transaction that writes. ``note`` each thing that it changes: what is not noted is not committed as a change.

    ``revision`` is the one that the catalog will have.
    """

    connection: AsyncConnection
    actor: Actor
    now_us: int
    revision: int
    _noted: list[dict[str, object]] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether anything was noted."""
        return bool(self._noted)

    def note(self, action: str, object_id: str, before: object, after: object, *, scope: Scope | None = None) -> None:
        """Write into the audit log that ``action``, such as ``plan.update``, turned ``before`` into ``after``.

        Both are dataclasses, or ``None``: not there. ``scope``: whose budgets it may change.
        """
        self._noted.append(
            {
                "revision": self.revision,
                "at_us": self.now_us,
                "actor_kind": self.actor.kind,
                "actor_id": self.actor.id,
                "address": self.actor.address,
                "request_id": self.actor.request_id,
                "actor_via": self.actor.via,
                "actor_key": self.actor.key,
                "action": action,
                "topic": action.partition(".")[0],
                "object_id": object_id,
                "scope_kind": None if scope is None else scope.kind,
                "scope_id": None if scope is None else scope.id,
                "before": text_of(before),
                "after": text_of(after),
            }
        )

    async def finish(self) -> None:
        """Write the audit rows and move the revision on."""
        if self._noted:
            await self.connection.execute(sa.insert(audit), self._noted)
            await self.connection.execute(sa.update(catalog).values(revision=self.revision, changed_us=self.now_us))
            if self.connection.dialect.name == "postgresql":
                await self.connection.execute(NOTIFY)


class Store:
    """An open store. Raises ``StoreUnavailable`` from each transaction while its database cannot be reached."""

    def __init__(self, place: Place, engine: AsyncEngine) -> None:
        self.place = place
        self.on_change: Changed | None = None
        self._engine = engine
        self._reading = engines.reading(engine)
        self._writing = engines.writing(engine)
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that reads; all of it sees one moment."""
        with translated():
            async with self._reading.connect() as connection, connection.begin():
                yield connection

    @asynccontextmanager
    async def write(self, by: Mandate) -> AsyncIterator[Act]:
        """A transaction that writes, committed at the end; an exception undoes it whole."""
        with translated():
            # Waiting here costs nothing; waiting in the database holds a connection and polls.
            async with self._turn, self._writing.connect() as connection, connection.begin():
                held = await connection.execute(sa.select(catalog.c.revision).with_for_update())
                act = Act(connection, by.actor, by.now_us, held.scalar_one() + 1)
                yield act
                await act.finish()
        if act.changed and self.on_change is not None:
            await self.on_change(act.revision)

    async def reconnect(self) -> None:
        """Go on with new connections. Those in use end with what they are used for."""
        old = self._engine.pool
        await self._engine.dispose(close=False)
        with contextlib.suppress(TimeoutError):  # the dead do not answer a farewell
            async with asyncio.timeout(FAREWELL_S):
                await greenlet_spawn(old.dispose)

    async def close(self) -> None:
        """Let go of all connections."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(engines.PATIENCE_S):
                await self._engine.dispose()
