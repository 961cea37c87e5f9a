"""What a catalog remembers, and when it forgets."""

from collections.abc import Mapping

import pytest

from gateway.core.plan import THROUGHPUT, Plan, PlanLimit, Subscription
from gateway.core.principal import Principal
from gateway.core.problems import StoreUnavailable
from gateway.core.scope import Scope
from gateway.metering import catalog as module
from gateway.metering.catalog import Catalog, Unresolved

FREE = Plan("free", "Free", (PlanLimit(THROUGHPUT, 10, 60_000_000),))
PRO = Plan("pro", "Pro", (PlanLimit(THROUGHPUT, 99, 60_000_000),))
ALICE = Scope("user", "alice")
PRINCIPAL = Principal("jwt", "alice", "acme")
KINDS = ("workspace", "user")


class Bought:
    """Holdings that a test writes."""

    def __init__(self) -> None:
        self.there: dict[Scope, tuple[Subscription, ...]] = {}
        self.kept: dict[Scope, tuple[Subscription, ...]] = {}
        self.loads = 0
        self.down = False

    def known(self, scope: Scope, plans: Mapping[str, Plan]) -> tuple[Subscription, ...] | None:  # noqa: ARG002
        return self.there.get(scope)

    async def load(self, scope: Scope, plans: Mapping[str, Plan]) -> None:  # noqa: ARG002
        self.loads += 1
        if self.down:
            raise StoreUnavailable("down")
        self.there[scope] = self.kept.get(scope, ())

    def sell(self, scope: Scope, plan: Plan, ends_us: int | None = None) -> None:
        self.kept[scope] = (Subscription("s", plan, scope, 0, ends_us),)


@pytest.fixture
def bought() -> Bought:
    return Bought()


@pytest.fixture
def catalog(bought: Bought) -> Catalog:
    return Catalog({"free": FREE}, {"user": FREE, "workspace": None}, holdings=bought)


def names(catalog: Catalog, now_us: int = 0) -> list[str]:
    return [name for each in catalog.asked(PRINCIPAL, KINDS, now_us, fallback=False) for name in each.names]


async def resolved(catalog: Catalog) -> None:
    for kind in KINDS:
        scope = PRINCIPAL.scope(kind)
        assert scope is not None
        await catalog.find(scope, 0)


async def test_nobody_is_taken_for_a_free_user_before_it_was_looked_up(catalog: Catalog, bought: Bought) -> None:
    with pytest.raises(Unresolved):
        names(catalog)
    bought.down = True
    with pytest.raises(StoreUnavailable):
        await catalog.find(ALICE, 0)
    with pytest.raises(Unresolved):
        catalog.allowance(ALICE, 0)
    bought.down = False
    await resolved(catalog)
    assert names(catalog) == ["free"]


async def test_what_is_resolved_is_not_asked_for_again(catalog: Catalog, bought: Bought) -> None:
    await resolved(catalog)
    bought.there.clear()
    for now_us in range(5):
        assert names(catalog, now_us) == ["free"]
    assert bought.loads == 2


async def test_a_scope_whose_purchases_changed_is_resolved_anew_and_so_is_who_acts_for_it(
    catalog: Catalog, bought: Bought
) -> None:
    await resolved(catalog)
    assert names(catalog) == ["free"]
    bought.sell(ALICE, PRO)
    bought.there.pop(ALICE)
    catalog.forget([ALICE])
    with pytest.raises(Unresolved) as need:
        names(catalog)
    assert need.value.scope == ALICE
    await resolved(catalog)
    assert names(catalog) == ["pro"]


async def test_all_can_be_forgotten_at_once(catalog: Catalog, bought: Bought) -> None:
    await resolved(catalog)
    bought.there.clear()
    catalog.forget(None)
    with pytest.raises(Unresolved):
        catalog.allowance(ALICE, 0)


async def test_an_end_is_noticed_by_the_clock_alone(catalog: Catalog, bought: Bought) -> None:
    bought.sell(ALICE, PRO, ends_us=100)
    await resolved(catalog)
    assert (names(catalog, 99), names(catalog, 100)) == (["pro"], ["free"])


async def test_a_full_memory_lets_go_of_the_oldest_tenth(
    catalog: Catalog, bought: Bought, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CACHED_ALLOWANCES", 20)
    scopes = [Scope("user", f"u{number}") for number in range(21)]
    for scope in scopes:
        await catalog.find(scope, 0)
    loads, bought.there = bought.loads, {}
    for scope in scopes[2:]:
        assert catalog.allowance(scope, 0) is not None
    for scope in scopes[:2]:
        with pytest.raises(Unresolved):
            catalog.allowance(scope, 0)
    assert bought.loads == loads


async def test_without_holdings_the_configuration_is_all() -> None:
    alone = Catalog({"free": FREE}, {"user": FREE})
    found = await alone.find(ALICE, 0)
    assert found is not None
    assert list(found.names) == ["free"]
    await alone.load(ALICE)
