"""Who changed what, from what to what, when and from where. For admins."""

from typing import Annotated, Any

import orjson
from pydantic import ConfigDict, Field

from gateway.api.call import Call
from gateway.api.desk import Desk
from gateway.api.fields import AskedWhole, Instant, Line, Said, ScopeId, Time, Told
from gateway.api.reply import Reply
from gateway.api.route import Who, route
from gateway.core.problems import Unprocessable
from gateway.core.scope import Scope
from gateway.store import audit
from gateway.store.audit import Sought
from gateway.store.listing import LARGEST_PAGE
from gateway.store.rows import AuditRow

Word = Annotated[Line, Field(min_length=1, max_length=64)]


class AuditQuery(Said):
    """Which entries. ``scope`` (``user`` or ``workspace``) and ``id`` go together; bounds are inclusive."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_by_name=True)
    topic: Word | None = None
    action: Word | None = None
    object_id: ScopeId | None = None
    actor_id: ScopeId | None = None
    scope: Word | None = None
    id: ScopeId | None = None
    from_: Annotated[Instant | None, Field(alias="from")] = None
    to: Instant | None = None
    before_id: Annotated[AskedWhole, Field(ge=1)] | None = None
    limit: Annotated[AskedWhole, Field(ge=1, le=LARGEST_PAGE)] = 50


class AuditEntry(Told):
    """One change. ``before`` and ``after``: the row as it was and as it is; absent: there was, or is, none.

    ``actor_via``: how it was known who it is; ``actor_key``: the id of the API key that was shown.
    """

    id: int
    at: Time
    actor_kind: str
    actor_id: str | None = None
    address: str | None = None
    request_id: str | None = None
    actor_via: str | None = None
    actor_key: str | None = None
    action: str
    topic: str
    object_id: str
    scope: str | None = None
    scope_id: str | None = None
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


async def get_audit(call: Call, desk: Desk) -> Reply:
    """Who changed what, the newest first. Page with ``before_id``."""
    asked = call.query(AuditQuery)
    if (asked.scope is None) != (asked.id is None):
        raise Unprocessable("`scope` and `id` go together.")
    sought = Sought(
        topic=asked.topic,
        action=asked.action,
        object_id=asked.object_id,
        actor_id=asked.actor_id,
        scope=None if asked.scope is None or asked.id is None else Scope(asked.scope, asked.id),
        from_us=asked.from_,
        until_us=asked.to,
        before_id=asked.before_id,
    )
    return Reply([_told(row) for row in await audit.page(desk.store, sought, limit=asked.limit)])


def _told(row: AuditRow) -> AuditEntry:
    return AuditEntry(
        id=row.id,
        at=row.at_us,
        actor_kind=row.actor_kind,
        actor_id=row.actor_id,
        address=row.address,
        request_id=row.request_id,
        actor_via=row.actor_via,
        actor_key=row.actor_key,
        action=row.action,
        topic=row.topic,
        object_id=row.object_id,
        scope=row.scope_kind,
        scope_id=row.scope_id,
        before=None if row.before is None else orjson.loads(row.before),
        after=None if row.after is None else orjson.loads(row.after),
    )


ROUTES = (route("GET", "/audit", get_audit, who=Who.ADMIN, asks=AuditQuery, tells=AuditEntry, lists=True),)
