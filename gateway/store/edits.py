"""What all edits share: an edit may say what it is based on, and is refused if somebody else was faster."""

from dataclasses import fields
from typing import TYPE_CHECKING, TypeVar

from gateway.core.problems import PreconditionFailed
from gateway.store.store import Act

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    _Draft = TypeVar("_Draft", bound=DataclassInstance)


def check_revision(current: int, expected: int | None, what: str) -> None:
    """Raises ``PreconditionFailed`` unless ``expected`` is the row's revision or ``None``: the last one wins."""
    if expected is not None and expected != current:
        raise PreconditionFailed(
            f"Somebody else has changed this {what} since you read it. Read it again.",
            content={"expected": expected, "current": current},
        )


def draft_of(kind: "type[_Draft]", row: object) -> "_Draft":
    """The part of a row that somebody wrote: ``row`` is of a class that extends ``kind``."""
    return kind(**{field.name: getattr(row, field.name) for field in fields(kind)})


def born(act: Act) -> dict[str, int]:
    """What a new row says of its edits."""
    return {"revision": 1, "created_us": act.now_us, "updated_us": act.now_us}


def moved(act: Act, revision: int) -> dict[str, int]:
    """What an edited row says of its edits, after ``revision``."""
    return {"revision": revision + 1, "updated_us": act.now_us}
