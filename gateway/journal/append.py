"""The journal as the event loop sees it: appending is putting on a list, all else happens on a thread of its own."""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, Self, TypeVar

from gateway.core.bucket import Bucket, LimitKey
from gateway.core.scope import Scope
from gateway.journal.errors import JournalError
from gateway.journal.health import Health, monotonic_us
from gateway.journal.lock import Lock
from gateway.journal.options import Options
from gateway.journal.prove import prove
from gateway.journal.record import Kind, Record
from gateway.journal.snapshots import Debt, Kept, Place, read_holds, read_owed, read_page
from gateway.journal.store import Report, Store
from gateway.journal.sweep import Sweep
from gateway.tasks import Tasks

_P = ParamSpec("_P")
_T = TypeVar("_T")
_ALL = 1 << 62
_BATCHES = 200


class Journal:
    """The open journal. Made by ``open_journal``; used from one event loop.

    ``append`` and ``complete`` never wait and never fail. ``appended`` counts the records of this process.
    """

    def __init__(
        self, store: Store, lock: Lock, thread: ThreadPoolExecutor, options: Options, now_us: Callable[[], int]
    ) -> None:
        self._store, self._lock, self._writer, self._options, self._now_us = store, lock, thread, options, now_us
        self.report: Report = store.report
        """What the thread says of itself: ``lost``, ``condensed``, ``failure``, …"""
        self._sweep = Sweep(store, options.retention)
        self._health = Health(options.pace)
        self._pending: list[Record] = []
        self._overrun = 0
        self._wake, self._crowd = asyncio.Event(), asyncio.Event()
        self._flushing = asyncio.Lock()
        self._loading: dict[Scope, asyncio.Future[dict[LimitKey, Bucket]]] = {}
        self._tasks = Tasks()
        self.appended = 0
        self._tasks.start(self._flush_forever(), "journal flush")
        self._tasks.start(self._tend_forever(), "journal fold")

    def append(self, record: Record) -> None:
        """Put ``record`` behind all others."""
        pending = self._pending
        pending.append(record)
        self.appended += 1
        waiting = len(pending)
        if waiting == 1:
            self._wake.set()
        elif waiting >= self._options.pace.flush_records:
            self._crowded()

    def _crowded(self) -> None:
        self._crowd.set()
        if len(self._pending) > self._options.bounds.records:  # the thread hangs in a write
            gone = len(self._pending) // 2
            del self._pending[:gone]
            self._overrun += gone

    def complete(self, record: Record, *, status: int, latency_us: int, upstream_latency_us: int | None = None) -> None:
        """Say how the request of ``record`` ended: in the record itself while it waits, else in one that follows it."""
        end = record.end
        if end:
            later = Record(Kind.DONE, record.id, self._now_us(), record.rule, record.scope)
            self.append(later)
            end = later.end
        end += (status, latency_us, upstream_latency_us)

    @property
    def pending(self) -> int:
        """Records that are not on disk."""
        return len(self._pending) + self.report.waiting

    @property
    def written(self) -> int:
        """The records up to this one, in the order of appending, wait no longer: they are on disk, or lost."""
        return self.report.written

    @property
    def last_written_us(self) -> int:
        """Every record appended before this instant is on disk, or counted in ``lost``."""
        return self.report.written_us

    @property
    def folded_until_us(self) -> int:
        """Snapshots and roll-ups hold every record appended before this instant."""
        return self.report.folded_us

    @property
    def unfolded_us(self) -> int:
        """How far snapshots and roll-ups are behind what is on disk; 0 if they are not."""
        return max(0, self.report.written_us - self.report.folded_us) if self.report.dirty else 0

    @property
    def lost(self) -> int:
        """Records that will never be written, because memory for them ran out while the disk took none."""
        return self._overrun + self.report.lost

    @property
    def failing_since_us(self) -> int | None:
        """Since when nothing can be written, on the monotonic clock; ``None`` while all is well.

        The first failure, or the start of a write that has not come back for a while.
        """
        return self._health.failing_since_us

    @property
    def failing_for_us(self) -> int:
        """For how long nothing could be written; 0 while all is well."""
        since_us = self._health.failing_since_us
        return 0 if since_us is None else monotonic_us() - since_us

    async def flush(self) -> bool:
        """Write what was appended until now; whether all of it is on disk."""
        async with self._flushing:
            records, self._pending = self._pending, []
            self._wake.clear()
            self._crowd.clear()
            for record in records:
                if not record.end:
                    record.end.append(None)  # what comes to its end from now on is too late for its record
            attempt = self._health.begin()
            try:
                # Shielded: cancelled while the thread is busy, it would not be run at all, and the records be gone.
                await asyncio.shield(
                    self._run(self._store.flush, records, self._now_us(), self.appended, attempt=attempt)
                )
            finally:
                self._health.end(self.report if attempt else None)
            return not self.report.waiting

    async def fold(self) -> bool:
        """Write what was appended until now, and fold all of it; whether that worked."""
        written = await self.flush()
        await self._run(self._store.fold_all)
        return written and not self.report.dirty

    async def load(self, scope: Scope) -> dict[LimitKey, Bucket]:
        """The buckets of ``scope`` as all records up to this call leave them. Raises ``JournalError``.

        Calls of one moment share one turn of the thread. The caller asks before it charges the scope, not while.
        """
        future = self._loading.get(scope)
        if future is None:
            future = asyncio.get_running_loop().create_future()
            self._loading[scope] = future
            if len(self._loading) == 1:
                self._tasks.start(self._load_all(), "journal load")
        return dict(await asyncio.shield(future))

    async def _load_all(self) -> None:
        wanted, self._loading = self._loading, {}
        try:
            found = await self._run(self._store.load, wanted, self._pending)
        except asyncio.CancelledError:
            for future in wanted.values():
                future.cancel()
            raise
        except Exception as error:  # noqa: BLE001  (it belongs to those who asked)
            for future in wanted.values():
                future.set_exception(error)
            return
        for scope, future in wanted.items():
            future.set_result(found[scope])

    async def page(self, after: Place | None, most: int) -> tuple[list[Kept], Place | None]:
        """Scopes whose buckets are not full, after a place, and the place to go on from. Complete after ``fold``."""
        return await self._run(self._store.look, partial(read_page, after=after, now_us=self._now_us(), most=most))

    async def holds(self) -> list[Record]:
        """Holds that nobody has settled, oldest first; after a restart those of the dead process."""
        await self.fold()
        return await self._run(self._store.look, read_holds)

    async def owed(self, after: Debt | None, most: int) -> tuple[list[Record], Debt | None]:
        """What is owed, oldest first, after a place, and the place to go on from. Complete after ``fold``."""
        return await self._run(self._store.look, partial(read_owed, after=after, most=most))

    async def find(self, request_id: str) -> list[Record]:
        """The records of a request, oldest first, from all that retention has kept. Reads backwards, in bites."""
        await self.flush()
        before: int | None = _ALL
        found: list[Record] = []
        while before is not None:
            records, before = await self._run(self._store.find, request_id, before, _BATCHES)
            found = records + found
        return found

    async def prove(self) -> list[str]:
        """What does not agree between journal, snapshots and roll-ups: nothing, if all is well. Reads it all."""
        await self.fold()
        return await asyncio.get_running_loop().run_in_executor(None, prove, self._store.path, self._now_us())

    async def sweep(self) -> None:
        """Forget what retention no longer keeps, a bite of it."""
        await self._run(self._sweep.bite, self._now_us())

    async def close(self) -> None:
        """Write and fold what is left, at most ``close_s`` long, and let go. ``JournalError`` if records are lost."""
        await self._tasks.close()
        self._health.retry_now()
        try:
            async with asyncio.timeout(self._options.pace.close_s):
                await self.flush()
                await self._run(self._store.close)
        except TimeoutError:
            self._writer.shutdown(wait=False, cancel_futures=True)
            raise JournalError(f"the journal did not finish in time: {self.pending} records are not on disk") from None
        self._writer.shutdown()
        self._lock.close()
        if self.pending:
            raise JournalError(f"{self.pending} records are not on disk: {self.report.failure}")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _flush_forever(self) -> None:
        pace = self._options.pace
        while True:
            await self._wake.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pace.flush_s):
                    await self._crowd.wait()
            await self.flush()
            if self.report.waiting:
                self._wake.set()

    async def _tend_forever(self) -> None:
        pace, since_sweep = self._options.pace, 0.0
        while True:
            await asyncio.sleep(pace.fold_s)
            if self.report.dirty:
                await self._run(self._store.fold_some, pace.fold_rows)
            await self._run(self._store.roll_some, self._now_us())
            since_sweep += pace.fold_s
            if since_sweep >= pace.sweep_s:
                since_sweep = 0.0
                await self.sweep()

    async def _run(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._writer, partial(call, *args, **kwargs))
