"""A history, played to its end and looked at: what is granted has to be what was paid for.

``WEIGHBRIDGE_HISTORIES=5000``: so many of them, in parts that are in two files, so that two processes can share them.
``WEIGHBRIDGE_SEED=2``: others than those of every run.
"""

import os
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from gateway.core.subscription import Status
from gateway.demo.stripe.objects import Object
from gateway.store import payments, subscribed
from tests.billing.fair import Fair
from tests.billing.histories import SCOPES, STEPS, History, Step, plan_of, trials_are_single
from tests.billing.judge import entitled
from tests.billing.shop import Shop
from tests.payments.stripe.judge import Judge

Test = TypeVar("Test", bound=Callable[..., None])
HISTORIES, PARTS = int(os.environ.get("WEIGHBRIDGE_HISTORIES", "1000")), 4
WEEK, MAX, YEAR, GIFT, MONTH = range(5)
"""Which plan a step buys, by its number."""
CHANGED: list[Step] = [("renewing", YEAR, 0), ("deliver", 0, 0), ("change", 0, MAX), ("wait", 9, 0)]
EARLY: list[Step] = [("renewing", MAX, 0), ("card", 0, 0), ("early", 0, MONTH), ("wait", 3, 0)]
"""A change at Stripe while the renewal is a draft, which then fails."""
DEARER: list[Step] = [("renewing", MONTH, 0), ("wait", 6, 0), ("wait", 1, 0), ("deliver", 0, 0), ("change", 0, MAX)]
"""What a dearer plan costs more is paid, by a payment of its own."""
TRIED: list[Step] = [("renewing", MAX, 6), ("end", 0, 0), ("sync", 0, 0)]
"""A first try that was refused, and whose agreement is over while its page is open."""
WORKED: list[Step] = [("renewing", MAX, 0), ("work", 0, 7), ("card", 0, 0), ("wait", 9, 0), ("wait", 5, 0)]
"""A bill for something else, beside a renewal that is never paid."""
CHEAPER: list[Step] = [("renewing", MAX, 0), ("deliver", 0, 0), ("coupon", 0, 0), ("change", 0, MONTH)]
"""A plan that begins later, while there is a coupon."""
CHOICE = int(os.environ.get("WEIGHBRIDGE_SEED", "1"))
"""Which histories: the same in each run, so that a run says something of what was changed; another number, others."""


def choose(number: int, part: int = 0) -> Callable[[Test], Test]:
    """What a test plays: so many, and others than those of other parts."""
    many = settings(max_examples=number, derandomize=False, database=None, suppress_health_check=list(HealthCheck))
    return lambda test: many(seed(CHOICE * PARTS + part)(test))


def play(stand: Fair, part: int) -> None:
    """Play a part's histories."""

    @choose(HISTORIES // PARTS, part)
    @given(steps=STEPS, chance=st.integers(0, 2**16))
    def what_is_granted_was_paid_for(steps: list[Step], chance: int) -> None:
        stand.run(played(stand, steps, chance))

    what_is_granted_was_paid_for()


async def granted(here: Shop) -> set[str]:
    """The ids of what grants something now."""
    now_us = here.sales.now_us()
    held = await subscribed.held_by(here.store, SCOPES, now_us)
    return {each.id for found in held.values() for each in found if each.starts_us <= now_us}


async def played(stand: Fair, steps: list[Step], chance: int) -> None:
    here = await stand.shop()
    history = History(here, stand.plans, chance)
    for step in steps:
        await history.do(step)
    here.webhooks.waiting.clear()
    here.fake.faults.clear()
    here.later(3700)  # what failed is tried again within the hour
    await here.sync()
    await history.look()
    now, kept = here.fake.books.now, here.fake.books.kept
    right = {id_ for id_, days in history.sold.items() if entitled(kept, id_, days, now, history.begun.get(id_))}
    has = await granted(here)
    assert has == right, (chance, steps, [row for row in await here.rows() if row.id in right ^ has])
    await same_plans(here)
    await same_money(here)
    await trials_are_single(here)
    await none_dropped_too_soon(here)
    work_stays_owed(here)
    assert all(here.fake.books.get("subscriptions", each)["discounts"] for each in history.given), (chance, steps)
    assert isinstance(here.fake.on_request, Judge)
    here.fake.on_request.check(here.fake)
    if chance % 4 == 0:
        again = await here.sync(full=True, dry_run=True)
        assert again.changes == {}, (chance, steps, "a full comparison finds nothing more")


async def same_plans(here: Shop) -> None:
    """Who has a running subscription has the plan that it is to at the provider, now and next."""
    for row in await here.rows():
        if row.external_id is not None and row.status is not Status.CANCELLED:
            of = here.fake.books.get("subscriptions", row.external_id)
            assert plan_of(row) == of["items"]["data"][0]["price"]["metadata"]["plan_id"]
            assert row.next_plan_id == _waiting(here, of)


def _waiting(here: Shop, of: Object) -> str | None:
    """The plan that the schedule of a subscription still waits for."""
    schedule = here.fake.books.kept["schedules"].get(of["schedule"])
    if schedule is None or schedule["phases"][-1]["start_date"] == schedule["current_phase"]["start_date"]:
        return None
    plan_id = schedule["metadata"]["plan_id"]
    now = of["items"]["data"][0]["price"]["metadata"]["plan_id"]
    return None if plan_id == now else str(plan_id)


async def none_dropped_too_soon(here: Shop) -> None:
    """An order that never began is not over while one of its pages can still be paid."""
    for session in here.fake.books.kept["sessions"].values():
        row = await here.row(session["metadata"]["subscription_id"])
        dropped = row.status is Status.CANCELLED and row.period_end_us is None
        assert not (dropped and session["status"] == "open"), session["id"]


def work_stays_owed(here: Shop) -> None:
    """A bill for something else is owed until it is paid, whatever becomes of the subscription."""
    bills = here.fake.books.of("invoices", billing_reason="manual")
    assert all(each["status"] in ("open", "paid") for each in bills)


async def same_money(here: Shop) -> None:
    """What came in, and what went back, is what the provider's charges say."""
    gross, back, charges = Counter[str](), Counter[str](), here.fake.books.kept["charges"].values()
    lost = {each["charge"] for each in here.fake.books.kept["disputes"].values() if each["status"] == "lost"}
    for charge in charges:
        gross[charge["currency"]] += charge["amount"]
        back[charge["currency"]] += charge["amount"] if charge["id"] in lost else charge["amount_refunded"]
    found = await payments.revenue(here.store, 0, 2**60, "month")
    for currency in {each.currency for each in found} | gross.keys():
        ours = [each for each in found if each.currency == currency]
        assert sum(each.gross for each in ours) == gross[currency]
        assert sum(each.refunded for each in ours) == back[currency]
