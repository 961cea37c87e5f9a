"""Another plan from the next period on: a Subscription Schedule of two phases, this period and the next.

While a subscription has a schedule, Stripe lets nobody cancel it or take that back. So a schedule is released before
anything else is done: that leaves the subscription as it is now. One that somebody else has made stays: what it brings,
such as a price that was raised, is nothing that customers throw away and go on without.
"""

from typing import NamedTuple

from gateway import log
from gateway.payments.port import ProviderError, Scheduled
from gateway.payments.stripe import phases
from gateway.payments.stripe.client import Client, Json
from gateway.payments.stripe.convert import id_of, only_item

_LEFT = "left_schedule"
"""In a subscription's metadata: whose schedule was released because it ends."""
_log = log.get_logger(__name__)


class Then(NamedTuple):
    """What it is to from its next period on: a price, the plan that it is of, and how that is called."""

    price: str
    plan_id: str
    name: str


async def make(client: Client, agreement: str, then: Then, app: str) -> None:
    """From its next period on it is to ``then``, and after that one it goes on so without a schedule.

    What was agreed before is changed by one request: it holds until that is done. Raises ``Scheduled``.
    """
    price, found = await client.get(f"prices/{then.price}"), await _read(client, agreement)
    item, schedule = only_item(found), phases.running(found)
    if schedule is not None and not phases.is_ours(schedule, app):
        raise Scheduled
    phase = None if schedule is None else phases.current(schedule, item["current_period_end"])
    if schedule is not None and phase is None:
        await _let_go(client, schedule)
    if schedule is None or phase is None:
        schedule = await client.post("subscription_schedules", from_subscription=agreement)
        phase = schedule["phases"][0]
    now = phases.as_it_stands(phase, found, item)
    await client.post(
        f"subscription_schedules/{schedule['id']}",
        end_behavior="release",
        proration_behavior="none",
        metadata={"app": app, "plan_id": then.plan_id},
        phases=[now, phases.next_one(now, price, then.name)],
    )


async def release(client: Client, agreement: str, app: str) -> Then | None:
    """What we have agreed for the next period is off: what that was. Raises ``Scheduled`` if it is not our schedule."""
    schedule = phases.running(await _read(client, agreement))
    if schedule is None:
        return None
    if not phases.is_ours(schedule, app):
        raise Scheduled
    await _let_go(client, schedule)
    plan_id, last = phases.agreed_next(schedule, app), schedule["phases"][-1]
    price = id_of(last["items"][0]["price"])
    return None if plan_id is None or price is None else Then(price, plan_id, last.get("description") or "")


async def stop(client: Client, agreement: str, app: str) -> Json:
    """Let it end with its period. Who leaves may leave, whatever is scheduled: but not come back as if it were not.

    So it is written down first what was left, and ``resume`` looks there.
    """
    found = await _read(client, agreement)
    schedule, left = phases.running(found), found["metadata"].get(_LEFT)
    if schedule is not None and not phases.is_ours(schedule, app):
        _log.warning("who cancels leaves what you have scheduled", of=agreement, schedule=schedule["id"])
        await client.post(f"subscriptions/{agreement}", metadata={_LEFT: schedule["id"]})
    elif left and not found["cancel_at_period_end"]:
        await client.post(f"subscriptions/{agreement}", metadata={_LEFT: ""})
    if schedule is not None:
        await _let_go(client, schedule)
    return await client.post(f"subscriptions/{agreement}", cancel_at_period_end=True)


async def resume(client: Client, agreement: str, app: str) -> Json:
    """Let it go on after all. The end may stand as a flag or as an instant. Raises ``Scheduled``."""
    found = await _read(client, agreement)
    if found["metadata"].get(_LEFT):
        raise Scheduled
    await release(client, agreement, app)
    if found.get("cancel_at") is not None and not found["cancel_at_period_end"]:
        return await client.post(f"subscriptions/{agreement}", cancel_at="")
    return await client.post(f"subscriptions/{agreement}", cancel_at_period_end=False)


async def _read(client: Client, agreement: str) -> Json:
    return await client.get(f"subscriptions/{agreement}", expand=["schedule"])


async def _let_go(client: Client, schedule: Json) -> None:
    """One that has come to its end meanwhile is off already."""
    try:
        await client.post(f"subscription_schedules/{schedule['id']}/release")
    except ProviderError as error:
        if error.retry:
            raise
