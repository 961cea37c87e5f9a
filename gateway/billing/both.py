"""Lists of two origins: the rows of the store, and those of the configuration, which were there before all others."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar
from uuid import UUID, uuid5

from gateway.store.listing import Listing

SINCE_US = 0
"""When what the configuration says counts as made and changed: the file has no memory of it."""
_NAMES = UUID("6f0a2c1e-6d0c-5d3a-9a54-1a0f5c0f8f10")


class Identified(Protocol):
    """What has an id."""

    @property
    def id(self) -> str:
        """It."""


Row = TypeVar("Row", bound=Identified)


def id_in_file(*words: str) -> str:
    """The id of something in the configuration: the same on every gateway for as long as it is called so."""
    return str(uuid5(_NAMES, "\0".join(words)))


async def page(
    listing: Listing,
    of_file: Sequence[Row],
    fetch: Callable[[Listing], Awaitable[Sequence[Row]]],
    count: Callable[[], Awaitable[int]],
) -> list[Row]:
    """A page over both. ``of_file``: all of the configuration's that are wanted, in their order."""
    bounds = (listing.created_from_us, listing.updated_from_us)
    ends = (listing.created_until_us, listing.updated_until_us)
    early = all(each is None or each <= SINCE_US for each in bounds)
    shown = list(of_file) if early and all(each is None or each >= SINCE_US for each in ends) else []
    ascending = bool(listing.order[:1]) and listing.order[0][1] == "asc"
    if listing.after is not None:
        return await _behind(listing, shown, fetch, ascending=ascending)
    if ascending:
        first = shown[listing.offset : listing.offset + listing.limit]
        if len(first) == listing.limit:
            return first
        rest = replace(listing, limit=listing.limit - len(first), offset=max(0, listing.offset - len(shown)))
        return first + list(await fetch(rest))
    rows = list(await fetch(listing))
    missing = listing.limit - len(rows)
    if not missing or not shown:
        return rows
    start = max(0, listing.offset - await count())
    return rows + shown[start : start + missing]


async def _behind(
    listing: Listing, shown: list[Row], fetch: Callable[[Listing], Awaitable[Sequence[Row]]], *, ascending: bool
) -> list[Row]:
    """The rows behind a place: in the configuration's part, which has one instant, or in the store's."""
    assert listing.after is not None  # noqa: S101  (asked before)
    in_file = listing.after.at_us <= SINCE_US
    rest = _from(shown, listing.after.id) if in_file else [] if ascending else shown
    if ascending:
        first = rest[: listing.limit]
        if len(first) == listing.limit:
            return first
        part = replace(listing, limit=listing.limit - len(first), after=None if in_file else listing.after)
        return first + list(await fetch(part))
    rows = [] if in_file else list(await fetch(listing))
    return rows + rest[: listing.limit - len(rows)]


def _from(shown: list[Row], id_: str) -> list[Row]:
    """Those behind one of them; all of them where it is not there any more."""
    place = next((at for at, row in enumerate(shown, start=1) if row.id == id_), 0)
    return shown[place:]
