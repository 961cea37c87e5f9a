"""The API's own description (OpenAPI 3.1), from the same routes and models that answer."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from threading import Lock
from typing import Any

import orjson
from pydantic.json_schema import models_json_schema

from gateway import __version__
from gateway.api.audience import Who
from gateway.api.call import Call
from gateway.api.desk import Desk
from gateway.api.fields import Said, Told
from gateway.api.reply import Reply
from gateway.api.route import Route, route
from gateway.core.answers import Dialect

Schema = dict[str, Any]
_REFERENCE = "#/components/schemas/{model}"
_TURN = Lock()
_PARAMETER = re.compile(r"\{(\w+)\*?\}")
_REFUSALS = {
    400: "The request cannot be read.",
    401: "A credential is missing, or not good.",
    403: "The credential is good and does not allow this.",
    404: "There is nothing of this name, or not for this caller.",
    409: "What is there already does not allow it.",
    412: "Somebody else has changed it since (If-Match).",
    413: "The body is longer than 1 MiB.",
    422: "Understood, and what it says cannot be: `fields` says which and why.",
    429: "Too many calls in a minute, or too many different workspaces. Try again in `retry_after` seconds.",
    503: "What is needed to answer cannot be reached at the moment.",
}
_WACRAFT: Schema = {
    "type": "object",
    "description": "An error, in wacraft's shape.",
    "properties": {
        "context": {"type": "string"},
        "description": {"type": "string"},
        "message": {"type": "string"},
        "content": {"description": "`code`, `request_id`, and for a 422 `fields`: `[{field, problem}]`."},
    },
    "required": ["description", "message"],
}
_PROBLEM: Schema = {
    "type": "object",
    "description": "An error (RFC 9457), with `code`, `request_id`, and for a 422 `fields`: `[{field, problem}]`.",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
    "required": ["title", "status"],
}


async def read_document(_call: Call, desk: Desk) -> Reply:
    """This description."""
    facts = desk.facts()
    about = (desk.routes(), facts.api_prefix, facts.workspace_header, desk.snapshot().dialect)
    return Reply(await asyncio.to_thread(_once, *about))


ROUTES = (route("GET", "/openapi.json", read_document, who=Who.ANYBODY),)


def _once(routes: tuple[Route, ...], prefix: str, workspace_header: str | None, dialect: Dialect) -> bytes:
    """``document``, made by one thread while others wait: it takes a tenth of a second, and strangers ask for it."""
    with _TURN:
        return document(routes, prefix, workspace_header, dialect)


@lru_cache(maxsize=4)
def document(routes: tuple[Route, ...], prefix: str, workspace_header: str | None, dialect: Dialect) -> bytes:
    """The whole document as JSON."""
    models = _Models(routes)
    names = _names(routes)
    paths: dict[str, Schema] = {}
    for each in routes:
        path = "/" + "/".join(each.segments).replace("*}", "}")
        operation = paths.setdefault(path, {})[each.method.lower()] = _operation(each, models, workspace_header)
        operation["operationId"] = names[each]
        if each.policy is not None:
            operation["responses"] |= {str(status): _relayed(status, dialect) for status in (400, 401, 403, 404)}
    said: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": "Weighbridge billing API",
            "version": __version__,
            "description": "Plans, prices, subscriptions, usage and what requests cost. Money is whole minor units of "
            "its currency; instants are RFC 3339.",
        },
        "servers": [{"url": prefix}],
        "paths": paths,
        "components": {
            "schemas": {**models.schemas, "Refusal": _WACRAFT if dialect == "wacraft" else _PROBLEM},
            "responses": {str(status): _refusal(text, dialect) for status, text in _REFUSALS.items()},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of the API behind the gateway, a gateway API key, or the admin's login.",
                }
            },
        },
    }
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)


class _Models:
    """The schemas of all models, each named once."""

    def __init__(self, routes: Sequence[Route]) -> None:
        comes = {each.takes for each in routes if each.takes is not None}
        goes = {each.tells for each in routes if each.tells is not None}
        wanted = [(model, "validation") for model in sorted(comes, key=lambda model: model.__name__)]
        told = [(model, "serialization") for model in sorted(goes, key=lambda model: model.__name__)]
        self._at, found = models_json_schema([*wanted, *told], ref_template=_REFERENCE)  # type: ignore[list-item]
        self.schemas: Mapping[str, Schema] = {name: _tidy(schema) for name, schema in found["$defs"].items()}

    def comes(self, model: type[Said]) -> Schema:
        """Where the schema of a body is."""
        return self._at[model, "validation"]

    def goes(self, model: type[Told]) -> Schema:
        """Where the schema of an answer is."""
        return self._at[model, "serialization"]


def _names(routes: Sequence[Route]) -> dict[Route, str]:
    """What each is called by programs: its handler's name, with the module's where two have the same."""
    counted = Counter(each.handler.__name__ for each in routes)
    return {
        each: name if counted[name] == 1 else f"{each.handler.__module__.rpartition('.')[2]}_{name}"
        for each in routes
        for name in [each.handler.__name__]
    }


def _operation(each: Route, models: _Models, workspace_header: str | None) -> Schema:
    tag = each.segments[0] if each.segments else "page"
    said: Schema = {
        "summary": each.summary,
        "tags": [tag],
        "parameters": [*_path_parameters(each), *_query_parameters(each), *_header_parameters(each, workspace_header)],
        "responses": _responses(each, models),
        "security": [{"bearer": []}] if each.who in (Who.USER, Who.ADMIN) else [],
        "x-audience": each.who.value,
    }
    if each.policy is not None:
        said["x-policy"] = each.policy.value
    if each.takes is not None:
        needed = bool(each.takes.model_json_schema().get("required"))
        said["requestBody"] = {
            "required": needed,
            "content": {"application/json": {"schema": models.comes(each.takes)}},
        }
    elif each.reads_raw:
        said["requestBody"] = {"required": True, "content": {"application/json": {"schema": {}}}}
    return said


def _path_parameters(each: Route) -> Iterator[Schema]:
    for name in _PARAMETER.findall(each.template):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _query_parameters(each: Route) -> Iterator[Schema]:
    if each.asks is None:
        return
    schema = each.asks.model_json_schema(by_alias=True)
    for name, field in schema.get("properties", {}).items():
        said = _tidy(_without_null(field))
        said.pop("default", None)
        said.pop("title", None)
        yield {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": said}


def _header_parameters(each: Route, workspace_header: str | None) -> Iterator[Schema]:
    if each.policy is not None and workspace_header is not None:
        text = f"Act for this workspace, as a member ({each.policy.value})."
        yield {"name": workspace_header, "in": "header", "description": text, "schema": {"type": "string"}}
    if each.method in ("PUT", "DELETE") and each.who is Who.ADMIN:
        text = "The ETag that came with the object: the edit is for that revision only."
        yield {"name": "If-Match", "in": "header", "description": text, "schema": {"type": "string"}}


def _responses(each: Route, models: _Models) -> Schema:
    good: Schema = {"description": each.summary}
    if each.tells is not None:
        schema = models.goes(each.tells)
        content: Schema = {"application/json": {"schema": schema}}
        if each.lists:
            content = {
                "application/json": {"schema": {"type": "array", "items": schema}},
                "text/csv": {"schema": {"type": "string"}},
            }
        good["content"] = content
    elif each.status != 204:  # noqa: PLR2004
        good["content"] = {each.media: {"schema": {}}}
    refusals = [400, 404, 413, 422, 429, 503]
    refusals += [401, 403] if each.who is not Who.ANYBODY or each.takes is not None else []
    refusals += [409, 412] if each.method != "GET" else []
    answers = {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(refusals)}
    if each.method == "GET":
        answers["304"] = {"description": "Nothing has changed (If-None-Match)."}
    return {str(each.status): good, **answers}


def _refusal(text: str, dialect: Dialect) -> Schema:
    media = "application/json" if dialect == "wacraft" else "application/problem+json"
    return {"description": text, "content": {media: {"schema": {"$ref": _REFERENCE.format(model="Refusal")}}}}


def _relayed(status: int, dialect: Dialect) -> Schema:
    """Where a workspace is named, the upstream's own refusal is passed on as it came."""
    said = _refusal(f"{_REFUSALS[status]} Or the upstream's own words about the workspace.", dialect)
    return {**said, "content": {**said["content"], "application/json": {"schema": {}}}}


def _without_null(field: Schema) -> Schema:
    """A parameter of a query is a text or not there."""
    kinds = [kind for kind in field.get("anyOf", ()) if kind.get("type") != "null"]
    if len(kinds) == 1:
        return {**{name: value for name, value in field.items() if name != "anyOf"}, **kinds[0]}
    return dict(field)


def _tidy(schema: Schema) -> Schema:
    """Without the titles that pydantic makes of names."""
    named = "type" in schema and "properties" not in schema
    return {
        name: _tidied(value)
        for name, value in schema.items()
        if not (name == "title" and named and isinstance(value, str))
    }


def _tidied(value: object) -> object:
    if isinstance(value, dict):
        return _tidy(value)
    return [_tidied(item) for item in value] if isinstance(value, list) else value
