"""API keys of the gateway's own: made, shown once, listed without their secrets, rotated, revoked."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from gateway.api.call import Call
from gateway.api.desk import Desk
from gateway.api.fields import AskedFlag, Instant, Line, Said, ScopeId, SearchText, Time, Told, Whole, wrong
from gateway.api.lists import ListQuery
from gateway.api.reading import refuse
from gateway.api.repeated import once
from gateway.api.reply import GONE, Reply, created
from gateway.api.route import Who, route
from gateway.billing import both
from gateway.core.problems import Conflict, NotFound
from gateway.identity.api_keys import ApiKey, generate_key
from gateway.store import keys
from gateway.store.listing import Listing
from gateway.store.rows import KeyDraft, KeyRow

_SECOND_US = 1_000_000
_LONGEST_OVERLAP_S = 90 * 86_400


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


Name = Annotated[Line, StringConstraints(min_length=1, max_length=255, strip_whitespace=True)]
KeyId = Annotated[Line, StringConstraints(pattern="^[a-z0-9]{1,64}$")]
Holder = Annotated[ScopeId | None, BeforeValidator(_none_if_empty)]


class CreateKey(Said):
    """A key for a user, for a workspace, or for a user in one workspace alone. ``expires_at``: left out: never."""

    name: Name
    user_id: Holder = None
    workspace_id: Holder = None
    expires_at: Instant | None = None

    @model_validator(mode="after")
    def _for_somebody(self) -> "CreateKey":
        if self.user_id is None and self.workspace_id is None:
            raise wrong("a key is for a user_id, a workspace_id, or both")
        return self


class RotateKey(Said):
    """``keep_old_for_seconds``: how long the old key still counts; 0: not at all."""

    keep_old_for_seconds: Annotated[Whole, Field(ge=0, le=_LONGEST_OVERLAP_S)] = 0


class Key(Told):
    """An API key, without its secret. ``source``: ``file`` is the configuration, which is read-only here."""

    id: str
    name: str
    user_id: str | None = None
    workspace_id: str | None = None
    expires_at: Time | None = None
    revoked_at: Time | None = None
    replaced_by: str | None = None
    created_at: Time
    updated_at: Time
    source: Literal["database", "file"]


class NewKey(Key):
    """A key that was just made. ``key``: the secret itself, shown this once and kept nowhere."""

    key: str


class KeyQuery(ListQuery):
    """Which keys. ``text``: in id or name. ``active``: those that count now, or those that do not."""

    user_id: ScopeId | None = None
    workspace_id: ScopeId | None = None
    text: SearchText | None = None
    source: Literal["database", "file"] | None = None
    active: AskedFlag | None = None


class ByKey(Said):
    """``?id=``: which key is meant."""

    id: KeyId


async def list_keys(call: Call, desk: Desk) -> Reply:
    """The API keys."""
    query = call.query(KeyQuery)
    active_at_us = None if query.active is None else call.now_us

    async def fetch(part: Listing) -> Sequence[Key]:
        found = await keys.page(desk.store, part, wanted)
        return [_told(row) for row in found]

    async def count() -> int:
        return await keys.count(desk.store, query.listing, wanted)

    async def nothing(_part: Listing) -> Sequence[Key]:
        return ()

    async def none() -> int:
        return 0

    wanted = keys.Wanted(
        user_id=query.user_id,
        workspace_id=query.workspace_id,
        text=query.text,
        active=query.active,
        at_us=active_at_us or 0,
    )
    of_file = [_of_file(key) for key in desk.file_keys() if _is_wanted(key, query, call.now_us)]
    match query.source:
        case "file":
            return Reply(await both.page(query.listing, of_file, nothing, none))
        case "database":
            return Reply(await both.page(query.listing, (), fetch, count))
        case None:
            return Reply(await both.page(query.listing, of_file, fetch, count))


async def get_key(call: Call, desk: Desk) -> Reply:
    """One API key."""
    id_ = call.params["key_id"]
    if (found := _in_file(desk, id_)) is not None:
        return Reply(_of_file(found), revision=0)
    row = await keys.get(desk.store, id_[:64])
    return Reply(_told(row), revision=row.revision)


async def create_key(call: Call, desk: Desk) -> Reply:
    """Make an API key. The answer holds its secret, this once. `Idempotency-Key`: a repeated call makes none: 409."""
    said = call.body(CreateKey)
    if said.expires_at is not None and said.expires_at <= call.now_us:
        raise refuse(("expires_at", "must lie in the future"))
    fresh = generate_key()
    draft = KeyDraft(
        id=fresh.id,
        sha256=fresh.sha256,
        name=said.name,
        user_id=said.user_id,
        workspace_id=said.workspace_id,
        expires_us=said.expires_at,
    )
    row = await keys.create(desk.store, draft, call.mandate, once(call, "key", said))
    return created(_new(row, fresh.key), row.revision)


async def rotate_key(call: Call, desk: Desk) -> Reply:
    """Put a new key in the place of one. The answer holds its secret, this once."""
    id_ = call.params["key_id"][:64]
    _check_editable(desk, id_)
    old = await keys.get(desk.store, id_)
    fresh = generate_key()
    draft = KeyDraft(
        id=fresh.id,
        sha256=fresh.sha256,
        name=old.name,
        user_id=old.user_id,
        workspace_id=old.workspace_id,
        expires_us=old.expires_us,
    )
    until_us = call.now_us + call.body(RotateKey).keep_old_for_seconds * _SECOND_US
    row = await keys.rotate(desk.store, id_, draft, call.mandate, until_us=until_us)
    return created(_new(row, fresh.key), row.revision)


async def revoke_key(call: Call, desk: Desk) -> Reply:
    """Let an API key count no more, from now on and for good."""
    id_ = call.query(ByKey).id
    _check_editable(desk, id_)
    await keys.revoke(desk.store, id_, call.mandate)
    return GONE


def _in_file(desk: Desk, id_: str) -> ApiKey | None:
    return next((key for key in desk.file_keys() if key.id == id_), None)


def _check_editable(desk: Desk, id_: str) -> None:
    if _in_file(desk, id_) is not None:
        raise Conflict("This key is part of the configuration. Take it out there.")
    if len(id_) > 64:  # noqa: PLR2004
        raise NotFound("There is no such key.")


def _is_wanted(key: ApiKey, query: KeyQuery, now_us: int) -> bool:
    counts = key.expires_us is None or now_us < key.expires_us
    return (
        query.user_id in (None, key.user)
        and query.workspace_id in (None, key.workspace)
        and (query.text or "").casefold() in key.id
        and query.active in (None, counts)
    )


def _of_file(key: ApiKey) -> Key:
    return Key(
        id=key.id,
        name=key.id,
        user_id=key.user,
        workspace_id=key.workspace,
        expires_at=key.expires_us,
        created_at=both.SINCE_US,
        updated_at=both.SINCE_US,
        source="file",
    )


def _told(row: KeyRow) -> Key:
    return Key(
        id=row.id,
        name=row.name,
        user_id=row.user_id,
        workspace_id=row.workspace_id,
        expires_at=row.expires_us,
        revoked_at=row.revoked_us,
        replaced_by=row.replaced_by,
        created_at=row.created_us,
        updated_at=row.updated_us,
        source="database",
    )


def _new(row: KeyRow, key: str) -> NewKey:
    return NewKey(**{name: getattr(_told(row), name) for name in Key.model_fields}, key=key)


ROUTES = (
    route("GET", "/api-key", list_keys, who=Who.ADMIN, asks=KeyQuery, tells=Key, lists=True),
    route("GET", "/api-key/{key_id}", get_key, who=Who.ADMIN, tells=Key),
    route("POST", "/api-key", create_key, who=Who.ADMIN, takes=CreateKey, tells=NewKey, status=201),
    route("DELETE", "/api-key", revoke_key, who=Who.ADMIN, asks=ByKey, status=204),
    route("POST", "/api-key/{key_id}/rotate", rotate_key, who=Who.ADMIN, takes=RotateKey, tells=NewKey, status=201),
)
