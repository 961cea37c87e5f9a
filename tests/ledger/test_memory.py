import asyncio
import tracemalloc
from collections.abc import Mapping

import pytest

from gateway.core.allowance import THROUGHPUT, Allowance
from gateway.core.bucket import Bucket, LimitKey, Refill
from gateway.core.cascade import Charge, Refusal
from gateway.core.problems import StoreUnavailable
from gateway.core.scope import Scope
from gateway.ledger.memory import MemoryLedger
from tests.core.budgets import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    USER,
    WORKSPACE,
    allowance_of,
    bill,
    default_of,
    per,
    plan,
    subscription,
)

HOURLY = plan(per(10))
USERS, WORKSPACES = default_of(HOURLY), default_of(HOURLY, WORKSPACE)
HOUR_ENDS = NOW - NOW % HOUR + HOUR


class Disk:
    """What is kept elsewhere. Reads wait for ``gate`` and are counted."""

    def __init__(self, kept: Mapping[Scope, Mapping[LimitKey, Bucket]] | None = None) -> None:
        self.kept = dict(kept or {})
        self.reads: list[Scope] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failing = False

    async def restore(self, scope: Scope) -> Mapping[LimitKey, Bucket]:
        self.reads.append(scope)
        await self.gate.wait()
        if self.failing:
            raise StoreUnavailable("the disk is away")
        return self.kept.get(scope, {})


def kept(spent: int) -> dict[Scope, dict[LimitKey, Bucket]]:
    key = USERS.purses[0].limits[0].key
    return {USER: {key: Bucket(HOUR_ENDS - HOUR, spent, NOW - 1)}}


async def paid(ledger: MemoryLedger, cost: int, allowance: Allowance, now_us: int = NOW, id_: str = "b") -> Charge:
    outcome = await ledger.charge(bill(cost, allowance, id_=id_), now_us)
    assert isinstance(outcome, Charge)
    return outcome


async def left(ledger: MemoryLedger, allowance: Allowance, now_us: int = NOW) -> list[int]:
    return [standing.left for standing in await ledger.standings(allowance, now_us)]


async def test_a_scope_is_restored_when_it_is_first_touched_and_not_before() -> None:
    disk = Disk(kept(7))
    ledger = MemoryLedger(disk.restore)
    assert ledger.charge_now(bill(1, WORKSPACES, USERS), NOW) is None
    assert disk.reads == []
    assert (await paid(ledger, 2, USERS)).standings[0].left == 1
    assert ledger.charge_now(bill(1, WORKSPACES, USERS), NOW) is None
    assert isinstance(ledger.charge_now(bill(1, USERS), NOW), Charge)
    assert (disk.reads, await left(ledger, USERS)) == ([USER], [0])


async def test_a_scope_that_need_not_be_asked_is_not_restored() -> None:
    disk = Disk(kept(7))
    ledger = MemoryLedger(disk.restore)
    await paid(ledger, 2, WORKSPACES)
    at_once = ledger.charge_now(bill(8, WORKSPACES, USERS), NOW)
    assert isinstance(at_once, Charge)
    assert disk.reads == [WORKSPACE]
    assert ledger.charge_now(bill(1, WORKSPACES, USERS), NOW) is None
    assert isinstance(await ledger.charge(bill(1, WORKSPACES, USERS), NOW), Charge)
    assert disk.reads == [WORKSPACE, USER]


async def test_many_first_touches_restore_a_scope_once() -> None:
    disk = Disk(kept(7))
    disk.gate.clear()
    ledger = MemoryLedger(disk.restore)
    waiting = [asyncio.ensure_future(ledger.charge(bill(1, USERS), NOW)) for _ in range(20)]
    await asyncio.sleep(0)
    disk.gate.set()
    outcomes = await asyncio.gather(*waiting)
    assert sum(isinstance(outcome, Charge) for outcome in outcomes) == 3
    assert disk.reads == [USER]


async def test_a_client_that_leaves_does_not_take_the_restore_with_it() -> None:
    disk = Disk(kept(7))
    disk.gate.clear()
    ledger = MemoryLedger(disk.restore)
    first, second = (asyncio.ensure_future(ledger.charge(bill(1, USERS), NOW)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    disk.gate.set()
    assert isinstance(await second, Charge)
    assert disk.reads == [USER]


async def test_a_restore_that_fails_is_tried_again_by_the_next_request() -> None:
    disk = Disk(kept(7))
    disk.failing = True
    ledger = MemoryLedger(disk.restore)
    with pytest.raises(StoreUnavailable):
        await ledger.charge(bill(1, USERS), NOW)
    disk.failing = False
    assert (await paid(ledger, 1, USERS)).standings[0].left == 2


async def test_closing_ends_a_restore_under_way() -> None:
    disk = Disk()
    disk.gate.clear()
    ledger = MemoryLedger(disk.restore)
    waiting = asyncio.ensure_future(ledger.charge(bill(1, USERS), NOW))
    await asyncio.sleep(0)
    await ledger.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_hold_past_its_deadline_is_given_back_once() -> None:
    ledger = MemoryLedger()
    for id_, deadline in (("a", 5), ("b", 9), ("c", 5)):
        await ledger.hold(bill(2, USERS, id_=id_), NOW, deadline_us=NOW + deadline, owner="me")
    settled = ledger.holds["c"].charge
    await ledger.settle(settled, {THROUGHPUT: 1}, NOW)
    assert ledger.expire_holds(NOW + 4) == []
    ((expired, postings),) = ledger.expire_holds(NOW + 5)
    assert (expired.id, [posting.amount for posting in postings]) == ("a", [-2])
    assert ledger.expire_holds(NOW + 5) == []
    assert await ledger.release(expired, NOW + 6) == ()
    assert (list(ledger.holds), await left(ledger, USERS)) == (["b"], [7])


async def test_a_scope_whose_windows_are_over_is_forgotten() -> None:
    ledger = MemoryLedger()
    await paid(ledger, 3, USERS)
    assert ledger.sweep(HOUR_ENDS - 1, HOUR_ENDS - 1, 10) == 0
    assert ledger.sweep(HOUR_ENDS, HOUR_ENDS, 10) == 1
    assert (len(ledger), await left(ledger, USERS, HOUR_ENDS)) == (0, [10])


async def test_what_is_not_settled_on_disk_is_not_forgotten() -> None:
    disk = Disk()
    ledger = MemoryLedger(disk.restore)
    await paid(ledger, 3, USERS)
    assert ledger.sweep(HOUR_ENDS - 1, HOUR_ENDS + DAY, 10) == 0
    assert ledger.sweep(HOUR_ENDS, HOUR_ENDS + DAY, 10) == 1
    await paid(ledger, 3, USERS, HOUR_ENDS + DAY)
    assert disk.reads == [USER, USER]


async def test_a_clock_behind_the_disk_forgets_nothing_early() -> None:
    ledger = MemoryLedger()
    await paid(ledger, 3, USERS)
    assert ledger.sweep(HOUR_ENDS + DAY, HOUR_ENDS - 1, 10) == 0


async def test_a_token_bucket_is_forgotten_when_it_is_full_and_a_window_has_passed() -> None:
    flow = default_of(plan(per(60, HOUR, Refill.CONTINUOUS, burst=90)))
    ledger = MemoryLedger()
    await paid(ledger, 90, flow)
    assert ledger.sweep(NOW + HOUR, NOW + HOUR, 10) == 0
    assert ledger.sweep(NOW + HOUR + 29 * MINUTE, NOW + DAY, 10) == 1
    await paid(ledger, 1, flow)
    assert ledger.sweep(NOW + HOUR - 1, NOW + DAY, 10) == 0
    assert ledger.sweep(NOW + HOUR, NOW + DAY, 10) == 1


async def test_a_pack_is_kept_until_someone_says_that_it_is_over() -> None:
    pack = plan(per(10, 0), slug="pack", pack=True)
    both = allowance_of(subscription("p", pack), subscription("s", HOURLY))
    ledger = MemoryLedger()
    await paid(ledger, 15, both)
    assert ledger.sweep(NOW + DAY, NOW + DAY, 10) == 0
    assert sorted(await left(ledger, both, NOW + DAY)) == [5, 10]
    ledger.forget(USER, [limit.key for purse in both.purses for limit in purse.limits])
    ledger.forget(WORKSPACE, [])
    assert ledger.sweep(NOW + DAY, NOW + DAY, 10) == 1
    assert len(ledger) == 0


async def test_a_window_is_kept_as_long_as_a_longer_one_beside_it() -> None:
    paced = default_of(plan(per(10, MINUTE), per(50, DAY)))
    ledger = MemoryLedger()
    await paid(ledger, 3, paced)
    assert ledger.sweep(NOW + HOUR, NOW + HOUR, 10) == 0
    assert ledger.sweep(NOW + DAY, NOW + DAY, 10) == 1


async def test_a_sweep_does_no_more_work_than_it_may_and_comes_round() -> None:
    ledger = MemoryLedger()
    for number in range(10):
        await paid(ledger, 1, default_of(HOURLY, Scope("user", str(number))), NOW if number % 2 else HOUR_ENDS)
    assert [ledger.sweep(HOUR_ENDS, HOUR_ENDS, 4) for _ in range(3)] == [2, 2, 1]
    assert len(ledger) == 5
    assert ledger.sweep(HOUR_ENDS + HOUR, HOUR_ENDS + HOUR, 99) == 5


async def test_a_scope_that_was_only_looked_at_is_forgotten_too() -> None:
    ledger = MemoryLedger(Disk().restore)
    await ledger.charge(bill(11, USERS), NOW)
    assert (len(ledger), ledger.sweep(0, NOW, 10), len(ledger)) == (1, 1, 0)


async def test_a_refund_for_a_scope_that_was_forgotten_has_nothing_to_go_to() -> None:
    ledger = MemoryLedger()
    charged = await paid(ledger, 3, USERS)
    ledger.sweep(HOUR_ENDS, HOUR_ENDS, 10)
    assert await ledger.refund(charged, {THROUGHPUT: 3}, HOUR_ENDS) == ()
    assert len(ledger) == 0


async def test_a_bucket_of_a_scope_takes_little_memory() -> None:
    ledger = MemoryLedger()
    scopes = [Scope("user", f"aa0e8400-e29b-41d4-a716-{number:012}") for number in range(5_000)]
    tracemalloc.start()
    try:
        for scope in scopes:
            ledger.charge_now(bill(1, default_of(HOURLY, scope)), NOW)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used / len(scopes) < 450


async def test_a_refusal_keeps_no_state() -> None:
    ledger = MemoryLedger()
    assert isinstance(await ledger.charge(bill(11, USERS), NOW), Refusal)
    assert len(ledger) == 0
