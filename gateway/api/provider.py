"""What a payment provider says unasked: its webhooks, and the inbox in which they are kept."""

from typing import Annotated, Any, Literal

import orjson
from pydantic import Field

from gateway.api.call import Call
from gateway.api.checkout import selling
from gateway.api.desk import Desk
from gateway.api.fields import Line, Time, Told
from gateway.api.lists import ListQuery
from gateway.api.reply import Reply
from gateway.api.route import Who, route
from gateway.billing import inbox
from gateway.core.problems import BadRequest, NotFound
from gateway.core.scope import canonical_uuid
from gateway.payments.port import BadSignature, Foreign
from gateway.store import signals
from gateway.store.deeds import ReplayAsked, note
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
)
