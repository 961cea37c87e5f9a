"""Who has a plan: what has to be asked before a plan goes, or goes by another slug."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.core.problems import Conflict
from gateway.core.subscription import Status
from gateway.store.subscribed import not_over
from gateway.store.tables import subscriptions

_NAMED = 10


async def check_never_had(connection: AsyncConnection, plan_id: str) -> None:
    """Raises ``Conflict`` naming the subscriptions that are or were to this plan of the store."""
    held = sa.select(subscriptions.c.id).where(subscriptions.c.plan_id == plan_id)
    count, named = await _counted(connection, held)
    if count:
        raise Conflict(
            f"{count} subscriptions are or were to this plan. Make it inactive instead: nobody can buy it then.",
            content={"subscriptions": named, "count": count},
        )


async def check_stands_in_for_nothing(
    connection: AsyncConnection, slug: str, configured: Collection[str], now_us: int
) -> None:
    """Raises ``Conflict`` naming the subscriptions to the configuration's plan of this slug, if that is not there.

    A plan of the store counts in the place of the configuration's of the same slug, which may then leave the
    configuration. Without either, nobody would know what its holders have. ``configured``: the slugs it has.
    """
    if slug in configured:
        return
    held = sa.select(subscriptions.c.id).where(
        subscriptions.c.file_plan == slug, subscriptions.c.status != Status.CANCELLED, not_over(now_us)
    )
    count, named = await _counted(connection, held)
    if count:
        raise Conflict(
            f"{count} subscriptions are to the plan '{slug}' of the configuration, which is not there any more: they "
            "have this plan in its place. Put it back into the configuration, or end them, first.",
            content={"subscriptions": named, "count": count},
        )


async def _counted(connection: AsyncConnection, held: sa.Select[Any]) -> tuple[int, list[str]]:
    count = (await connection.execute(sa.select(sa.func.count()).select_from(held.subquery()))).scalar_one()
    if not count:
        return 0, []
    first = held.order_by(subscriptions.c.created_us).limit(_NAMED)
    return int(count), list((await connection.execute(first)).scalars())
