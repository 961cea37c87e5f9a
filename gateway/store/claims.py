"""What is given once: who has taken it, and with which subscription. The primary key makes one of two who are quick."""

from collections.abc import Sequence
from typing import Literal

import sqlalchemy as sa

from gateway.core.scope import Scope
from gateway.core.subscription import Status
from gateway.store.sales_tables import claims
from gateway.store.store import Act
from gateway.store.subscribed import granting, not_over
from gateway.store.tables import subscriptions

Kind = Literal["trial", "free"]
"""A trial is had once for ever, if it has begun. What costs nothing is had once at a time."""

_MOVING_US = 600_000_000
"""So long a subscription that has taken what costs nothing may be on its way there."""


async def take(act: Act, kind: Kind, plan_id: str, scopes: Sequence[Scope], subscription_id: str) -> bool:
    """Take it for all of these scopes, or for none. ``False``: another subscription has it for one of them."""
    for scope in scopes:
        holder = await _holder(act, kind, plan_id, scope)
        if holder not in (None, subscription_id):
            return False
    for scope in scopes:
        await act.connection.execute(sa.delete(claims).where(*_key(kind, plan_id, scope)))
        row = {"kind": kind, "plan_id": plan_id, "scope_kind": scope.kind, "scope_id": scope.id}
        await act.connection.execute(
            sa.insert(claims), {**row, "subscription_id": subscription_id, "taken_us": act.now_us}
        )
    return True


async def has(act: Act, plan_id: str, subscription_id: str) -> bool:
    """Whether the subscription has taken anything of this plan."""
    query = sa.select(claims.c.kind).where(claims.c.plan_id == plan_id, claims.c.subscription_id == subscription_id)
    return (await act.connection.execute(query.limit(1))).first() is not None


async def give_back(act: Act, plan_id: str, subscription_id: str) -> None:
    """What the subscription has taken of this plan was not had after all."""
    mine = (claims.c.plan_id == plan_id, claims.c.subscription_id == subscription_id)
    await act.connection.execute(sa.delete(claims).where(*mine))


async def _holder(act: Act, kind: Kind, plan_id: str, scope: Scope) -> str | None:
    """The subscription that has it; one that can have it no more, never got it, or moved elsewhere, has lost it."""
    table = subscriptions.c
    pending = table.status == Status.PENDING
    moves = claims.c.taken_us > act.now_us - _MOVING_US
    there = sa.and_(
        granting(), not_over(act.now_us), sa.or_(table.plan_id == plan_id, table.next_plan_id == plan_id, moves)
    )
    had = table.period_end_us.is_not(None) if kind == "trial" else there
    query = (
        sa.select(claims.c.subscription_id)
        .join(subscriptions, table.id == claims.c.subscription_id)
        .where(*_key(kind, plan_id, scope), sa.or_(pending, had))
    )
    found: str | None = (await act.connection.execute(query)).scalar()
    return found


def _key(kind: Kind, plan_id: str, scope: Scope) -> tuple[sa.ColumnElement[bool], ...]:
    mine = (claims.c.kind == kind, claims.c.plan_id == plan_id)
    return (*mine, claims.c.scope_kind == scope.kind, claims.c.scope_id == scope.id)
