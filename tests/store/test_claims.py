"""What is given once, on both databases: one of many who are quick has it, and who never got it has lost it."""

import asyncio
from dataclasses import replace
from typing import Any

from gateway.core.scope import Scope
from gateway.core.subscription import PlanVersion, Status
from gateway.store import claims, subscriptions
from gateway.store.rows import SubscriptionRow
from gateway.store.store import Store
from tests.store.samples import ACME, ALICE, BY, DAY, NOW
from tests.store.test_sales import placed


def plan_of(row: SubscriptionRow) -> str:
    assert isinstance(row.plan, PlanVersion)
    return row.plan.plan_id


async def taken(store: Store, row: SubscriptionRow, *scopes: Scope, kind: claims.Kind = "trial") -> bool:
    async with store.write(BY) as act:
        return await claims.take(act, kind, plan_of(row), scopes or (row.scope,), row.id)


async def become(store: Store, row: SubscriptionRow, **values: Any) -> None:
    async with store.write(BY) as act:
        await subscriptions.change(act, row, lambda old: replace(old, **values), "settle")


async def test_one_of_many_who_are_quick_has_it(store: Store) -> None:
    rows = [await placed(store) for _ in range(6)]
    found = await asyncio.gather(*(taken(store, row) for row in rows))
    assert found.count(True) == 1
    winner = rows[found.index(True)]
    assert await taken(store, winner), "and has it still when it asks again"


async def test_it_is_taken_for_all_of_its_scopes_or_for_none(store: Store) -> None:
    mine, theirs, other = await placed(store), await placed(store, ACME), await placed(store, ACME)
    assert await taken(store, mine, ALICE)
    assert not await taken(store, theirs, ACME, ALICE)
    assert await taken(store, other, ACME), "nothing was taken of what was refused"


async def test_a_trial_that_never_began_is_free_again_and_one_that_began_never_is(store: Store) -> None:
    first, second, third = [await placed(store) for _ in range(3)]
    assert await taken(store, first)
    await become(store, first, status=Status.CANCELLED, cancelled_us=NOW)
    assert await taken(store, second)
    over = {"status": Status.CANCELLED, "cancelled_us": NOW + DAY, "period_end_us": NOW + DAY, "ends_us": NOW + DAY}
    await become(store, second, **over)
    assert not await taken(store, third)


async def test_what_is_free_is_had_again_when_it_has_ended(store: Store) -> None:
    first, second = await placed(store), await placed(store)
    assert await taken(store, first, kind="free")
    await become(store, first, status=Status.ACTIVE, starts_us=NOW - DAY, ends_us=NOW + DAY, period_end_us=NOW + DAY)
    assert not await taken(store, second, kind="free")
    ended = await subscriptions.extend(store, first.id, NOW, BY)
    assert ended.ends_us == NOW
    assert await taken(store, second, kind="free")
    assert await taken(store, second), "a trial is another matter"
