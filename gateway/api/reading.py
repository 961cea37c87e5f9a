"""From bytes to the models that a route declares: 400 for what cannot be read, 422 with every field that is wrong."""

import re
from collections.abc import Collection
from typing import TypeVar
from urllib.parse import parse_qsl

import orjson
from pydantic import ValidationError

from gateway.api.call import Knock, Precondition
from gateway.api.fields import Said
from gateway.core.problems import BadRequest, Unprocessable

BODY_BYTES = 1024 * 1024
"""A longer body is 413."""
_MOST_PARAMETERS = 64
_MOST_PROBLEMS = 50
_KINDS = {
    "missing": "is required",
    "extra_forbidden": "is not known here",
    "string_too_long": "is too long",
    "string_too_short": "is too short",
    "too_long": "has too many entries",
    "too_short": "has too few entries",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dict_type": "must be an object",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
}
_ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"', re.ASCII)
_OURS = re.compile(r'(?:W/)?"(\d{1,15})(?:\.[0-9a-f]*)?"', re.ASCII)
M = TypeVar("M", bound=Said)


def read_query(model: type[M] | None, query: bytes, carriers: Collection[str]) -> M | None:
    """The query. ``carriers``: parameters that say who is asking, and are none of the route's."""
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS
        )
    except (UnicodeDecodeError, ValueError):
        raise BadRequest("The query cannot be read: it must be name=value pairs in percent-encoded UTF-8.") from None
    asked: dict[str, str] = {}
    for name, value in pairs:
        if name in carriers:
            continue
        if name in asked:
            raise BadRequest("A parameter of the query is there twice. Send it once.")
        asked[name] = value
    if model is None:
        if asked:
            raise _unprocessable([{"field": name[:64], "problem": "is not known here"} for name in asked])
        return None
    return _validated(model, asked)


def read_json(model: type[M], knock: Knock, raw: bytes) -> M:
    """The body. An empty one is an empty object, if that will do."""
    if not raw:
        return _validated(model, {})
    media = (knock.header(b"content-type") or b"").split(b";")[0].strip().lower()
    if media != b"application/json":
        raise BadRequest("The body must be JSON: send it with Content-Type: application/json.")
    if knock.header(b"content-encoding") not in (None, b"identity"):
        raise BadRequest("The body is compressed, which is not read here. Send it as it is.")
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body is not JSON ({error.msg}, line {error.lineno}, column {error.colno}).") from None
    if not isinstance(value, dict):
        raise Unprocessable("The body must be a JSON object.", content={"fields": []})
    return _validated(model, value)


def read_precondition(knock: Knock) -> Precondition:
    """``If-Match`` and ``If-None-Match`` (RFC 9110, 13.1). Of ours only the revision is compared: see ``reply``."""
    match_ = (knock.header(b"if-match") or b"").decode("latin-1").strip()
    none = (knock.header(b"if-none-match") or b"").decode("latin-1")
    revision = None
    if match_ not in ("", "*"):
        if (found := _OURS.fullmatch(match_)) is None:
            raise BadRequest("If-Match must be the one ETag that came with the object, or *.")
        revision = int(found[1])
    return Precondition(revision, tuple(_ETAG.findall(none)))


def _validated(model: type[M], value: object) -> M:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _unprocessable(problems_of(error)) from None


def problems_of(error: ValidationError) -> list[dict[str, object]]:
    """Each field that is wrong, and what is wrong with it."""
    return [_problem(each["loc"], each["type"], each["msg"]) for each in error.errors()]


def _problem(at: tuple[str | int, ...], kind: str, message: str) -> dict[str, object]:
    """In words of ours, without anything that came."""
    said = _KINDS.get(kind) or message[:1].lower() + message[1:]
    return {"field": ".".join(str(step)[:64] for step in at), "problem": said}


def refuse(*fields: tuple[str, str]) -> Unprocessable:
    """The 422 for fields that do not go together: each with what is wrong with it."""
    return _unprocessable([{"field": name, "problem": problem} for name, problem in fields])


def _unprocessable(fields: list[dict[str, object]]) -> Unprocessable:
    named = "; ".join(
        f"{each['field']} {each['problem']}" if each["field"] else f"{each['problem']}" for each in fields[:5]
    )
    return Unprocessable(f"This cannot be used: {named}.", content={"fields": fields[:_MOST_PROBLEMS]})
