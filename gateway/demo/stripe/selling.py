"""Checkout and subscriptions in the fake Stripe."""

from typing import Any

from gateway.demo.stripe import agreements, bills, changes, late, objects, schedules
from gateway.demo.stripe.books import Books, refused
from gateway.demo.stripe.form import flag
from gateway.demo.stripe.money import MANUAL, Money
from gateway.demo.stripe.objects import Object

_SHORTEST_S, _LONGEST_S = 1800, 86_400


class Selling:
    """Acts on the books, and on money."""

    def __init__(self, books: Books, money: Money, url: str) -> None:
        self.books, self.money, self.url = books, money, url

    def product(self, said: Any) -> Object:  # noqa: ANN401  (a form)
        """Make a product, under its own id if it names one."""
        id_ = said.get("id") or self.books.id("prod")
        if id_ in self.books.kept["products"]:
            raise refused(f"Product already exists: {id_}", "resource_already_exists")
        return self.books.keep("products", objects.product(id_, self.books.now, said), "product.created")

    def open(self, said: Any) -> Object:  # noqa: ANN401
        """A Checkout Session."""
        books = self.books
        lines = [(books.price(line, self.product), int(line.get("quantity", 1))) for line in said["line_items"]]
        renews = [price["recurring"] is not None for price, _ in lines]
        if all(renews) != (said["mode"] == "subscription"):
            raise refused("You specified `payment` mode but passed a recurring price, or the other way round.")
        if not _SHORTEST_S <= int(said.get("expires_at", books.now + _LONGEST_S)) - books.now <= _LONGEST_S:
            raise refused("`expires_at` has to lie half an hour ahead at least, and a day at most.")
        if said.get("customer"):
            books.customer(said["customer"])
            self._one_currency(said["customer"], lines[0][0], said["mode"])
        id_ = books.id("cs_test")
        amount, currency = sum(price["unit_amount"] * count for price, count in lines), lines[0][0]["currency"]
        made = objects.session(id_, books.now, said, amount=amount, currency=currency, url=f"{self.url}/pay/{id_}")
        books.kept["said"][id_] = {"lines": lines, "said": said}
        return books.keep("sessions", made)

    def _one_currency(self, customer: str, price: Object, mode: str) -> None:
        running = [each for each in self.books.of("subscriptions", customer=customer) if each["ended_at"] is None]
        if mode == "subscription" and any(each["currency"] != price["currency"] for each in running):
            raise refused(f"You cannot combine currencies on a single customer, which has {running[0]['currency']}.")

    def expire(self, session: Object) -> Object:
        """Close the page of a session that is open."""
        if session["status"] != "open":
            raise refused('Only Checkout Sessions with a status in ["open"] can be expired.')
        session |= {"status": "expired", "url": None}
        self.books.tell("checkout.session.expired", session)
        return session

    def confirm(self, session: Object, *, delayed: bool = False) -> bool:
        """The customer pays on the page. False: the bank said no, and the page stays open."""
        books = self.books
        if session["status"] != "open":
            raise refused("This Checkout Session is not open.")
        if session["customer"] is None:
            made = objects.customer(books.id("cus"), books.now, {"email": session["customer_email"]})
            session["customer"] = books.keep("customers", made, "customer.created")["id"]
        pay = self._renewing if session["mode"] == "subscription" else self._once
        paid = pay(session, delayed=delayed)
        if not paid:
            return False
        self.books.carded.add(session["customer"])
        session |= {"status": "complete", "url": None}
        books.tell("checkout.session.completed", session)
        return True

    def _once(self, session: Object, *, delayed: bool) -> bool:
        books, said = self.books, self.books.kept["said"][session["id"]]["said"].get("payment_intent_data") or {}
        if not session["amount_total"]:
            session["payment_status"] = "no_payment_required"
            self.money.note("paid", session, session["id"])
            return True
        metadata = dict(said.get("metadata") or {})
        intent = objects.intent(
            books.id("pi"),
            books.now,
            amount=session["amount_total"],
            currency=session["currency"],
            customer=session["customer"],
            metadata=metadata,
        )
        intent["description"] = said.get("description")
        if delayed:
            intent["status"] = "processing"
        elif not self.money.take(intent):
            return False
        else:
            session["payment_status"] = "paid"
            self.money.note("paid", intent, intent["id"], intent["amount"])
        books.keep("payment_intents", intent)
        session["payment_intent"] = intent["id"]
        return True

    def settle(self, session: Object, *, paid: bool) -> None:
        """The money of a delayed payment has come, or it will not."""
        late.settle(self.money, session, paid=paid)

    def _renewing(self, session: Object, *, delayed: bool) -> bool:
        """Begin what renews. A try that fails leaves it incomplete, with a bill, and the page stays open."""
        kept = self.books.kept["said"][session["id"]]
        price, said = kept["lines"][0][0], kept["said"].get("subscription_data") or {}
        made = self.subscribe(session["customer"], price, said, delayed=delayed)
        invoice = self.books.get("invoices", made["latest_invoice"])
        if made["status"] == "incomplete":
            return False
        session |= {"subscription": made["id"], "invoice": invoice["id"]}
        due = "unpaid" if invoice["status"] == "open" else "no_payment_required"
        session["payment_status"] = "paid" if invoice["amount_paid"] else due
        return True

    def subscribe(
        self,
        customer: str,
        price: Object,
        said: Any,  # noqa: ANN401  (a form)
        *,
        delayed: bool = False,
        waits: bool = False,
    ) -> Object:
        """Begin a subscription, and have its first invoice paid.

        ``delayed``: it runs, and the money comes later. ``waits``: nobody tries to have it paid yet.
        """
        books, now = self.books, self.books.now
        books.customer(customer)
        made = agreements.subscription(books.id("sub"), books.id("si"), now, customer=customer, price=price, said=said)
        books.keep("subscriptions", made, "customer.subscription.created")
        period = made["items"]["data"][0]
        amount = 0 if made["status"] == "trialing" else price["unit_amount"]
        line = self.line(price, amount, period["current_period_start"], period["current_period_end"])
        invoice = self.money.draft(made, [bills.of_item(line, made)], "subscription_create")
        if delayed and invoice["amount_due"]:
            self.money.finalize(invoice)
            made["status"] = "active"
            books.tell("customer.subscription.updated", made)
        elif waits and invoice["amount_due"]:
            self.money.finalize(invoice)
        else:
            self.money.pay(invoice)
        return made

    def costs(self, subscription: Object) -> int:
        """What its next period costs: of its price so many, less what its discounts take off."""
        (item,) = subscription["items"]["data"]
        amount = int(item["price"]["unit_amount"] * item["quantity"])
        for each in (*item["discounts"], *subscription["discounts"]):
            amount -= amount * int(self.books.get("discounts", each)["percent_off"]) // 100
        return amount

    def beside(self, subscription: Object, *amounts: int) -> Object:
        """A bill of its own that names a subscription and is for something else: owed at once."""
        made = self.money.draft(subscription, self.work(subscription, *amounts), MANUAL)
        self.money.finalize(made)
        return made

    def work(self, subscription: Object, *amounts: int) -> list[Object]:
        """Lines of what is sold beside a subscription."""
        now, currency = self.books.now, subscription["currency"]
        made = [bills.line(self.books.id("il"), each, currency, "Hours of work", period=(now, now)) for each in amounts]
        return [bills.beside(each) for each in made]

    def line(self, price: Object, amount: int, start: int, end: int) -> Object:
        """A line for a price."""
        name = self.books.get("products", price["product"])["name"]
        return bills.line(self.books.id("il"), amount, price["currency"], name, period=(start, end), price=price)

    def update(self, subscription: Object, said: Any) -> Object:  # noqa: ANN401
        """Change a subscription: its end, its price, its metadata."""
        if subscription["status"] in ("canceled", "incomplete_expired"):
            raise refused("A canceled subscription can only update its cancellation_details and metadata.")
        if "cancel_at_period_end" in said:
            self._stop(subscription, stopping=flag(said["cancel_at_period_end"]))
        if said.get("cancel_at") == "":
            subscription["cancel_at"] = None
            self._stop(subscription, stopping=False)
        if said.get("metadata"):
            subscription["metadata"] = objects.edited(subscription["metadata"], said["metadata"])
        if said.get("trial_end") == "now" and subscription["status"] == "trialing":
            subscription |= {"trial_end": self.books.now}
            self.end_trial(subscription)
        if said.get("items"):
            changes.reprice(self, subscription, said)
        self.books.tell("customer.subscription.updated", subscription)
        return subscription

    def _stop(self, subscription: Object, *, stopping: bool) -> None:
        if subscription["schedule"] is not None:
            raise refused("The subscription is managed by a schedule: its cancellation cannot be updated directly.")
        subscription |= {"cancel_at_period_end": stopping, "canceled_at": self.books.now if stopping else None}
        subscription["cancel_at"] = subscription["items"]["data"][0]["current_period_end"] if stopping else None
        self.money.note("stopped" if stopping else "resumed", subscription)

    def end_trial(self, subscription: Object) -> None:
        """What comes after a trial: the first period, or a pause for want of a card."""
        ends = (subscription.get("trial_settings") or {}).get("end_behavior") or {}
        pauses = ends.get("missing_payment_method") == "pause" and subscription["customer"] not in self.books.carded
        if not pauses:
            self.renew(subscription)
            return
        subscription["status"] = "paused"
        self.books.tell("customer.subscription.paused", subscription)

    def unpause(self, subscription: Object) -> None:
        """Somebody takes up again what waited for a card: its first period begins now."""
        self.books.carded.add(subscription["customer"])
        subscription["status"] = "active"
        subscription["items"]["data"][0]["current_period_end"] = self.books.now
        self.money.pay(self.renew(subscription))
        self.books.tell("customer.subscription.resumed", subscription)

    def renew(self, subscription: Object) -> Object:
        """Begin the next period: an invoice that is owed an hour later."""
        changes.give_up(self, subscription)
        schedules.begin_period(self.books, subscription)
        item = subscription["items"]["data"][0]
        start = subscription["trial_end"] if subscription["status"] == "trialing" else item["current_period_end"]
        end = agreements.next_end(start, item["price"]["recurring"])
        item |= {"current_period_start": start, "current_period_end": end}
        if subscription["status"] == "trialing":
            subscription["status"] = "active"
        waited = self.books.kept["waiting"].pop(subscription["customer"], {}).get("lines", [])
        line = self.line(item["price"], self.costs(subscription), start, end)
        lines = [*waited, bills.of_item(line, subscription)]
        return self.money.draft(subscription, lines, "subscription_cycle")
