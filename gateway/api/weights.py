"""Endpoint weights: what requests cost, as admins decide, beside the rules of the configuration."""

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from gateway.api.call import Call
from gateway.api.desk import Desk
from gateway.api.fields import AskedFlag, ById, Line, Paragraph, Said, SearchText, Time, Told, Whole, wrong
from gateway.api.hits import hits_of_day
from gateway.api.lists import ListQuery
from gateway.api.reply import GONE, Reply, created
from gateway.api.route import Who, route
from gateway.billing.both import SINCE_US
from gateway.billing.weights import Entry, Wanted, Weights
from gateway.core.problems import NotFound
from gateway.core.rule import ANY, METHODS
from gateway.core.scope import canonical_uuid
from gateway.store.rows import WeightDraft


def _method(value: str) -> str:
    upper = value.upper()
    if upper not in METHODS and upper != ANY:
        raise wrong("must be a method such as GET or POST, or ANY")
    return upper


Method = Annotated[Line, StringConstraints(max_length=16), AfterValidator(_method)]
Pattern = Annotated[Line, StringConstraints(min_length=1, max_length=1024, pattern="^/")]
Weight = Annotated[Whole, Field(ge=0, le=10**12)]
Note = Annotated[Paragraph, StringConstraints(max_length=10_000)]


class CreateWeight(Said):
    """What requests of a method to a path pattern cost. 0 is free."""

    method: Method
    path_pattern: Pattern
    weight: Weight
    description: Note | None = None


class UpdateWeight(Said):
    """What of a weight shall be otherwise."""

    method: Method | None = None
    path_pattern: Pattern | None = None
    weight: Weight | None = None
    description: Note | None = None


class EndpointWeight(Told):
    """A weight. ``source``: ``file`` is the configuration, which is read-only here, at ``origin``.

    ``pays`` and ``public``: as it counts; an admin's weight changes the cost alone. ``shadowed``: admins' weights take
    all its requests. ``problem``: why it does not count. ``hits_last_day``: requests that met it, where asked for.
    """

    method: str
    path_pattern: str
    weight: int
    description: str | None = None
    id: str
    created_at: Time
    updated_at: Time
    source: Literal["database", "file"]
    origin: str | None = None
    pays: list[str] | None = None
    public: bool
    shadowed: bool
    problem: str | None = None
    hits_last_day: int | None = None


class WeightQuery(ListQuery):
    """Which weights. ``text``: in method and pattern ("GET /a"), or in the description.

    ``hits``: count the requests of the last day.
    """

    method: Method | None = None
    text: SearchText | None = None
    source: Literal["database", "file"] | None = None
    hits: AskedFlag = False


async def list_weights(call: Call, desk: Desk) -> Reply:
    """What requests cost: admins' weights and the configuration's rules."""
    query = call.query(WeightQuery)
    wanted = Wanted(method=query.method, text=query.text, source=query.source)
    entries = await _weights(desk).page(query.listing, wanted)
    hits = await hits_of_day(desk, call.now_us) if query.hits else None
    return Reply([_told(entry, None if hits is None else hits.get(entry.name, 0)) for entry in entries])


async def get_weight(call: Call, desk: Desk) -> Reply:
    """One weight."""
    id_ = canonical_uuid(call.params["weight_id"])
    if id_ is None:
        raise NotFound("There is no such weight: its id is a UUID.")
    return _reply(await _weights(desk).get(id_))


async def create_weight(call: Call, desk: Desk) -> Reply:
    """Add a weight; it counts from the next request on."""
    said = call.body(CreateWeight)
    draft = WeightDraft(
        method=said.method, pattern=said.path_pattern, weight=said.weight, description=said.description or None
    )
    entry = await _weights(desk).create(draft, call.mandate)
    return created(_told(entry), _revision(entry))


async def update_weight(call: Call, desk: Desk) -> Reply:
    """Change a weight."""
    said = call.body(UpdateWeight)

    def edit(old: WeightDraft) -> WeightDraft:
        named = {"method": said.method, "pattern": said.path_pattern, "weight": said.weight}
        changed: dict[str, object] = {name: value for name, value in named.items() if value is not None}
        if "description" in said.model_fields_set:
            changed["description"] = said.description or None
        return replace(old, **changed)  # type: ignore[arg-type]

    return _reply(await _weights(desk).update(call.query(ById).id, edit, call.mandate))


async def delete_weight(call: Call, desk: Desk) -> Reply:
    """Remove a weight; the configuration's rule counts again, if there is one."""
    await _weights(desk).delete(call.query(ById).id, call.mandate)
    return GONE


def _weights(desk: Desk) -> Weights:
    return Weights(desk.store, desk.configured, lambda: desk.snapshot().rules)


def _reply(entry: Entry) -> Reply:
    return Reply(_told(entry), revision=_revision(entry))


def _revision(entry: Entry) -> int:
    return 0 if entry.row is None else entry.row.revision


def _told(entry: Entry, hits: int | None = None) -> EndpointWeight:
    row, rule = entry.row, entry.rule
    said = row or rule
    assert said is not None  # noqa: S101  (an entry is of one or the other)
    return EndpointWeight(
        method=said.method,
        path_pattern=said.pattern,
        weight=said.weight,
        description=None if row is None else row.description,
        id=entry.id,
        created_at=SINCE_US if row is None else row.created_us,
        updated_at=SINCE_US if row is None else row.updated_us,
        source="file" if row is None else "database",
        origin=rule.origin.where if row is None and rule is not None else None,
        pays=None if rule is None or rule.pays is None else list(rule.pays),
        public=rule is not None and rule.public,
        shadowed=entry.shadowed,
        problem=entry.problem,
        hits_last_day=hits,
    )


ROUTES = (
    route("GET", "/endpoint-weight", list_weights, who=Who.ADMIN, asks=WeightQuery, tells=EndpointWeight, lists=True),
    route("GET", "/endpoint-weight/{weight_id}", get_weight, who=Who.ADMIN, tells=EndpointWeight),
    route(
        "POST", "/endpoint-weight", create_weight, who=Who.ADMIN, takes=CreateWeight, tells=EndpointWeight, status=201
    ),
    route("PUT", "/endpoint-weight", update_weight, who=Who.ADMIN, asks=ById, takes=UpdateWeight, tells=EndpointWeight),
    route("DELETE", "/endpoint-weight", delete_weight, who=Who.ADMIN, asks=ById, status=204),
)
