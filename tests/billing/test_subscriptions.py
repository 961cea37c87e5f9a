"""What admins and customers do with subscriptions, and who sees which."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.billing.plans import file_plan_id
from gateway.billing.subscriptions import Gift, Viewer, end, give, give_once, override, own, reactivate, seen, stop
from gateway.core.problems import (
    BadGateway,
    Conflict,
    Forbidden,
    NotFound,
    PreconditionFailed,
    Problem,
    Unprocessable,
)
from gateway.core.scope import Scope
from gateway.core.subscription import Event, PlanVersion, Status, Word
from gateway.store import audit, plans, subscribed, subscriptions
from gateway.store.audit import Sought
from gateway.store.listing import Listing
from gateway.store.once import Once
from gateway.store.rows import PlanRow, SubscriptionRow
from gateway.store.store import Store
from gateway.store.subscribed import Wanted
from tests.store.samples import ACME, ALICE, BY, DAY, NOW, bought, pro, terms

ME, OTHER = Viewer(ALICE.id), Viewer("somebody else")
FILES = {slug: terms(9).plan(slug, slug.title(), 1) for slug in ("free", "team")}


@pytest.fixture
async def plan(store: Store) -> PlanRow:
    return await plans.create(store, pro(active=False), BY)


def gift(plan: PlanRow, **changes: object) -> Gift:
    return replace(Gift(plan_id=plan.id, scope=ALICE, user_id=ALICE.id), **changes)  # type: ignore[arg-type]


async def sold(store: Store, plan: PlanRow, **changes: Any) -> SubscriptionRow:
    return await subscriptions.create(store, bought(plan, mode="subscription", **changes), BY)


async def test_an_admin_gives_a_plan_for_its_days(store: Store, plan: PlanRow) -> None:
    made = await give(store, gift(plan), FILES, BY)
    assert (made.plan, made.status) == (PlanVersion(plan.id, 1), Status.ACTIVE)
    assert (made.starts_us, made.ends_us, made.provider, made.mode) == (NOW, NOW + 30 * DAY, "manual", "payment")
    later = await give(store, gift(plan, starts_us=NOW + DAY, throughput_override=0), FILES, BY)
    assert (later.starts_us, later.ends_us, later.throughput_override) == (NOW + DAY, NOW + 31 * DAY, 0)


async def test_a_plan_of_the_configuration_can_be_given(store: Store) -> None:
    team = Gift(plan_id=file_plan_id("team"), scope=ACME, user_id=ALICE.id)
    assert (await give(store, team, FILES, BY)).plan == "team"
    with pytest.raises(NotFound):
        await give(store, replace(team, plan_id=file_plan_id("gone")), FILES, BY)


async def test_a_plan_of_the_configuration_that_does_not_count_is_not_given(store: Store) -> None:
    counts = await plans.create(store, pro(slug="team"), BY)
    with pytest.raises(Conflict, match="does not count") as refused:
        await give(store, Gift(plan_id=file_plan_id("team"), scope=ACME, user_id=ALICE.id), FILES, BY)
    assert refused.value.content == {"plan": counts.id}


async def test_a_repeated_gift_is_the_first_one_whatever_became_of_the_plan(store: Store, plan: PlanRow) -> None:
    once = Once("key", "body")
    made, again = await give_once(store, gift(plan), FILES, BY, once)
    assert not again
    await plans.update(store, plan.id, lambda old: replace(old, terms=terms(7)), BY)
    assert await give_once(store, gift(plan), FILES, BY, once) == (await subscribed.get(store, made.id), True)
    await subscriptions.cancel(store, made.id, BY)
    known, again = await give_once(store, gift(plan), FILES, BY, once)
    assert (known.id, known.status, again) == (made.id, Status.CANCELLED, True)
    with pytest.raises(Conflict, match="used for another"):
        await give_once(store, gift(plan), FILES, BY, once._replace(digest="another"))


@pytest.mark.parametrize("of_file", [False, True])
async def test_an_override_that_would_change_nothing_is_refused(store: Store, of_file: bool) -> None:  # noqa: FBT001
    free = replace(terms(), limits=(), unlimited=True)
    files = {"all": free.plan("all", "All", 1)}
    plan_id = file_plan_id("all") if of_file else (await plans.create(store, pro(terms=free), BY)).id
    wanted = Gift(plan_id=plan_id, scope=ALICE, user_id=ALICE.id, throughput_override=5)
    with pytest.raises(Unprocessable, match="throughput_override would change nothing"):
        await give(store, wanted, files, BY)
    made = await give(store, replace(wanted, throughput_override=None), files, BY)
    with pytest.raises(Unprocessable, match="throughput_override would change nothing"):
        await override(store, made.id, 5, files, BY)
    assert await override(store, made.id, None, files, BY) == made
    if of_file:
        await plans.create(store, pro(slug="all"), BY)
        changed = await override(store, made.id, 5, files, BY)
        assert changed.throughput_override == 5, "the store's plan of this slug counts, and that has a limit"


async def test_a_gift_that_ends_before_it_starts_is_none(store: Store, plan: PlanRow) -> None:
    with pytest.raises(Problem, match="ends after it starts"):
        await give(store, gift(plan, ends_us=NOW), FILES, BY)


async def test_what_is_not_yours_is_not_there(store: Store, plan: PlanRow) -> None:
    mine = await sold(store, plan)
    shared = await sold(store, plan, scope=ACME)
    assert await seen(store, mine.id, ME) == mine
    assert await seen(store, shared.id, ME) == shared, "who bought it for a workspace sees it"
    assert await seen(store, shared.id, Viewer("bob", ACME.id)) == shared
    assert await seen(store, mine.id, Viewer(None, admin=True)) == mine
    strangers = (OTHER, Viewer(None), Viewer("bob", "another workspace"), Viewer(None, ALICE.id))
    for stranger in strangers:
        with pytest.raises(NotFound) as theirs:
            await seen(store, mine.id, stranger)
        with pytest.raises(NotFound) as nobodys:
            await seen(store, "nothing", stranger)
        assert theirs.value.message == nobodys.value.message
    for act in (stop, reactivate):
        with pytest.raises(NotFound):
            await act(store, mine.id, OTHER, BY)


async def test_lists_hold_ones_own(store: Store, plan: PlanRow) -> None:
    mine = await sold(store, plan)
    shared = await sold(store, plan, scope=ACME)
    over = await sold(store, plan, status=Status.CANCELLED, cancelled_us=NOW)

    async def listed(viewer: Viewer, **wanted: object) -> set[str]:
        narrowed = own(viewer, Wanted(**wanted))  # type: ignore[arg-type]
        return set() if narrowed is None else {row.id for row in await subscribed.page(store, Listing(), narrowed)}

    assert await listed(ME) == {mine.id, shared.id, over.id}
    assert await listed(ME, granting_at_us=NOW) == {mine.id, shared.id}
    assert await listed(ME, idle_at_us=NOW) == {over.id}
    assert await listed(ME, idle_at_us=NOW + 30 * DAY) == {mine.id, shared.id, over.id}
    assert await listed(ME, status=Status.CANCELLED) == {over.id}
    assert await listed(Viewer(ALICE.id, ACME.id)) == {shared.id}
    assert await listed(ME, user_id="somebody else", kind="address") == {mine.id, shared.id, over.id}, "no way around"
    for stranger in (OTHER, Viewer(None), Viewer(None, admin=True)):
        assert await listed(stranger) == set()


async def test_a_customer_stops_and_goes_on(store: Store, plan: PlanRow) -> None:
    made = await sold(store, plan)
    stopped = await stop(store, made.id, ME, BY)
    assert (stopped.status, stopped.cancel_at_period_end, stopped.ends_us) == (Status.ACTIVE, True, made.ends_us)
    with pytest.raises(Conflict, match="already") as refused:
        await stop(store, made.id, ME, BY)
    assert refused.value.content == {"reason": "stopping"}
    assert not (await reactivate(store, made.id, ME, BY)).cancel_at_period_end
    entries = await audit.page(store, Sought(object_id=made.id))
    assert [entry.action for entry in entries] == [
        "subscription.reactivate",
        "subscription.stop",
        "subscription.create",
    ]


async def test_what_was_bought_once_cannot_be_stopped_and_an_unpaid_order_is_dropped(
    store: Store, plan: PlanRow
) -> None:
    once = await subscriptions.create(store, bought(plan), BY)
    with pytest.raises(Conflict, match="bought once"):
        await stop(store, once.id, ME, BY)
    order = await subscriptions.create(store, bought(plan, status=Status.PENDING), BY)
    assert (await stop(store, order.id, ME, BY)).status is Status.CANCELLED


async def test_the_provider_is_told_first_and_nothing_changes_if_it_refuses(store: Store, plan: PlanRow) -> None:
    told: list[tuple[str, Event]] = []

    async def tell(row: SubscriptionRow, event: Event) -> None:
        told.append((row.id, event))

    async def refuse(_row: SubscriptionRow, _event: Event) -> None:
        raise BadGateway("it does not answer")

    made = await sold(store, plan, provider="stripe", external_id="sub_1")
    with pytest.raises(Conflict, match="stripe"):
        await stop(store, made.id, ME, BY)
    with pytest.raises(BadGateway):
        await stop(store, made.id, ME, BY, refuse)
    assert await subscribed.get(store, made.id) == made
    with pytest.raises(Conflict, match="goes on"):
        await reactivate(store, made.id, ME, BY, tell)
    assert told == [], "what is refused here is not said there"
    assert (await stop(store, made.id, ME, BY, tell)).cancel_at_period_end
    assert told == [(made.id, Event.STOP)]


async def test_an_admins_end_is_told_to_the_provider_too(store: Store, plan: PlanRow) -> None:
    told: list[Event] = []

    async def tell(row: SubscriptionRow, event: Event) -> None:
        told.append(event)
        await subscriptions.override(store, row.id, 5, BY)  # the provider's word came in between

    made = await sold(store, plan, provider="stripe", external_id="sub_1")
    with pytest.raises(PreconditionFailed):
        await end(store, made.id, BY._replace(if_revision=7), tell)
    ended = await end(store, made.id, BY._replace(if_revision=1), tell)
    assert (ended.status, told) == (Status.CANCELLED, [Event.END])
    with pytest.raises(Conflict):
        await end(store, made.id, BY, tell)
    by_hand = await subscriptions.create(store, bought(plan), BY)
    assert (await end(store, by_hand.id, BY, tell)).status is Status.CANCELLED
    assert told == [Event.END]


async def test_an_admin_does_not_end_here_alone_what_the_provider_goes_on_charging(store: Store, plan: PlanRow) -> None:
    renews = await sold(store, plan, provider="stripe", external_id="sub_1")
    order = await sold(store, plan, status=Status.PENDING, provider="stripe", checkout_id="cs_1")
    for row in (renews, order):
        with pytest.raises(Conflict, match=r"stripe would go on charging.*POST /subscription/\{id\}/extend"):
            await end(store, row.id, BY)
        assert await subscribed.get(store, row.id) == row
    once = await subscriptions.create(store, bought(plan, provider="stripe", checkout_id="cs_2"), BY)
    assert (await end(store, once.id, BY)).status is Status.CANCELLED, "nothing more is charged for that"


async def test_an_end_that_the_provider_tells_before_we_write_it_is_one(store: Store, plan: PlanRow) -> None:
    async def tell(row: SubscriptionRow, event: Event) -> None:
        await subscriptions.update(store, row.id, lambda old: subscriptions.advanced(old, Word(event, NOW)), BY)

    made = await sold(store, plan, provider="stripe", external_id="sub_1")
    assert (await end(store, made.id, BY, tell)).status is Status.CANCELLED
    with pytest.raises(Conflict, match="cancelled already"):
        await end(store, made.id, BY, tell)


async def test_who_has_left_a_workspace_acts_on_nothing_of_it(store: Store, plan: PlanRow) -> None:
    shared = await sold(store, plan, scope=ACME)
    for act in (stop, reactivate):
        with pytest.raises(Forbidden):
            await act(store, shared.id, ME, BY)
    assert (await stop(store, shared.id, Viewer("bob", ACME.id), BY)).cancel_at_period_end
    assert not (await reactivate(store, shared.id, Viewer(None, admin=True), BY)).cancel_at_period_end


async def test_what_the_provider_did_meanwhile_is_not_done_again(store: Store, plan: PlanRow) -> None:
    async def tell(row: SubscriptionRow, event: Event) -> None:
        await subscriptions.update(store, row.id, lambda old: subscriptions.advanced(old, Word(event, NOW)), BY)

    order = await sold(store, plan, status=Status.PENDING, provider="stripe", checkout_id="cs_1")
    assert (await stop(store, order.id, ME, BY, tell)).status is Status.CANCELLED


async def test_a_workspace_id_is_no_user_id(store: Store, plan: PlanRow) -> None:
    made = await sold(store, plan, scope=Scope("workspace", ALICE.id), user_id="bob")
    with pytest.raises(NotFound):
        await seen(store, made.id, ME)
