"""Pages over two origins: all of them together are the whole list, once each."""

from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from gateway.billing import both
from gateway.store.listing import Direction, Listing, Place


class Row(NamedTuple):
    """``at_us``: 0 is the configuration's."""

    at_us: int
    id: str


class Shelf:
    """The store's rows, as its queries page them."""

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows

    async def fetch(self, listing: Listing) -> Sequence[Row]:
        ((_, way),) = listing.order
        ordered = sorted(self.rows, reverse=way == "desc")
        if (after := listing.after) is not None:
            ordered = [row for row in ordered if (row > after if way == "asc" else row < after)]
        return ordered[listing.offset : listing.offset + listing.limit]

    async def count(self) -> int:
        return len(self.rows)


def shelves(rows: int, of_file: int) -> tuple[Shelf, list[Row]]:
    stored = [Row(1 + at // 3, f"{at:03}") for at in range(rows)]  # three were made in each instant
    return Shelf(stored), [Row(both.SINCE_US, f"file-{number}") for number in range(of_file)]


def whole(shelf: Shelf, in_file: list[Row], way: Direction) -> list[Row]:
    return in_file + sorted(shelf.rows) if way == "asc" else sorted(shelf.rows, reverse=True) + in_file


WAYS = st.sampled_from(("asc", "desc"))
FEW, SIZES = st.integers(0, 12), st.integers(1, 15)


@given(FEW, FEW, SIZES, WAYS)
async def test_all_pages_are_the_whole(rows: int, of_file: int, size: int, way: Direction) -> None:
    shelf, in_file = shelves(rows, of_file)
    seen: list[Row] = []
    while True:
        asked = Listing(limit=size, offset=len(seen), order=(("created", way),))
        page = await both.page(asked, in_file, shelf.fetch, shelf.count)
        assert len(page) <= size
        if not page:
            break
        seen += page
    assert seen == whole(shelf, in_file, way)


@given(FEW, FEW, SIZES, WAYS, st.sets(st.integers(0, 11)))
async def test_read_by_places_nothing_is_missed_or_repeated_though_rows_come_and_go(
    rows: int, of_file: int, size: int, way: Direction, leaving: set[int]
) -> None:
    shelf, in_file = shelves(rows, of_file)
    staying = [row for row in whole(shelf, in_file, way) if row.at_us == 0 or int(row.id) not in leaving]
    seen: list[Row] = []
    while True:
        after = Place(*seen[-1]) if seen else None
        asked = Listing(limit=size, order=(("created", way),), after=after)
        page = await both.page(asked, in_file, shelf.fetch, shelf.count)
        assert len(page) <= size
        if not page:
            break
        seen += page
        if leaving:  # one goes, and one comes that is newer than all
            gone = leaving.pop()
            shelf.rows = [row for row in shelf.rows if row.id != f"{gone:03}"] + [Row(900, f"new-{gone}")]
    assert len(seen) == len(set(seen))
    assert [row for row in seen if row in staying] == staying
    assert way == "asc" or all(row.at_us < 900 for row in seen) or not rows


def test_an_id_in_a_file_is_its_names() -> None:
    assert both.id_in_file("plan", "free") == both.id_in_file("plan", "free")
    assert (
        len({both.id_in_file(*words) for words in (("plan", "a"), ("rule", "a"), ("plan", "b"), ("a", "b", "c"))}) == 4
    )
