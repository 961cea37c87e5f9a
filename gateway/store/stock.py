"""Plans and weights at one revision, as the running gateway needs them whole. Keys and subscriptions are too many."""

import sqlalchemy as sa

from gateway.core.plan import Plan
from gateway.core.subscription import PlanVersion
from gateway.store.rows import Stock
from gateway.store.store import Store
from gateway.store.tables import catalog, plans
from gateway.store.terms import read_versions
from gateway.store.weights import read_weights


async def read_stock(store: Store) -> Stock:
    """All of it, as of one moment. Raises ``StoreUnavailable``."""
    async with store.read() as connection:
        revision = (await connection.execute(sa.select(catalog.c.revision))).scalar_one()
        query = sa.select(plans.c.id, plans.c.slug, plans.c.name, plans.c.is_default)
        rows = (await connection.execute(query)).all()
        versions = await read_versions(connection)
        weights = await read_weights(connection)
    newest: dict[str, Plan] = {}
    sold: dict[PlanVersion, Plan] = {}
    for row in rows:
        made = {number: each.terms.plan(row.slug, row.name, number) for number, each in versions[row.id].items()}
        newest[row.slug] = made[max(made)]
        for number, each in versions[row.id].items():
            sold[PlanVersion(row.id, number)] = made[each.in_force]
    default = next((row.slug for row in rows if row.is_default), None)
    return Stock(revision, newest, sold, default, weights)
