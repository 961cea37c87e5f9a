"""Subscriptions: their owners' and workspaces' own, and for admins everybody's."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from gateway.api.call import Call
from gateway.api.desk import Desk
from gateway.api.fields import ById
from gateway.api.owned import owned, viewer_of
from gateway.api.plan_convert import told as told_plan
from gateway.api.reading import refuse
from gateway.api.repeated import once
from gateway.api.reply import GONE, Reply, created
from gateway.api.route import Policy, Who, route
from gateway.api.subscription_models import AllQuery, CreateManual, Extend, Override, OwnQuery, Subscription
from gateway.billing import held_in_file
from gateway.billing.plans import Offer, Plans, file_plan_id
from gateway.billing.subscriptions import DAY_US, Gift, end, give, give_once, own, reactivate, seen, stop
from gateway.billing.subscriptions import override as replace_throughput
from gateway.core.problems import Conflict, NotFound
from gateway.core.scope import Scope, canonical_uuid
from gateway.core.subscription import PlanVersion, Status
from gateway.store import directory, plans, subscriptions
from gateway.store.rows import PlanRow, SubscriptionRow
from gateway.store.subscribed import Wanted

_REPLAYED = ((b"Idempotent-Replayed", b"true"),)
_READ_ONLY = "This subscription is part of the configuration. Change it there."


async def list_own(call: Call, desk: Desk) -> Reply:
    """The caller's subscriptions, or those of the workspace that is named."""
    query = call.query(OwnQuery)
    wanted = own(await viewer_of(call), _wanted(query, call.now_us))
    if wanted is None:
        return Reply([])
    rows = await held_in_file.page(desk.store, desk.configured(), query.listing, wanted)
    return Reply(await _told(desk, rows))


async def list_all(call: Call, desk: Desk) -> Reply:
    """All subscriptions."""
    query = call.query(AllQuery)
    slug = _file_plan(desk, query.plan_id)
    wanted = replace(
        _wanted(query, call.now_us),
        kind=query.scope,
        user_id=query.user_id,
        workspace_id=query.workspace_id,
        plan_id=query.plan_id if slug is None else None,
        file_plan=slug,
        state=None if query.state is None else (query.state, call.now_us),
        text=query.text,
        called=frozenset() if query.text is None else await directory.called(desk.store, query.text),
    )
    rows = await held_in_file.page(desk.store, desk.configured(), query.listing, wanted)
    return Reply(await _told(desk, rows))


async def get_one(call: Call, desk: Desk) -> Reply:
    """One subscription."""
    id_, viewer = _id(call), await viewer_of(call)
    row = held_in_file.find(desk.configured(), id_)
    if row is not None and not viewer.sees(row):
        raise NotFound("There is no such subscription.")
    return await told_reply(desk, row or await seen(desk.store, id_, viewer))


async def create_manual(call: Call, desk: Desk) -> Reply:
    """Give a plan by hand: in force with the next request. ``Idempotency-Key``: a repeated call gives it once."""
    said = call.body(CreateManual)
    if said.scope == "workspace" and said.workspace_id is None:
        raise refuse(("workspace_id", "is required where scope is workspace"))
    scope = Scope("user", said.user_id)
    if said.scope == "workspace" and said.workspace_id is not None:
        scope = Scope("workspace", said.workspace_id)
    gift = Gift(
        plan_id=said.plan_id,
        scope=scope,
        user_id=said.user_id,
        throughput_override=said.throughput_override,
        starts_us=said.starts_at,
        ends_us=said.expires_at,
    )
    repeats, file_plans = once(call, "manual", said), desk.configured().plans
    if repeats is None:
        row, again = await give(desk.store, gift, file_plans, call.mandate), False
    else:
        row, again = await give_once(desk.store, gift, file_plans, call.mandate, repeats)
    (told,) = await _told(desk, [row])
    return replace(created(told, row.revision), fields=_REPLAYED if again else ())


async def cancel(call: Call, desk: Desk) -> Reply:
    """End a subscription now, for good; at its payment provider too."""
    return await told_reply(desk, await end(desk.store, _editable(call, desk), call.mandate, desk.tell))


async def extend(call: Call, desk: Desk) -> Reply:
    """Let a subscription end at another time, or never."""
    said = call.body(Extend)
    return await told_reply(
        desk, await subscriptions.extend(desk.store, _editable(call, desk), said.expires_at, call.mandate)
    )


async def override(call: Call, desk: Desk) -> Reply:
    """Replace the plan's throughput for one subscription."""
    amount = call.body(Override).throughput_override
    file_plans = desk.configured().plans
    row = await replace_throughput(desk.store, _editable(call, desk), amount, file_plans, call.mandate)
    return await told_reply(desk, row)


async def stop_own(call: Call, desk: Desk) -> Reply:
    """Do not renew a subscription: it gives what was paid for until its end. An unpaid order is dropped."""
    id_ = call.query(ById).id
    _check_editable(desk, id_)
    row, viewer = await owned(call, desk, id_)
    await stop(desk.store, row.id, viewer, call.mandate, desk.tell)
    return GONE


async def reactivate_own(call: Call, desk: Desk) -> Reply:
    """Renew a subscription after all."""
    id_ = call.query(ById).id
    _check_editable(desk, id_)
    row, viewer = await owned(call, desk, id_)
    await reactivate(desk.store, row.id, viewer, call.mandate, desk.tell)
    return GONE


def _wanted(query: OwnQuery, now_us: int) -> Wanted:
    return Wanted(
        status=None if query.status is None else Status(query.status),
        granting_at_us=now_us if query.active else None,
        idle_at_us=now_us if query.active is False else None,
    )


def _id(call: Call) -> str:
    found = canonical_uuid(call.params["id"])
    if found is None:
        raise NotFound("There is no such subscription: its id is a UUID.")
    return found


def _editable(call: Call, desk: Desk) -> str:
    id_ = _id(call)
    _check_editable(desk, id_)
    return id_


def _check_editable(desk: Desk, id_: str) -> None:
    if held_in_file.find(desk.configured(), id_) is not None:
        raise Conflict(_READ_ONLY)


def _file_plan(desk: Desk, id_: str | None) -> str | None:
    return next((slug for slug in desk.configured().plans if file_plan_id(slug) == id_), None)


async def told_reply(desk: Desk, row: SubscriptionRow) -> Reply:
    """A subscription, as the answer of a route."""
    (told,) = await _told(desk, [row])
    return Reply(told, revision=row.revision)


async def _told(desk: Desk, rows: Sequence[SubscriptionRow]) -> list[Subscription]:
    of_store = await plans.as_held(desk.store, {row.plan for row in rows if isinstance(row.plan, PlanVersion)})
    # Where both have a plan of one slug, the store's counts.
    in_place = await plans.of_slugs(desk.store, {row.plan for row in rows if isinstance(row.plan, str)})
    of_file = {each.plan.slug: each for each in Plans(desk.store, desk.configured, lambda _slug: False).of_file()}
    of_slug: Mapping[str, Offer] = {**of_file, **in_place}
    return [
        told(row, of_store.get(row.plan) if isinstance(row.plan, PlanVersion) else of_slug.get(row.plan))
        for row in rows
    ]


def told(row: SubscriptionRow, offer: Offer | None) -> Subscription:
    """A subscription as it is shown, with its plan as it has it; ``None``: that plan is gone."""
    of_store = isinstance(row.plan, PlanVersion)
    return Subscription.model_validate(
        {
            "plan_id": row.plan.plan_id if isinstance(row.plan, PlanVersion) else file_plan_id(row.plan),
            "scope": row.scope.kind,
            "scope_id": row.scope.id,
            "user_id": row.user_id,
            "workspace_id": row.scope.id if row.scope.kind == "workspace" else None,
            "throughput_override": row.throughput_override,
            "starts_at": row.starts_us,
            "expires_at": _ends_us(row, offer),
            "cancelled_at": row.cancelled_us,
            "payment_provider": row.provider,
            "payment_external_id": row.checkout_id,
            "payment_mode": row.mode,
            "stripe_subscription_id": row.external_id if row.provider == "stripe" else None,
            "cancel_at_period_end": row.cancel_at_period_end,
            "period_end": row.period_end_us,
            "next_plan_id": row.next_plan_id,
            "status": row.status.value,
            "plan": None if offer is None else told_plan(offer, prices=False),
            "plan_version": row.plan.version if isinstance(row.plan, PlanVersion) else None,
            "in_force_version": row.in_force if of_store else None,
            "source": held_in_file.source(row),
            "id": row.id,
            "created_at": row.created_us,
            "updated_at": row.updated_us,
        }
    )


def _ends_us(row: SubscriptionRow, offer: Offer | None) -> int | None:
    """When it ends; of an order when it would end if it was paid as it was made, since clients show that."""
    if row.ends_us is None and row.status is Status.PENDING and isinstance(offer, PlanRow):
        return row.starts_us + offer.terms.duration_days * DAY_US
    return row.ends_us


ROUTES = (
    route(
        "GET",
        "/subscription",
        list_own,
        who=Who.USER,
        policy=Policy.READ,
        asks=OwnQuery,
        tells=Subscription,
        lists=True,
    ),
    route("GET", "/subscription/all", list_all, who=Who.ADMIN, asks=AllQuery, tells=Subscription, lists=True),
    route("GET", "/subscription/{id}", get_one, who=Who.USER, policy=Policy.READ, tells=Subscription),
    route(
        "POST",
        "/subscription/manual",
        create_manual,
        who=Who.ADMIN,
        takes=CreateManual,
        tells=Subscription,
        status=201,
    ),
    route("POST", "/subscription/{id}/cancel", cancel, who=Who.ADMIN, tells=Subscription),
    route("POST", "/subscription/{id}/extend", extend, who=Who.ADMIN, takes=Extend, tells=Subscription),
    route("POST", "/subscription/{id}/override", override, who=Who.ADMIN, takes=Override, tells=Subscription),
    route("DELETE", "/subscription", stop_own, who=Who.USER, policy=Policy.MANAGE, asks=ById, status=204),
    route(
        "POST",
        "/subscription/reactivate",
        reactivate_own,
        who=Who.USER,
        policy=Policy.MANAGE,
        asks=ById,
        status=204,
    ),
)
