"""The states of subscriptions as people name them, which follow from the status, the time and what was said."""

from typing import Literal

import sqlalchemy as sa

from gateway.core.subscription import Status
from gateway.store.tables import subscriptions

State = Literal[
    "pending",
    "scheduled",
    "trialing",
    "active",
    "cancelling",
    "past_due",
    "unpaid",
    "paused",
    "expired",
    "cancelled",
]
"""Each subscription is in one of them. ``scheduled``: not begun; ``cancelling``: ends with its period, and gives until
then; ``expired``: past its end."""


def in_state(state: State, now_us: int) -> sa.ColumnElement[bool]:
    """Those that are in a state at an instant."""
    table = subscriptions.c
    if state in (Status.PENDING, Status.CANCELLED):
        return table.status == state
    over = sa.and_(table.ends_us.is_not(None), table.ends_us <= now_us)
    if state == "expired":
        return sa.and_(table.status.not_in([Status.PENDING, Status.CANCELLED]), over)
    if state in (Status.PAST_DUE, Status.UNPAID, Status.PAUSED):
        return sa.and_(table.status == state, sa.not_(over))
    well = sa.and_(table.status.in_([Status.TRIALING, Status.ACTIVE]), sa.not_(over))
    if state == "scheduled":
        return sa.and_(well, table.starts_us > now_us)
    running = sa.and_(well, table.starts_us <= now_us)
    if state == "cancelling":
        return sa.and_(running, table.cancel_at_period_end)
    return sa.and_(running, table.status == state, sa.not_(table.cancel_at_period_end))
