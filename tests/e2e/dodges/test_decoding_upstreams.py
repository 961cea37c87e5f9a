"""No spelling is cheaper at an upstream that decodes what the profile says it decodes."""

from pathlib import Path

import pytest

from tests.e2e.dodges.routers import PATHS, ROUTERS, Router, in_front
from tests.e2e.dodges.spellings import by_hand


@pytest.mark.parametrize("router", ROUTERS, ids=lambda router: router.profile)
async def test_no_spelling_is_cheaper_at_an_upstream_that_decodes(tmp_path: Path, router: Router) -> None:
    async with in_front(tmp_path, f"profile: {router.profile}") as behind:
        reached = set()
        for target in by_hand(PATHS):
            answer, head, debited = await behind.send(target)
            if not head:
                assert (answer.status, debited) == (400, 0), target
                continue
            method, forwarded, _ = head.split(b" ", 2)
            price = router.price(method, forwarded)
            # What reaches no handler may cost what its rule says, and never nothing.
            assert debited == price or (price == 1 and debited), (target, forwarded)
            reached.add(price)
    assert reached == {1, 6, 9, 10, 15}
