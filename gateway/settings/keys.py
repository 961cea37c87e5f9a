"""The keys that there are, read from the models: for the nearest key of a typing error, and for the documentation."""

from collections.abc import Iterator
from typing import NamedTuple, get_args, get_origin

from pydantic.fields import FieldInfo

from gateway.settings.base import Section
from gateway.settings.models import Settings
from gateway.settings.places import Location


class Key(NamedTuple):
    """One key of the YAML. ``path`` is written ``rules[].weight``; ``section`` is set if it holds keys of its own."""

    path: str
    field: FieldInfo
    section: type[Section] | None


def section_in(annotation: object) -> type[Section] | None:
    """The section that an annotation such as ``tuple[PlanSettings, ...]`` or ``JwtSettings | None`` is about."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for part in get_args(annotation) if (found := section_in(part)) is not None), None)


def is_list(annotation: object) -> bool:
    """Whether the annotation is a list in the YAML."""
    return get_origin(annotation) is tuple or any(
        is_list(part) for part in get_args(annotation) if part is not type(None) and get_origin(part) is tuple
    )


def section_at(location: Location) -> type[Section] | None:
    """The section at ``location`` of the YAML, or ``None`` where there is none."""
    section: type[Section] | None = Settings
    for step in location:
        if isinstance(step, str):
            if section is None or step not in section.model_fields:
                return None
            section = section_in(section.model_fields[step].annotation)
    return section


def every_key(section: type[Section] = Settings, prefix: str = "") -> Iterator[Key]:
    """All keys, in the order of the models."""
    for name, field in section.model_fields.items():
        inner = section_in(field.annotation)
        yield Key(f"{prefix}{name}", field, inner)
        if inner is not None:
            many = "[]" if is_list(field.annotation) else ""
            yield from every_key(inner, f"{prefix}{name}{many}.")


def homes(name: str) -> list[str]:
    """Where a key of that name exists."""
    return [key.path for key in every_key() if key.path.rpartition(".")[2] == name]
