"""What was paid: one row per payment, always as the provider last had it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal
from uuid import uuid4

import sqlalchemy as sa

from gateway.core.sale import PaymentState, Receipt
from gateway.core.scope import Scope
from gateway.store.rows import SubscriptionRow
from gateway.store.sales_tables import payments
from gateway.store.store import Act, Store
from gateway.store.tables import plans

_KEPT = ("state", "amount", "refunded", "dispute", "method", "description", "receipt_url", "pay_url")
_TIMES = ("period_start_us", "period_end_us", "paid_us")
By = Literal["plan", "month"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRow:
    """A payment of a subscription. ``refunded``: all refunds of it together."""

    id: str
    provider: str
    external_id: str
    subscription_id: str
    plan_slug: str
    scope_kind: str
    scope_id: str
    user_id: str | None
    state: str
    amount: int
    refunded: int
    currency: str
    dispute: str
    method: str | None
    description: str | None
    receipt_url: str | None
    pay_url: str | None
    period_start_us: int | None
    period_end_us: int | None
    paid_us: int | None
    created_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFact:
    """Of a payment what the audit log tells: no links, with which anybody could look at it or pay it."""

    provider: str
    external_id: str
    subscription_id: str
    state: str
    amount: int
    refunded: int
    currency: str
    dispute: str
    paid_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revenue:
    """What came in, in one currency. ``refunded`` counts what was lost to disputes as well."""

    group: str
    currency: str
    gross: int
    refunded: int
    payments: int


async def put(act: Act, provider: str, of: SubscriptionRow, plan_slug: str, receipts: Iterable[Receipt]) -> int:
    """Write these payments as they are now. How many were not as they were.

    ``plan_slug``: for what was paid, where the payment does not say which plan that was.
    """
    changed, receipts = 0, tuple(receipts)
    slugs = await _slugs(act, {receipt.plan_id for receipt in receipts if receipt.plan_id is not None})
    for receipt in receipts:
        values: dict[str, object] = {name: getattr(receipt, name) for name in (*_KEPT, *_TIMES)}
        values |= {"state": receipt.state.value, "dispute": receipt.dispute.value}
        own = (payments.c.provider == provider, payments.c.external_id == receipt.id)
        found = (await act.connection.execute(sa.select(payments).where(*own))).first()
        if found is None:
            row = {
                "id": str(uuid4()),
                "provider": provider,
                "external_id": receipt.id,
                "subscription_id": of.id,
                "plan_slug": slugs.get(receipt.plan_id or "", plan_slug),
                "scope_kind": of.scope.kind,
                "scope_id": of.scope.id,
                "user_id": of.user_id,
                "currency": receipt.currency,
                "created_us": receipt.created_us,
            }
            await act.connection.execute(sa.insert(payments), {**row, **values})
            act.note("payment.record", str(row["id"]), None, _fact(row | values), scope=of.scope)
            changed += 1
        elif any(getattr(found, name) != value for name, value in values.items()):
            await act.connection.execute(sa.update(payments).where(*own).values(**values))
            before = found._asdict()
            _note_change(act, found.id, _fact(before), _fact(before | values), of.scope)
            changed += 1
    return changed


async def _slugs(act: Act, plan_ids: Collection[str]) -> Mapping[str, str]:
    if not plan_ids:
        return {}
    query = sa.select(plans.c.id, plans.c.slug).where(plans.c.id.in_(plan_ids))
    return {row.id: row.slug for row in await act.connection.execute(query)}


def _note_change(act: Act, id_: str, before: PaymentFact, after: PaymentFact, scope: Scope) -> None:
    if before == after:  # another link to the same receipt
        return
    action = "payment.update"
    if before.dispute != after.dispute:
        action = "payment.dispute"
    elif before.refunded != after.refunded:
        action = "payment.refund"
    act.note(action, id_, before, after, scope=scope)


def _fact(values: Mapping[str, Any]) -> PaymentFact:
    return PaymentFact(**{each.name: values[each.name] for each in fields(PaymentFact)})


async def page(store: Store, limit: int, *, scope: Scope, before: tuple[int, str] | None) -> Sequence[PaymentRow]:
    """Payments of a scope from new to old, whoever made them. ``before``: the last of the page before."""
    query = sa.select(payments).where(payments.c.scope_kind == scope.kind, payments.c.scope_id == scope.id)
    if before is not None:
        query = query.where(sa.tuple_(payments.c.created_us, payments.c.id) < sa.tuple_(*before))
    query = query.order_by(payments.c.created_us.desc(), payments.c.id.desc()).limit(limit)
    async with store.read() as connection:
        return [PaymentRow(**row._asdict()) for row in await connection.execute(query)]


async def of_subscription(store: Store, subscription_id: str) -> Sequence[PaymentRow]:
    """The payments of one subscription, newest first."""
    query = sa.select(payments).where(payments.c.subscription_id == subscription_id)
    async with store.read() as connection:
        found = await connection.execute(query.order_by(payments.c.created_us.desc()))
        return [PaymentRow(**row._asdict()) for row in found]


async def revenue(store: Store, from_us: int, until_us: int, by: By) -> list[Revenue]:
    """What was paid from ``from_us`` to before ``until_us``, by plan or by month."""
    query = sa.select(
        payments.c.plan_slug,
        payments.c.paid_us,
        payments.c.currency,
        payments.c.amount,
        payments.c.refunded,
        payments.c.dispute,
    ).where(payments.c.state == PaymentState.PAID.value, payments.c.paid_us >= from_us, payments.c.paid_us < until_us)
    sums: dict[tuple[str, str], list[int]] = {}
    async with store.read() as connection:
        for row in await connection.execute(query):
            group = row.plan_slug if by == "plan" else _month(row.paid_us)
            total = sums.setdefault((group, row.currency), [0, 0, 0])
            total[0] += row.amount
            total[1] += row.amount if row.dispute == "lost" else row.refunded
            total[2] += 1
    return [
        Revenue(group=group, currency=currency, gross=gross, refunded=refunded, payments=count)
        for (group, currency), (gross, refunded, count) in sorted(sums.items())
    ]


def _month(at_us: int) -> str:
    """``2026-11``."""
    from gateway.core.rfc3339 import written  # noqa: PLC0415

    return written(at_us)[:7]
