"""What has happened at the provider since a kept place (the cursor): put into the inbox, and acted on from there."""

from dataclasses import replace
from functools import partial

from gateway.billing import inbox
from gateway.billing.compare import Comparer
from gateway.billing.run import Progress, Run
from gateway.billing.sales import DAY_US, Sales
from gateway.payments.port import Gone, Signal
from gateway.store import signals
from gateway.store.signals import SignalRow
from gateway.store.syncs import SyncRow

FORGOTTEN_US = 29 * DAY_US
"""Providers keep happenings for a month."""
_OVERLAP_US = 300_000_000
"""Happenings may become visible late: the cursor stays behind by this much."""
_MOST = 500
"""After so many the cursor is kept, and the next run goes on from there."""
_BATCH = 100


async def hear(sales: Sales, comparer: Comparer, row: SyncRow, run: Run, said: Progress) -> tuple[SyncRow, bool]:
    """Put what has happened since the cursor into the inbox, and act on what was not there. Whether more waits."""
    started_us = run.started_us
    row, since_us = _from(row, started_us)
    cursor, cursor_us = row.cursor, since_us  # where nothing has happened yet, the time alone is the cursor
    more, count = False, 0
    try:
        async for signal in sales.provider.signals(row.cursor, since_us):
            await inbox.keep(sales, signal)
            count += 1
            said("happenings", run.happenings + count)
            if signal.created_us <= started_us - _OVERLAP_US:
                cursor, cursor_us = signal.key, signal.created_us
                if more := count >= _MOST:
                    break
    except Gone:
        run.full = True
        return replace(row, cursor=None, cursor_us=started_us - _OVERLAP_US), False
    run.happenings += count
    if not more:
        cursor_us = max(cursor_us, started_us - _OVERLAP_US)  # nothing has happened until then that was not read
    more = await _act_now(sales, comparer, run) or more
    return replace(row, cursor=cursor, cursor_us=cursor_us), more


async def foretell(sales: Sales, comparer: Comparer, row: SyncRow, run: Run, said: Progress) -> tuple[set[str], bool]:
    """The same for a dry run: what would be done about it, and about what waits in the inbox. Keeps nothing.

    The sales that were compared, and whether the catalog was edited there.
    """
    seen: set[str] = set()
    edited = row.drift_due
    for kept in await _fresh(sales, _MOST):
        edited = edited or kept.subject == "catalog"
        await _look(sales, comparer, inbox.signal_of(sales, kept), run, said, seen)
    row, since_us = _from(row, run.started_us)
    try:
        async for signal in sales.provider.signals(row.cursor, since_us):
            run.happenings += 1
            said("happenings", run.happenings)
            if not await signals.known(sales.store, sales.provider.name, signal.key):
                edited = edited or signal.subject == "catalog"
                await _look(sales, comparer, signal, run, said, seen)
    except Gone:
        run.full = True
    return seen, edited


async def _look(sales: Sales, comparer: Comparer, signal: Signal, run: Run, said: Progress, seen: set[str]) -> None:
    """See what would be changed about the sale that a signal is about, if it was not ``seen``."""
    if signal.subject in ("catalog", "other"):
        return
    try:
        about = await inbox.sale_of(sales, signal)
    except (inbox.Unmatched, Gone) as error:
        run.problems.append(f"{signal.kind} {signal.id}: {error}")
        return
    if about is not None and about[0] not in seen:
        seen.add(about[0])
        await comparer.compare(*about, run, said)


def _from(row: SyncRow, started_us: int) -> tuple[SyncRow, int]:
    """Where to begin: a cursor that is forgotten by now is none. And since when, where there is none."""
    if row.cursor is not None and (row.cursor_us or 0) < started_us - FORGOTTEN_US:
        row = replace(row, cursor=None, cursor_us=None)
    return row, row.cursor_us or started_us - _OVERLAP_US


async def _fresh(sales: Sales, limit: int) -> list[SignalRow]:
    """What is in the inbox and new, or to be tried again by now."""
    rows = await signals.due(sales.store, sales.now_us() + inbox.FIRST_WAIT_US, limit)
    return [row for row in rows if row.state == "received" or (row.next_us or 0) <= sales.now_us()]


async def _act_now(sales: Sales, comparer: Comparer, run: Run) -> bool:
    """Act on what was put into the inbox without waiting for whoever else may have got it. Whether more waits."""
    count = 0
    while fresh := await _fresh(sales, _BATCH):
        if count >= _MOST:
            return True
        count += len(fresh)
        await inbox.act_on_all(sales, fresh, partial(comparer.note, run))
    return False
