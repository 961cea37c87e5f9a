"""Whatever customers, banks and the network do: after the sync, what is granted is what was paid for.

``judge`` says what was paid for, by the objects of the fake Stripe; it shares no line with what is tested.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.billing.fair import Fair, fair
from tests.billing.histories import SCOPES, Step
from tests.billing.judge import entitled
from tests.billing.played import (
    CHANGED,
    CHEAPER,
    DEARER,
    EARLY,
    GIFT,
    MAX,
    MONTH,
    PARTS,
    TRIED,
    WEEK,
    WORKED,
    YEAR,
    granted,
    play,
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


KNOWN: list[tuple[list[Step], int]] = [
    ([("renewing", MAX, 0), ("wait", 8, 0), ("wait", 1, 0)], 0),
    ([("renewing", MAX, 0), ("card", 0, 0), ("wait", 8, 0), ("wait", 2, 0)], 0),
    ([("renewing", MAX, 0), ("refund", 0, 0), ("unrefund", 0, 0)], 0),
    ([*CHANGED, ("stop", 0, 0), ("wait", 9, 0)], 0),
    (EARLY, 0),
    ([*DEARER, ("dispute", 1, 5)], 0),
    ([*DEARER, ("refund", 0, 0)], 0),
    ([("renewing", MAX, 0), ("card", 0, 0), ("wait", 8, 0), ("wait", 2, 0), ("portal", 0, MONTH)], 0),
    ([("renewing", MONTH, 0), ("card", 0, 0), ("early", 0, YEAR), ("wait", 3, 0), ("wait", 5, 0)], 0),
    ([("renewing", MAX, 0), ("portal", 0, YEAR), ("refund", 1, 0), ("portal", 0, WEEK)], 0),
    ([("renewing", MONTH, 0), ("pause", 0, 0), ("wait", 6, 1), ("unpause", 0, 0), ("wait", 9, 0)], 0),
    ([("buy", GIFT, 0), ("lose", 0, 0), ("wait", 2, 0), ("sync", 0, 0), ("wait", 8, 0), ("sync", 0, 0)], 0),
    ([("buy", WEEK, 0), ("again", 0, 0), ("refund", 0, 0), ("wait", 4, 0)], 0),
    ([("buy", MAX, 0), ("dispute", 0, 5), ("decide", 0, 0)], 0),
    ([("buy", MAX, 5), ("settle", 0, 0), ("refund", 0, 7)], 0),
    ([*TRIED, ("return", 1, 0)], 0),
    ([("renewing", MAX, 6), ("deliver", 0, 0), ("return", 0, 0), ("wait", 4, 0)], 0),
    ([("renewing", MAX, 6), ("return", 1, 0), ("mend", 0, 0), ("sync", 0, 0)], 0),
    ([("renewing", MAX, 5), ("deliver", 0, 0), ("return", 1, 0), ("again", 0, 0), ("settle", 0, 0)], 0),
    ([("renewing", MAX, 5), ("sync", 0, 0), ("settle", 0, 5), ("again", 0, 0)], 0),
    ([("renewing", MAX, 0), ("sync", 0, 0), ("key", 0, 0), ("key", 3, 0)], 0),
    ([("renewing", MAX, 0), ("trouble", 7, 1), ("deliver", 0, 0), ("trouble", 4, 2), ("sync", 0, 0)], 0),
    (LEFT, 3288),
    (WORKED, 0),
    ([*CHEAPER, ("wait", 9, 0), ("change", 0, WEEK), ("wait", 9, 0)], 0),
    ([("renewing", MAX, 0), ("work", 0, 0), ("card", 0, 0), ("wait", 9, 0), ("work", 0, 7), ("mend", 2, 0)], 0),
]
"""Histories that have gone wrong once, or nearly."""


@pytest.mark.parametrize(("steps", "chance"), KNOWN)
def test_what_has_gone_wrong_once_goes_right(stand: Fair, steps: list[Step], chance: int) -> None:
    stand.run(played(stand, steps, chance))


@pytest.mark.parametrize("part", range(PARTS // 2))
def test_after_the_sync_what_is_granted_is_what_was_paid_for(stand: Fair, part: int) -> None:
    play(stand, part)


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
