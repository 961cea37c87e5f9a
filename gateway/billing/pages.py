"""The pages on which an order is paid: which one can be, what is under way, and how they are closed."""

from typing import NamedTuple, NoReturn

from gateway import log
from gateway.billing.sales import DAY_US, HOUR_US, Sales
from gateway.billing.settle import settle
from gateway.core.problems import Conflict
from gateway.core.sale import AgreementState
from gateway.core.subscription import Status
from gateway.payments.port import ProviderError
from gateway.store import orders
from gateway.store.mandate import Mandate
from gateway.store.orders import PAYABLE, CheckoutRow, Ordered
from gateway.store.rows import SubscriptionRow
from gateway.store.store import Act

_OPEN_US = DAY_US - HOUR_US
"""How long a page can be paid: providers allow a day at most."""
_FRESH_US = 300_000_000
"""A page that closes sooner is not handed out any more."""
_SHORTEST_US = 35 * 60_000_000
"""Nor is one opened: providers open none for less than half an hour."""

_log = log.get_logger(__name__)


def usable(held: Ordered, now_us: int, pages: tuple[str, str] | None) -> CheckoutRow | None:
    """A page of this order that can still be paid and leads where it should."""
    for page in reversed(held.checkouts):
        same = pages is None or (page.success_url, page.cancel_url) == pages
        if (
            same
            and page.state in PAYABLE
            and page.expires_us > now_us + (_FRESH_US if page.external_id else _SHORTEST_US)
        ):
            return page
    return None


def under_way(held: Ordered) -> bool:
    """Whether its customer is done and the money is on its way, as a bank debit is for days."""
    waits = held.subscription.status is Status.PENDING
    return waits and any(page.state == "processing" for page in held.checkouts)


def refuse_second() -> NoReturn:
    """What is on its way cannot be called back. Raises ``Conflict``."""
    raise Conflict(
        "The payment for this is on its way: it begins by itself as soon as the money is there, which can take some "
        "days. If the payment fails, this can be ordered again.",
        content={"reason": "payment_under_way"},
    )


def refuse_paid() -> NoReturn:
    """What renews and was paid a moment ago would be paid twice for good. Raises ``Conflict``."""
    raise Conflict("This was paid just now: it is there already.", content={"reason": "paid_just_now"})


async def new(act: Act, id_: str, sales: Sales, pages: tuple[str, str]) -> CheckoutRow:
    """A page that is about to be opened."""
    return await orders.add_checkout(act, id_, sales.provider.name, pages, act.now_us + _OPEN_US)


async def withdraw(sales: Sales, page: CheckoutRow, by: Mandate) -> None:
    """A page that nobody has opened will not be."""
    async with sales.store.write(by) as act:
        await orders.set_checkout(act, page.id, state="expired", expires_us=min(page.expires_us, act.now_us))


class Closed(NamedTuple):
    """What an order is once it can be paid no more. ``waits``: unless the money is on its way already."""

    held: Ordered
    waits: bool


async def close(sales: Sales, held: Ordered) -> Closed:
    """Let an order be paid no more, neither on its pages nor by a bill that a failed try has left; what it is then.

    It may have been paid meanwhile. Raises ``ProviderError``.
    """
    for page in (await _taken_back(sales, held)).checkouts:
        if page.external_id is not None and page.state in PAYABLE:
            await sales.provider.expire_order(page.external_id)
    row = (await settle(sales, held.subscription.id)).subscription
    held, left = await orders.get(sales.store, row.id), None
    if row.status is Status.PENDING and not under_way(held) and (left := await end_unpaid(sales, row)) is not None:
        await settle(sales, row.id)
    held = await orders.get(sales.store, row.id)
    being_paid = left is AgreementState.INCOMPLETE and held.subscription.status is Status.PENDING
    return Closed(held, under_way(held) or being_paid)


async def _taken_back(sales: Sales, held: Ordered) -> Ordered:
    """The order as it is; a page that is being opened just now is closed by whoever opens it."""
    nameless = [page.id for page in held.checkouts if page.external_id is None]
    async with sales.store.write(sales.mandate()) as act:
        now = await orders.read(act.connection, held.subscription.id)
        for page in now.checkouts:
            if page.id in nameless and page.external_id is None and page.state in PAYABLE:
                await orders.set_checkout(act, page.id, state="expired")  # until its end it counts as one that may be
    return now


async def close_opened(sales: Sales, id_: str, page: str) -> NoReturn:
    """Close a page whose order has lost its place while it was opened. Raises ``Conflict``, ``ProviderError``."""
    await sales.provider.expire_order(page)
    await settle(sales, id_)
    raise Conflict("Another page has taken the place of this one. Go on there.", content={"reason": "page_replaced"})


async def end_unpaid(sales: Sales, row: SubscriptionRow) -> AgreementState | None:
    """End the agreement that a failed try has left: its bill could be paid yet. What it is then; ``None``: none is.

    It has begun if the bill was paid just then, and is ``INCOMPLETE`` while it is being paid.
    """
    return None if row.external_id is None else (await sales.provider.withdraw(row.external_id)).state


async def close_older(sales: Sales, older: Ordered) -> Closed | None:
    """Close an order whose place another one takes. ``None``: it could not be closed."""
    try:
        return await close(sales, older)
    except ProviderError as error:
        _log.warning("an older page could not be closed", order=older.subscription.id, reason=error.message)
        return None
