"""A background job that one gateway does at a time, taken over when that one dies.

Everybody who could do the job looks at its lease every few seconds. Whoever sees it unchanged for ``EXPIRES_S``, by his
own monotonic clock, takes it over; the holder renews it well within that, and stops its work when it could not. Between
the two lies a margin; what is written in spite of it (a process that was stopped and goes on) is caught by ``fence``.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from typing import Any

from gateway import log
from gateway.core.problems import StoreUnavailable
from gateway.store import leases
from gateway.store.leases import LeaseRow
from gateway.store.store import Act, Store
from gateway.tasks import Tasks

LOOK_S = 4.0
"""How often a lease is looked at, or renewed."""
EXPIRES_S = 20.0
"""A lease that stays as it is for so long has no holder any more: with a look before and after, 28 s at most."""
STOPS_S = 12.0
"""A holder that could not renew for so long stops its work."""
LETS_GO_S = 4.0
"""So long letting go of a lease may take; after that it expires by itself."""
LEAST_S = 1.0
"""A holder that comes late, since its process was stopped, may still try for so long."""

_log = log.get_logger(__name__)


class Held:
    """The lease, while it is held. Writes of the job call ``fence`` in their transaction."""

    def __init__(self, row: LeaseRow) -> None:
        self.row = row

    async def fence(self, act: Act) -> None:
        """Raises ``PreconditionFailed`` if somebody else does the job by now."""
        await leases.fence(act, self.row)


Job = Callable[[Held], Coroutine[Any, Any, None]]
"""The work: runs until it is cancelled. If it returns or raises, the lease is let go and taken again later."""


class Candidate:
    """One gateway that would do the job ``name``. ``holder`` is its own id, unlike any other's."""

    def __init__(
        self,
        store: Store,
        name: str,
        holder: str,
        now_us: Callable[[], int],
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self.name, self.holder, self._now_us = store, name, holder, now_us
        self._monotonic_s = monotonic_s
        self._seen: LeaseRow | None = None
        self._unchanged_since_s = monotonic_s()
        self.held: Held | None = None
        self._renewed_s = 0.0

    async def step(self) -> bool:
        """Look once: renew the lease if it is held, take it if nobody has it. Whether it is held now."""
        if self.held is not None:
            await self._renew(self.held)
        else:
            await self._try()
        return self.held is not None

    async def let_go(self) -> None:
        """Leave the job to others, if it is held. Raises ``StoreUnavailable``: then it expires by itself."""
        held, self.held = self.held, None
        if held is None:
            return
        try:
            async with asyncio.timeout(LETS_GO_S):
                await leases.let_go(self._store, held.row, self._now_us())
        except TimeoutError as error:
            raise StoreUnavailable("The billing database does not answer.") from error

    async def _renew(self, held: Held) -> None:
        """Renew it in what time is left: a connection that died silently would wait until somebody else works too."""
        asked_s = self._monotonic_s()
        try:
            async with asyncio.timeout(max(LEAST_S, STOPS_S - (asked_s - self._renewed_s))):
                row = await leases.renew(self._store, held.row, self._now_us())
        except TimeoutError:
            self.held = None
            return
        except StoreUnavailable:
            if self._monotonic_s() - self._renewed_s >= STOPS_S:
                self.held = None  # by the time somebody takes over, nobody works here any more
            return
        if row is None:
            self.held = None
            return
        held.row, self._renewed_s = row, asked_s

    async def _try(self) -> None:
        try:
            async with asyncio.timeout(STOPS_S):
                await self._look_and_take()
        except (StoreUnavailable, TimeoutError):
            return

    async def _look_and_take(self) -> None:
        row = await leases.look(self._store, self.name)
        if row != self._seen or row is None:
            self._seen, self._unchanged_since_s = row, self._monotonic_s()
        expired = self._monotonic_s() - self._unchanged_since_s >= EXPIRES_S
        if row is not None and row.holder is not None and not expired:
            return
        asked_s = self._monotonic_s()
        taken = await leases.take(self._store, self.name, self.holder, row, self._now_us())
        if taken is not None:
            self.held, self._renewed_s = Held(taken), asked_s


async def run(candidate: Candidate, job: Job) -> None:
    """Do ``job`` whenever the lease is held, until cancelled."""
    tasks = Tasks()
    work: asyncio.Task[None] | None = None
    try:
        while True:
            held = await candidate.step()
            if work is not None and (work.done() or not held):
                await tasks.close()
                _log.info("this gateway does not do the job any more", job=candidate.name)
                work = None
                with contextlib.suppress(StoreUnavailable):  # it expires by itself then
                    await candidate.let_go()
            elif work is None and candidate.held is not None:
                _log.info("this gateway does the job now", job=candidate.name, token=candidate.held.row.token)
                work = tasks.start(job(candidate.held), candidate.name)
            await asyncio.sleep(LOOK_S)
    finally:
        await tasks.close()
        with contextlib.suppress(StoreUnavailable):
            await candidate.let_go()
