"""From when the windows of what was just bought are counted: see ``core/succession``."""

from gateway.core.plan import own_window_us
from gateway.core.subscription import GRANTING, PlanVersion, Status
from gateway.core.succession import Forerunner, anchor_after
from gateway.store import plans, subscribed
from gateway.store.rows import SubscriptionDraft, SubscriptionRow
from gateway.store.store import Act

_LOOKED_AT = 50
"""So many earlier purchases of a scope at most: of more, only the last begun can have a window that still runs."""


async def anchor_of(act: Act, row: SubscriptionRow, begins: SubscriptionDraft) -> int | None:
    """What ``begins`` is to be anchored at; ``None``: at its start."""
    earlier = await subscribed.sold_to(act.connection, row.scope, row.id, _LOOKED_AT)
    over = [each for each in earlier if _is_over(each, begins.starts_us)]
    versions = {each.plan for each in over if isinstance(each.plan, PlanVersion)}
    held = await plans.read_as_held(act.connection, versions) if versions else {}
    found = [
        Forerunner(
            anchor_us=each.starts_us if each.anchor_us is None else each.anchor_us,
            window_us=own_window_us(held[each.plan].plan) if isinstance(each.plan, PlanVersion) else 0,
            paid_us=each.period_end_us or 0,
            over_us=min(us for us in (each.ends_us, each.cancelled_us, _none_since(each, begins)) if us is not None),
        )
        for each in over
    ]
    return anchor_after(found, begins.starts_us)


def _is_over(row: SubscriptionRow, at_us: int) -> bool:
    """Whether it gives nothing at ``at_us`` that is paid for."""
    ends_us = row.ends_us
    return row.status not in GRANTING or row.status is Status.PAST_DUE or (ends_us is not None and ends_us <= at_us)


def _none_since(row: SubscriptionRow, begins: SubscriptionDraft) -> int | None:
    """What was taken back, or waits, grants nothing now; since when, nobody has written down."""
    return None if row.status in GRANTING else begins.starts_us
