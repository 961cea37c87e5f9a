"""First touches that overlap: what was charged meanwhile must not be overwritten by what the disk still knew."""

import asyncio
from collections.abc import Mapping

from gateway.core.bucket import Bucket, LimitKey
from gateway.core.cascade import Charge
from gateway.core.scope import Scope
from gateway.ledger.memory import MemoryLedger
from tests.core.budgets import NOW, USER, WORKSPACE, bill, default_of, per, plan

USERS, POOR = default_of(plan(per(10))), default_of(plan(per(1)), WORKSPACE)


async def test_a_scope_that_was_restored_and_charged_meanwhile_is_not_put_back_to_what_the_disk_knew() -> None:
    slow = asyncio.Event()
    reads: list[Scope] = []

    async def restore(scope: Scope) -> Mapping[LimitKey, Bucket]:
        reads.append(scope)
        if scope == WORKSPACE:
            await slow.wait()
        return {}  # the disk knows of no charge yet

    ledger = MemoryLedger(restore)
    both = asyncio.get_running_loop().create_task(ledger.charge(bill(2, POOR, USERS), NOW))
    await asyncio.sleep(0)
    for _ in range(3):
        assert isinstance(await ledger.charge(bill(2, USERS), NOW), Charge)
    slow.set()
    last = await both
    assert isinstance(last, Charge)
    assert (last.scope, [standing.left for standing in last.standings]) == (USER, [10 - 3 * 2 - 2])
    assert sorted(reads) == sorted([WORKSPACE, USER])
