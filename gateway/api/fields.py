"""What bodies and queries are made of: pydantic types for both ways, and the models that ours extend.

Nothing that came is ever shown again in an error, and nothing is taken for something else: ``"12"`` is no number in
JSON, and ``4500.0`` is one.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from gateway.core import rfc3339
from gateway.core.scope import canonical_uuid, normalise_id

LARGEST = 10**15
"""Of units and of money: readers of JSON that use doubles still read it exactly."""


class Said(BaseModel):
    """A body or a query that came: every field is known, and nothing is coerced."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)


class Told(BaseModel):
    """An object that goes out. A field that is ``None`` is left out."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


def wrong(message: str) -> PydanticCustomError:
    """The error of one value, ready to be raised."""
    return PydanticCustomError("weighbridge", "{said}", {"said": message})


def _whole(value: object) -> object:
    """JSON has one kind of number: ``4500.0`` is whole (RFC 8259, 6), ``true`` is none."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise wrong("must be a whole number")


def _decimal(value: object) -> object:
    """A number of a query."""
    if isinstance(value, str) and value.isascii() and value.removeprefix("-").isdigit() and len(value) < 20:  # noqa: PLR2004
        return int(value)
    raise wrong("must be a whole number")


def _flag(value: object) -> object:
    if value in ("true", "false"):
        return value == "true"
    raise wrong("must be true or false")


def _bool(value: object) -> object:
    if isinstance(value, bool):
        return value
    raise wrong("must be true or false")


def _text(value: object) -> object:
    if not isinstance(value, str):
        raise wrong("must be a text")
    return value


def _line(value: str) -> str:
    if any(not (each.isprintable() or each == "\u00ad") for each in value):
        raise wrong("must be one line of printable characters")
    return value


def _paragraph(value: str) -> str:
    if any(not each.isprintable() and each not in "\n\r\t" for each in value):
        raise wrong("must hold printable characters only")
    return value


def _uuid(value: object) -> str:
    found = canonical_uuid(value) if isinstance(value, str) else None
    if found is None:
        raise wrong("must be a UUID")
    return found


def _scope_id(value: object) -> str:
    found = normalise_id(value) if isinstance(value, str) else None
    if found is None:
        raise wrong("must be the id of a user or a workspace: 1 to 255 printable characters")
    return found


def _instant(value: object) -> int:
    found = rfc3339.parsed(value) if isinstance(value, str) else None
    if found is None:
        raise wrong("must be an instant such as 2026-11-01T12:00:00Z")
    return found


_UUID_SCHEMA: dict[str, Any] = {"type": "string", "format": "uuid"}
_INSTANT_SCHEMA: dict[str, Any] = {"type": "string", "format": "date-time"}

Whole = Annotated[int, BeforeValidator(_whole)]
Flag = Annotated[bool, BeforeValidator(_bool)]
Line = Annotated[str, BeforeValidator(_text), AfterValidator(_line)]
Paragraph = Annotated[str, BeforeValidator(_text), AfterValidator(_paragraph)]
Uuid = Annotated[str, BeforeValidator(_uuid), WithJsonSchema(_UUID_SCHEMA)]
ScopeId = Annotated[
    str, BeforeValidator(_scope_id), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 255})
]
Instant = Annotated[int, BeforeValidator(_instant), WithJsonSchema(_INSTANT_SCHEMA)]
"""Microseconds since 1970, said as RFC 3339."""

AskedWhole = Annotated[int, BeforeValidator(_decimal)]
"""A whole number in a query, where everything is text."""
AskedFlag = Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"type": "boolean"})]
SearchText = Annotated[Line, Field(min_length=1, max_length=255)]

Time = Annotated[int, PlainSerializer(rfc3339.written, return_type=str), WithJsonSchema(_INSTANT_SCHEMA)]
"""Microseconds since 1970 on the way out: RFC 3339 with six digits, UTC."""


class ById(Said):
    """``?id=``: which one is meant."""

    id: Uuid
