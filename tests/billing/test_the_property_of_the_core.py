"""The same property by the thousand: no sockets, no store; the fake's books read as the provider reads them.

What is left of the gateway is what decides: ``payments/stripe/convert``, ``core/reconcile``, the table of transitions.
"""

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.reconcile import Terms, heard, words
from gateway.core.sale import Picture
from gateway.core.subscription import GRANTING, Standing, Status
from gateway.demo.stripe import objects, passing
from gateway.demo.stripe.books import Books
from gateway.demo.stripe.money import Money
from gateway.demo.stripe.objects import Object
from gateway.demo.stripe.selling import Selling
from gateway.payments.stripe import convert
from tests.billing.histories import STEPS, History, Step
from tests.billing.judge import DAY_S, GRACE_S, SLACK_S, entitled
from tests.billing.played import HISTORIES, choose

APP, US = "weighbridge", 1_000_000
PLANS = ((7, 300, 0), (30, 1900, 0), (365, 4900, 0), (30, 0, 0), (30, 500, 14))
"""Days, price and days of a trial."""


class Fake:
    """The fake's books without its server."""

    def __init__(self) -> None:
        self.books = Books(lambda: 1_800_000_000)
        self.money = Money(self.books, "http://fake.test")
        self.selling = Selling(self.books, self.money, "http://fake.test")
        self.chance: Any = None


class Bare:
    """A shop that is only its books: ``standings`` is what the gateway would have in its store."""

    def __init__(self) -> None:
        self.fake = Fake()
        self.standings: dict[str, tuple[str, Standing]] = {}
        selling, books = self.fake.selling, self.fake.books
        self.customers = [selling.books.keep("customers", _customer(books, name))["id"] for name in ("alice", "acme")]
        self.prices: dict[tuple[int, str], str] = {}
        for number in range(len(PLANS)):
            product = selling.product({"id": f"gw_{number}", "name": str(number)})
            for mode in ("payment", "subscription"):
                self.prices[number, mode] = self._price(product["id"], number, mode)

    def _price(self, product: str, number: int, mode: str) -> str:
        days, amount, _ = PLANS[number]
        said: dict[str, Any] = {"currency": "usd", "unit_amount": amount}
        if mode == "subscription":
            said["recurring"] = {"interval": "day", "interval_count": str(days)}
        books = self.fake.books
        return str(books.keep("prices", objects.price(books.id("price"), books.now, said, product))["id"])

    def later(self, seconds: int) -> None:
        passing.advance(self.fake.selling, self.fake.books.now + seconds)

    def open(self, customer: int, plan: int, mode: str) -> Object:
        """An order, and our pending row."""
        id_ = f"s{len(self.standings)}"
        said = {"app": APP, "subscription_id": id_, "plan_id": str(plan), "scope": "user", "scope_id": str(customer)}
        part = "subscription_data" if mode == "subscription" else "payment_intent_data"
        inner: dict[str, Any] = {"metadata": said}
        if mode == "subscription":
            inner["trial_period_days"] = PLANS[plan][2]
        form = {"mode": mode, "customer": self.customers[customer], "metadata": said, part: inner}
        line = {"price": self.prices[plan, mode], "quantity": "1"}
        session = self.fake.selling.open({**form, "line_items": [line], "success_url": "https://shop.test/"})
        now_us = self.fake.books.now * US
        self.standings[id_] = (session["id"], Standing(Status.PENDING, now_us, None, renews=mode == "subscription"))
        return session

    def read(self, id_: str) -> None:
        """What ``settle`` does with what the provider has."""
        books = self.fake.books
        session_id, ours = self.standings[id_]
        session = dict(books.get("sessions", session_id))
        intent = books.kept["payment_intents"].get(session["payment_intent"])
        session["payment_intent"] = intent
        order = convert.order(session, APP)
        receipts, agreement = [], None
        if intent is not None:
            charge = books.kept["charges"].get(intent["latest_charge"])
            receipts.append(convert.bought_once({**intent, "latest_charge": charge}, books.kept["disputes"].values()))
        for begun in books.kept["subscriptions"].values():  # one at most: a page is tried once here
            if begun["metadata"]["subscription_id"] == id_:
                agreement = convert.agreement(begun, APP)
                receipts += self._agreed(agreement.id)
        picture = Picture(read_us=books.now * US, orders=(order,), agreement=agreement, receipts=tuple(receipts))
        days = PLANS[int(session["metadata"]["plan_id"])][0]
        terms = Terms(order.mode, days * DAY_S * US, SLACK_S * US, GRACE_S * US)
        self.standings[id_] = (session_id, heard(ours, words(picture, terms, ours)))

    def _agreed(self, agreement: str) -> list[Any]:
        books, found = self.fake.books, []
        for invoice in books.kept["invoices"].values():
            if self.fake.money.subscription_of(invoice) is books.get("subscriptions", agreement):
                paid = {"data": books.of("invoice_payments", invoice=invoice["id"])}
                charges, disputes = books.kept["charges"].values(), books.kept["disputes"].values()
                found.append(convert.agreed({**invoice, "payments": paid}, charges, disputes))
        return [each for each in found if each is not None]


def _customer(books: Books, name: str) -> Object:
    return objects.customer(books.id("cus"), books.now, {"name": name})


class BareHistory(History):
    """The same steps; what is read, and when, is chance: as webhooks are."""

    async def look(self) -> None:
        bare: Any = self.shop
        for id_ in self._free:
            ours = bare.standings[id_][1]
            if ours.period_end_us is not None:
                assert self.begun.setdefault(id_, ours.starts_us // US) == ours.starts_us // US

    async def _buy(self, which: int, how: int, mode: Any = "payment") -> None:
        bare: Any = self.shop
        plan = which % len(PLANS)
        session = bare.open(which // 2 % 2, plan, mode)
        id_ = session["metadata"]["subscription_id"]
        self._last, self.sold[id_] = (mode, which, how), PLANS[plan][0]
        if mode == "payment" and not PLANS[plan][1]:
            self._free.add(id_)
        if how < 6:
            bare.fake.selling.confirm(session, delayed=how == 5)

    async def _change(self, which: int, how: int) -> None:
        bare: Any = self.shop
        found = self._one("subscriptions", which)
        if found is not None and found["status"] in ("active", "trialing", "past_due"):
            item = {"id": found["items"]["data"][0]["id"], "price": bare.prices[how % len(PLANS), "subscription"]}
            bare.fake.selling.update(found, {"items": [item], "payment_behavior": "pending_if_incomplete"})

    async def _deliver(self, which: int, how: int) -> None:
        bare: Any = self.shop
        for number, id_ in enumerate(self.sold):
            if (number + which) % (how + 1) == 0:
                bare.read(id_)

    async def _portal(self, which: int, how: int) -> None:
        await self._change(which, how)

    async def _return(self, _which: int, _how: int) -> None:
        return

    async def _key(self, _which: int, _how: int) -> None:
        return

    async def _trouble(self, _which: int, _how: int) -> None:
        return

    async def _lose(self, _which: int, _how: int) -> None:
        return

    async def _sync(self, _which: int, _how: int) -> None:
        await self._deliver(0, 0)


@choose(2 * HISTORIES)
@given(STEPS, st.integers(0, 2**16))
def test_whatever_was_heard_of_it_the_last_reading_grants_what_was_paid_for(steps: list[Step], seed: int) -> None:
    bare: Any = Bare()
    history = BareHistory(bare, (), seed)

    async def play() -> None:
        for step in steps:
            await history.do(step)
        await history.do(("sync", 0, 0))

    asyncio.run(play())
    now, kept = bare.fake.books.now, bare.fake.books.kept
    for id_, days in history.sold.items():
        ours = bare.standings[id_][1]
        ends_us = ours.ends_us if ours.ends_us is not None else 0
        grants = ours.status in GRANTING and ours.starts_us <= now * US < ends_us
        assert grants == entitled(kept, id_, days, now, history.begun.get(id_)), (id_, ours)
