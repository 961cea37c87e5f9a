"""The configuration that is running, key by key, with where each value was written and without its secrets."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from gateway.settings.base import Section
from gateway.settings.models import Settings
from gateway.settings.places import joined

MASK = "********"
DEFAULT = "default"
_USERINFO = re.compile(r"(?<=://)[^/?#\s]*@")  # up to the last @: a password may hold some
_QUERY = re.compile(r"(?<=://)([^?\s]*)\?\S*")


class Shown(NamedTuple):
    """A key as it is written in the YAML, its value as JSON can hold it, and ``file:line:column`` or ``default``."""

    key: str
    value: object
    origin: str


def shown(settings: Settings) -> Iterator[Shown]:
    """Every key. An item of a list is one entry, with the keys that it has."""
    yield from _section(settings, settings, ())


def _section(settings: Settings, section: Section, above: tuple[str | int, ...]) -> Iterator[Shown]:
    for name, field in type(section).model_fields.items():
        location, value = (*above, name), getattr(section, name)
        written = name in section.model_fields_set
        if isinstance(value, Section):
            yield from _section(settings, value, location)
        elif isinstance(value, tuple) and any(isinstance(item, Section) for item in value):
            for number, item in enumerate(value):
                place = settings.source.place(*location, number)
                yield Shown(joined(_path(location), number), _plain(item, field), str(place) if written else DEFAULT)
        else:
            origin = str(settings.source.place(*location)) if written else DEFAULT
            yield Shown(_path(location), _plain(value, field), origin)


def _path(location: tuple[str | int, ...]) -> str:
    path = ""
    for step in location:
        path = joined(path, step)
    return path


def _plain(value: object, field: FieldInfo) -> object:
    """What JSON can hold. Secrets, and what never is shown, are masked; a URL loses its password and its query."""
    match value:
        case SecretStr():
            return MASK
        case str():
            return _text(value, field)
        case Section() | Mapping():
            return _table(value, field)
        case tuple() | list() | set() | frozenset():
            return [_plain(inner, field) for inner in value]
        case _:
            plain = value is None or type(value) in (bool, int, float)
            return value if plain else str(value)


def _text(value: str, field: FieldInfo) -> str:
    if "://" in value:
        return _QUERY.sub(r"\1?" + MASK, _USERINFO.sub(MASK + "@", value))
    return value if field.repr else MASK


def _table(value: Section | Mapping[object, object], field: FieldInfo) -> dict[str, object]:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner, field) for key, inner in value.items()}
    fields, written = type(value).model_fields, value.model_fields_set
    return {name: _plain(getattr(value, name), fields[name]) for name in fields if name in written}
