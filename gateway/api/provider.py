"""What a payment provider says, and how we keep in step with it: its webhooks, the inbox, the sync."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field

from gateway.api.call import Call
from gateway.api.checkout import selling
from gateway.api.desk import Desk
from gateway.api.fields import Flag, Line, Said, Time, Told
from gateway.api.lists import ListQuery
from gateway.api.reply import Reply
from gateway.api.route import Who, route
from gateway.billing import inbox
from gateway.billing.run import Run
from gateway.billing.walk import taken_up
from gateway.core.problems import BadRequest, NotFound
from gateway.core.scope import canonical_uuid
from gateway.payments.port import BadSignature, Foreign
from gateway.store import orders, signals, syncs
from gateway.store.deeds import ReplayAsked, SyncAsked, note
from gateway.store.signals import SignalRow

_PER_MINUTE = 6000
_HIDDEN = "secret"
State = Literal["received", "done", "ignored", "failed"]


class Received(Told):
    """It is kept, and acted on; not ``received``: it is of another account, or of the other mode."""

    received: bool = True


class InboxQuery(ListQuery):
    """``status``: what became of it. ``type``: the provider's word for it."""

    status: State | None = None
    type: Annotated[Line, Field(min_length=1, max_length=128)] | None = None


class Event(Told):
    """Something that the provider said. ``next_at``: when it is tried again. ``body``: as it came, for one event."""

    id: str
    provider: str
    key: str
    type: str
    subject: str
    subject_id: str
    status: State
    subscription_id: str | None = None
    attempts: int
    next_at: Time | None = None
    problem: str | None = None
    happened_at: Time
    body: dict[str, Any] | None = None
    created_at: Time
    updated_at: Time


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
    running: SyncRun | None = None
    runs: list[SyncRun]


async def receive_webhook(call: Call, desk: Desk) -> Reply:
    """What a provider says unasked. Answered once it is kept; acted on beside that."""
    sales = selling(desk)
    if call.params["provider"] != sales.provider.name:
        raise NotFound("No such payment provider is configured.")
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in call.knock.headers}
    try:
        row = await inbox.receive(sales, headers, call.raw)
    except BadSignature:
        raise BadRequest("The signature does not fit, or is not of this time.") from None
    except Foreign:
        return Reply(Received(received=False))
    if row is not None:
        inbox.act_soon(sales, row, sales.tasks)
    return Reply(Received())


async def list_webhook_events(call: Call, desk: Desk) -> Reply:
    """What the provider has said, and what became of it."""
    asked = call.query(InboxQuery)
    rows = await signals.page(desk.store, asked.listing, state=asked.status, kind=asked.type)
    return Reply([_told(row) for row in rows])


async def get_webhook_event(call: Call, desk: Desk) -> Reply:
    """One of them, with its body."""
    return Reply(_told(await signals.get(desk.store, _id(call)), whole=True))


async def replay_webhook_event(call: Call, desk: Desk) -> Reply:
    """Act on it again."""
    sales, row = selling(desk), await signals.get(desk.store, _id(call))
    deed = ReplayAsked(row.kind, row.state, row.attempts)
    await note(desk.store, "signal.replay", row.id, deed, call.mandate)
    return Reply(_told(await inbox.replay(sales, row.id)))


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
            running=None if row.walk is None else _run(taken_up(row.walk).run),
            runs=[_run(Run(**each)) for each in row.runs],  # type: ignore[arg-type]
        )
    )


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


def _id(call: Call) -> str:
    found = canonical_uuid(call.params["id"])
    if found is None:
        raise NotFound("There is no such event: its id is a UUID.")
    return found


def _told(row: SignalRow, *, whole: bool = False) -> Event:
    return Event(
        id=row.id,
        provider=row.provider,
        key=row.key,
        type=row.kind,
        subject=row.subject,
        subject_id=row.subject_id,
        status=row.state,
        subscription_id=row.subscription_id,
        attempts=row.attempts,
        next_at=row.next_us,
        problem=row.problem,
        happened_at=row.happened_us,
        body=without_secrets(orjson.loads(row.body)) if whole else None,
        created_at=row.created_us,
        updated_at=row.updated_us,
    )


def without_secrets(value: Any) -> Any:  # noqa: ANN401  (JSON)
    """The same JSON, with what is called a secret masked: a payment's client secret lets one act on it."""
    match value:
        case dict():
            return {
                name: "…" if _HIDDEN in name and isinstance(inner, str) else without_secrets(inner)
                for name, inner in value.items()
            }
        case list():
            return [without_secrets(each) for each in value]
        case _:
            return value


ROUTES = (
    route(
        "POST",
        "/webhook/{provider}",
        receive_webhook,
        who=Who.SIGNED,
        reads_raw=True,
        tells=Received,
        per_minute=_PER_MINUTE,
    ),
    route("GET", "/webhook-event", list_webhook_events, who=Who.ADMIN, asks=InboxQuery, tells=Event, lists=True),
    route("GET", "/webhook-event/{id}", get_webhook_event, who=Who.ADMIN, tells=Event),
    route("POST", "/webhook-event/{id}/replay", replay_webhook_event, who=Who.ADMIN, tells=Event),
    route("GET", "/sync", get_sync, who=Who.ADMIN, tells=SyncState),
    route("POST", "/sync", start_sync, who=Who.ADMIN, takes=SyncRequest, tells=SyncWanted, status=202),
)
