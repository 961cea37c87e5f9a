"""The one way in which a sale becomes what the provider has of it: for webhooks, the success page and the sync alike.

Read everything at the provider, reckon what ours must be (``core/reconcile``), write that in one transaction. Whoever
read before somebody else wrote reads again: so the last to write has read last.
"""

from dataclasses import replace
from typing import NamedTuple

from gateway import log
from gateway.billing import grace, once, surplus
from gateway.billing.calendars import anchor_of
from gateway.billing.reading import Read, read_sale
from gateway.billing.sales import DAY_US, HOUR_US, Sales
from gateway.core.reconcile import Change, Terms, differences, heard, words
from gateway.core.sale import Agreement, AgreementState, OrderState
from gateway.core.subscription import PlanVersion, Standing, Status
from gateway.payments.port import Owner
from gateway.store import orders, payments, plans, subscriptions
from gateway.store.edits import draft_of
from gateway.store.orders import Ordered
from gateway.store.rows import PlanRow, SubscriptionDraft, SubscriptionRow
from gateway.store.store import Act
from gateway.store.terms import read_versions

_TRIES = 5
_MINUTE_US = 60_000_000
_log = log.get_logger(__name__)


class Settled(NamedTuple):
    """What ours is now, and what was not as the provider has it."""

    subscription: SubscriptionRow
    changes: tuple[Change, ...] = ()
    payments: int = 0


async def settle(sales: Sales, id_: str, owner: Owner | None = None, *, dry_run: bool = False) -> Settled:
    """Compare the sale ``id_`` with the provider's, and make ours what it has to be.

    ``owner``: names at the provider that lead here and may not be known yet. Raises ``NotFound``, ``ProviderError``.
    """
    async with sales.turn(id_):
        if owner is not None and not dry_run:
            await _learn(sales, id_, owner)
        asked = False
        for _ in range(_TRIES):
            held = await orders.get(sales.store, id_)
            seller = await sales.check_seller(held.order)
            read = await read_sale(sales, held, owner)
            done = await _write(sales, held, read, seller, dry_run=dry_run)
            if done is None:
                continue
            owing = () if asked else read.extra.owing
            if dry_run or not (read.extra.running or owing):
                return done
            await surplus.end(sales, id_, read.extra.running)
            for agreement in owing:  # what has ended, and could still be paid
                await sales.provider.end(agreement)
            asked = True
    raise TimeoutError("somebody else writes this sale all the time")


async def _learn(sales: Sales, id_: str, owner: Owner) -> None:
    """A page whose name got lost on the way to us belongs to the order that it names."""
    if owner.order is None:
        return
    async with sales.store.write(sales.mandate()) as act:
        held = await orders.read(act.connection, id_)
        if any(page.external_id == owner.order for page in held.checkouts):
            return
        nameless = next((page for page in held.checkouts if page.external_id is None), None)
        if nameless is None:
            pages, expires_us = ("", ""), act.now_us
            nameless = await orders.add_checkout(act, id_, held.order.provider, pages, expires_us)
        await orders.set_checkout(act, nameless.id, external_id=owner.order, state="open")


async def _write(sales: Sales, held: Ordered, read: Read, seller: str, *, dry_run: bool) -> Settled | None:
    """``None``: somebody else has written since we read."""
    async with sales.store.write(sales.mandate()) as act:
        now = await orders.read(act.connection, held.subscription.id)
        if now.order.reads != held.order.reads or now.subscription.revision != held.subscription.revision:
            return None
        ours = now.subscription
        plan = await plans.one(act.connection, _plan_of(ours).plan_id)
        terms = await _terms(act, sales, ours, plan)
        standing = subscriptions.standing_of(ours)
        after = heard(standing, words(read.picture, terms, standing))
        target, changes = await _target(act, ours, after, read), differences(standing, after)
        if target.plan != ours.plan:
            changes = (*changes, Change("plan", ours.plan, target.plan))
        if target.next_plan_id != ours.next_plan_id:
            changes = (*changes, Change("next_plan", ours.next_plan_id, target.next_plan_id))
        if dry_run:
            return Settled(ours, changes)
        if ours.period_end_us is None and target.period_end_us is not None:
            target = replace(target, anchor_us=await anchor_of(act, ours, target))
        row = await subscriptions.change(act, ours, lambda _: target, "settle")
        if row.plan != ours.plan:
            to = await plans.one(act.connection, _plan_of(row).plan_id)
            await once.had(act, sales, row, row.status, to, now.order.currency)
        receipts = (*read.picture.receipts, *read.extra.receipts)
        written = await payments.put(act, sales.provider.name, row, plan.slug, receipts)
        for page, order in read.orders:
            if page.state != order.state.value or page.url != order.url:
                await orders.set_checkout(act, page.id, state=order.state.value, url=order.url)
        due_us = _next_due(row, now, sales, act.now_us)
        reads = now.order.reads + 1
        kept = surplus.written((*read.extra.kept, *read.late), now.order.surplus, read.names)
        done = {"reads": reads, "read_us": act.now_us, "due_us": due_us, "problem": None}
        await orders.set_order(act, row.id, **done, account=seller, surplus=kept)
        await grace.follow(act, sales, row, terms, ours.status)
    if changes:
        _log.info("a sale was settled", subscription=row.id, changes=[change.field for change in changes])
    return Settled(row, changes, written)


async def _target(act: Act, ours: SubscriptionRow, after: Standing, read: Read) -> SubscriptionDraft:
    """Ours as it has to be: its standing, its names at the provider, and the plan that it is to there."""
    changed = after._asdict()
    del changed["renews"]
    draft = replace(draft_of(SubscriptionDraft, ours), **changed)
    paid = next((order.id for _, order in read.orders if order.state is OrderState.PAID), None)
    if paid is not None:
        draft = replace(draft, checkout_id=paid)
    agreement = read.agreement
    if agreement is None:
        return draft
    draft = replace(draft, external_id=agreement.id, next_plan_id=await _next_plan(act, agreement))
    if agreement.plan_id not in (None, _plan_of(ours).plan_id):
        found = await plans.find(act.connection, agreement.plan_id)
        if found is None:
            _log.error("the provider sells a plan that is not here", subscription=ours.id, plan=agreement.plan_id)
        else:
            draft = replace(draft, plan=PlanVersion(found.id, found.version))
    return draft


async def _next_plan(act: Act, agreement: Agreement) -> str | None:
    """What it is to from its next period on, if there is one, and it is another."""
    over = agreement.state is AgreementState.ENDED or agreement.stopping
    if over or agreement.next_plan_id in (None, agreement.plan_id):
        return None
    return None if await plans.find(act.connection, agreement.next_plan_id) is None else agreement.next_plan_id


def _plan_of(ours: SubscriptionRow) -> PlanVersion:
    """A sale is of a plan of the store."""
    if isinstance(ours.plan, PlanVersion):
        return ours.plan
    raise TypeError("plans of the configuration are not sold")


async def _terms(act: Act, sales: Sales, ours: SubscriptionRow, plan: PlanRow) -> Terms:
    versions = (await read_versions(act.connection, [plan.id]))[plan.id]
    bought = versions[_plan_of(ours).version].terms
    policy = sales.policy
    return Terms(ours.mode, bought.duration_days * DAY_US, policy.slack_us, policy.grace_us)


def _next_due(row: SubscriptionRow, held: Ordered, sales: Sales, now_us: int) -> int | None:
    """When to look again although nobody said anything."""
    slack_us = sales.policy.slack_us
    match row.status:
        case Status.PENDING:
            wait_us = max(sales.policy.pending_us, min((now_us - row.created_us) // 2, 6 * HOUR_US))
            unopened = [page.expires_us for page in held.checkouts if page.external_id is None]
            # Of the end of a page that was never opened nobody will tell us.
            return min([now_us + wait_us, *(end_us for end_us in unopened if end_us > now_us)])
        case Status.CANCELLED:
            return None
        case Status.PAST_DUE:
            over_us = [row.ends_us] if row.ends_us is not None and row.ends_us > now_us else []
            return min([now_us + 6 * HOUR_US, *over_us])
        case Status.UNPAID | Status.PAUSED:
            return now_us + DAY_US if held.subscription.mode == "subscription" else now_us + 7 * DAY_US
        case _ if row.mode == "payment" or row.period_end_us is None:
            return None
    wait_us = _MINUTE_US if row.cancel_at_period_end else slack_us
    return max(row.period_end_us + wait_us, now_us + HOUR_US)
