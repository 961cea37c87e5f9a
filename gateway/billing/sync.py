"""The loop that makes lost messages harmless: reads what has happened, and looks at what should have.

Two ways to the same end: the provider's list of happenings, from a cursor that is kept; and our own sales that are due
for a look. A full sync trusts neither and compares everything: slice by slice, so that the two go on meanwhile.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from gateway import log
from gateway.billing import catalog_push
from gateway.billing.compare import Comparer
from gateway.billing.happenings import FORGOTTEN_US, foretell, hear
from gateway.billing.run import Progress, Run, unsaid, was_quiet
from gateway.billing.sales import DAY_US, HOUR_US, Sales
from gateway.billing.walk import SLICE, Walk, Walker, taken_up
from gateway.payments.attended import unattended
from gateway.payments.port import ProviderError
from gateway.store import attempts, orders, signals, syncs
from gateway.store.store import Act
from gateway.store.syncs import SyncRow

_FULL_EVERY_US = 7 * DAY_US
_PATIENCE_US = 600_000_000
"""Between two tries to compare everything."""
_BATCH = 100
_MOST_DUE = 100
"""So many of our own sales that are due are looked at in one run; the next goes on from there."""
_TIDY_EVERY_US = HOUR_US
"""How often what is over is let go of."""

DRY = frozenset({"dry", "dryfull"})
"""The words for dry runs among those with which a run is asked for; the others are ``recent`` and ``full``."""
_log = log.get_logger(__name__)
Fence = Callable[[Act], Awaitable[None]]
"""Awaited in each transaction that keeps what a run did; raises if another gateway syncs by now."""


class Syncer:
    """Runs syncs, one at a time, and dry runs beside them. ``last``: the last that has ended."""

    def __init__(self, sales: Sales) -> None:
        self._sales, self._name = sales, sales.provider.name
        self._turn = asyncio.Lock()
        self._comparer = Comparer(sales)
        self._walker = Walker(sales, self._comparer)
        self._watch = catalog_push.Watch(sales)
        self._walk_after_us, self._tidy_after_us = 0, 0
        self.last: Run | None = None

    async def run(self, *, full: bool = False, dry_run: bool = False, progress: Progress = unsaid) -> Run:
        """One run to its end. What goes wrong with one sale is written down, and the others go on.

        Raises ``StoreUnavailable``.
        """
        if dry_run:
            return await self._dry(full, progress)
        async with self._its_turn():
            run = Run(self._sales.now_us())
            while await self._recent(run, progress, None):
                pass
            walk = None if run.cut else await self._walk(anew=full or run.full)
            if walk is not None:
                await self._go_on(walk, progress, None, None)
                run.absorb(walk.run)
            await self._keep_run(run, None)
            return run

    async def step(self, fence: Fence, *, full: bool = False) -> bool:
        """What has happened and what is due; then a slice of comparing everything, if that is under way.

        Whether there is more to do at once. Raises ``PreconditionFailed`` if another gateway does this by now.
        """
        async with self._its_turn():
            run = Run(self._sales.now_us())
            more = await self._recent(run, unsaid, fence)
            anew, run.full = full or run.full, False
            await self._keep_run(run, fence)
            walk = None if run.cut else await self._walk(anew=anew)
            if walk is None:
                return more
            await self._go_on(walk, unsaid, fence, SLICE)
            if walk.over:
                await self._keep_run(walk.run, fence)
            return more or not (walk.over or walk.run.cut)

    async def begin(self, act: Act) -> None:
        """Keep that everything is to be compared, so that whatever fails from here on only puts it off."""
        await syncs.change(act, self._name, walk=Walk(Run(self._sales.now_us(), full=True)).kept())

    async def ask(self, *, full: bool, dry_run: bool) -> None:
        """Have it done soon, by whichever gateway syncs; what it finds is kept with the other runs."""
        word = ("dryfull" if full else "dry") if dry_run else ("full" if full else "recent")
        async with self._fenced(None) as act:
            await syncs.ask(act, self._name, word)
        self._sales.wanted.set()

    async def dry(self, fence: Fence, *, full: bool) -> None:
        """A dry run whose findings are kept with the others."""
        run = await self._dry(full, unsaid)
        async with self._sales.store.write(self._sales.mandate("gateway")) as act:
            await fence(act)
            await syncs.add_run(act, self._name, run.kept())

    async def _dry(self, full: bool, said: Progress) -> Run:  # noqa: FBT001  (asked for by name)
        run = Run(self._sales.now_us(), full, dry_run=True)
        row = await syncs.get(self._sales.store, self._name)
        run.full = run.full or self._needs_all(row)
        try:
            with unattended():
                await self._see(row, run, said)
        except ProviderError as error:
            run.fail(error)
        run.ended_us = self._sales.now_us()
        return run

    async def _see(self, row: SyncRow, run: Run, said: Progress) -> None:
        """All that a run would do, each sale once."""
        seen, edited = await foretell(self._sales, self._comparer, row, run, said)
        await self._due(run, said, most=None, seen=seen)
        if run.full:
            await self._walker.go_on(Walk(run, seen=seen), said)
            return
        run.drift += catalog_push.named(await self._watch.look(due=edited, dry_run=True) or ())

    async def _recent(self, run: Run, said: Progress, fence: Fence | None) -> bool:
        """What has happened, what is due, and the catalog if somebody edited it. Whether more has happened."""
        sales = self._sales
        row = await syncs.get(sales.store, self._name)
        try:
            kept, more = await hear(self._sales, self._comparer, row, run, said)
            more = await self._due(run, said, most=None if fence is None else _MOST_DUE) or more
            async with self._fenced(fence) as act:
                await syncs.change(act, self._name, cursor=kept.cursor, cursor_us=kept.cursor_us)
                if run.full:
                    await self.begin(act)
            await self._look_at_catalog(run, fence)
        except ProviderError as error:
            self._cut(run, error)
            return False
        return more

    async def _look_at_catalog(self, run: Run, fence: Fence | None) -> None:
        """Put there what was edited here, and see what was edited there; an edit told meanwhile is seen next."""
        row = await syncs.get(self._sales.store, self._name)
        if row.drift_due:
            async with self._fenced(fence) as act:
                await syncs.change(act, self._name, drift_due=False)
        try:
            drift = await self._watch.look(due=row.drift_due)
        except ProviderError:
            async with self._fenced(fence) as act:
                await syncs.change(act, self._name, drift_due=True)
            raise
        if drift is not None:
            run.drift += catalog_push.named(drift)
            async with self._fenced(fence) as act:
                await catalog_push.keep(act, self._name, drift)

    async def _due(self, run: Run, said: Progress, *, most: int | None, seen: set[str] | None = None) -> bool:
        """Our own sales that should have changed by now, each once, whatever comes of it. Whether there are more."""
        sales, count, seen = self._sales, 0, set() if seen is None else seen
        after: tuple[int, str] | None = None
        while rows := await orders.due(sales.store, self._name, run.started_us, _BATCH, after=after):
            for due_us, id_ in rows:
                if id_ not in seen:
                    seen.add(id_)
                    await self._comparer.compare(id_, None, run, said)
                after, count = (due_us, id_), count + 1
            if most is not None and count >= most:
                return True
        return False

    def _needs_all(self, row: SyncRow) -> bool:
        """The first time, when the provider has forgotten where we were, and once a week."""
        now_us = self._sales.now_us()
        return now_us >= self._walk_after_us and (
            row.full_us is None
            or row.full_us < now_us - _FULL_EVERY_US
            or (row.cursor_us is not None and row.cursor_us < now_us - FORGOTTEN_US)
        )

    async def _walk(self, *, anew: bool) -> Walk | None:
        """The comparison of everything that is to go on, or to begin; ``None``: there is none now."""
        row = await syncs.get(self._sales.store, self._name)
        if not anew and row.walk is not None:
            return taken_up(row.walk) if self._sales.now_us() >= self._walk_after_us else None
        return Walk(Run(self._sales.now_us(), full=True)) if anew or self._needs_all(row) else None

    async def _go_on(self, walk: Walk, said: Progress, fence: Fence | None, slice_: int | None) -> None:
        """Compare the next slice of everything, and keep how far that came."""
        walk.run.cut = False
        try:
            await self._walker.go_on(walk, said, slice_)
        except ProviderError as error:
            self._cut(walk.run, error)
        async with self._fenced(fence) as act:
            if not walk.over:
                await syncs.change(act, self._name, walk=walk.kept())
                return
            await syncs.change(act, self._name, walk=None, full_us=walk.run.started_us)
            await catalog_push.keep(act, self._name, walk.drift)

    def _cut(self, run: Run, error: ProviderError) -> None:
        run.fail(error)
        self._walk_after_us = self._sales.now_us() + _PATIENCE_US
        _log.warning("the sync was cut short", reason=error.message)

    async def _keep_run(self, run: Run, fence: Fence | None) -> None:
        """Keep what it found. One that found nothing takes the place of one before it that found nothing."""
        run.ended_us = self._sales.now_us()
        self.last = run
        async with self._fenced(fence) as act:
            await syncs.add_run(act, self._name, run.kept(), instead_of=was_quiet if run.quiet else None)
            if act.now_us >= self._tidy_after_us:
                await signals.forget(act)
                await attempts.forget(act)
                self._tidy_after_us = act.now_us + _TIDY_EVERY_US

    @asynccontextmanager
    async def _its_turn(self) -> AsyncIterator[None]:
        """One run at a time, and customers first."""
        async with self._turn:
            with unattended():
                yield

    @asynccontextmanager
    async def _fenced(self, fence: Fence | None) -> AsyncIterator[Act]:
        """A transaction in which it is seen that no other gateway does this by now."""
        async with self._sales.store.write(self._sales.mandate("gateway")) as act:
            if fence is not None:
                await fence(act)
            yield act
