"""How far the provider's happenings were read, and what the last runs of the sync found."""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson
import sqlalchemy as sa

from gateway.store.mandate import Mandate
from gateway.store.sales_tables import syncs
from gateway.store.store import Store

RUNS = 20


@dataclass(frozen=True, slots=True)
class SyncRow:
    """``cursor``: the happening up to which all were read. ``full_us``: when everything was compared last."""

    provider: str
    cursor: str | None = None
    cursor_us: int | None = None
    full_us: int | None = None
    runs: tuple[Mapping[str, object], ...] = ()


async def get(store: Store, provider: str) -> SyncRow:
    """The state of a provider's sync."""
    async with store.read() as connection:
        for row in await connection.execute(sa.select(syncs).where(syncs.c.provider == provider)):
            return SyncRow(row.provider, row.cursor, row.cursor_us, row.full_us, tuple(orjson.loads(row.runs)))
    return SyncRow(provider)


async def put(store: Store, row: SyncRow, by: Mandate) -> None:
    """Replace it."""
    values = {
        "provider": row.provider,
        "cursor": row.cursor,
        "cursor_us": row.cursor_us,
        "full_us": row.full_us,
        "runs": orjson.dumps(row.runs[:RUNS]).decode(),
    }
    async with store.write(by) as act:
        await act.connection.execute(sa.delete(syncs).where(syncs.c.provider == row.provider))
        await act.connection.execute(sa.insert(syncs), values)
