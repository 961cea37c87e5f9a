"""Whatever customers, banks and the network do: after the sync, what is granted is what was paid for.

``judge`` says what was paid for, by the objects of the fake Stripe; it shares no line with what is tested.
``WEIGHBRIDGE_HISTORIES=5000``: so many histories.
"""

import inspect
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.billing import reading
from gateway.core import reconcile
from gateway.core.subscription import Status
from gateway.payments.stripe import convert
from gateway.store import payments, subscribed
from tests.billing.fair import Fair, fair
from tests.billing.histories import SCOPES, STEPS, History, Step, plan_of, trials_are_single
from tests.billing.judge import entitled
from tests.billing.shop import Shop, shop
from tests.payments.stripe.judge import Judge

pytestmark = pytest.mark.slow

HISTORIES, PARTS = int(os.environ.get("WEIGHBRIDGE_HISTORIES", "1000")), 4
"""How many histories, and in how many parts, which may run at the same time."""
WEEK, MAX, YEAR, GIFT, MONTH = range(5)
"""Which plan a step buys, by its number."""


@pytest.fixture(scope="module")
def stand(migrated_file: Path) -> Iterator[Fair]:
    with fair(migrated_file) as found:
        yield found


CHANGED: list[Step] = [("renewing", YEAR, 0), ("deliver", 0, 0), ("change", 0, MAX), ("wait", 9, 0)]


TRIED: list[Step] = [("renewing", MAX, 6), ("end", 0, 0), ("sync", 0, 0)]
"""A first try that was refused, and whose agreement is over while its page is open."""


async def granted(here: Shop) -> set[str]:
    """The ids of what grants something now."""
    now_us = here.sales.now_us()
    held = await subscribed.held_by(here.store, SCOPES, now_us)
    return {each.id for found in held.values() for each in found if each.starts_us <= now_us}


async def played(stand: Fair, steps: list[Step], seed: int) -> None:
    here = await stand.shop()
    history = History(here, stand.plans, seed)
    for step in steps:
        await history.do(step)
    here.webhooks.waiting.clear()
    here.fake.faults.clear()
    here.later(3700)  # what failed is tried again within the hour
    await here.sync()
    await history.look()
    now, kept = here.fake.books.now, here.fake.books.kept
    right = {id_ for id_, days in history.sold.items() if entitled(kept, id_, days, now, history.begun.get(id_))}
    assert await granted(here) == right, [row for row in await here.rows() if row.id in right ^ await granted(here)]
    await same_plans(here)
    await same_money(here)
    await trials_are_single(here)
    await none_dropped_too_soon(here)
    assert isinstance(here.fake.on_request, Judge)
    here.fake.on_request.check(here.fake)
    if seed % 4 == 0:
        again = await here.sync(full=True, dry_run=True)
        assert again.changes == {}, "a full comparison finds nothing more"


async def same_plans(here: Shop) -> None:
    """Who has a running subscription has the plan that it is to at the provider."""
    for row in await here.rows():
        if row.external_id is not None and row.status is not Status.CANCELLED:
            of = here.fake.books.get("subscriptions", row.external_id)["items"]["data"][0]["price"]["metadata"]
            assert plan_of(row) == of["plan_id"]


async def none_dropped_too_soon(here: Shop) -> None:
    """An order that never began is not over while one of its pages can still be paid."""
    for session in here.fake.books.kept["sessions"].values():
        row = await here.row(session["metadata"]["subscription_id"])
        dropped = row.status is Status.CANCELLED and row.period_end_us is None
        assert not (dropped and session["status"] == "open"), session["id"]


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


@pytest.mark.parametrize("_part", range(PARTS))
@settings(max_examples=HISTORIES // PARTS, suppress_health_check=list(HealthCheck))
@given(steps=STEPS, seed=st.integers(0, 2**16))
@example(steps=[("renewing", MAX, 0), ("wait", 8, 0), ("wait", 1, 0)], seed=0)
@example(steps=[("renewing", MAX, 0), ("card", 0, 0), ("wait", 8, 0), ("wait", 2, 0)], seed=0)
@example(steps=[("renewing", MAX, 0), ("refund", 0, 0), ("unrefund", 0, 0)], seed=0)
@example(steps=[*CHANGED, ("stop", 0, 0), ("wait", 9, 0)], seed=0)
@example(steps=[("renewing", MAX, 0), ("portal", 0, YEAR), ("refund", 1, 0), ("portal", 0, WEEK)], seed=0)
@example(steps=[("renewing", MONTH, 0), ("pause", 0, 0), ("wait", 6, 1), ("unpause", 0, 0), ("wait", 9, 0)], seed=0)
@example(
    steps=[("buy", GIFT, 0), ("lose", 0, 0), ("wait", 2, 0), ("sync", 0, 0), ("wait", 8, 0), ("sync", 0, 0)], seed=0
)
@example(steps=[("buy", WEEK, 0), ("again", 0, 0), ("refund", 0, 0), ("wait", 4, 0)], seed=0)
@example(steps=[("buy", MAX, 0), ("dispute", 0, 5), ("decide", 0, 0)], seed=0)
@example(steps=[("buy", MAX, 5), ("settle", 0, 0), ("refund", 0, 7)], seed=0)
@example(steps=[*TRIED, ("return", 1, 0)], seed=0)
@example(steps=[("renewing", MAX, 6), ("deliver", 0, 0), ("return", 0, 0), ("wait", 4, 0)], seed=0)
@example(steps=[("renewing", MAX, 6), ("return", 1, 0), ("mend", 0, 0), ("sync", 0, 0)], seed=0)
@example(steps=[("renewing", MAX, 5), ("deliver", 0, 0), ("return", 1, 0), ("again", 0, 0), ("settle", 0, 0)], seed=0)
@example(steps=[("renewing", MAX, 5), ("sync", 0, 0), ("settle", 0, 5), ("again", 0, 0)], seed=0)
@example(steps=[("renewing", MAX, 0), ("sync", 0, 0), ("key", 0, 0), ("key", 3, 0)], seed=0)
@example(steps=[("renewing", MAX, 0), ("trouble", 7, 1), ("deliver", 0, 0), ("trouble", 4, 2), ("sync", 0, 0)], seed=0)
def test_after_the_sync_what_is_granted_is_what_was_paid_for(
    stand: Fair, _part: int, steps: list[Step], seed: int
) -> None:
    stand.run(played(stand, steps, seed))


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
        now, kept = here.fake.books.now, here.fake.books.kept
        right = {
            page.subscription_id for page in (first, second) if entitled(kept, page.subscription_id, 30, now, None)
        }
        assert await granted(here) == right == {first.subscription_id}


REFUNDED, PAST_DUE = (
    [("renewing", MAX, 0), ("refund", 0, 0)],
    [("renewing", MAX, 0), ("card", 0, 0), ("wait", 8, 0), ("wait", 2, 0)],
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
    Line(reconcile, "_renewed", "_payable_beside(picture, agreement)", "False", TRIED),
    Line(reconcile, "_bought_once", "if receipt.kept]", "]", [("buy", MAX, 0), ("refund", 0, 0)]),
    Line(reconcile, "_of_state", "kept_until_us + terms.grace_us", "kept_until_us + terms.slack_us", PAST_DUE),
    Line(reconcile, "_paid_until", "agreement.period_end_us in ends_us", "False", CHANGED),
    Line(reading, "_receipts", "if order.payment is not None", "if order.payment is None", [("buy", MAX, 0)]),
    Line(convert, "_of_charges", 'from_stripe(charge["amount_refunded"], charge["currency"])', "0", REFUNDED),
]


@pytest.mark.parametrize("broken", LINES, ids=lambda each: each.name)
def test_a_broken_line_is_found(broken: Line, stand: Fair, monkeypatch: pytest.MonkeyPatch) -> None:
    module, name, line, by, steps = broken
    stand.run(played(stand, steps, 0))
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
        stand.run(played(stand, steps, 0))
