"""What is condensed says the same in fewer records."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.journal import Bounds, Record
from gateway.journal.condense import condense
from gateway.journal.prove import prove
from gateway.journal.store import Store
from tests.journal.stories import Story, stories, summed
from tests.journal.world import START_US


@given(stories, st.integers(0, 40), st.integers(0, 40))
@example(Story([(0, 0, 0), (1, 0, 0), (2, 0, 0), (3, 0, 0)]), 4, 5)  # the end of a hold that began before
@example(Story([(2, 0, 0), (6, 0, 0), (9, 0, 0)]), 0, 3)  # a hold whose bucket was dropped before it ended
def test_condensed_records_fold_to_the_same(story: Story, first: int, second: int) -> None:
    start, end = sorted((first, second))
    records = story.records
    whole = [records[:start], records[start:end], records[end:]]
    shorter = [records[:start], condense(records[start:end]), records[end:]]
    assert summed(shorter) == summed(whole)
    assert summed([condense(condense(records[:end])), records[end:]]) == summed(whole)


@settings(max_examples=20, deadline=None)
@given(stories, st.integers(0, 40), st.integers(0, 40))
def test_the_proof_holds_over_condensed_records(
    tmp_path_factory: pytest.TempPathFactory, story: Story, first: int, second: int
) -> None:
    start, end = sorted((first, second))
    records = story.records
    path = tmp_path_factory.mktemp("condensed") / "j.db"
    store = Store(path, START_US, Bounds())
    for batch in (records[:start], condense(records[start:end]), records[end:]):
        store.flush(batch, START_US, 0, attempt=True)
    store.fold_all()
    store.close()
    assert prove(path, START_US) == []


@given(stories)
def test_condensing_keeps_the_sum_of_what_each_generation_gave(story: Story) -> None:
    def given_by(records: list[Record]) -> dict[object, int]:
        sums: dict[object, int] = {}
        for record in records:
            for posting in record.postings:
                sums[posting[:3]] = sums.get(posting[:3], 0) + posting.amount
        return {place: amount for place, amount in sums.items() if amount}

    assert given_by(condense(story.records)) == given_by(story.records)
