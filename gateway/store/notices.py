"""PostgreSQL's word that something has changed, so that other gateways need not wait to look again.

It is a courtesy: a notice that is lost costs the second until the revision is looked at anyway.
"""

import asyncio
import contextlib
from collections.abc import Callable

import sqlalchemy as sa

from gateway.store.engine import PATIENCE_S

CHANNEL = "weighbridge_catalog"
AGAIN_S = 1.0

NOTIFY = sa.text(f"SELECT pg_notify('{CHANNEL}', '')")
"""In the transaction of a change: heard when it commits."""


async def hear(dsn: str, told: Callable[[], None]) -> None:
    """Call ``told`` at each notice, until cancelled. A connection that is lost is opened again."""
    import asyncpg  # noqa: PLC0415  (as in ``engine``: only with PostgreSQL)

    while True:
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            await _hear_once(dsn, told)
        await asyncio.sleep(AGAIN_S)


async def _hear_once(dsn: str, told: Callable[[], None]) -> None:
    import asyncpg  # noqa: PLC0415

    lost = asyncio.Event()
    connection = await asyncpg.connect(dsn, timeout=PATIENCE_S)
    try:
        connection.add_termination_listener(lambda _connection: lost.set())
        await connection.add_listener(CHANNEL, lambda *_: told())
        told()  # something may have changed while nobody listened
        await lost.wait()
    finally:
        connection.terminate()
