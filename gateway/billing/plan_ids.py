"""Ids of the configuration's plans, which have slugs only: made from them, so that they are the same everywhere."""

from collections.abc import Iterable
from uuid import UUID, uuid5

_OURS = UUID("5a4c2f0e-3c1d-5b52-9d6e-0f6d1c3a7b11")


def file_plan_id(slug: str) -> str:
    """The id under which the API shows a plan of the configuration."""
    return str(uuid5(_OURS, slug))


def file_plan_of(id_: str, slugs: Iterable[str]) -> str | None:
    """Which of the configuration's plans has this id; ``None``: none."""
    return next((slug for slug in slugs if file_plan_id(slug) == id_), None)
