"""Versions of plans as rows, and back."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import UTC, tzinfo
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.core.bucket import Anchor, Calendar, Epoch, Refill
from gateway.core.plan import PlanLimit
from gateway.core.subscription import PlanVersion
from gateway.store.rows import Terms
from gateway.store.tables import plan_limits, plan_versions


class Version(NamedTuple):
    """One version of a plan. ``in_force``: the version whose terms its holders have."""

    terms: Terms
    in_force: int


async def read_versions(
    connection: AsyncConnection, plan_ids: Collection[str] | None = None
) -> Mapping[str, Mapping[int, Version]]:
    """All versions of these plans (``None``: of all), by plan and number; the last number is the newest."""
    versions, limits = sa.select(plan_versions), sa.select(plan_limits).order_by(plan_limits.c.position)
    if plan_ids is not None:
        versions = versions.where(plan_versions.c.plan_id.in_(plan_ids))
        limits = limits.where(plan_limits.c.plan_id.in_(plan_ids))
    written: dict[PlanVersion, list[PlanLimit]] = defaultdict(list)
    for row in await connection.execute(limits):
        written[PlanVersion(row.plan_id, row.version)].append(_limit(row))
    found: dict[str, dict[int, Version]] = defaultdict(dict)
    for row in await connection.execute(versions.order_by(plan_versions.c.plan_id, plan_versions.c.version)):
        terms = Terms(
            tuple(written[PlanVersion(row.plan_id, row.version)]),
            row.duration_days,
            row.unlimited,
            row.pack,
            row.burn_rank,
        )
        found[row.plan_id][row.version] = Version(terms, row.in_force)
    return found


async def write_version(connection: AsyncConnection, version: PlanVersion, terms: Terms, now_us: int) -> None:
    """Add a version, in force for those who will buy it."""
    row = {
        "plan_id": version.plan_id,
        "version": version.version,
        "in_force": version.version,
        "unlimited": terms.unlimited,
        "pack": terms.pack,
        "burn_rank": terms.burn_rank,
        "duration_days": terms.duration_days,
        "created_us": now_us,
    }
    await connection.execute(sa.insert(plan_versions), row)
    limits = [
        {**version._asdict(), "position": position, **_columns(limit)} for position, limit in enumerate(terms.limits)
    ]
    if limits:
        await connection.execute(sa.insert(plan_limits), limits)


def _columns(limit: PlanLimit) -> dict[str, object]:
    anchor, zone = _anchor_columns(limit.anchor)
    return {
        "meter": limit.meter,
        "amount": limit.amount,
        "window_us": limit.window_us,
        "refill": limit.refill.value,
        "anchor": anchor,
        "time_zone": zone,
        "burst": max(limit.burst, 0),
    }


def _anchor_columns(anchor: Anchor | str | None) -> tuple[str | None, str | None]:
    match anchor:
        case Calendar():
            return anchor.unit, anchor.zone_name
        case Epoch():
            return "epoch", None
        case str() | None:
            return anchor, None
        case _:
            raise ValueError("a plan's windows cannot begin at one instant for everybody")


def _limit(row: sa.Row[Any]) -> PlanLimit:
    anchor: Anchor | str | None = row.anchor
    if row.time_zone is not None:
        anchor = Calendar(row.anchor, _zone(row.time_zone))
    return PlanLimit(row.meter, row.amount, row.window_us, Refill(row.refill), anchor, row.burst)


def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)
