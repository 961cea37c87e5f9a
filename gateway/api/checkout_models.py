"""What checkouts, changes of plan and the portal say and are told."""

from typing import Annotated, Literal

from pydantic import Field

from gateway.api.fields import LARGEST, Instant, Line, Said, ScopeId, Time, Told, Uuid, Whole

Url = Annotated[Line, Field(min_length=1, max_length=2048)]


class CheckoutRequest(Said):
    """What to buy. ``currency``: the plan's default price, unless it is said.

    ``scope`` ``workspace``: for the one that the request's workspace header names; ``workspace_id``, if it is said,
    says the same. ``success_url`` may hold
    ``{CHECKOUT_ID}``, which becomes the order's id.
    """

    plan_id: Uuid
    currency: Annotated[Line, Field(min_length=3, max_length=3)] | None = None
    scope: Literal["user", "workspace"] = "user"
    workspace_id: ScopeId | None = None
    payment_mode: Literal["payment", "subscription"] = "payment"
    success_url: Url
    cancel_url: Url


class Urls(Said):
    """Where to come back to."""

    success_url: Url
    cancel_url: Url


class Checkout(Told):
    """Where to pay. An empty URL: nowhere any more, it may be paid already. ``external_id``: the provider's."""

    checkout_url: str
    external_id: str
    subscription_id: str


class PlanChange(Said):
    """Which plan it shall be."""

    plan_id: Uuid


class PlanChangeOrder(PlanChange):
    """Which plan it shall be, for what the preview said. If that is not so any more, nothing is done (409).

    All are the preview's: nobody is charged what they were not shown. ``shown_at`` is good for 15 minutes. A plan
    that begins later is one at that time, for that amount.
    """

    shown_at: Instant
    amount_due: Annotated[Whole, Field(ge=0, le=LARGEST)]
    begins_at: Instant | None = None
    amount_then: Annotated[Whole, Field(ge=0, le=LARGEST)] | None = None


class PreviewLine(Told):
    """One line, in minor units of the currency."""

    description: str
    amount: int


class ChangePreview(Told):
    """What a change would cost now. A credit is not paid out: it is taken off the next payments.

    Hand ``shown_at`` and ``amount_due`` back to the change, and ``begins_at`` and ``amount_then`` where they are,
    and it costs what was shown. A plan that is not dearer begins at ``begins_at``, and costs ``amount_then`` then.
    Neither: at once.
    """

    amount_due: int
    currency: str
    lines: list[PreviewLine]
    shown_at: Time
    begins_at: Time | None = None
    amount_then: int | None = None


class PortalRequest(Said):
    """Where the portal leads back to."""

    return_url: Url


class Portal(Told):
    """A page of the provider's for cards and invoices, good for a few minutes."""

    url: str
