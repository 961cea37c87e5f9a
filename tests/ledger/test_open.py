import asyncio
import os
from collections.abc import Mapping

import pytest

from gateway.core.bucket import Bucket, LimitKey
from gateway.core.cascade import Charge
from gateway.core.problems import StoreUnavailable
from gateway.core.scope import Scope
from gateway.ledger.open import Shared, open_ledger
from tests.core.budgets import NOW, bill, default_of, per, plan
from tests.redis_server.server import free_port

USERS = default_of(plan(per(10)))


async def nine_spent(_scope: Scope) -> Mapping[LimitKey, Bucket]:
    return {USERS.purses[0].limits[0].key: Bucket(NOW - NOW % 3_600_000_000, 9, NOW)}


@pytest.mark.parametrize(
    ("url", "left"), [("memory:", 9), ("sqlite:///weighbridge-ledger.db", 0), ("sqlite:////tmp/l.db", 0)]
)
async def test_a_journal_beneath_restores_what_memory_alone_has_forgotten(url: str, left: int) -> None:
    outcome = await (await open_ledger(url, nine_spent)).charge(bill(1, USERS), NOW)
    assert isinstance(outcome, Charge)
    assert outcome.standings[0].left == left


@pytest.mark.parametrize("url", ["mysql://localhost", "ledger.db", ""])
async def test_a_ledger_that_there_is_not_is_an_error_that_names_those_that_are(url: str) -> None:
    with pytest.raises(ValueError, match="known are memory, redis"):
        await open_ledger(url)


async def test_a_redis_that_is_not_there_yet_is_waited_for(redis: str) -> None:
    async with asyncio.timeout(20):
        shared = await open_ledger(redis, shared=Shared(f"open-{os.getpid()}", 5.0))
    assert shared.failure is None
    await shared.close()
    absent = await open_ledger(f"redis://127.0.0.1:{free_port()}")
    assert absent.failure is not None
    with pytest.raises(StoreUnavailable):
        await absent.charge(bill(1, USERS), NOW)
    await absent.close()
