"""The users and workspaces that came by, so that admins find people by name. For admins."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from gateway.api.call import Call
from gateway.api.desk import Desk
from gateway.api.fields import AskedWhole, Said, SearchText, Time, Told, wrong
from gateway.api.reply import Reply
from gateway.api.route import Who, route
from gateway.core.scope import Scope, normalise_id
from gateway.identity.asking import NOBODY_KNOWS, SECOND_US
from gateway.store import directory
from gateway.store.listing import LARGEST_PAGE

_FURTHEST = 10**9
_MOST_IDS = 100
_LATELY_US = 300 * SECOND_US
"""Longer than names are asked for once, and than a worker takes to write down whom it has seen."""


def _ids(value: object) -> tuple[str, ...]:
    """An id may hold anything but the end of a line."""
    found = [normalise_id(line) for line in value.split("\n")] if isinstance(value, str) else []
    if not found or len(found) > _MOST_IDS or None in found:
        raise wrong(f"must be ids of users or workspaces, one a line, {_MOST_IDS} at most")
    return tuple(id_ for id_ in found if id_ is not None)


Ids = Annotated[tuple[str, ...], BeforeValidator(_ids), WithJsonSchema({"type": "string"})]


class DirectoryQuery(Said):
    """``text``: in id or name. ``ids``: these alone, one a line, 100 at most."""

    kind: Literal["user", "workspace"] | None = None
    text: SearchText | None = None
    ids: Ids | None = None
    limit: Annotated[AskedWhole, Field(ge=1, le=LARGEST_PAGE)] = 50
    offset: Annotated[AskedWhole, Field(ge=0, le=_FURTHEST)] = 0


class Seen(Told):
    """Who came by. ``name``: as the upstream last called it, to an admin, or a workspace to a member."""

    kind: Literal["user", "workspace"]
    id: str
    name: str | None = None
    first_seen_at: Time
    last_seen_at: Time


async def get_directory(call: Call, desk: Desk) -> Reply:
    """Who came by, the last first."""
    asked = call.query(DirectoryQuery)
    if desk.shop is not None:
        await desk.shop.sightings.flush(desk.store, call.now_us)
    await _learn_names(call, desk)
    wanted = directory.Wanted(asked.text, asked.kind, asked.ids)
    rows = await directory.search(desk.store, wanted, limit=asked.limit, offset=asked.offset)
    return Reply(
        [
            Seen(
                kind="user" if row.kind == "user" else "workspace",
                id=row.id,
                name=row.name,
                first_seen_at=row.first_seen_us,
                last_seen_at=row.last_seen_us,
            )
            for row in rows
        ]
    )


async def _learn_names(call: Call, desk: Desk) -> None:
    """Ask the upstream what it calls them, where the admin's credential allows that. Without an answer: no names."""
    probe, who = desk.names(), call.caller.identified
    if probe is None or who is None:
        return
    carried = desk.identity().authenticator.carried(call.knock.headers, call.knock.query)
    try:
        named = await probe.ask(who, carried, call.now_us)
    except NOBODY_KNOWS:
        return
    if not named:  # asked a moment ago: who has come by since may have been in that answer
        await _name_newcomers(call, desk, probe.told(who))
        return
    own = Scope("user", call.caller.user or "")
    if own in named:  # admins may never send anything that is metered, and are named in the audit log
        await directory.note(desk.store, {own: call.now_us}, call.now_us)
    known = await directory.names_of(desk.store, named.keys())
    news = {scope: name for scope, name in named.items() if scope in known and known[scope] != name}
    if news:
        await directory.name(desk.store, news, call.now_us)


async def _name_newcomers(call: Call, desk: Desk, told: Mapping[Scope, str]) -> None:
    """Give those a name that were seen lately and are in ``told``."""
    if told:
        new = await directory.nameless(desk.store, call.now_us - _LATELY_US)
        if news := {scope: told[scope] for scope in new if scope in told}:
            await directory.name(desk.store, news, call.now_us)


ROUTES = (route("GET", "/directory", get_directory, who=Who.ADMIN, asks=DirectoryQuery, tells=Seen, lists=True),)
