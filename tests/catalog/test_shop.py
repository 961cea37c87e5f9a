"""A gateway's store, followed: changes made here, changes made elsewhere, a database that goes and comes back."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

import pytest
import sqlalchemy as sa

from gateway.catalog.shop import Shop, open_shop
from gateway.core.scope import Scope
from gateway.store import engine, keys, plans, prices, subscriptions
from gateway.store.open import migrate, open_store
from gateway.store.rows import KeyRow, PriceDraft, Stock
from gateway.store.store import Store
from gateway.store.tables import catalog
from tests.databases.postgresql import own_server
from tests.databases.silent import way_to
from tests.store.samples import ACME, ALICE, BY, NOW, bought, pro, terms
from tests.store.test_keys import key

DEADLINE_S = 10.0


class Heard:
    """A listener that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.stock = Stock()
        self.gate: asyncio.Event | None = None
        self.broken = False

    async def restock(self, stock: Stock) -> None:
        if self.broken:
            raise RuntimeError("a bug")
        if self.gate is not None:
            await self.gate.wait()
        self.stock = stock
        self.told.append("restock")

    def rekey(self, changed: Sequence[KeyRow] | None) -> None:
        self.told.append("rekey all" if changed is None else f"rekey {' '.join(row.id for row in changed)}")

    def forget(self, scopes: frozenset[Scope] | None) -> None:
        self.told.append("forget all" if scopes is None else f"forget {len(scopes)}")


@pytest.fixture
async def shop(store_url: str) -> AsyncIterator[Shop]:
    opened = await open_shop(store_url, lambda: NOW)
    yield opened
    await opened.close()


@pytest.fixture
async def heard(shop: Shop) -> Heard:
    listener = Heard()
    shop.follow(listener)
    return listener


def failing(shop: Shop) -> int | None:
    return shop.failing_since_us


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.02)


async def test_what_was_there_before_is_read(store: Store, store_url: str) -> None:
    made = await plans.create(store, pro(is_default=True), BY)
    await keys.create(store, key("k1"), BY)
    shop = await open_shop(store_url, lambda: NOW)
    assert (shop.stock.default, set(shop.stock.plans), set(shop.keys), shop.revision) == ("pro", {"pro"}, {"k1"}, 2)
    assert {version.plan_id for version in shop.holdings.sold} == {made.id}
    await shop.close()


async def test_a_change_made_here_counts_before_its_maker_goes_on(shop: Shop, heard: Heard) -> None:
    made = await plans.create(shop.store, pro(), BY)
    assert heard.stock.plans["pro"].limits[0].amount == 5000
    await plans.update(shop.store, made.id, lambda old: replace(old, terms=terms(7)), BY)
    assert heard.stock.plans["pro"].limits[0].amount == 7
    await shop.holdings.load(ALICE, {})
    assert shop.holdings.known(ALICE, {}) == ()
    await subscriptions.create(shop.store, bought(made), BY)
    assert shop.holdings.known(ALICE, {}) is None
    await keys.create(shop.store, key("k1"), BY)
    await prices.create(shop.store, made.id, PriceDraft(currency="usd", amount=1), BY)
    assert heard.told == ["restock", "restock", "forget 1", "rekey k1"]
    assert shop.revision == 5


async def test_what_another_process_changes_is_noticed(shop: Shop, heard: Heard, store: Store) -> None:
    await shop.holdings.load(ACME, {})
    made = await plans.create(store, pro(), BY)
    await subscriptions.create(store, bought(made, ACME), BY)
    await until(lambda: shop.revision == 2)
    assert shop.holdings.known(ACME, {}) is None
    assert heard.stock.plans.keys() == {"pro"}
    assert "forget 1" in heard.told


async def test_only_what_changed_is_dropped(shop: Shop, heard: Heard) -> None:
    made = await plans.create(shop.store, pro(), BY)
    for scope in (ALICE, ACME):
        await shop.holdings.load(scope, {})
    await subscriptions.create(shop.store, bought(made), BY)
    assert shop.holdings.known(ALICE, {}) is None
    assert shop.holdings.known(ACME, {}) == ()
    assert heard.told == ["restock", "forget 1"]


async def test_many_writers_each_see_their_own_change(shop: Shop, heard: Heard) -> None:
    async def make(number: int) -> bool:
        await plans.create(shop.store, pro(slug=f"p{number}"), BY)
        return f"p{number}" in heard.stock.plans

    assert all(await asyncio.gather(*(make(number) for number in range(12))))


async def test_another_database_in_its_place_is_read_whole(shop: Shop, heard: Heard) -> None:
    await plans.create(shop.store, pro(), BY)
    await keys.create(shop.store, key("k1"), BY)
    async with shop.store.write(BY) as act:
        await act.connection.execute(sa.update(catalog).values(revision=1))
    heard.told.clear()
    await shop.catch_up()
    assert heard.told == ["restock", "rekey all", "forget all"]
    assert shop.revision == 1


async def test_a_change_that_cannot_be_applied_does_not_look_as_if_it_had_failed(shop: Shop, heard: Heard) -> None:
    heard.broken = True
    made = await plans.create(shop.store, pro(), BY)
    assert made.slug == "pro"
    assert failing(shop) == NOW
    assert shop.revision == 0
    heard.broken = False
    await until(lambda: shop.revision == 1)
    assert failing(shop) is None
    assert heard.stock.plans.keys() == {"pro"}


async def test_plans_that_somebody_has_are_missed(shop: Shop) -> None:
    await subscriptions.create(shop.store, bought("team"), BY)
    assert await shop.lost_plans(frozenset({"free"})) == {"team"}
    assert await shop.lost_plans(frozenset({"free", "team"})) == frozenset()


async def test_a_database_that_goes_and_comes_back_is_followed_again() -> None:
    with own_server() as running:
        url = running.database()
        await migrate(url)
        shop = await open_shop(url, lambda: NOW)
        heard = Heard()
        shop.follow(heard)
        running.stop()
        await shop.catch_up()
        assert failing(shop) == NOW
        running.start()
        other = await open_store(url)
        await plans.create(other, pro(), BY)
        await until(lambda: shop.revision == 1)
        assert failing(shop) is None
        assert heard.told == ["restock"]
        await other.close()
        await shop.close()


async def test_postgresql_says_at_once_that_something_has_changed_elsewhere(
    migrated_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.catalog.shop.INTERVAL_S", 3600.0)
    here, elsewhere = await open_shop(migrated_database, lambda: NOW), await open_store(migrated_database)
    listener = Heard()
    here.follow(listener)
    try:
        async with asyncio.timeout(DEADLINE_S):
            slug = f"told{NOW}"
            made = await plans.create(elsewhere, pro(slug=slug), BY)
            while made.slug not in here.stock.plans:
                await asyncio.sleep(0.01)
            keys_before = here.revision
            await plans.create(elsewhere, pro(slug=f"{slug}b"), BY)
            while here.revision == keys_before:
                await asyncio.sleep(0.01)
    finally:
        await here.close()
        await elsewhere.close()


async def test_connections_that_die_without_a_word_are_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "STATEMENT_S", 600.0)  # whoever waits for the dead waits longer than this test
    with own_server() as running:
        url = running.database()
        await migrate(url)
        async with way_to(url) as (way, far):
            elsewhere, shop, heard = await open_store(url), await open_shop(far, lambda: NOW), Heard()
            shop.follow(heard)
            await plans.create(elsewhere, pro(), BY)
            await until(lambda: "pro" in heard.stock.plans)
            way.dies()
            await plans.create(elsewhere, pro(slug="other"), BY)
            await until(lambda: "other" in heard.stock.plans)
            assert failing(shop) is None
            await shop.close()
            await elsewhere.close()
