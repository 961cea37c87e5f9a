"""What the provider says unasked: kept as it came, answered, then acted on; what failed is tried again."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from gateway import log
from gateway.billing.sales import DAY_US, Sales
from gateway.billing.settle import Settled, settle
from gateway.core.problems import NotFound, Problem
from gateway.payments.attended import unattended
from gateway.payments.port import Busy, Foreign, Owner, ProviderError, Signal, Subject
from gateway.store import orders, plans, signals, syncs
from gateway.store.signals import NewSignal, SignalRow
from gateway.tasks import Tasks

GIVEN_UP_US = 3 * DAY_US
"""For so long what failed is tried again."""
FIRST_WAIT_US = 30_000_000
_LONGEST_WAIT_US = 3_600_000_000
_BATCH = 100
_AT_ONCE = 8
"""Of what waits: more would only stand in line at the provider."""
MOST_AT_ONCE = 32
"""So many are acted on as they come; what comes meanwhile is left to the job."""
MOST_DUE = 500
"""After so many that were due, something else has its turn."""

_log = log.get_logger(__name__)
Note = Callable[[Settled], None]


class Unmatched(Exception):  # noqa: N818  (what it is, and nobody's mistake yet)
    """It is about something of ours that is not here: our row may be about to be, or was lost."""


async def receive(sales: Sales, headers: Mapping[str, str], body: bytes) -> SignalRow | None:
    """Keep a webhook; ``None``: there is nothing to do about it. Raises ``BadSignature``, or ``Foreign``."""
    try:
        signal = sales.provider.read_signal(headers, body, sales.now_us())
    except Foreign:
        sales.counts.signals["foreign"] += 1
        _log.warning("a message is of another account, or of the other mode: see the webhook's endpoint")
        raise
    if signal.subject == "other":
        sales.counts.signals["ignored"] += 1
    return await keep(sales, signal)


async def keep(sales: Sales, signal: Signal) -> SignalRow | None:
    """Put a signal into the inbox; ``None``: it is there, or of a kind that nobody here acts on."""
    if signal.subject == "other":
        return None
    new = NewSignal(
        provider=sales.provider.name,
        key=signal.key,
        kind=signal.kind,
        subject=signal.subject,
        subject_id=signal.id,
        body=signal.text,
        happened_us=signal.created_us,
    )
    return await signals.put(sales.store, new, sales.now_us() + FIRST_WAIT_US, sales.mandate())


async def act_on(sales: Sales, row: SignalRow, note: Note | None = None) -> SignalRow:
    """Do what it asks for, and write down what came of it. Never raises for what is wrong with the signal.

    ``note``: told what was settled.
    """
    try:
        with unattended():
            subscription = await _act(sales, row, note)
    except (ProviderError, Problem, Unmatched, TimeoutError) as error:
        return await _failed(sales, row, error)
    except Exception as error:  # noqa: BLE001  (it is kept, shown to admins and tried again)
        _log.exception("a signal could not be acted on", signal=row.id, kind=row.kind)
        return await _failed(sales, row, error)
    state = "ignored" if subscription is None and row.subject != "catalog" else "done"
    done = {"state": state, "subscription_id": subscription, "next_us": None, "problem": None}
    await signals.mark(sales.store, row.id, sales.mandate(), attempts=row.attempts + 1, **done)
    sales.counts.signals[state] += 1
    return await signals.get(sales.store, row.id)


async def replay(sales: Sales, id_: str) -> SignalRow:
    """Act on one again, whatever came of it before. Raises ``NotFound``."""
    return await act_on(sales, await signals.get(sales.store, id_))


async def act_on_due(sales: Sales) -> int:
    """Act on what is to be tried by now, ``MOST_DUE`` and a few at most. How many that were."""
    count = 0
    while count < MOST_DUE and (rows := await signals.due(sales.store, sales.now_us(), _BATCH)):
        await act_on_all(sales, rows)
        count += len(rows)
    return count


async def act_on_all(sales: Sales, rows: Sequence[SignalRow], note: Note | None = None) -> None:
    """Act on each, a few at a time. Raises ``StoreUnavailable``."""
    waiting = iter(rows)

    async def some() -> None:
        for row in waiting:
            await act_on(sales, row, note)

    outcomes = await asyncio.gather(*(some() for _ in range(_AT_ONCE)), return_exceptions=True)
    for outcome in outcomes:
        if outcome is not None:
            raise outcome


def act_soon(sales: Sales, row: SignalRow, tasks: Tasks) -> None:
    """Act on it beside the answer that its sender waits for; in a flood it waits in the inbox for its turn."""
    if row.state != "received":
        return
    if len(tasks) < MOST_AT_ONCE:
        tasks.start(act_on(sales, row), "act on a signal")
    else:
        sales.wanted.set()


def signal_of(sales: Sales, row: SignalRow) -> Signal:
    """What is kept, as it came."""
    subject, at_us, test = cast("Subject", row.subject), row.happened_us, sales.provider.test
    return Signal(row.key, row.kind, subject, row.subject_id, at_us, test, None, row.body)


async def sale_of(sales: Sales, signal: Signal) -> tuple[str, Owner] | None:
    """The sale that it is about, and what it says of that; ``None``: nothing of ours.

    Raises ``Unmatched``, ``ProviderError``.
    """
    owner = await sales.provider.owner(signal)
    if owner == Owner():
        return None
    name = sales.provider.name
    found = await orders.find(
        sales.store, name, subscription=owner.subscription, order=owner.order, agreement=owner.agreement
    )
    if found is not None:
        return found, owner
    if owner.subscription is None:
        await _refuse_unsold(sales, owner)
        return None  # an agreement that nobody of ours began
    raise Unmatched(f"it is about the subscription {owner.subscription}, which is not here")


async def _refuse_unsold(sales: Sales, owner: Owner) -> None:
    """Money for a plan of ours that was not sold here: whoever paid has nothing for it. Raises ``Unmatched``."""
    if owner.plan is None:
        return
    async with sales.store.read() as connection:
        plan = await plans.find(connection, owner.plan)
    if plan is not None:
        raise Unmatched(f"it pays for the plan {plan.slug}, and was not sold here: give the plan by hand, or refund it")


async def _act(sales: Sales, row: SignalRow, note: Note | None) -> str | None:
    """The subscription that it was about; ``None``: nothing of ours."""
    if row.subject == "catalog":
        async with sales.store.write(sales.mandate()) as act:
            await syncs.change(act, sales.provider.name, drift_due=True)
        _log.warning("the catalog was edited at the provider: the sync sees what differs", kind=row.kind)
        return None
    about = await sale_of(sales, signal_of(sales, row))
    if about is None:
        return None
    found, owner = about
    try:
        settled = await settle(sales, found, owner)
    except NotFound as error:
        raise Unmatched(error.message) from error
    if note is not None:
        note(settled)
    if row.kind in sales.provider.alarming:
        _log.error("somebody must look at this at the provider", kind=row.kind, subject=row.subject_id, sale=found)
    _log.info("a signal was acted on", kind=row.kind, subscription=found, changes=len(settled.changes))
    return found


async def _failed(sales: Sales, row: SignalRow, error: Exception) -> SignalRow:
    now_us, attempts = sales.now_us(), row.attempts + (not isinstance(error, Busy))  # which was no attempt
    wait_us = min(FIRST_WAIT_US * 2 ** min(attempts, 20), _LONGEST_WAIT_US)
    again = now_us - row.created_us < GIVEN_UP_US
    problem = getattr(error, "message", None) or (str(error) if isinstance(error, Unmatched) else type(error).__name__)
    if isinstance(error, Unmatched):
        sales.counts.unmatched += 1
    _log.error("a signal is not done", signal=row.id, kind=row.kind, attempts=attempts, problem=problem, again=again)
    failed = {"state": "failed", "problem": str(problem)[:500], "next_us": now_us + wait_us if again else None}
    await signals.mark(sales.store, row.id, sales.mandate(), attempts=attempts, **failed)
    sales.counts.signals["failed"] += 1
    return await signals.get(sales.store, row.id)
