import asyncio
import random
from dataclasses import replace
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from gateway.core.bucket import Calendar, Refill
from gateway.core.plan import THROUGHPUT, PlanLimit
from gateway.core.problems import Conflict, NotFound, PreconditionFailed, Problem
from gateway.core.subscription import PlanVersion
from gateway.store import audit, plans, subscribed, subscriptions
from gateway.store.audit import Sought
from gateway.store.listing import Listing
from gateway.store.rows import PlanDraft, PlanRow, PriceDraft, Terms
from gateway.store.stock import read_stock
from gateway.store.store import Store
from tests.store.samples import ALICE, BY, NOW, bought, pro, terms

USD = PriceDraft(currency="usd", amount=4900, is_default=True)


def renamed(name: str) -> plans.Edit:
    return lambda old: replace(old, name=name)


def with_terms(amount: int, *, days: int = 30) -> plans.Edit:
    return lambda old: replace(old, terms=terms(amount, days=days))


async def test_a_plan_is_read_as_it_was_written(store: Store) -> None:
    limits = (
        PlanLimit(THROUGHPUT, 10, 1_000_000),
        PlanLimit(THROUGHPUT, 10**15, 31 * 86_400_000_000, anchor=Calendar("month", ZoneInfo("Europe/Berlin"))),
        PlanLimit("tokens", 5, 86_400_000_000, anchor=Calendar("day", UTC)),
        PlanLimit("tokens", -1, 86_400_000_000, anchor="subscription"),
        PlanLimit(THROUGHPUT, 100, 60_000_000, Refill.CONTINUOUS, burst=300),
        PlanLimit(THROUGHPUT, 100, 0, Refill.NEVER),
    )
    draft = pro(terms=Terms(limits, 365, pack=True, burn_rank=7), description="", is_custom=True, active=False)
    made = await plans.create(store, draft, BY, prices=[USD, PriceDraft(currency="jpy", amount=0)])
    assert PlanDraft(**{name: getattr(made, name) for name in PlanDraft.__slots__}) == draft
    assert [(price.currency, price.amount, price.is_default) for price in made.prices] == [
        ("usd", 4900, True),
        ("jpy", 0, False),
    ]
    assert await plans.get(store, made.id) == made
    assert (made.version, made.revision, made.created_us) == (1, 1, NOW)


async def test_text_is_text_whatever_is_in_it(store: Store) -> None:
    nasty = "'; DROP TABLE plans; -- \" % _ \\ \u202e 💥"
    made = await plans.create(store, pro(name=nasty, description=nasty * 1000), BY)
    assert await plans.get(store, made.id) == made
    assert await plans.page(store, Listing(), text="TABLE plans; --") == (made,)
    assert await plans.page(store, Listing(), text="%_ ") == ()
    assert await plans.page(store, Listing(), text="% _") == (made,)


async def test_two_creates_with_one_slug_make_one_plan(store: Store) -> None:
    done = await asyncio.gather(*(plans.create(store, pro(), BY) for _ in range(5)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in done) == ["Conflict"] * 4 + ["PlanRow"]
    assert len(await plans.page(store, Listing())) == 1


async def test_a_slug_of_the_configuration_is_taken(store: Store) -> None:
    with pytest.raises(Conflict, match="configuration has a plan 'pro'"):
        await plans.create(store, pro(), BY, reserved={"pro"})
    made = await plans.create(store, pro(slug="team"), BY, reserved={"pro"})
    with pytest.raises(Conflict):
        await plans.update(store, made.id, lambda old: replace(old, slug="pro"), BY, reserved={"pro"})
    again = await plans.update(store, made.id, renamed("Team"), BY, reserved={"team"})
    assert again.name == "Team", "a plan that was there first can still be edited"


async def test_a_plan_is_made_with_all_its_prices_or_not_at_all(store: Store) -> None:
    with pytest.raises(Conflict, match="price in usd"):
        await plans.create(store, pro(), BY, prices=[USD, USD])
    assert await plans.page(store, Listing()) == ()
    assert (await audit.changes_since(store, 0)).revision == 0


async def test_of_two_admins_who_edit_what_they_have_read_one_is_told(store: Store) -> None:
    read = await plans.create(store, pro(), BY)
    based = BY._replace(if_revision=read.revision)
    edits = [plans.update(store, read.id, renamed(f"Edit {number}"), based) for number in range(8)]
    done = await asyncio.gather(*edits, return_exceptions=True)
    told = [each for each in done if isinstance(each, PreconditionFailed)]
    assert len(told) == 7
    assert told[0].content == {"expected": 1, "current": 2}
    assert (await plans.get(store, read.id)).revision == 2


async def test_without_a_revision_no_edit_is_lost_and_the_last_wins(store: Store) -> None:
    made = await plans.create(store, pro(), BY)

    def longer(old: PlanDraft) -> PlanDraft:
        return replace(old, terms=replace(old.terms, duration_days=old.terms.duration_days + 1))

    await asyncio.gather(*(plans.update(store, made.id, longer, BY) for _ in range(20)))
    after = await plans.get(store, made.id)
    assert (after.terms.duration_days, after.version, after.revision) == (50, 21, 21)


async def test_an_edit_that_changes_nothing_leaves_no_trace(store: Store) -> None:
    made = await plans.create(store, pro(), BY)
    assert await plans.update(store, made.id, lambda old: old, BY) == made
    assert (await audit.changes_since(store, 1)).topics == frozenset()


async def in_force(store: Store, plan: PlanRow) -> dict[int, int]:
    """Version bought → amount that its holders have."""
    sold = (await read_stock(store)).sold
    return {key.version: terms.limits[0].amount for key, terms in sold.items() if key.plan_id == plan.id}


async def test_new_terms_are_for_everybody_or_for_new_buyers(store: Store) -> None:
    made = await plans.create(store, pro(terms=terms(10)), BY)
    await plans.update(store, made.id, with_terms(20), BY, apply_to="new")
    assert await in_force(store, made) == {1: 10, 2: 20}
    await plans.update(store, made.id, with_terms(30), BY, apply_to="existing")
    assert await in_force(store, made) == {1: 30, 2: 30, 3: 30}
    await plans.update(store, made.id, with_terms(40), BY, apply_to="new")
    assert await in_force(store, made) == {1: 30, 2: 30, 3: 30, 4: 40}


async def test_who_was_left_their_terms_keeps_them_through_later_edits(store: Store) -> None:
    made = await plans.create(store, pro(terms=terms(10)), BY)
    await plans.update(store, made.id, with_terms(20), BY, apply_to="new")
    await plans.update(store, made.id, with_terms(20, days=31), BY)
    await plans.update(store, made.id, renamed("Professional"), BY)
    assert await in_force(store, made) == {1: 10, 2: 20, 3: 20}
    held = await subscriptions.create(store, bought(made), BY)
    (shown,) = (await plans.as_held(store, [PlanVersion(made.id, 1)])).values()
    assert (shown.terms, (await subscribed.get(store, held.id)).in_force) == (terms(10), 1)


async def test_everybody_is_brought_along_by_saying_so_also_where_nothing_else_changes(store: Store) -> None:
    made = await plans.create(store, pro(terms=terms(10)), BY)
    await plans.update(store, made.id, with_terms(20), BY, apply_to="new")
    after = await plans.update(store, made.id, lambda old: old, BY, apply_to="existing")
    assert (after.version, await in_force(store, made)) == (3, {1: 20, 2: 20, 3: 20})
    again = await plans.update(store, made.id, lambda old: old, BY, apply_to="existing")
    assert again == after, "nobody lags behind any more"


@pytest.mark.parametrize("seed", range(4))
async def test_whoever_was_let_alone_is_let_alone_in_any_history(store: Store, seed: int) -> None:
    """The law: an edit changes the terms of a version that has the newest ones, or it was said to be for all."""
    dice = random.Random(seed)
    made = await plans.create(store, pro(terms=terms(1)), BY)
    expected = {1: 1}
    for amount in range(2, 14):
        apply_to: plans.ApplyTo = dice.choice(("current", "current", "new", "existing"))
        newest = expected[max(expected)]
        for version, has in expected.items():
            if apply_to == "existing" or (apply_to == "current" and has == newest):
                expected[version] = amount
        expected[amount] = amount
        await plans.update(store, made.id, with_terms(amount), BY, apply_to=apply_to)
        assert await in_force(store, made) == expected, apply_to


async def test_a_subscription_shows_what_was_bought_and_what_is_in_force(store: Store) -> None:
    made = await plans.create(store, pro(), BY)
    held = await subscriptions.create(store, bought(made), BY)
    await plans.update(store, made.id, with_terms(20), BY, apply_to="new")
    shown = await subscribed.get(store, held.id)
    assert (shown.plan, shown.in_force) == (PlanVersion(made.id, 1), 1)
    await plans.update(store, made.id, with_terms(30), BY, apply_to="existing")
    shown = await subscribed.get(store, held.id)
    assert (shown.plan, shown.in_force) == (PlanVersion(made.id, 1), 3)
    assert shown.revision == 1, "the customer's row was not touched"


async def test_a_name_is_no_new_version(store: Store) -> None:
    made = await plans.create(store, pro(), BY)
    after = await plans.update(store, made.id, renamed("Professional"), BY)
    assert (after.version, after.revision, after.name) == (1, 2, "Professional")


async def test_there_is_one_default_plan(store: Store) -> None:
    first = await plans.create(store, pro(is_default=True), BY)
    second = await plans.create(store, pro(slug="team", is_default=True), BY)
    assert (await read_stock(store)).default == "team"
    before = await plans.get(store, first.id)
    assert (before.is_default, before.revision) == (False, 2)
    await plans.update(store, first.id, lambda old: replace(old, is_default=True), BY)
    assert not (await plans.get(store, second.id)).is_default
    at_once = [plans.update(store, each.id, lambda old: replace(old, is_default=True), BY) for each in (first, second)]
    await asyncio.gather(*at_once)
    assert sum(plan.is_default for plan in await plans.page(store, Listing())) == 1


async def test_the_default_plan_can_neither_rest_nor_go(store: Store) -> None:
    made = await plans.create(store, pro(is_default=True), BY)
    for refused in (
        plans.update(store, made.id, lambda old: replace(old, active=False), BY),
        plans.create(store, pro(slug="team", is_default=True, active=False), BY),
        plans.delete(store, made.id, BY),
    ):
        with pytest.raises(Conflict, match="another plan the default first"):
            await refused
    assert await plans.get(store, made.id) == made


async def test_a_plan_in_use_stays_and_says_by_whom(store: Store) -> None:
    made = await plans.create(store, pro(), BY, prices=[USD])
    held = await subscriptions.create(store, bought(made), BY)
    await subscriptions.cancel(store, held.id, BY)
    with pytest.raises(Conflict) as refused:
        await plans.delete(store, made.id, BY)
    assert refused.value.content == {"subscriptions": [held.id], "count": 1}


async def test_a_plan_that_stands_in_for_the_configurations_stays_as_long_as_somebody_has_that(store: Store) -> None:
    held = await subscriptions.create(store, bought("pro"), BY)
    over = await subscriptions.create(store, bought("pro", ends_us=NOW + 1), BY)
    made = await plans.create(store, pro(), BY)
    later = BY._replace(now_us=NOW + 1)
    for act in (
        plans.delete(store, made.id, later, reserved={"team"}),
        plans.update(store, made.id, lambda old: replace(old, slug="gold"), later, reserved={"team"}),
    ):
        with pytest.raises(Conflict, match="plan 'pro' of the configuration") as refused:
            await act
        assert refused.value.content == {"subscriptions": [held.id], "count": 1}, over
    moved = await plans.update(store, made.id, lambda old: replace(old, slug="gold"), later, reserved={"pro"})
    assert moved.slug == "gold", "the configuration's own counts again"
    back = await plans.update(store, made.id, lambda old: replace(old, slug="pro"), later)
    await plans.delete(store, back.id, later, reserved={"pro"})
    await plans.create(store, pro(), later)
    await subscriptions.cancel(store, held.id, later)
    (again,) = await plans.page(store, Listing())
    await plans.delete(store, again.id, later)


async def test_a_plan_goes_with_its_versions_limits_and_prices(store: Store) -> None:
    made = await plans.create(store, pro(), BY, prices=[USD])
    await plans.update(store, made.id, with_terms(1), BY)
    await plans.delete(store, made.id, BY._replace(if_revision=2))
    assert await plans.page(store, Listing()) == ()
    assert (await read_stock(store)).sold == {}
    await plans.create(store, pro(), BY, prices=[USD])


async def test_subscribing_and_deleting_at_once_leave_no_orphan(store: Store) -> None:
    made = await plans.create(store, pro(), BY)
    done = await asyncio.gather(
        plans.delete(store, made.id, BY), subscriptions.create(store, bought(made), BY), return_exceptions=True
    )
    assert [isinstance(each, Conflict) for each in done].count(True) == 1
    left = await plans.page(store, Listing()), await subscribed.page(store, Listing())
    assert [len(rows) for rows in left] in ([0, 0], [1, 1])


async def test_what_is_not_there_is_not_found(store: Store) -> None:
    for act in (
        plans.get(store, "x"),
        plans.update(store, "x", lambda old: old, BY),
        plans.delete(store, "x", BY),
    ):
        with pytest.raises(NotFound):
            await act


async def test_pages_have_an_order_and_filters(store: Store) -> None:
    made = [
        await plans.create(
            store, pro(slug=f"p{number}", name=name, active=active), BY._replace(now_us=NOW + number // 2)
        )
        for number, (name, active) in enumerate([("One", True), ("two", False), ("Three", True), ("twoFold", True)])
    ]
    by_age = sorted(made, key=lambda plan: (plan.created_us, plan.id))
    assert await plans.page(store, Listing(order=(("created", "asc"),))) == tuple(by_age)
    assert await plans.page(store, Listing()) == tuple(reversed(by_age))
    assert await plans.page(store, Listing(limit=2, offset=1)) == tuple(reversed(by_age))[1:3]
    assert await plans.page(store, Listing(created_from_us=NOW + 1, created_until_us=NOW + 1)) == tuple(by_age[:1:-1])
    assert await plans.page(store, Listing(updated_until_us=NOW - 1)) == ()
    assert await plans.page(store, Listing(), active=False) == (made[1],)
    assert {plan.name for plan in await plans.page(store, Listing(), text="TWO")} == {"two", "twoFold"}
    for limit, offset in ((0, 0), (1001, 0), (1, -1)):
        with pytest.raises(ValueError, match="a page has"):
            Listing(limit=limit, offset=offset)


async def test_every_change_is_in_the_audit_log_with_what_was_and_what_is(store: Store) -> None:
    made = await plans.create(store, pro(), BY, prices=[USD])
    await plans.update(store, made.id, renamed("Professional"), BY)
    await plans.delete(store, made.id, BY)
    entries = await audit.page(store, Sought(object_id=made.id))
    assert [(entry.action, entry.revision) for entry in entries] == [
        ("plan.delete", 3),
        ("plan.update", 2),
        ("plan.create", 1),
    ]
    assert [(entry.before is None, entry.after is None) for entry in entries] == [
        (False, True),
        (False, False),
        (True, False),
    ]
    assert '"name":"Pro"' in (entries[1].before or "")
    assert '"name":"Professional"' in (entries[1].after or "")
    assert '"amount":4900' in (entries[2].after or "")
    assert (entries[0].actor_kind, entries[0].actor_id, entries[0].address) == ("admin", "root", "192.0.2.1")


@pytest.mark.parametrize(
    "broken",
    [
        {"slug": ""},
        {"terms": terms(10**15 + 1)},
        {"terms": terms(-2)},
        {"terms": terms(days=0)},
        {"terms": Terms((PlanLimit(THROUGHPUT, 1, 0),), 30)},
        {"terms": Terms((PlanLimit(THROUGHPUT, 1, 1, burst=5),), 30)},
        {"terms": Terms((PlanLimit(THROUGHPUT, 1, 1, Refill.CONTINUOUS, "epoch"),), 30)},
        {"terms": Terms((), 30, unlimited=True, pack=True)},
        {"name": "lone surrogate \ud800"},
    ],
    ids=["slug", "amount", "negative", "days", "window", "burst", "anchor", "kind", "text"],
)
async def test_what_a_plan_cannot_be_is_refused_by_the_database_itself(store: Store, broken: dict[str, str]) -> None:
    with pytest.raises(Problem) as refused:
        await plans.create(store, pro(**broken), BY)
    assert refused.value.status == 422
    assert await plans.page(store, Listing()) == ()


async def test_amounts_beyond_53_bits_are_refused_and_not_rounded(store: Store) -> None:
    for amount in (2**53 + 1, 2**63, 2**200):
        with pytest.raises(Problem) as refused:
            await plans.create(store, pro(terms=terms(amount)), BY)
        assert refused.value.status == 422
    made = await plans.create(store, pro(terms=terms(10**15)), BY)
    assert (await plans.get(store, made.id)).terms.limits[0].amount == 10**15


async def test_a_user_may_hold_several_versions(store: Store) -> None:
    made = await plans.create(store, pro(), BY)
    newer = await plans.update(store, made.id, with_terms(7), BY, apply_to="new")
    for each in (made, newer):
        await subscriptions.create(store, bought(each), BY)
    held = await subscribed.held(store, ALICE, NOW)
    assert {holding.plan for holding in held} == {PlanVersion(made.id, 1), PlanVersion(made.id, 2)}
