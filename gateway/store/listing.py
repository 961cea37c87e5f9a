"""Lists: how many, from where, in which order. Orders are a closed list, so no text of a caller becomes SQL."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa

Column = Literal["created", "updated"]
Direction = Literal["asc", "desc"]
LARGEST_PAGE = 1000


class Place(NamedTuple):
    """A row's place in a list: the instant by which the list is ordered, and its id."""

    at_us: int
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Which rows of a list. ``limit`` 1 to ``LARGEST_PAGE``; bounds are inclusive. Ties go by id.

    ``after``: those behind this place, whatever has come or gone before it; for lists of one order.
    """

    limit: int = 50
    offset: int = 0
    order: tuple[tuple[Column, Direction], ...] = (("created", "desc"),)
    after: Place | None = None
    created_from_us: int | None = None
    created_until_us: int | None = None
    updated_from_us: int | None = None
    updated_until_us: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= LARGEST_PAGE or self.offset < 0:
            raise ValueError(f"a page has 1 to {LARGEST_PAGE} rows and starts at 0 or later")
        if self.after is not None and (self.offset or len(self.order) != 1):
            raise ValueError("`after` needs one order and no offset")


def bounded(query: sa.Select[Any], table: sa.Table, listing: Listing) -> sa.Select[Any]:
    """``query`` with the bounds of ``listing``: what is on all its pages."""
    created, updated = table.c.created_us, table.c.updated_us
    bounds = (
        (created, ">=", listing.created_from_us),
        (created, "<=", listing.created_until_us),
        (updated, ">=", listing.updated_from_us),
        (updated, "<=", listing.updated_until_us),
    )
    for column, sign, bound in bounds:
        if bound is not None:
            query = query.where(column.op(sign, is_comparison=True)(bound))
    return query


def listed(query: sa.Select[Any], table: sa.Table, listing: Listing) -> sa.Select[Any]:
    """``query`` with the bounds, the order and the page of ``listing``."""
    query = bounded(query, table, listing)
    named = {"created": table.c.created_us, "updated": table.c.updated_us}
    if listing.after is not None:
        ((name, way),) = listing.order
        place = sa.tuple_(named[name], table.c.id)
        query = query.where(place > listing.after if way == "asc" else place < listing.after)
    orders = [named[name].asc() if way == "asc" else named[name].desc() for name, way in listing.order]
    last_descends = not listing.order or listing.order[-1][1] == "desc"
    orders.append(table.c.id.desc() if last_descends else table.c.id.asc())
    return query.order_by(*orders).limit(listing.limit).offset(listing.offset)


def contains(text: str, *columns: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Whether any of the columns contains ``text``, whatever its case; ``%`` and ``_`` mean themselves."""
    return sa.or_(*(column.icontains(text, autoescape=True) for column in columns))
