import asyncio
from dataclasses import replace

import pytest

from gateway.core.problems import Conflict, NotFound, PreconditionFailed, Problem
from gateway.store import plans, prices
from gateway.store.listing import Listing
from gateway.store.rows import PriceDraft, PriceRow
from gateway.store.store import Store
from tests.store.samples import BY, pro

USD = PriceDraft(currency="usd", amount=4900, is_default=True)
EUR = PriceDraft(currency="eur", amount=4500)


async def sold(store: Store, *drafts: PriceDraft) -> tuple[str, tuple[PriceRow, ...]]:
    plan = await plans.create(store, pro(), BY, prices=drafts)
    return plan.id, plan.prices


async def test_a_plan_has_one_price_per_currency(store: Store) -> None:
    plan_id, _ = await sold(store, USD)
    done = await asyncio.gather(*(prices.create(store, plan_id, EUR, BY) for _ in range(4)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in done) == ["Conflict"] * 3 + ["PriceRow"]
    assert [price.currency for price in (await plans.get(store, plan_id)).prices] == ["usd", "eur"]


async def test_a_new_default_takes_the_place_of_the_former(store: Store) -> None:
    plan_id, (usd,) = await sold(store, USD)
    eur = await prices.create(store, plan_id, replace(EUR, is_default=True), BY)
    assert [(price.currency, price.is_default) for price in await prices.page(store, plan_id, Listing())].count(
        ("usd", False)
    ) == 1
    await asyncio.gather(
        *(prices.update(store, plan_id, each.id, lambda old: replace(old, is_default=True), BY) for each in (usd, eur))
    )
    assert sum(price.is_default for price in await prices.page(store, plan_id, Listing())) == 1


async def test_an_edit_says_what_it_is_based_on(store: Store) -> None:
    plan_id, (usd,) = await sold(store, USD)
    after = await prices.update(store, plan_id, usd.id, lambda old: replace(old, amount=1), BY._replace(if_revision=1))
    assert (after.amount, after.revision, after.is_default) == (1, 2, True)
    with pytest.raises(PreconditionFailed):
        await prices.update(store, plan_id, usd.id, lambda old: replace(old, amount=2), BY._replace(if_revision=1))
    with pytest.raises(PreconditionFailed):
        await prices.delete(store, plan_id, usd.id, BY._replace(if_revision=1))
    assert await prices.update(store, plan_id, usd.id, lambda old: old, BY) == after


async def test_a_currency_never_changes(store: Store) -> None:
    plan_id, (usd,) = await sold(store, USD)
    with pytest.raises(Problem, match="does not change"):
        await prices.update(store, plan_id, usd.id, lambda old: replace(old, currency="eur"), BY)


async def test_a_price_belongs_to_its_plan(store: Store) -> None:
    plan_id, (usd,) = await sold(store, USD)
    other = await plans.create(store, pro(slug="team"), BY)
    for wrong in (other.id, "nobody"):
        for act in (
            prices.get(store, wrong, usd.id),
            prices.update(store, wrong, usd.id, lambda old: old, BY),
            prices.delete(store, wrong, usd.id, BY),
        ):
            with pytest.raises(NotFound):
                await act
    with pytest.raises(NotFound, match="no such plan"):
        await prices.create(store, "nobody", EUR, BY)
    with pytest.raises(NotFound, match="no such plan"):
        await prices.page(store, "nobody", Listing())
    assert await prices.get(store, plan_id, usd.id) == usd
    await prices.delete(store, plan_id, usd.id, BY)
    with pytest.raises(NotFound):
        await prices.get(store, plan_id, usd.id)


@pytest.mark.parametrize(("currency", "amount"), [("USD", 1), ("euro", 1), ("eu", 1), ("eur", -1), ("eur", 10**15 + 1)])
async def test_what_no_price_can_be(store: Store, currency: str, amount: int) -> None:
    plan_id, _ = await sold(store)
    with pytest.raises(Problem) as refused:
        await prices.create(store, plan_id, PriceDraft(currency=currency, amount=amount), BY)
    assert refused.value.status == 422


async def test_a_currency_that_is_taken_is_named(store: Store) -> None:
    plan_id, _ = await sold(store, USD)
    with pytest.raises(Conflict, match="a price in usd already"):
        await prices.create(store, plan_id, USD, BY)
