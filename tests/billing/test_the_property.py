"""Whatever customers, banks and the network do: after the sync, what is granted is what was paid for.

``judge`` says what was paid for, by the objects of the fake Stripe; it shares no line with what is tested.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.billing.fair import Fair, fair
from tests.billing.histories import SCOPES, STEPS, Step
from tests.billing.judge import entitled
from tests.billing.played import (
    A_PART,
    CHANGED,
    DEARER,
    EARLY,
    GIFT,
    MAX,
    MONTH,
    PARTS,
    TRIED,
    WEEK,
    YEAR,
    granted,
    played,
)
from tests.billing.shop import shop

pytestmark = pytest.mark.slow
LEFT: list[Step] = [
    *(("wait", 32, 0), ("renewing", 15, 5), ("unrefund", 17, 1), ("end", 19, 5), ("renewing", 22, 5)),
    *(("return", 36, 0), ("buy", 22, 5), ("mend", 11, 4), ("renewing", 15, 5)),
]
"""An order whose page was never opened is over when that would have closed."""


@pytest.fixture(scope="module")
def stand(migrated_file: Path) -> Iterator[Fair]:
    with fair(migrated_file) as found:
        yield found


@pytest.mark.parametrize("_part", range(PARTS // 2))
@A_PART
@given(steps=STEPS, seed=st.integers(0, 2**16))
@example(steps=[("renewing", MAX, 0), ("wait", 8, 0), ("wait", 1, 0)], seed=0)
@example(steps=[("renewing", MAX, 0), ("card", 0, 0), ("wait", 8, 0), ("wait", 2, 0)], seed=0)
@example(steps=[("renewing", MAX, 0), ("refund", 0, 0), ("unrefund", 0, 0)], seed=0)
@example(steps=[*CHANGED, ("stop", 0, 0), ("wait", 9, 0)], seed=0)
@example(steps=EARLY, seed=0)
@example(steps=[*DEARER, ("dispute", 1, 5)], seed=0)
@example(steps=[*DEARER, ("refund", 0, 0)], seed=0)
@example(steps=[("renewing", MAX, 0), ("card", 0, 0), ("wait", 8, 0), ("wait", 2, 0), ("portal", 0, MONTH)], seed=0)
@example(steps=[("renewing", MONTH, 0), ("card", 0, 0), ("early", 0, YEAR), ("wait", 3, 0), ("wait", 5, 0)], seed=0)
@example(steps=[("renewing", MAX, 0), ("portal", 0, YEAR), ("refund", 1, 0), ("portal", 0, WEEK)], seed=0)
@example(steps=[("renewing", MONTH, 0), ("pause", 0, 0), ("wait", 6, 1), ("unpause", 0, 0), ("wait", 9, 0)], seed=0)
@example(
    steps=[("buy", GIFT, 0), ("lose", 0, 0), ("wait", 2, 0), ("sync", 0, 0), ("wait", 8, 0), ("sync", 0, 0)], seed=0
)
@example(steps=[("buy", WEEK, 0), ("again", 0, 0), ("refund", 0, 0), ("wait", 4, 0)], seed=0)
@example(steps=[("buy", MAX, 0), ("dispute", 0, 5), ("decide", 0, 0)], seed=0)
@example(steps=[("buy", MAX, 5), ("settle", 0, 0), ("refund", 0, 7)], seed=0)
@example(steps=[*TRIED, ("return", 1, 0)], seed=0)
@example(steps=[("renewing", MAX, 6), ("deliver", 0, 0), ("return", 0, 0), ("wait", 4, 0)], seed=0)
@example(steps=[("renewing", MAX, 6), ("return", 1, 0), ("mend", 0, 0), ("sync", 0, 0)], seed=0)
@example(steps=[("renewing", MAX, 5), ("deliver", 0, 0), ("return", 1, 0), ("again", 0, 0), ("settle", 0, 0)], seed=0)
@example(steps=[("renewing", MAX, 5), ("sync", 0, 0), ("settle", 0, 5), ("again", 0, 0)], seed=0)
@example(steps=[("renewing", MAX, 0), ("sync", 0, 0), ("key", 0, 0), ("key", 3, 0)], seed=0)
@example(steps=[("renewing", MAX, 0), ("trouble", 7, 1), ("deliver", 0, 0), ("trouble", 4, 2), ("sync", 0, 0)], seed=0)
@example(steps=LEFT, seed=3288)
def test_after_the_sync_what_is_granted_is_what_was_paid_for(
    stand: Fair, _part: int, steps: list[Step], seed: int
) -> None:
    stand.run(played(stand, steps, seed))


@pytest.mark.parametrize("lost", ["everything", "the history"])
async def test_a_wiped_history_of_webhooks_converges_to_the_same(
    tmp_path: Path, migrated_file: Path, lost: str
) -> None:
    async with shop(tmp_path, migrated_file) as here:
        await here.sync()
        first = await here.buy(mode="subscription")
        second = await here.buy(SCOPES[1])
        for page in (first, second):
            here.pay(page)
        here.webhooks.waiting.clear()
        here.later(31 * 86_400)
        here.webhooks.waiting.clear()
        if lost == "everything":
            here.fake.books.events.clear()
        else:
            del here.fake.books.events[:-1]
        run = await here.sync()
        assert run.full, "the provider has forgotten where we were, so everything is compared"
        now, kept = here.fake.books.now, here.fake.books.kept
        right = {
            page.subscription_id for page in (first, second) if entitled(kept, page.subscription_id, 30, now, None)
        }
        assert await granted(here) == right == {first.subscription_id}
