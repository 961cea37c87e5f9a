"""``docs/settings.md``, written from the models: ``python -m gateway.settings.document > docs/settings.md``."""

import sys
from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import Literal, get_args, get_origin

from pydantic import PlainValidator, SecretStr
from pydantic_core import PydanticUndefined

from gateway.settings.base import Section
from gateway.settings.keys import Key, every_key, is_list, section_in
from gateway.settings.reload import needs_restart
from gateway.settings.units import Address, Duration, Size, UnixAddress, read_instant

_HEAD = """\
# Settings

Every key of `gateway.yaml`. Written from the models by `python -m gateway.settings.document`; do not edit.
The shipped [`gateway.yaml`](../gateway.yaml) shows the same keys as a file to copy.

- **Times** have a unit: `250ms`, `5s`, `1m`, `2h`, `30d`. **Sizes** too: `512B`, `64KiB`, `1MiB`, `8GiB`.
- **Instants** are a date (`2026-11-01`, midnight UTC) or a date and time with its offset (`2026-11-01T12:00:00Z`).
- `${NAME}`, `${NAME:-default}` and `${file:/path}` are filled into text after the YAML was parsed; a missing variable
  is an error. `$${` is a literal `${`. A relative path is looked for beside the YAML file.
- Only `true` and `false` are booleans; `on`, `yes` and `no` are text, and so are `12:30` and `0123`.
- Lists marked [] have a section for each item. Keys marked *restart* are not applied by a reload.
"""
_WORDS: dict[object, str] = {
    str: "text",
    bool | str: "`true`, `false` or a path",
    bool: "`true` or `false`",
    int: "whole number",
    SecretStr: "secret text",
    Duration: "time",
    Size: "size",
    Address | UnixAddress: "host:port or unix:/path",
    IPv4Network: "network",
}


_MANY: dict[object, str] = {tuple: "list of: ", dict: "mapping of names to "}


def settings_page() -> str:
    """The whole page."""
    parts = [_HEAD, "## Top level\n", *_table(key for key in every_key() if "." not in key.path)]
    for key in every_key():
        if key.section is not None:
            many = "[]" if is_list(key.field.annotation) else ""
            parts += [f"\n## `{key.path}{many}`\n", f"{_first_line(key.section)}\n", *_table(_below(key, many))]
    return "\n".join(parts) + "\n"


def _below(key: Key, many: str) -> Iterator[Key]:
    prefix = f"{key.path}{many}."
    return (each for each in every_key() if each.path.startswith(prefix) and "." not in each.path[len(prefix) :])


def _first_line(section: type[Section]) -> str:
    return (section.__doc__ or "").partition("\n")[0]


def _table(keys: Iterator[Key]) -> Iterator[str]:
    yield "| key | value | default | meaning |"
    yield "| --- | --- | --- | --- |"
    for key in keys:
        name = key.path.rpartition(".")[2]
        restart = " *restart*" if needs_restart(key.field) else ""
        cells = (f"`{name}`", _words(key.field.annotation), _default(key), f"{key.field.description}{restart}")
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _words(annotation: object) -> str:
    if section_in(annotation) is not None:
        return "list of mappings" if is_list(annotation) else "mapping"
    if annotation in _WORDS:
        return _WORDS[annotation]
    arguments = get_args(annotation)
    if any(isinstance(mark, PlainValidator) and mark.func is read_instant for mark in arguments):
        return "instant"
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if get_origin(annotation) in _MANY:
        inner = next(part for part in reversed(arguments) if part is not Ellipsis)
        return f"{_MANY[get_origin(annotation)]}{_words(inner)}"
    return next((words for part in arguments if (words := _words(part))), "")


def _default(key: Key) -> str:
    if key.field.is_required():
        return "required"
    value = key.field.default
    if value is PydanticUndefined or isinstance(value, Section):
        return "see below"
    if value is None:
        return "`null`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple) and not isinstance(value, Address):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{value}`"


if __name__ == "__main__":
    sys.stdout.write(settings_page())
