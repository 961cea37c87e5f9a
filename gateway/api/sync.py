"""How we keep in step with a payment provider: what the sync found, what is wrong, and a sync on demand."""

from dataclasses import asdict

from gateway.api.call import Call
from gateway.api.checkout import selling
from gateway.api.desk import Desk
from gateway.api.fields import Flag, Said, Time, Told
from gateway.api.reply import Reply
from gateway.api.route import Who, route
from gateway.billing.run import Run
from gateway.billing.sales import Sales
from gateway.billing.surplus import read_back
from gateway.billing.walk import taken_up
from gateway.store import orders, signals, syncs
from gateway.store.deeds import SyncAsked, note


class SyncRequest(Said):
    """``full``: compare everything. ``dry_run``: only say what would be changed."""

    full: Flag = False
    dry_run: Flag = False


class SyncWanted(Told):
    """It is asked for. Its run is told at ``look``, among the runs that started at ``asked_at`` or later."""

    asked_at: Time
    look: str


class SyncRun(Told):
    """One run. ``changes``: what was not as the provider has it, by subscription. ``drift``: of its catalog.

    ``changed``: how many subscriptions that were; of long lists only the first are named.
    """

    started_at: Time
    ended_at: Time
    full: bool
    dry_run: bool
    happenings: int
    compared: int
    changed: int = 0
    changes: dict[str, list[str]]
    drift: list[str]
    problems: list[str]
    cut: bool = False


class PaidTwice(Told):
    """Money for which nothing is granted, in minor units. Give it back.

    ``agreement``: a second one of a sale, which was ended; or one that was over when it was paid; or the payment, where
    nothing renews.
    """

    subscription_id: str
    agreement: str
    amount_cents: int
    currency: str


class SyncState(Told):
    """How far what happens at the provider was read. ``overdue``: sales that should have been compared by now.

    ``account``: whose key was used. ``running``: how far a comparison of everything has come; its ``ended_at`` is no
    time yet. ``drift``: what of the provider's catalog was not as it should be at ``drift_at``.
    """

    provider: str
    account: str | None = None
    test: bool
    cursor_at: Time | None = None
    last_full_at: Time | None = None
    overdue: int
    events: dict[str, int]
    drift: list[str]
    drift_at: Time | None = None
    paid_twice: list[PaidTwice]
    running: SyncRun | None = None
    runs: list[SyncRun]


async def get_sync(_call: Call, desk: Desk) -> Reply:
    """How the sync with the provider stands, and what its last runs found."""
    sales = selling(desk)
    row = await syncs.get(sales.store, sales.provider.name)
    return Reply(
        SyncState(
            provider=sales.provider.name,
            account=row.account,
            test=sales.provider.test,
            cursor_at=row.cursor_us,
            last_full_at=row.full_us,
            overdue=await orders.count_overdue(sales.store, sales.provider.name, sales.now_us()),
            events=dict(await signals.counts(sales.store)),
            drift=list(row.drift),
            drift_at=row.drift_us,
            paid_twice=await _paid_twice(sales),
            running=None if row.walk is None else _run(taken_up(row.walk).run),
            runs=[_run(Run(**each)) for each in row.runs],  # type: ignore[arg-type]
        )
    )


async def _paid_twice(sales: Sales) -> list[PaidTwice]:
    return [
        PaidTwice(
            subscription_id=order.subscription_id,
            agreement=each.agreement,
            amount_cents=each.amount,
            currency=each.currency,
        )
        for order in await orders.paid_twice(sales.store, sales.provider.name)
        for each in read_back(order.surplus)
    ]


async def start_sync(call: Call, desk: Desk) -> Reply:
    """Sync now: it is done beside the answer, which says where to look."""
    said = call.body(SyncRequest)
    sales = selling(desk)
    deed = SyncAsked(said.full, said.dry_run)
    await note(desk.store, "sync.run", sales.provider.name, deed, call.mandate)
    assert desk.syncer is not None  # noqa: S101  (they come together)
    await desk.syncer.ask(full=said.full, dry_run=said.dry_run)
    look = f"{desk.facts().api_prefix}/sync"
    return Reply(SyncWanted(asked_at=call.now_us, look=look), 202, fields=((b"Location", look.encode()),))


def _run(run: Run) -> SyncRun:
    said = asdict(run)
    started, ended = said.pop("started_us"), said.pop("ended_us")
    return SyncRun(started_at=started, ended_at=ended, **said)


ROUTES = (
    route("GET", "/sync", get_sync, who=Who.ADMIN, tells=SyncState),
    route("POST", "/sync", start_sync, who=Who.ADMIN, takes=SyncRequest, tells=SyncWanted, status=202),
)
