"""Pages over two origins: all of them together are the whole list, once each."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from gateway.billing import both
from gateway.store.listing import Direction, Listing


async def pages(rows: list[int], of_file: list[int], size: int, way: Direction) -> list[int]:
    async def fetch(listing: Listing) -> Sequence[int]:
        ordered = rows if way == "asc" else rows[::-1]
        return ordered[listing.offset : listing.offset + listing.limit]

    async def count() -> int:
        return len(rows)

    seen: list[int] = []
    while True:
        asked = Listing(limit=size, offset=len(seen), order=(("created", way),))
        page = await both.page(asked, of_file, fetch, count)
        assert len(page) <= size
        if not page:
            return seen
        seen += page


@given(st.integers(0, 12), st.integers(0, 12), st.integers(1, 15), st.sampled_from(("asc", "desc")))
async def test_all_pages_are_the_whole(rows: int, of_file: int, size: int, way: Direction) -> None:
    stored, in_file = list(range(rows)), [-1 - number for number in range(of_file)]
    expected = in_file + stored if way == "asc" else stored[::-1] + in_file
    assert await pages(stored, in_file, size, way) == expected


def test_an_id_in_a_file_is_its_names() -> None:
    assert both.id_in_file("plan", "free") == both.id_in_file("plan", "free")
    assert (
        len({both.id_in_file(*words) for words in (("plan", "a"), ("rule", "a"), ("plan", "b"), ("a", "b", "c"))}) == 4
    )
