"""What was paid: a customer's own payments with their receipts, and for admins what came in."""

import base64
import binascii
from collections.abc import Collection, Mapping
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from gateway.api.call import Call
from gateway.api.desk import Desk
from gateway.api.fields import AskedWhole, Instant, Said, Time, Told
from gateway.api.reply import Reply, wants_csv
from gateway.api.route import Policy, Who, route
from gateway.core.problems import Unprocessable
from gateway.store import payments, plans
from gateway.store.payments import PaymentRow

_LARGEST, _LONGEST_CURSOR = 100, 200
_WORDS = {
    "paid": "succeeded",
    "processing": "processing",
    "open": "requires_payment_method",
    "void": "canceled",
}
"""wacraft's client knows the words of Stripe's payment intents."""


class PaymentQuery(Said):
    """``cursor``: the ``next_cursor`` of the page before."""

    limit: Annotated[AskedWhole, Field(ge=1, le=_LARGEST)] = 15
    cursor: Annotated[str, Field(max_length=_LONGEST_CURSOR)] | None = None


class Payment(Told):
    """One payment, in minor units. ``pay_url``: where it can still be paid.

    ``plan``: its slug. ``plan_name``: as it is called now, if it is still there.
    """

    id: str
    amount_cents: int
    refunded_cents: int
    currency: str
    status: Literal["succeeded", "processing", "requires_payment_method", "canceled"]
    dispute: Literal["none", "open", "won", "lost"]
    payment_method: str | None = None
    description: str | None = None
    created_at: Time
    paid_at: Time | None = None
    period_start: Time | None = None
    period_end: Time | None = None
    receipt_url: str | None = None
    pay_url: str | None = None
    subscription_id: str
    plan: str
    plan_name: str | None = None
    scope: str
    workspace_id: str | None = None


class Payments(Told):
    """A page of payments, newest first."""

    data: list[Payment]
    has_more: bool
    next_cursor: str | None = None


class RevenueQuery(Said):
    """From when to before when; ``by`` plan or month."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_by_name=True)
    from_: Annotated[Instant, Field(alias="from")]
    to: Instant
    by: Literal["plan", "month"] = "plan"


class RevenueEntry(Told):
    """What came in for one plan, or in one month, in one currency; minor units.

    ``plan``: its slug. ``plan_name``: as it is called now, if it is still there.
    """

    plan: str | None = None
    plan_name: str | None = None
    month: str | None = None
    currency: str
    gross: int
    refunded: int
    net: int
    payments: int


async def list_payments(call: Call, desk: Desk) -> Reply:
    """The payments for the caller's own budgets, or for those of the workspace that is named."""
    asked, caller = call.query(PaymentQuery), call.caller
    if caller.workspace is None and caller.user is None:
        return Reply(Payments(data=[], has_more=False))
    before = None if asked.cursor is None else _read(asked.cursor)
    rows = await payments.page(desk.store, asked.limit + 1, scope=caller.scope, before=before)
    shown, more = rows[: asked.limit], len(rows) > asked.limit
    cursor = _written(shown[-1]) if more else None
    names = await _names(desk, {row.plan_slug for row in shown})
    told = [_told(row, names.get(row.plan_slug)) for row in shown]
    if wants_csv(call.knock.header(b"accept")):
        cut = () if cursor is None else ((b"X-Next-Cursor", cursor.encode()),)
        return Reply(told, columns=Payment, fields=cut)
    return Reply(Payments(data=told, has_more=more, next_cursor=cursor))


async def revenue(call: Call, desk: Desk) -> Reply:
    """What came in, by plan or by month."""
    asked = call.query(RevenueQuery)
    if asked.to <= asked.from_:
        raise Unprocessable("`to` comes after `from`.")
    found = await payments.revenue(desk.store, asked.from_, asked.to, asked.by)
    names = await _names(desk, {each.group for each in found}) if asked.by == "plan" else {}
    return Reply(
        [
            RevenueEntry(
                plan=each.group if asked.by == "plan" else None,
                plan_name=names.get(each.group),
                month=each.group if asked.by == "month" else None,
                currency=each.currency,
                gross=each.gross,
                refunded=each.refunded,
                net=each.gross - each.refunded,
                payments=each.payments,
            )
            for each in found
        ]
    )


async def _names(desk: Desk, slugs: Collection[str]) -> Mapping[str, str]:
    """What plans are called, as far as they are there."""
    of_file = {slug: plan.name for slug, plan in desk.configured().plans.items() if slug in slugs}
    return of_file | {slug: row.name for slug, row in (await plans.of_slugs(desk.store, slugs)).items()}


def _told(row: PaymentRow, plan_name: str | None) -> Payment:
    return Payment.model_validate(
        {
            "id": row.id,
            "amount_cents": row.amount,
            "refunded_cents": row.refunded,
            "currency": row.currency,
            "status": _WORDS[row.state],
            "dispute": row.dispute,
            "payment_method": row.method,
            "description": row.description,
            "created_at": row.created_us,
            "paid_at": row.paid_us,
            "period_start": row.period_start_us,
            "period_end": row.period_end_us,
            "receipt_url": row.receipt_url,
            "pay_url": row.pay_url,
            "subscription_id": row.subscription_id,
            "plan": row.plan_slug,
            "plan_name": plan_name,
            "scope": row.scope_kind,
            "workspace_id": row.scope_id if row.scope_kind == "workspace" else None,
        }
    )


def _written(row: PaymentRow) -> str:
    return base64.urlsafe_b64encode(f"{row.created_us}:{row.id}".encode()).decode().rstrip("=")


def _read(cursor: str) -> tuple[int, str]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        created_us, _, id_ = text.partition(":")
        return int(created_us), id_
    except (ValueError, binascii.Error):
        problem = {"field": "cursor", "problem": "is none that came with a page"}
        raise Unprocessable(
            "This cannot be used: cursor is none that came with a page.", content={"fields": [problem]}
        ) from None


ROUTES = (
    route("GET", "/payment", list_payments, who=Who.USER, policy=Policy.READ, asks=PaymentQuery, tells=Payments),
    route("GET", "/revenue", revenue, who=Who.ADMIN, asks=RevenueQuery, tells=RevenueEntry, lists=True),
)
