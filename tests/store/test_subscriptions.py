import asyncio
from dataclasses import replace
from typing import Any, get_args

import pytest

from gateway.core.problems import Conflict, NotFound, PreconditionFailed, Problem
from gateway.core.scope import Scope
from gateway.core.subscription import GRANTING, Holding, PlanVersion, Status
from gateway.store import audit, plans, subscribed, subscriptions
from gateway.store.audit import Sought
from gateway.store.listing import Listing
from gateway.store.once import Once
from gateway.store.rows import PlanRow, SubscriptionDraft
from gateway.store.standings import State
from gateway.store.store import Store
from gateway.store.subscribed import Wanted
from tests.store.samples import ACME, ADMIN, ALICE, BY, DAY, NOW, bought, pro


@pytest.fixture
async def plan(store: Store) -> PlanRow:
    return await plans.create(store, pro(), BY)


async def test_a_subscription_is_read_as_it_was_written(store: Store, plan: PlanRow) -> None:
    draft = bought(
        plan,
        ACME,
        status=Status.PAST_DUE,
        throughput_override=0,
        provider="stripe",
        mode="subscription",
        checkout_id="cs_1",
        external_id="sub_1",
        period_end_us=NOW + 31 * DAY,
        cancel_at_period_end=True,
    )
    made = await subscriptions.create(store, draft, BY)
    assert SubscriptionDraft(**{name: getattr(made, name) for name in SubscriptionDraft.__slots__}) == draft
    assert await subscribed.get(store, made.id) == made
    assert (made.in_force, made.revision, made.idempotency_key) == (1, 1, None)


async def test_a_plan_of_the_configuration_can_be_held(store: Store) -> None:
    made = await subscriptions.create(store, bought("team"), BY)
    assert (made.plan, made.in_force) == ("team", None)
    assert await subscribed.held(store, ALICE, NOW) == (Holding(made.id, "team", NOW, NOW + 30 * DAY, None),)
    assert await subscribed.file_plans_held(store, NOW) == {"team"}
    assert await subscribed.file_plans_held(store, NOW + 30 * DAY) == frozenset()
    await subscriptions.cancel(store, made.id, BY)
    assert await subscribed.file_plans_held(store, NOW) == frozenset()


async def test_a_scope_holds_what_grants_now_or_later(store: Store, plan: PlanRow) -> None:
    kept = {}
    for status in Status:
        at_us = NOW if status is Status.CANCELLED else None
        kept[status] = await subscriptions.create(store, bought(plan, status=status, cancelled_us=at_us), BY)
    later = await subscriptions.create(store, bought(plan, starts_us=NOW + DAY, ends_us=None), BY)
    over = await subscriptions.create(store, bought(plan, starts_us=NOW - DAY, ends_us=NOW), BY)
    await subscriptions.create(store, bought(plan, ACME), BY)
    held = {holding.id for holding in await subscribed.held(store, ALICE, NOW)}
    assert held == {kept[status].id for status in GRANTING} | {later.id}
    assert over.id in {holding.id for holding in await subscribed.held(store, ALICE, NOW - 1)}
    assert await subscribed.held(store, Scope("user", ACME.id), NOW) == ()


async def test_a_double_click_subscribes_once(store: Store, plan: PlanRow) -> None:
    once = Once("click", "what it says")
    clicks = [subscriptions.create_once(store, bought(plan, starts_us=NOW + n), BY, once) for n in range(8)]
    made, again = zip(*await asyncio.gather(*clicks), strict=True)
    assert (len({row.id for row in made}), again.count(False)) == (1, 1)
    assert await subscriptions.made_by(store, once) == made[0]
    assert await subscriptions.made_by(store, Once("other", "what it says")) is None
    assert len(await subscribed.page(store, Listing())) == 1
    with pytest.raises(Conflict, match="used for another") as refused:
        await subscriptions.create_once(store, bought(plan), BY, once._replace(digest="something else"))
    assert refused.value.content == {"subscription": made[0].id}
    keyless = [subscriptions.create(store, bought(plan), BY) for _ in range(2)]
    assert len({row.id for row in await asyncio.gather(*keyless)}) == 2, "without a key two are two"


@pytest.mark.parametrize("name", ["checkout_id", "external_id"])
async def test_what_a_provider_sold_is_one_subscription(store: Store, plan: PlanRow, name: str) -> None:
    draft = bought(plan, ALICE, provider="stripe", mode="subscription", **{name: "x_1"})
    deliveries = [subscriptions.create(store, draft, BY) for _ in range(6)]
    done = await asyncio.gather(*deliveries, return_exceptions=True)
    made = [each for each in done if not isinstance(each, BaseException)]
    assert len(made) == 1
    refused = [each for each in done if isinstance(each, Conflict)]
    assert len(refused) == 5
    assert refused[0].content == {"subscription": made[0].id}
    other = await subscriptions.create(store, replace(draft, provider="other"), BY)
    with pytest.raises(Conflict):
        await subscriptions.update(store, other.id, lambda old: replace(old, provider="stripe"), BY)
    async with store.read() as connection:
        assert await subscribed.by_provider(connection, "stripe", **{name: "x_1"}) == made[0]
        assert await subscribed.by_provider(connection, "stripe") is None


async def test_a_version_that_is_gone_cannot_be_bought(store: Store, plan: PlanRow) -> None:
    for gone in (PlanVersion(plan.id, 2), PlanVersion("nobody", 1)):
        with pytest.raises(Conflict, match="no such plan any more"):
            await subscriptions.create(store, replace(bought(plan), plan=gone), BY)
    made = await subscriptions.create(store, bought(plan), BY)
    with pytest.raises(Conflict):
        await subscriptions.update(store, made.id, lambda old: replace(old, plan=PlanVersion(plan.id, 9)), BY)


async def test_an_admin_cancels_extends_and_overrides(store: Store, plan: PlanRow) -> None:
    made = await subscriptions.create(store, bought(plan, mode="subscription", cancel_at_period_end=True), BY)
    assert (await subscriptions.override(store, made.id, 7, BY)).throughput_override == 7
    assert (await subscriptions.override(store, made.id, None, BY)).throughput_override is None
    assert (await subscriptions.extend(store, made.id, NOW + 90 * DAY, BY)).ends_us == NOW + 90 * DAY
    assert (await subscriptions.extend(store, made.id, None, BY)).ends_us is None
    with pytest.raises(Problem, match="ends after it starts"):
        await subscriptions.extend(store, made.id, NOW, BY)
    over = await subscriptions.cancel(store, made.id, BY._replace(now_us=NOW + 5))
    assert (over.status, over.cancelled_us, over.cancel_at_period_end) == (Status.CANCELLED, NOW + 5, False)
    for act in (subscriptions.cancel(store, made.id, BY), subscriptions.extend(store, made.id, None, BY)):
        with pytest.raises(Conflict, match="cancelled"):
            await act
    expired = await subscriptions.create(store, bought(plan, ACME, ends_us=NOW + 1), BY)
    for id_, amount in ((made.id, 7), (made.id, None), (expired.id, 7)):
        with pytest.raises(Conflict, match="is over"):
            await subscriptions.override(store, id_, amount, BY._replace(now_us=NOW + 1))
    entries = await audit.page(store, Sought(scope=ALICE))
    assert [entry.action.removeprefix("subscription.") for entry in reversed(entries)] == [
        "create",
        "override",
        "override",
        "extend",
        "extend",
        "cancel",
    ]


async def test_of_two_admins_who_edit_one_subscription_one_is_told(store: Store, plan: PlanRow) -> None:
    made = await subscriptions.create(store, bought(plan), BY)
    based = BY._replace(if_revision=1)
    acts = (subscriptions.cancel(store, made.id, based), subscriptions.extend(store, made.id, None, based))
    done = await asyncio.gather(*acts, return_exceptions=True)
    assert sum(isinstance(each, PreconditionFailed) for each in done) == 1
    assert (await subscribed.get(store, made.id)).revision == 2


async def test_concurrent_extensions_all_count(store: Store, plan: PlanRow) -> None:
    made = await subscriptions.create(store, bought(plan), BY)

    def a_day_more(old: SubscriptionDraft) -> SubscriptionDraft:
        return replace(old, ends_us=(old.ends_us or 0) + DAY)

    await asyncio.gather(*(subscriptions.update(store, made.id, a_day_more, BY) for _ in range(60)))
    after = await subscribed.get(store, made.id)
    assert (after.ends_us, after.revision) == (NOW + 90 * DAY, 61)


async def test_a_subscription_stays_with_its_scope(store: Store, plan: PlanRow) -> None:
    made = await subscriptions.create(store, bought(plan), BY)
    with pytest.raises(Problem, match="stays with its scope"):
        await subscriptions.update(store, made.id, lambda old: replace(old, scope=ACME), BY)
    with pytest.raises(NotFound):
        await subscriptions.cancel(store, "nobody", BY)
    with pytest.raises(NotFound):
        await subscribed.get(store, "nobody")


async def test_a_list_holds_what_is_wanted_and_nobody_elses(store: Store, plan: PlanRow) -> None:
    own = await subscriptions.create(store, bought(plan), BY)
    shared = await subscriptions.create(store, bought(plan, ACME, status=Status.PENDING, checkout_id="cs_A%_"), BY)
    filed = await subscriptions.create(store, bought("team", Scope("user", "bob"), user_id="bob"), BY)
    network = await subscriptions.create(store, bought("team", Scope("address", "192.0.2.7"), user_id=None), BY)

    async def found(**wanted: object) -> set[str]:
        return {row.id for row in await subscribed.page(store, Listing(), Wanted(**wanted))}  # type: ignore[arg-type]

    assert await found() == {own.id, shared.id, filed.id, network.id}
    assert await found(user_id=ALICE.id) == {own.id, shared.id}
    assert await found(workspace_id=ACME.id) == {shared.id}
    assert await found(scope=ALICE) == {own.id}
    assert await found(kind="address") == {network.id}
    assert await found(plan_id=plan.id) == {own.id, shared.id}
    assert await found(file_plan="team") == {filed.id, network.id}
    assert await found(status=Status.PENDING) == {shared.id}
    assert await found(granting_at_us=NOW) == {own.id, filed.id, network.id}
    assert await found(granting_at_us=NOW + 30 * DAY) == set()
    assert await found(text="a%_") == {shared.id}
    assert await found(text="BO") == {filed.id}
    assert await found(user_id="bob", workspace_id=ACME.id) == set()


@pytest.mark.parametrize(
    "broken",
    [
        {"user_id": None},
        {"user_id": "somebody else"},
        {"scope": Scope("team", "x")},
        {"scope": Scope("workspace", "")},
        {"ends_us": NOW},
        {"cancelled_us": NOW},
        {"status": Status.CANCELLED},
        {"cancel_at_period_end": True},
        {"throughput_override": -2},
        {"throughput_override": 10**15 + 1},
        {"mode": "lease"},
    ],
    ids=lambda broken: "-".join(map(str, broken.values())),
)
async def test_what_no_subscription_can_be(store: Store, plan: PlanRow, broken: dict[str, object]) -> None:
    with pytest.raises(Problem) as refused:
        await subscriptions.create(store, replace(bought(plan), **broken), BY)  # type: ignore[arg-type]
    assert refused.value.status == 422
    assert await subscribed.page(store, Listing()) == ()


async def test_who_subscribed_whom_is_kept(store: Store, plan: PlanRow) -> None:
    made = await subscriptions.create(store, bought(plan, ACME), BY)
    (entry,) = await audit.page(store, Sought(object_id=made.id, actor_id=ADMIN.id))
    assert (entry.scope_kind, entry.scope_id, entry.request_id) == (*ACME, "request-1")
    assert f'"scope":{{"id":"{ACME.id}","kind":"workspace"}}' in (entry.after or "")


async def test_each_is_in_one_state_as_people_name_it(store: Store, plan: PlanRow) -> None:
    over: dict[str, Any] = {"starts_us": NOW - DAY, "ends_us": NOW}
    stopped: dict[str, Any] = {"mode": "subscription", "cancel_at_period_end": True}
    kept: dict[State, list[dict[str, Any]]] = {
        "pending": [{"status": Status.PENDING}, {"status": Status.PENDING, **over}],
        "scheduled": [{"starts_us": NOW + 1}, {"starts_us": NOW + 1, "ends_us": None, **stopped}],
        "trialing": [{"status": Status.TRIALING}],
        "active": [{}, {"ends_us": None}, {"ends_us": NOW + 1}],
        "cancelling": [{**stopped}, {"status": Status.TRIALING, **stopped}],
        "past_due": [{"status": Status.PAST_DUE}],
        "unpaid": [{"status": Status.UNPAID, "ends_us": None}],
        "paused": [{"status": Status.PAUSED, "ends_us": None}],
        "expired": [over, {"status": Status.PAST_DUE, **over}, {"status": Status.UNPAID, **over}],
        "cancelled": [{"status": Status.CANCELLED, "cancelled_us": NOW, **over}],
    }
    assert set(kept) == set(get_args(State))
    made = {
        state: {(await subscriptions.create(store, bought(plan, **each), BY)).id for each in drafts}
        for state, drafts in kept.items()
    }
    found = {
        state: {row.id for row in await subscribed.page(store, Listing(), Wanted(state=(state, NOW)))} for state in kept
    }
    assert found == made
