"""What has happened at the provider since a kept place (the cursor): put into the inbox, and acted on from there."""

from dataclasses import replace
from functools import partial

from gateway.billing import inbox
from gateway.billing.compare import Comparer
from gateway.billing.run import Progress, Run
from gateway.billing.sales import DAY_US, Sales
from gateway.payments.port import Gone
from gateway.store import signals
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
    if row.cursor is not None and (row.cursor_us or 0) < started_us - FORGOTTEN_US:
        row = replace(row, cursor=None, cursor_us=None)
    since_us = row.cursor_us or started_us - _OVERLAP_US
    cursor, cursor_us = row.cursor, since_us  # where nothing has happened yet, the time alone is the cursor
    more, count = False, 0
    try:
        async for signal in sales.provider.signals(row.cursor, since_us):
            if not run.dry_run:
                await inbox.keep(sales, signal)
            count += 1
            said("happenings", run.happenings + count)
            if signal.created_us <= started_us - _OVERLAP_US:
                cursor, cursor_us = signal.key, signal.created_us
                if more := count >= _MOST and not run.dry_run:
                    break
    except Gone:
        run.full = True
        return replace(row, cursor=None, cursor_us=None), False
    run.happenings += count
    if not run.dry_run:
        await _act_now(sales, comparer, run)
    return replace(row, cursor=cursor, cursor_us=cursor_us), more


async def _act_now(sales: Sales, comparer: Comparer, run: Run) -> None:
    """Act on what was put into the inbox without waiting for whoever else may have got it."""
    while rows := await signals.due(sales.store, sales.now_us() + inbox.FIRST_WAIT_US, _BATCH):
        fresh = [row for row in rows if row.state == "received" or (row.next_us or 0) <= sales.now_us()]
        if not fresh:
            return
        for row in fresh:
            if row.subject != "catalog":  # of which nothing is asked
                await comparer.pace()
            await inbox.act_on(sales, row, partial(comparer.note, run))
