"""Random histories of a shop: what customers, banks, Stripe's dashboard and the network do."""

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from gateway.billing import checkout, plan_change
from gateway.billing.checkout import Page
from gateway.core.problems import Problem
from gateway.core.scope import Scope
from gateway.core.subscription import PlanVersion, Status
from gateway.demo.stripe.books import Refusal
from gateway.demo.stripe.delivery import Trouble
from gateway.demo.stripe.objects import Object
from gateway.demo.stripe.server import Fault
from gateway.store.rows import PlanDraft, PlanRow, PriceDraft, Terms
from tests.billing.shop import Shop, draft, shown

HOUR_S = 3_600
ALICE, BOB, ACME, BETA = (
    Scope("user", "alice"),
    Scope("user", "bob"),
    Scope("workspace", "acme"),
    Scope("workspace", "b"),
)
SCOPES = (ALICE, ACME, BOB, BETA)
BUYERS = ((ALICE, "alice"), (ACME, "alice"), (ACME, "bob"), (BOB, "bob"), (BETA, "alice"))
CURRENCIES = ("usd", "jpy", "eur")
TRIALS = {"month": 14}
Step = tuple[str, int, int]
"""What is done, to which one, and how."""

WHAT = """
    buy buy renewing renewing renewing again return return wait wait wait wait wait stop resume end refund refund
    unrefund dispute
    decide card settle mend deliver deliver lose sync change change portal early pause unpause trouble key
    work coupon
"""
STEPS = st.lists(
    st.tuples(st.sampled_from(WHAT.split()), st.integers(0, 39), st.integers(0, 7)), min_size=2, max_size=16
)


def for_sale() -> list[tuple[PlanDraft, list[PriceDraft]]]:
    """The plans beside the first one of the shop: a week, a month dearer, a year, and one that costs nothing."""
    made = []
    for slug, days, amount in (("week", 7, 300), ("max", 30, 1900), ("year", 365, 4900), ("gift", 30, 0)):
        terms = replace(draft().terms, duration_days=days)
        made.append((draft(slug, terms=terms), priced(amount)))
    month = Terms(draft().terms.limits, 30)
    made.append((draft("month", terms=month), priced(500)))
    return made


def priced(amount: int) -> list[PriceDraft]:
    return [PriceDraft(currency=each, amount=amount, is_default=each == "usd") for each in CURRENCIES]


@dataclass
class History:
    """Does the steps. ``sold``: what was ordered, and the days of its plan. ``begun``: when what is free began.

    ``given``: the subscriptions that cost less than their price.
    """

    shop: Shop
    plans: Sequence[PlanRow]
    seed: int

    def __post_init__(self) -> None:
        self.shop.fake.chance = random.Random(self.seed)
        self.shop.fake.money.gives_up = ("canceled", "unpaid")[self.seed % 2]
        self.sold: dict[str, int] = {}
        self.begun: dict[str, int] = {}
        self.given: set[str] = set()
        self._free: set[str] = set()
        self._last: Step | None = None

    async def do(self, step: Step) -> None:
        what, which, how = step
        act: Callable[[int, int], Any] = getattr(self, f"_{what}")
        await act(which, how)
        await self.look()

    async def look(self) -> None:
        """What costs nothing is dated once: when it is first seen, it began since the last step, and for good."""
        for id_ in self._free:
            row = await self.shop.row(id_)
            if row.period_end_us is not None:
                began = row.starts_us // 1_000_000
                assert self.begun.setdefault(id_, began) == began

    def _one(self, kind: str, which: int) -> Object | None:
        found = list(self.shop.fake.books.kept[kind].values())
        return found[which % len(found)] if found else None

    async def _buy(self, which: int, how: int, mode: Any = "payment") -> None:
        plan = self.plans[which % len(self.plans)]
        (scope, user), currency = BUYERS[which // 2 % len(BUYERS)], CURRENCIES[which // 3 % 3]
        try:
            page = await self.shop.buy(scope, mode=mode, plan=plan, user_id=user, currency=currency)
        except Problem:
            return
        self._last = (mode, which, how)
        self.sold[page.subscription_id] = plan.terms.duration_days
        if plan.slug == "gift" and mode == "payment":
            self._free.add(page.subscription_id)
        self._pay(page, how)

    def _pay(self, page: Page, how: int) -> None:
        """Try to: the bank may say no, or take days. 6: a first try is refused. 7: the page is left alone."""
        books = self.shop.fake.books
        session = books.kept["sessions"].get(page.external_id)
        if how == 7 or session is None or session["status"] != "open":
            return
        refused = how == 6 and session["customer"] not in books.declining
        if refused:
            books.declining.add(session["customer"])
        self.shop.pay(page, delayed=how == 5)
        if refused:
            books.declining.discard(session["customer"])

    async def _return(self, which: int, how: int) -> None:
        """Somebody takes an order up again that waits for its payment, often just before its page closes."""
        rows = [row for row in await self.shop.rows() if row.status is Status.PENDING]
        if not rows:
            return
        if which % 3 == 0:
            self.shop.later(23 * HOUR_S - 120)
        row = rows[which % len(rows)]
        try:
            page = await checkout.resume(
                self.shop.sales, row, "https://shop.test/ok", "https://shop.test/no", self.shop.by()
            )
        except Problem:
            return
        (days,) = (each.terms.duration_days for each in self.plans if each.id == plan_of(row))
        self.sold.setdefault(row.id, days)  # also where the answer to the first click was lost
        self._pay(page, how)

    async def _renewing(self, which: int, how: int) -> None:
        await self._buy(which, how, "subscription")

    async def _again(self, _which: int, how: int) -> None:
        """The same once more: a second click, or a second purchase."""
        if self._last is not None:
            await self._buy(self._last[1], how, self._last[0])

    async def _wait(self, which: int, how: int) -> None:
        hours = (1, 5, 24, 3 * 24, 7 * 24, 10 * 24, 14 * 24, 29 * 24, 30 * 24, 31 * 24)[which % 10]
        self.shop.later(hours * HOUR_S + how * 600)

    async def _stop(self, which: int, _how: int) -> None:
        await self._update(which, stopping=True)

    async def _resume(self, which: int, _how: int) -> None:
        await self._update(which, stopping=False)

    def _running(self, which: int) -> Object | None:
        found = self._one("subscriptions", which)
        return None if found is None or found["status"] in ("canceled", "incomplete_expired") else found

    async def _update(self, which: int, *, stopping: bool) -> None:
        if (found := self._running(which)) is not None:
            with suppress(Refusal):  # what is scheduled has to be released first
                self.shop.fake.selling.update(found, {"cancel_at_period_end": stopping})

    async def _end(self, which: int, how: int) -> None:
        if (found := self._one("subscriptions", which)) is not None and how < 2:
            self.shop.fake.money.end(found)

    async def _refund(self, which: int, how: int) -> None:
        charge = self._one("charges", which)
        if charge is not None and (left := charge["amount"] - charge["amount_refunded"]):
            self.shop.fake.money.refund(charge, left if how < 4 else max(left // 3, 1))

    async def _unrefund(self, which: int, _how: int) -> None:
        refund = self._one("refunds", which)
        if refund is not None and refund["status"] != "failed":
            self.shop.fake.money.refund_failed(refund)

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
        if session is not None and session["subscription"] is not None and session["payment_status"] == "unpaid":
            invoice = self.shop.fake.books.get("invoices", session["invoice"])
            if invoice["status"] == "open" and not invoice["attempted"]:
                self.shop.fake.selling.settle(session, paid=how < 5)
        elif session is not None and session["payment_intent"] is not None:
            intent = self.shop.fake.books.get("payment_intents", session["payment_intent"])
            if intent["status"] == "processing":
                self.shop.fake.selling.settle(session, paid=how < 5)

    async def _mend(self, which: int, _how: int) -> None:
        invoice = self._one("invoices", which)
        if invoice is not None and invoice["status"] == "open":
            self.shop.fake.books.declining.discard(invoice["customer"])
            self.shop.fake.money.pay(invoice)

    async def _work(self, which: int, how: int) -> None:
        """An operator bills hours of work beside a subscription; some pay at once."""
        if (found := self._running(which)) is not None:
            bill = self.shop.fake.selling.beside(found, 700 + which)
            if how < 4:
                self.shop.fake.money.pay(bill)

    async def _coupon(self, which: int, _how: int) -> None:
        """An operator gives a part of the price away, for ever."""
        if (found := self._running(which)) is not None:
            self.shop.fake.books.kept["discounts"]["di_third"] = {"percent_off": 33}
            found["discounts"] = ["di_third"]
            self.given.add(found["id"])

    async def _change(self, which: int, how: int) -> None:
        """Another plan on our page; half of them for what a preview said some minutes ago."""
        rows = [row for row in await self.shop.rows() if row.external_id is not None]
        if not rows:
            return
        row, plan, seen = rows[which % len(rows)], self.plans[how % len(self.plans)], None
        try:
            if which % 2:
                preview = await plan_change.preview(self.shop.sales, row, plan.id, self.shop.sales.now_us())
                self.shop.later(300)
                seen = shown(preview)
            await plan_change.change(self.shop.sales, await self.shop.row(row.id), plan.id, self.shop.by(), seen)
        except Problem:
            return

    async def _portal(self, which: int, how: int) -> None:
        """Another plan in Stripe's portal: nobody asks us."""
        found = self._running(which)
        if found is None or found["status"] not in ("active", "trialing", "past_due"):
            return
        for price in self.shop.fake.books.kept["prices"].values():
            fits = price["recurring"] is not None and price["currency"] == found["currency"] and price["active"]
            if fits and price["metadata"].get("plan_id") == self.plans[how % len(self.plans)].id:
                item = {"id": found["items"]["data"][0]["id"], "price": price["id"]}
                said = {"items": [item], "payment_behavior": "pending_if_incomplete"}
                self.shop.fake.selling.update(found, said)
                return

    async def _early(self, which: int, how: int) -> None:
        """Another plan in the hour in which a renewal is a draft: nobody has paid yet for what is given back."""
        found = self._running(which)
        if found is None or found["status"] not in ("active", "trialing"):
            return
        self.shop.later(max(found["items"]["data"][0]["current_period_end"] - self.shop.fake.books.now, 0) + 600)
        await (self._change if how % 2 else self._portal)(which, how)

    async def _pause(self, which: int, _how: int) -> None:
        """A trial that will end without a card, as somebody has set it up at Stripe."""
        found = self._running(which)
        if found is not None and found["status"] == "trialing":
            found["trial_settings"] = {"end_behavior": {"missing_payment_method": "pause"}}
            self.shop.fake.books.carded.discard(found["customer"])

    async def _unpause(self, which: int, _how: int) -> None:
        found = self._one("subscriptions", which)
        if found is not None and found["status"] == "paused":
            self.shop.fake.selling.unpause(found)

    async def _deliver(self, which: int, how: int) -> None:
        self.shop.webhooks.trouble = Trouble(
            drop=which % 8 / 8, delay=(which + how) % 4 / 8, duplicate=how / 8, shuffle=which % 2 == 0
        )
        await self.shop.fake.deliver()

    async def _trouble(self, which: int, how: int) -> None:
        """Stripe fails for the next few requests: is busy, breaks, hangs up, or does it and loses the answer."""
        status = (429, 500, 0, 503)[how % 4]
        faults = [Fault("", status, after=which % 2 == 0, method="*") for _ in range(which % 8)]
        self.shop.fake.faults.extend(faults)

    async def _lose(self, _which: int, _how: int) -> None:
        self.shop.webhooks.waiting.clear()

    async def _sync(self, which: int, _how: int) -> None:
        await self.shop.sync(full=which % 8 == 0)

    async def _key(self, which: int, _how: int) -> None:
        """For a while the gateway has the key of another account, which knows nothing of what was sold."""
        fake = self.shop.fake
        ours, now = (fake.books, fake.money, fake.selling), fake.books.now
        fake.begin(fake.url)
        fake.books.move_to(now)
        fake.books.account = "acct_of_somebody_else"
        self._restart()
        before = {row.id: row.status for row in await self.shop.rows()}
        await self.shop.sync(full=which % 2 == 0)
        if which % 3 == 0:
            await self.shop.fake.deliver()
        theirs = fake.books
        fake.books, fake.money, fake.selling = ours
        fake.books.move_to(theirs.now)
        self._restart()
        after = {row.id: row.status for row in await self.shop.rows()}
        assert after == before, "a wrong key changes nothing"

    def _restart(self) -> None:
        if self.shop.provide is not None:
            self.shop.sales.provider = self.shop.provide()


async def trials_are_single(shop: Shop) -> None:
    """A plan's trial began once for each holder, and once for each buyer."""
    began = [each for each in shop.fake.books.kept["subscriptions"].values() if each["trial_start"] is not None]
    for names in (("plan_id", "scope", "scope_id"), ("plan_id", "user_id")):
        found = [tuple(each["metadata"][name] for name in names) for each in began]
        assert len(found) == len(set(found))


def plan_of(row: Any) -> str:
    assert isinstance(row.plan, PlanVersion)
    return row.plan.plan_id
