"""The loop that makes lost messages harmless: reads what has happened, and looks at what should have.

Two ways to the same end: the provider's list of happenings, from a cursor that is kept; and our own sales that are due
for a look. A full sync trusts neither and compares everything.
"""

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial

from gateway import log
from gateway.billing import catalog_push, inbox
from gateway.billing.sales import DAY_US, HOUR_US, Sales
from gateway.billing.settle import Settled, settle
from gateway.core.problems import NotFound, Problem, StoreUnavailable
from gateway.payments.port import Gone, Owner, ProviderError
from gateway.store import orders, signals, syncs
from gateway.store.syncs import SyncRow

_OVERLAP_US = 300_000_000
"""Happenings may become visible late: the cursor stays behind by this much."""
_FORGOTTEN_US = 29 * DAY_US
"""Providers keep happenings for a month."""
_FULL_EVERY_US = 7 * DAY_US
_PATIENCE_US = 600_000_000
"""Between two tries to compare everything."""
_BATCH = 100
_CALLS_PER_SALE = 4
_MOST_NAMED = 200

_log = log.get_logger(__name__)
Progress = Callable[[str, int], None]
"""Told what is being done, and how much of it is done."""


@dataclass(slots=True)
class Run:
    """What one run did. ``changes``: what was not as the provider has it. ``drift``: the same of the catalog.

    ``cut``: the provider failed before its end.
    """

    started_us: int
    full: bool = False
    dry_run: bool = False
    ended_us: int = 0
    happenings: int = 0
    compared: int = 0
    changes: dict[str, list[str]] = field(default_factory=dict)
    drift: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    cut: bool = False


class Syncer:
    """Runs syncs, one at a time. ``fence``: awaited before the cursor is kept; raises if another gateway syncs."""

    def __init__(self, sales: Sales, *, fence: Callable[[], Awaitable[None]] | None = None) -> None:
        self._sales = sales
        self._turn = asyncio.Lock()
        self._free_us = 0
        self.fence = fence
        self.last: Run | None = None
        self.running: Run | None = None
        self._full_after_us = 0

    async def run(self, *, full: bool = False, dry_run: bool = False, progress: Progress | None = None) -> Run:
        """One run. What goes wrong with one sale is written down, and the others go on. Raises ``StoreUnavailable``."""
        async with self._turn:
            sales = self._sales
            row = await syncs.get(sales.store, sales.provider.name)
            run = Run(sales.now_us(), full or self._needs_all(row), dry_run)
            said = progress or (lambda _what, _count: None)
            self.running = run
            try:
                row = await self._happenings(row, run, said)
                await self._due(run, said)
                if run.full:
                    await self._everything(run, said)
            except ProviderError as error:
                run.problems.append(error.message)
                run.cut = True
                self._full_after_us = sales.now_us() + _PATIENCE_US
                _log.warning("the sync was cut short", reason=error.message)
            finally:
                self.running = None
            run.ended_us = sales.now_us()
            self.last = run
            if not dry_run:
                await self._keep(row, run)
            return run

    def _needs_all(self, row: SyncRow) -> bool:
        """The first time, when the provider has forgotten where we were, and once a week."""
        now_us = self._sales.now_us()
        return now_us >= self._full_after_us and (
            row.full_us is None
            or row.full_us < now_us - _FULL_EVERY_US
            or (row.cursor_us is not None and row.cursor_us < now_us - _FORGOTTEN_US)
        )

    async def _happenings(self, row: SyncRow, run: Run, said: Progress) -> SyncRow:
        """Put what has happened since the cursor into the inbox, and act on what was not there."""
        sales, started_us = self._sales, run.started_us
        if row.cursor is not None and (row.cursor_us or 0) < started_us - _FORGOTTEN_US:
            row = replace(row, cursor=None, cursor_us=None)
        since_us = row.cursor_us or started_us - _OVERLAP_US
        cursor, cursor_us = row.cursor, since_us  # where nothing has happened yet, the time alone is the cursor
        try:
            async for signal in sales.provider.signals(row.cursor, since_us):
                if not run.dry_run:
                    await inbox.keep(sales, signal)
                run.happenings += 1
                said("happenings", run.happenings)
                if signal.created_us <= started_us - _OVERLAP_US:
                    cursor, cursor_us = signal.key, signal.created_us
        except Gone:
            run.full = True
            return replace(row, cursor=None, cursor_us=None)
        if not run.dry_run:
            await self._act_now(run)
        return replace(row, cursor=cursor, cursor_us=cursor_us)

    async def _act_now(self, run: Run) -> None:
        """Act on what was put into the inbox without waiting for whoever else may have got it."""
        sales = self._sales
        while rows := await signals.due(sales.store, sales.now_us() + inbox.FIRST_WAIT_US, _BATCH):
            fresh = [row for row in rows if row.state == "received" or (row.next_us or 0) <= sales.now_us()]
            if not fresh:
                return
            for row in fresh:
                await self._pace()
                await inbox.act_on(sales, row, partial(self._note, run))

    async def _due(self, run: Run, said: Progress) -> None:
        sales = self._sales
        seen: set[str] = set()
        while ids := [
            id_ for id_ in await orders.due(sales.store, sales.provider.name, sales.now_us(), _BATCH) if id_ not in seen
        ]:
            for id_ in ids:
                seen.add(id_)
                await self._compare(id_, None, run, said)

    async def _everything(self, run: Run, said: Progress) -> None:
        """All that the provider has of ours, and all of ours that it may have."""
        sales, name = self._sales, self._sales.provider.name
        seen: set[str] = set()
        async for owner in sales.provider.everything(run.started_us - _FORGOTTEN_US):
            named = {"subscription": owner.subscription, "order": owner.order, "agreement": owner.agreement}
            id_ = await orders.find(sales.store, name, **named)
            if id_ is None:
                run.problems.append(f"the provider has sold {owner.subscription}, which is not here")
                sales.counts.unmatched += 1
            elif id_ not in seen or await self._is_new(owner):
                seen.add(id_)
                await self._compare(id_, owner, run, said)
        for id_ in await orders.all_of(sales.store, name):
            if id_ not in seen:
                await self._compare(id_, None, run, said)
        drift = await catalog_push.push(sales, dry_run=run.dry_run)
        run.drift = [f"{each.object}: {each.problem}" for each in drift]

    async def _is_new(self, owner: Owner) -> bool:
        """Whether it names an order that we do not know: a page whose name got lost on the way to us."""
        sales = self._sales
        return (
            owner.order is not None and await orders.by_checkout(sales.store, sales.provider.name, owner.order) is None
        )

    async def _compare(self, id_: str, owner: Owner | None, run: Run, said: Progress) -> None:
        await self._pace()
        try:
            settled = await settle(self._sales, id_, owner, dry_run=run.dry_run)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  (one odd sale does not keep the others waiting)
            if not isinstance(error, (ProviderError, Problem, TimeoutError)):
                stack = "".join(traceback.format_tb(error.__traceback__))
                _log.error("a sale cannot be understood", sale=id_, error=type(error).__name__, stack=stack)
            await self._put_off(id_, error, run)
            return
        run.compared += 1
        said("sales", run.compared)
        self._note(run, settled)

    async def _put_off(self, id_: str, error: Exception, run: Run) -> None:
        """What could not be compared now is tried again in an hour, and says why."""
        problem = str(getattr(error, "message", None) or type(error).__name__)
        run.problems.append(f"{id_}: {problem}")
        if run.dry_run or isinstance(error, NotFound):
            return
        sales = self._sales
        async with sales.store.write(sales.mandate("gateway")) as act:
            await orders.set_order(act, id_, due_us=act.now_us + HOUR_US, problem=problem[:500])

    def _note(self, run: Run, settled: Settled) -> None:
        if settled.changes and len(run.changes) < _MOST_NAMED:
            named = [f"{each.field}: {each.ours} → {each.theirs}" for each in settled.changes]
            run.changes[settled.subscription.id] = named
        if settled.changes and not run.dry_run:
            self._sales.counts.repairs += 1

    async def _pace(self) -> None:
        """So many calls a second at most: the provider is asked by customers as well."""
        now_us = self._sales.now_us()
        each_us = int(_CALLS_PER_SALE * 1_000_000 / self._sales.policy.per_second)
        self._free_us = max(self._free_us, now_us - _CALLS_PER_SALE * each_us) + each_us
        if (wait_us := min(self._free_us - now_us, 10 * each_us)) > 0:
            await asyncio.sleep(wait_us / 1_000_000)

    async def _keep(self, row: SyncRow, run: Run) -> None:
        sales = self._sales
        if self.fence is not None:
            await self.fence()
        full_us = run.started_us if run.full and not run.cut else row.full_us
        runs = (asdict(run), *row.runs)
        await syncs.put(sales.store, replace(row, full_us=full_us, runs=runs), sales.mandate("gateway"))
        if run.full:
            await signals.forget(sales.store, sales.mandate("gateway"))
