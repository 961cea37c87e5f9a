"""Subscriptions as admins, customers and providers work on them, and who sees which.

What a customer may not see is not there: 404 by id, absent from lists. What moves a subscription is
``core/subscription``'s table alone.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from gateway.billing.grace import PROVIDER as GRACE
from gateway.billing.plans import file_plan_id
from gateway.core.plan import Plan
from gateway.core.problems import Conflict, Forbidden, NotFound, Unprocessable
from gateway.core.scope import Scope
from gateway.core.subscription import Event, PlanVersion, Status, Word
from gateway.store import plans, subscribed, subscriptions
from gateway.store.edits import check_revision
from gateway.store.mandate import Mandate
from gateway.store.once import Once
from gateway.store.rows import SubscriptionDraft, SubscriptionRow
from gateway.store.store import Store
from gateway.store.subscribed import Wanted

DAY_US = 86_400_000_000
USUAL_DAYS = 30
"""How long a plan of the configuration is given for, which says nothing about that."""
_OURS = ("manual", GRACE)
"""Providers of what nobody is paid for: there is nobody to be told."""
_NOT_TOLD = (
    "This was bought through {0}, which this gateway does not know now: ended here alone, {0} would go on charging."
    " Configure `payments` for {0} again and repeat this; or end it at {0} by hand, and here let it run out by giving"
    " it an end (`POST /subscription/{{id}}/extend`)."
)
Tell = Callable[[SubscriptionRow, Event], Awaitable[None]]
"""Tells a payment provider that its customer stops, or goes on with, a subscription. Raises a ``Problem``."""


class Viewer(NamedTuple):
    """Who looks. ``workspace``: one that the viewer may act for, as the route asks."""

    user: str | None
    workspace: str | None = None
    admin: bool = False

    def sees(self, row: SubscriptionRow) -> bool:
        """Whether it is the viewer's: bought by the user, or the workspace's."""
        if self.admin:
            return True
        if self.user is not None and row.user_id == self.user:
            return True
        return self.workspace is not None and row.scope == Scope("workspace", self.workspace)

    def manages(self, row: SubscriptionRow) -> bool:
        """Whether the viewer may act on it: a workspace's is for who acts for it now, not for who bought it once."""
        if self.admin or row.scope.kind != "workspace":
            return self.sees(row)
        return row.scope.id == self.workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Gift:
    """What an admin gives by hand. ``starts_us`` ``None``: now; ``ends_us`` ``None``: after the plan's days."""

    plan_id: str
    scope: Scope
    user_id: str
    throughput_override: int | None = None
    starts_us: int | None = None
    ends_us: int | None = None


async def give(store: Store, gift: Gift, file_plans: Mapping[str, Plan], by: Mandate) -> SubscriptionRow:
    """Give a plan to a scope; also an inactive one. ``file_plans``: the configuration's, by slug.

    Raises ``NotFound`` for an unknown plan, ``Unprocessable`` for an end before the start or an override that would
    change nothing, ``Conflict`` as ``create`` and for a plan of the configuration that does not count.
    """
    return await subscriptions.create(store, await _given(store, gift, file_plans, by), by)


async def give_once(
    store: Store, gift: Gift, file_plans: Mapping[str, Plan], by: Mandate, once: Once
) -> tuple[SubscriptionRow, bool]:
    """``give``, unless the same call has done so before (``True``), whatever has become of the plan since.

    Raises as ``give``, and ``Conflict`` if the call said something else then.
    """
    if (known := await subscriptions.made_by(store, once)) is not None:
        return known, True
    return await subscriptions.create_once(store, await _given(store, gift, file_plans, by), by, once)


async def _given(store: Store, gift: Gift, file_plans: Mapping[str, Plan], by: Mandate) -> SubscriptionDraft:
    plan: PlanVersion | str
    slug = next((each for each in file_plans if file_plan_id(each) == gift.plan_id), None)
    if slug is not None:
        for shadow in (await plans.of_slugs(store, {slug})).values():
            raise Conflict(
                f"The configuration's plan '{slug}' does not count: the database has one of this slug. Give that one.",
                content={"plan": shadow.id},
            )
        plan, days, terms = slug, USUAL_DAYS, file_plans[slug]
    else:
        found = await plans.get(store, gift.plan_id)
        plan, days, terms = PlanVersion(found.id, found.version), found.terms.duration_days, found.plan
    if gift.throughput_override is not None:
        _check_override(terms)
    starts_us = by.now_us if gift.starts_us is None else gift.starts_us
    ends_us = starts_us + days * DAY_US if gift.ends_us is None else gift.ends_us
    if ends_us <= starts_us:
        raise Unprocessable("A subscription ends after it starts.")
    return SubscriptionDraft(
        plan=plan,
        scope=gift.scope,
        user_id=gift.user_id,
        status=Status.ACTIVE,
        starts_us=starts_us,
        ends_us=ends_us,
        throughput_override=gift.throughput_override,
    )


async def override(
    store: Store, id_: str, amount: int | None, file_plans: Mapping[str, Plan], by: Mandate
) -> SubscriptionRow:
    """Replace the plan's throughput for one subscription. ``file_plans``: the configuration's, by slug.

    Raises as ``store.override``, ``Unprocessable`` where it would change nothing.
    """
    row = await subscribed.get(store, id_)
    if amount is not None and not subscriptions.is_over(row, by.now_us):
        if isinstance(row.plan, PlanVersion):
            held = (await plans.as_held(store, [row.plan])).get(row.plan)
        else:
            held = (await plans.of_slugs(store, {row.plan})).get(row.plan)
        of_file = file_plans.get(row.plan) if isinstance(row.plan, str) else None
        plan = held.plan if held is not None else of_file
        if plan is not None:
            _check_override(plan)
    return await subscriptions.override(store, id_, amount, by)


def _check_override(plan: Plan) -> None:
    if not plan.takes_override:
        problem = "would change nothing: throughput is unlimited in this plan, or not in it"
        fault = {"field": "throughput_override", "problem": problem}
        raise Unprocessable(f"throughput_override {problem}.", content={"fields": [fault]})


async def seen(store: Store, id_: str, viewer: Viewer) -> SubscriptionRow:
    """A subscription, if it is the viewer's. Raises ``NotFound``, the same whether it exists or not."""
    row = await subscribed.get(store, id_)
    if not viewer.sees(row):
        raise NotFound("There is no such subscription.")
    return row


def own(viewer: Viewer, wanted: Wanted) -> Wanted | None:
    """Narrowed to the named workspace's, or to what the user has bought; ``None``: nobody's."""
    if viewer.workspace is None and viewer.user is None:
        return None
    return Wanted(
        user_id=viewer.user if viewer.workspace is None else None,
        workspace_id=viewer.workspace,
        status=wanted.status,
        granting_at_us=wanted.granting_at_us,
        idle_at_us=wanted.idle_at_us,
    )


async def end(store: Store, id_: str, by: Mandate, tell: Tell | None = None) -> SubscriptionRow:
    """An admin ends it now, for good; at its provider too, where there is one. Raises as ``store.cancel``.

    ``Conflict`` also where the provider would go on charging, because it is not configured any more.
    """
    row = await subscribed.get(store, id_)
    if row.provider in _OURS or row.status is Status.CANCELLED:
        return await subscriptions.cancel(store, id_, by)
    check_revision(row.revision, by.if_revision, "subscription")
    if tell is None:
        if row.status is Status.PENDING or row.external_id is not None:
            raise Conflict(_NOT_TOLD.format(row.provider))
        return await subscriptions.cancel(store, id_, by)
    await tell(row, Event.END)
    # What the provider then said may have moved it on, even to its end.
    return await subscriptions.cancel(store, id_, by._replace(if_revision=None), or_over=True)


async def stop(store: Store, id_: str, viewer: Viewer, by: Mandate, tell: Tell | None = None) -> SubscriptionRow:
    """A customer does not want it renewed; an order that is not paid is dropped.

    ``tell``: the provider's part, before ours. Raises ``NotFound``, ``Conflict`` with what stands in the way.
    """
    return await _customers_act(store, id_, Event.STOP, viewer, by, tell)


async def reactivate(store: Store, id_: str, viewer: Viewer, by: Mandate, tell: Tell | None = None) -> SubscriptionRow:
    """A customer wants it renewed after all. Raises as ``stop``."""
    return await _customers_act(store, id_, Event.REACTIVATE, viewer, by, tell)


async def _customers_act(
    store: Store, id_: str, event: Event, viewer: Viewer, by: Mandate, tell: Tell | None
) -> SubscriptionRow:
    row = await seen(store, id_, viewer)
    if not viewer.manages(row):
        raise Forbidden("This belongs to a workspace: only who may act for it there may do this.")
    check_revision(row.revision, by.if_revision, "subscription")
    word = Word(event, by.now_us)
    wanted = subscriptions.advanced(row, word)  # refuse before anybody else is told
    if row.provider != "manual":
        if tell is None:
            raise Conflict(f"This was bought through {row.provider}, which this gateway does not know now.")
        await tell(row, event)

    def edit(old: SubscriptionDraft) -> SubscriptionDraft:
        told_already = (old.status, old.cancel_at_period_end) == (wanted.status, wanted.cancel_at_period_end)
        return old if told_already else subscriptions.advanced(old, word)

    return await subscriptions.update(store, id_, edit, by._replace(if_revision=None), action=event.value)
