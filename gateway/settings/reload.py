"""What a reload cannot apply, because the running process was built around it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gateway.settings.base import Section

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from gateway.settings.models import Settings


def needs_restart(field: "FieldInfo") -> bool:
    """Whether a change of this key takes effect only after a restart."""
    extra = field.json_schema_extra
    return isinstance(extra, dict) and extra.get("restart") is True


def switches_at_restart(field: "FieldInfo") -> bool:
    """Whether only a restart can turn this on or off, while changes inside it take effect at once."""
    extra = field.json_schema_extra
    return isinstance(extra, dict) and extra.get("restart") == "switch"


def restart_only(old: "Settings", new: "Settings") -> list[str]:
    """The keys that differ and that a reload cannot apply: ``["listen", "ledger.url"]``."""
    return list(_changed(old, new, ""))


def _changed(old: Section, new: Section, prefix: str) -> Iterator[str]:
    for name, field in type(old).model_fields.items():
        before, after = getattr(old, name), getattr(new, name)
        if before == after:
            continue
        if needs_restart(field) or (switches_at_restart(field) and (before is None) != (after is None)):
            yield f"{prefix}{name}"
        elif isinstance(before, Section) and isinstance(after, Section):
            yield from _changed(before, after, f"{prefix}{name}.")
