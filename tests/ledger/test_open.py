from collections.abc import Mapping

import pytest

from gateway.core.bucket import Bucket, LimitKey
from gateway.core.cascade import Charge
from gateway.core.scope import Scope
from gateway.ledger.open import open_ledger
from tests.core.budgets import NOW, bill, default_of, per, plan

USERS = default_of(plan(per(10)))


async def nine_spent(_scope: Scope) -> Mapping[LimitKey, Bucket]:
    return {USERS.purses[0].limits[0].key: Bucket(NOW - NOW % 3_600_000_000, 9, NOW)}


@pytest.mark.parametrize(
    ("url", "left"), [("memory:", 9), ("sqlite:///weighbridge-ledger.db", 0), ("sqlite:////tmp/l.db", 0)]
)
async def test_a_journal_beneath_restores_what_memory_alone_has_forgotten(url: str, left: int) -> None:
    outcome = await open_ledger(url, nine_spent).charge(bill(1, USERS), NOW)
    assert isinstance(outcome, Charge)
    assert outcome.standings[0].left == left


@pytest.mark.parametrize("url", ["redis://localhost", "ledger.db", ""])
def test_a_ledger_that_there_is_not_is_an_error_that_names_those_that_are(url: str) -> None:
    with pytest.raises(ValueError, match="known are memory, sqlite"):
        open_ledger(url)
