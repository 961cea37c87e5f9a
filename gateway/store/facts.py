"""Rows as JSON, for the audit log: what somebody reads years later, so it stands by itself."""

from dataclasses import fields, is_dataclass

import orjson

SECRET = frozenset({"sha256"})
"""Fields that never enter a log, hashed or not."""


def text_of(row: object) -> str | None:
    """A dataclass as JSON without its secrets. ``None`` stays ``None``."""
    if row is None:
        return None
    if not is_dataclass(row) or isinstance(row, type):
        raise TypeError(f"not a row: {type(row).__name__}")
    shown = {each.name: getattr(row, each.name) for each in fields(row) if each.name not in SECRET}
    return orjson.dumps(shown, default=_plain, option=orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS).decode()


def _plain(value: object) -> object:
    """Dataclasses and named tuples inside by their fields; a time zone by its name."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return value._asdict()
    return str(value)
