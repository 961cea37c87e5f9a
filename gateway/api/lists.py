"""Pages of tables: how many rows, from where, in which order. Only for modules that need the store."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from gateway.api.fields import AskedWhole, Instant, Said, wrong
from gateway.core import rfc3339
from gateway.store.listing import LARGEST_PAGE, Column, Direction, Listing, Place

Way = Literal["asc", "desc"]
_FURTHEST = 10**9
_LONGEST_ID = 64


def _place(value: object) -> Place:
    instant, comma, id_ = value.partition(",") if isinstance(value, str) else ("", "", "")
    at_us = rfc3339.parsed(instant)
    if at_us is None or not comma or not 0 < len(id_) <= _LONGEST_ID or not (id_.isascii() and id_.isprintable()):
        raise wrong("must be the created_at (or updated_at, if the list is ordered by that) and the id of a row")
    return Place(at_us, id_)


After = Annotated[Place, BeforeValidator(_place), WithJsonSchema({"type": "string"})]


class ListQuery(Said):
    """The query of a list; extend it with filters. Without an order the newest come first. Bounds are inclusive.

    ``after``: ``created_at,id`` of the last row that is known, for the next page without gaps or repetitions.
    """

    limit: Annotated[AskedWhole, Field(ge=1, le=LARGEST_PAGE)] = 50
    offset: Annotated[AskedWhole, Field(ge=0, le=_FURTHEST)] = 0
    after: After | None = None
    created_at: Way | None = None
    updated_at: Way | None = None
    created_at_geq: Instant | None = None
    created_at_leq: Instant | None = None
    updated_at_geq: Instant | None = None
    updated_at_leq: Instant | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.after is not None and (self.offset or (self.created_at and self.updated_at)):
            raise wrong("`after` goes with one order and without offset")
        return self

    @property
    def listing(self) -> Listing:
        """The same for the store."""
        asked: tuple[tuple[Column, Direction | None], ...] = (
            ("created", self.created_at),
            ("updated", self.updated_at),
        )
        order = tuple((column, way) for column, way in asked if way is not None)
        return Listing(
            limit=self.limit,
            offset=self.offset,
            order=order or (("created", "desc"),),
            after=self.after,
            created_from_us=self.created_at_geq,
            created_until_us=self.created_at_leq,
            updated_from_us=self.updated_at_geq,
            updated_until_us=self.updated_at_leq,
        )
