"""Another plan from the next period on: a Subscription Schedule of two phases, this period and the next.

While a subscription has a schedule, Stripe lets nobody cancel it or take that back. So a schedule is released before
anything else is done: that leaves the subscription as it is now.
"""

from collections.abc import Mapping

from gateway.payments.port import ProviderError
from gateway.payments.stripe.client import Client
from gateway.payments.stripe.convert import id_of, only_item

_RUNNING = ("not_started", "active")


async def make(client: Client, agreement: str, price: str, plan_id: str, app: str) -> None:
    """From its next period on it is at ``price``; after that one it goes on so without a schedule."""
    await release(client, agreement)
    subscription = await client.get(f"subscriptions/{agreement}")
    now = only_item(subscription)["price"]
    recurring = (await client.get(f"prices/{price}"))["recurring"]
    made = await client.post("subscription_schedules", from_subscription=agreement)
    runs = made["phases"][0]
    await client.post(
        f"subscription_schedules/{made['id']}",
        end_behavior="release",
        proration_behavior="none",
        metadata={"app": app, "plan_id": plan_id},
        phases=[
            {
                "items": [{"price": now["id"], "quantity": 1}],
                "start_date": runs["start_date"],
                "end_date": runs["end_date"],
            },
            {
                "items": [{"price": price, "quantity": 1}],
                "duration": {"interval": recurring["interval"], "interval_count": recurring["interval_count"]},
                "proration_behavior": "none",
            },
        ],
    )


async def release(client: Client, agreement: str) -> None:
    """What was agreed for the next period is off. One that has come to its end meanwhile is off already."""
    subscription = await client.get(f"subscriptions/{agreement}", expand=["schedule"])
    schedule = subscription.get("schedule")
    if not isinstance(schedule, Mapping) or schedule["status"] not in _RUNNING:
        return
    try:
        await client.post(f"subscription_schedules/{id_of(schedule)}/release")
    except ProviderError as error:
        if error.retry:
            raise
