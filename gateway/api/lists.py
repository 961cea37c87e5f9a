"""Pages of tables: how many rows, from where, in which order. Only for modules that need the store."""

from typing import Annotated, Literal

from pydantic import Field

from gateway.api.fields import AskedWhole, Instant, Said
from gateway.store.listing import LARGEST_PAGE, Column, Direction, Listing

Way = Literal["asc", "desc"]
_FURTHEST = 10**9


class ListQuery(Said):
    """The query of a list; extend it with filters. Without an order the newest come first. Bounds are inclusive."""

    limit: Annotated[AskedWhole, Field(ge=1, le=LARGEST_PAGE)] = 50
    offset: Annotated[AskedWhole, Field(ge=0, le=_FURTHEST)] = 0
    created_at: Way | None = None
    updated_at: Way | None = None
    created_at_geq: Instant | None = None
    created_at_leq: Instant | None = None
    updated_at_geq: Instant | None = None
    updated_at_leq: Instant | None = None

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
            created_from_us=self.created_at_geq,
            created_until_us=self.created_at_leq,
            updated_from_us=self.updated_at_geq,
            updated_until_us=self.updated_at_leq,
        )
