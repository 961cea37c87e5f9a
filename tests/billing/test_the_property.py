"""Whatever customers, banks and the network do: after the sync, what is granted is what was paid for.

``judge`` says what was paid for, by the fake Stripe's ledger; it shares no line with what is tested.
"""

import asyncio
import inspect
import os
import tempfile
from pathlib import Path
from types import FunctionType, ModuleType
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.billing import reading
from gateway.core import reconcile
from gateway.core.subscription import PlanVersion, Status
from gateway.payments.stripe import convert
from gateway.store import plans, subscribed
from tests.billing.histories import SCOPES, STEPS, History, Step
from tests.billing.judge import entitled
from tests.billing.shop import Shop, draft, prices, shop

HISTORIES = int(os.environ.get("WEIGHBRIDGE_HISTORIES", "60"))


async def granted(here: Shop) -> set[str]:
    """The ids of what grants something now."""
    now_us = here.sales.now_us()
    held = await subscribed.held_by(here.store, SCOPES, now_us)
    return {each.id for found in held.values() for each in found if each.starts_us <= now_us}


async def played(migrated: Path, steps: list[Step], seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with shop(Path(folder), migrated) as here:
            other = await plans.create(here.store, draft("max"), here.by(), prices=prices(1900))
            history = History(here, (here.plan, other), seed)
            await here.sync()
            for step in steps:
                await history.do(step)
            here.webhooks.waiting.clear()
            here.fake.faults.clear()
            here.later(3700)  # what failed is tried again within the hour
            await here.sync()
            now, facts = here.fake.books.now, here.fake.money.ledger
            right = {sold for sold in history.sold if entitled(facts, sold, now)}
            assert await granted(here) == right, [fact for fact in facts if fact.of in right ^ await granted(here)]
            await same_plans(here)
            again = await here.sync(full=True, dry_run=True)
            assert again.changes == {}, "a full comparison finds nothing more"


async def same_plans(here: Shop) -> None:
    """Who has a running subscription has the plan that it is to at the provider."""
    for row in await here.rows():
        if row.external_id is not None and row.status is not Status.CANCELLED:
            of = here.fake.books.get("subscriptions", row.external_id)["items"]["data"][0]["price"]["metadata"]
            assert isinstance(row.plan, PlanVersion)
            assert row.plan.plan_id == of["plan_id"]


@settings(max_examples=HISTORIES, suppress_health_check=list(HealthCheck))
@given(STEPS, st.integers(0, 2**16))
@example([("renewing", 0, 0), ("wait", 6, 0), ("wait", 1, 0)], 0)
@example([("renewing", 0, 0), ("card", 0, 0), ("wait", 6, 0), ("wait", 2, 0)], 0)
@example([("renewing", 0, 0), ("refund", 0, 0)], 0)
@example([("buy", 0, 0), ("dispute", 0, 5), ("decide", 0, 0)], 0)
@example([("buy", 0, 5), ("settle", 0, 0), ("refund", 0, 7)], 0)
@example([("renewing", 0, 0), ("trouble", 7, 1), ("deliver", 0, 0), ("trouble", 4, 2), ("sync", 0, 0)], 0)
def test_after_the_sync_what_is_granted_is_what_was_paid_for(migrated_file: Path, steps: list[Step], seed: int) -> None:
    asyncio.run(played(migrated_file, steps, seed))


@pytest.mark.parametrize("lost", ["everything", "the history"])
async def test_a_wiped_history_of_webhooks_converges_to_the_same(
    tmp_path: Path, migrated_file: Path, lost: str
) -> None:
    async with shop(tmp_path, migrated_file) as here:
        await here.sync()
        first = await here.buy(mode="subscription")
        second = await here.buy(SCOPES[1])
        for page in (first, second):
            here.pay(page)
        here.webhooks.waiting.clear()
        here.later(31 * 86_400)
        here.webhooks.waiting.clear()
        if lost == "everything":
            here.fake.books.events.clear()
        else:
            del here.fake.books.events[:-1]
        run = await here.sync()
        assert run.full, "the provider has forgotten where we were, so everything is compared"
        now = here.fake.books.now
        right = {
            page.subscription_id
            for page in (first, second)
            if entitled(here.fake.money.ledger, page.subscription_id, now)
        }
        assert await granted(here) == right == {first.subscription_id}


REFUNDED, PAST_DUE = (
    [("renewing", 0, 0), ("refund", 0, 0)],
    [("renewing", 0, 0), ("card", 0, 0), ("wait", 6, 0), ("wait", 2, 0)],
)


class Line(NamedTuple):
    """A line of ours, what it is broken to, and a history that then goes wrong."""

    module: ModuleType
    name: str
    line: str
    by: str
    steps: list[Step]


LINES = [
    Line(reconcile, "_renewed", "any(receipt.kept for receipt in covering)", "bool(covering)", REFUNDED),
    Line(reconcile, "_bought_once", "if receipt.kept]", "]", [("buy", 0, 0), ("refund", 0, 0)]),
    Line(reconcile, "_of_state", "kept_until_us + terms.grace_us", "kept_until_us + terms.slack_us", PAST_DUE),
    Line(reading, "_receipts", "if order.payment is not None", "if order.payment is None", [("buy", 0, 0)]),
    Line(convert, "_of_charges", 'from_stripe(charge["amount_refunded"], charge["currency"])', "0", REFUNDED),
]


@pytest.mark.parametrize("broken", LINES, ids=lambda each: each.name)
def test_a_broken_line_is_found(broken: Line, migrated_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module, name, line, by, steps = broken
    asyncio.run(played(migrated_file, steps, 0))
    source = inspect.getsource(getattr(module, name))
    assert source.count(line) == 1
    space: dict[str, object] = {}
    exec(compile(source.replace(line, by), name, "exec"), {**vars(module)}, space)  # noqa: S102  (our own line, broken)
    made = space[name]
    assert isinstance(made, FunctionType)
    monkeypatch.setattr(module, name, FunctionType(made.__code__, vars(module), name, made.__defaults__))
    if made.__kwdefaults__:
        getattr(module, name).__kwdefaults__ = made.__kwdefaults__
    with pytest.raises((AssertionError, ExceptionGroup)):
        asyncio.run(played(migrated_file, steps, 0))
