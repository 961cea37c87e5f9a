"""Random histories of a shop: what customers, banks and the network do."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from gateway.billing import customer_acts
from gateway.core.problems import Problem
from gateway.core.scope import Scope
from gateway.demo.stripe.delivery import Trouble
from gateway.demo.stripe.objects import Object
from gateway.demo.stripe.server import Fault
from tests.billing.shop import Shop

HOUR_S = 3_600
SCOPES = (Scope("user", "alice"), Scope("workspace", "acme"))
Step = tuple[str, int, int]
"""What is done, to which one, and how."""

WHAT = """
    buy renewing renewing wait wait wait stop resume end refund dispute decide card settle mend deliver lose sync change
    trouble
"""
STEPS = st.lists(
    st.tuples(
        st.sampled_from(WHAT.split()),
        st.integers(0, 7),
        st.integers(0, 7),
    ),
    min_size=2,
    max_size=14,
)


@dataclass
class History:
    """Does the steps. ``sold``: the ids of what was ordered."""

    shop: Shop
    plans: tuple[Any, Any]
    seed: int

    def __post_init__(self) -> None:
        self.shop.fake.chance = random.Random(self.seed)
        self.sold: list[str] = []

    async def do(self, step: Step) -> None:
        what, which, how = step
        act: Callable[[int, int], Any] = getattr(self, f"_{what}")
        await act(which, how)

    def _one(self, kind: str, which: int) -> Object | None:
        found = list(self.shop.fake.books.kept[kind].values())
        return found[which % len(found)] if found else None

    async def _buy(self, which: int, how: int, mode: Any = "payment") -> None:
        try:
            page = await self.shop.buy(SCOPES[which % 2], mode=mode, plan=self.plans[which // 2 % 2])
        except Problem:
            return
        self.sold.append(page.subscription_id)
        if how < 6 and self.shop.fake.books.get("sessions", page.external_id)["status"] == "open":
            self.shop.pay(page, delayed=how == 5 and mode == "payment")

    async def _renewing(self, which: int, how: int) -> None:
        await self._buy(which, how, "subscription")

    async def _wait(self, which: int, how: int) -> None:
        self.shop.later((1, 5, 24, 3 * 24, 10 * 24, 29 * 24, 30 * 24, 31 * 24)[which] * HOUR_S + how * 600)

    async def _stop(self, which: int, _how: int) -> None:
        await self._update(which, stopping=True)

    async def _resume(self, which: int, _how: int) -> None:
        await self._update(which, stopping=False)

    async def _update(self, which: int, *, stopping: bool) -> None:
        found = self._one("subscriptions", which)
        if found is not None and found["status"] not in ("canceled", "incomplete_expired"):
            self.shop.fake.selling.update(found, {"cancel_at_period_end": stopping})

    async def _end(self, which: int, how: int) -> None:
        if (found := self._one("subscriptions", which)) is not None and how < 2:
            self.shop.fake.money.end(found)

    async def _refund(self, which: int, how: int) -> None:
        charge = self._one("charges", which)
        if charge is not None and (left := charge["amount"] - charge["amount_refunded"]):
            self.shop.fake.money.refund(charge, left if how < 4 else max(left // 3, 1))

    async def _dispute(self, which: int, how: int) -> None:
        charge = self._one("charges", which)
        if charge is not None and not charge["disputed"]:
            self.shop.fake.money.dispute(charge, "warning_needs_response" if how == 0 else "needs_response")

    async def _decide(self, which: int, how: int) -> None:
        dispute = self._one("disputes", which)
        if dispute is not None and dispute["status"] == "needs_response":
            self.shop.fake.money.decide(dispute, "won" if how < 4 else "lost")

    async def _card(self, which: int, how: int) -> None:
        customer = self._one("customers", which)
        if customer is not None:
            declining = self.shop.fake.books.declining
            (declining.add if how < 5 else declining.discard)(customer["id"])

    async def _settle(self, which: int, how: int) -> None:
        session = self._one("sessions", which)
        if session is not None and session["payment_intent"] is not None:
            intent = self.shop.fake.books.get("payment_intents", session["payment_intent"])
            if intent["status"] == "processing":
                self.shop.fake.selling.settle(session, paid=how < 5)

    async def _mend(self, which: int, _how: int) -> None:
        invoice = self._one("invoices", which)
        if invoice is not None and invoice["status"] == "open":
            self.shop.fake.books.declining.discard(invoice["customer"])
            self.shop.fake.money.pay(invoice)

    async def _change(self, which: int, how: int) -> None:
        rows = [row for row in await self.shop.rows() if row.external_id is not None]
        if not rows:
            return
        row = rows[which % len(rows)]
        try:
            await customer_acts.change(self.shop.sales, row, self.plans[how % 2].id, self.shop.by())
        except Problem:
            return

    async def _deliver(self, which: int, how: int) -> None:
        self.shop.webhooks.trouble = Trouble(drop=which / 8, duplicate=how / 8, shuffle=which % 2 == 0)
        await self.shop.fake.deliver()

    async def _trouble(self, which: int, how: int) -> None:
        """Stripe fails for the next few requests: is busy, breaks, hangs up, or does it and loses the answer."""
        status = (429, 500, 0, 503)[how % 4]
        faults = [Fault("", status, after=which % 2 == 0, method="*") for _ in range(which)]
        self.shop.fake.faults.extend(faults)

    async def _lose(self, _which: int, _how: int) -> None:
        self.shop.webhooks.waiting.clear()

    async def _sync(self, _which: int, _how: int) -> None:
        await self.shop.sync()
