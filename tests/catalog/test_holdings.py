import asyncio
from collections.abc import Collection, Mapping

import pytest

from gateway.catalog import holdings as module
from gateway.catalog.holdings import COOLING_US, StoreHoldings
from gateway.core.plan import Plan
from gateway.core.problems import StoreUnavailable
from gateway.core.scope import Scope
from gateway.core.subscription import Holding
from gateway.metering.catalog import Catalog, Unresolved
from gateway.store import plans, subscriptions
from gateway.store.stock import read_stock
from gateway.store.store import Store
from gateway.store.subscribed import held_by
from tests.store.samples import ACME, ALICE, BY, DAY, NOW, bought, pro


class Clock:
    def __init__(self) -> None:
        self.us = NOW

    def __call__(self) -> int:
        return self.us


class Asked:
    """Counts the queries, and can make them fail or wait."""

    def __init__(self) -> None:
        self.batches: list[set[Scope]] = []
        self.down = False
        self.gate: asyncio.Event | None = None

    async def __call__(
        self, store: Store, scopes: Collection[Scope], now_us: int
    ) -> Mapping[Scope, tuple[Holding, ...]]:
        self.batches.append(set(scopes))
        if self.down:
            raise StoreUnavailable("down")
        found = await held_by(store, scopes, now_us)
        if self.gate is not None:
            await self.gate.wait()
        return found


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    asked = Asked()
    monkeypatch.setattr(module, "held_by", asked)
    return asked


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def here(store: Store, clock: Clock) -> StoreHoldings:
    made = await plans.create(store, pro(), BY)
    await subscriptions.create(store, bought(made), BY)
    holdings = StoreHoldings(store, clock)
    holdings.sold = (await read_stock(store)).sold
    return holdings


async def test_what_a_scope_bought_is_fetched_once(here: StoreHoldings, asked: Asked) -> None:
    assert here.known(ALICE, {}) is None
    await asyncio.gather(*(here.load(ALICE, {}) for _ in range(50)))
    (held,) = here.known(ALICE, {}) or ()
    assert (held.scope, held.plan.slug, held.starts_us, held.ends_us) == (ALICE, "pro", NOW, NOW + 30 * DAY)
    assert asked.batches == [{ALICE}]


async def test_that_a_scope_bought_nothing_is_remembered_too(here: StoreHoldings, asked: Asked) -> None:
    await here.load(ACME, {})
    assert here.known(ACME, {}) == ()
    assert len(here) == 1
    assert len(asked.batches) == 1


async def test_a_cold_start_is_a_few_queries(here: StoreHoldings, asked: Asked) -> None:
    scopes = [Scope("user", f"u{number}") for number in range(450)]
    await asyncio.gather(*(here.load(scope, {}) for scope in scopes))
    assert all(here.known(scope, {}) == () for scope in scopes)
    assert len(asked.batches) <= 4
    assert max(map(len, asked.batches)) == 200


async def test_what_was_being_fetched_when_it_changed_is_fetched_again(
    here: StoreHoldings, store: Store, asked: Asked
) -> None:
    asked.gate = asyncio.Event()
    early = asyncio.get_running_loop().create_task(here.load(ACME, {}))
    while not asked.batches:
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)  # the query is over, its answer waits
    made = await plans.create(store, pro(slug="team"), BY)
    await subscriptions.create(store, bought(made, ACME), BY)
    here.sold = (await read_stock(store)).sold
    here.drop([ACME])
    asked.gate.set()
    await early
    assert here.known(ACME, {}) is None, "the old answer was not kept"
    await here.load(ACME, {})
    assert [held.plan.slug for held in here.known(ACME, {}) or ()] == ["team"]


async def test_a_store_that_is_down_is_asked_once_a_second_and_never_makes_anybody_free(
    here: StoreHoldings, asked: Asked, clock: Clock
) -> None:
    asked.down = True
    for _ in range(20):
        with pytest.raises(StoreUnavailable):
            await here.load(ALICE, {})
    assert len(asked.batches) == 1
    assert here.known(ALICE, {}) is None
    clock.us += COOLING_US
    with pytest.raises(StoreUnavailable):
        await here.load(ALICE, {})
    assert len(asked.batches) == 2
    asked.down = False
    clock.us += COOLING_US
    await here.load(ALICE, {})
    assert len(here.known(ALICE, {}) or ()) == 1


async def test_what_is_known_goes_on_while_the_store_is_down(here: StoreHoldings, asked: Asked) -> None:
    await here.load(ALICE, {})
    asked.down = True
    assert len(here.known(ALICE, {}) or ()) == 1


async def test_memory_is_bounded(store: Store, clock: Clock) -> None:
    here = StoreHoldings(store, clock, entries=10)
    for number in range(25):
        await here.load(Scope("user", f"u{number}"), {})
    assert len(here) == 10
    assert here.known(Scope("user", "u24"), {}) == ()
    assert here.known(Scope("user", "u0"), {}) is None


async def test_a_version_that_is_not_known_yet_is_asked_for(here: StoreHoldings) -> None:
    sold, here.sold = here.sold, {}
    await here.load(ALICE, {})
    assert here.known(ALICE, {}) is None
    with pytest.raises(StoreUnavailable):
        await here.load(ALICE, {})

    async def catch_up() -> None:
        here.sold = sold

    here.catch_up = catch_up
    await here.load(ALICE, {})
    assert len(here.known(ALICE, {}) or ()) == 1


async def test_a_plan_of_the_configuration_is_looked_up_there(here: StoreHoldings, store: Store) -> None:
    await subscriptions.create(store, bought("team", ACME), BY)
    await here.load(ACME, {})
    assert here.known(ACME, {}) is None
    team = Plan("team", "Team", ())
    assert [held.plan for held in here.known(ACME, {"team": team}) or ()] == [team]
    with pytest.raises(StoreUnavailable):
        await here.load(ACME, {})
    assert here.lost({}) == 1, "readiness says so"
    with pytest.raises(StoreUnavailable):
        await here.load(ACME, {})
    here.drop([ACME])
    assert here.lost({}) == 0, "it may be another subscription by now"


async def test_a_catalog_resolves_what_was_bought_before_what_is_free(here: StoreHoldings) -> None:
    free = Plan("free", "Free", ())
    catalog = Catalog({"free": free}, {"user": free}, holdings=here)
    with pytest.raises(Unresolved) as need:
        catalog.allowance(ALICE, NOW)
    assert need.value.scope == ALICE
    found = await catalog.find(ALICE, NOW)
    assert found is not None
    assert (list(found.names), found.until_us) == (["pro"], NOW + 30 * DAY)
    assert catalog.allowance(ALICE, NOW) is found
    over = catalog.allowance(ALICE, NOW + 30 * DAY)
    assert over is not None
    assert list(over.names) == ["free"]


async def test_closing_leaves_nobody_waiting(here: StoreHoldings, asked: Asked) -> None:
    asked.gate = asyncio.Event()
    waiting = asyncio.get_running_loop().create_task(here.load(ALICE, {}))
    while not asked.batches:
        await asyncio.sleep(0)
    await here.close()
    with pytest.raises(StoreUnavailable):
        await asyncio.wait_for(waiting, 5)
