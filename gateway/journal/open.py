"""Opening a journal: lock, thread, file, in this order."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gateway import clock
from gateway.journal.append import Journal
from gateway.journal.lock import Lock
from gateway.journal.options import Options
from gateway.journal.store import Progress, Store


async def open_journal(
    path: Path,
    *,
    options: Options | None = None,
    now_us: Callable[[], int] = clock.now_us,
    progress: Progress | None = None,
) -> Journal:
    """The journal at ``path``: created if need be, locked, its tail folded. Raises ``JournalError`` with the reason.

    ``progress`` is called on the journal's thread while a long tail is folded.
    """
    options = options or Options()
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
    run = asyncio.get_running_loop().run_in_executor
    lock: Lock | None = None
    try:
        path = await run(thread, path.resolve)
        lock = await run(thread, Lock, path)
        store = await run(thread, Store, path, now_us(), options.bounds, progress)
    except BaseException:
        if lock is not None:
            lock.close()
        thread.shutdown(wait=False)
        raise
    return Journal(store, lock, thread, options, now_us)
