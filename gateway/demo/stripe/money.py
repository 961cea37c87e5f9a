"""What takes money in the fake Stripe: payments and invoices. Each fact goes into the ledger."""

from gateway.demo.stripe import bills, objects
from gateway.demo.stripe.books import Books
from gateway.demo.stripe.giving_back import GivingBack
from gateway.demo.stripe.objects import Object

DAY = 86_400
RETRIES = (1 * DAY, 3 * DAY, 5 * DAY)
"""After which time a failed renewal is tried again; then it is given up."""
MANUAL = "manual"
"""Why there is an invoice that somebody has written: the subscription that it names does not stand or fall with it."""


class Money(GivingBack):
    """Acts on the books."""

    def __init__(self, books: Books, url: str) -> None:
        super().__init__(books, url)
        self.gives_up = "canceled"
        """What becomes of a subscription whose retries have all failed: canceled or unpaid."""

    def take(self, intent: Object) -> bool:
        """Charge the customer of an intent. Whether the bank said yes."""
        books = self.books
        if intent["customer"] in books.declining:
            intent["last_payment_error"] = {"type": "card_error", "code": "card_declined", "message": "Declined."}
            intent["status"] = "requires_payment_method"
            books.tell("payment_intent.payment_failed", intent)
            return False
        id_ = books.id("ch")
        charge = objects.charge(id_, books.now, intent, f"{self.url}/receipts/{id_}")
        intent |= {"status": "succeeded", "amount_received": intent["amount"], "latest_charge": id_}
        books.keep("charges", charge, "charge.succeeded")
        books.tell("payment_intent.succeeded", intent)
        return True

    def draft(self, subscription: Object, lines: list[Object], reason: str) -> Object:
        """An invoice of a subscription that nobody owes yet."""
        books = self.books
        customer = books.customer(subscription["customer"])
        made = bills.invoice(
            books.id("in"),
            books.now,
            customer=customer,
            currency=subscription["currency"],
            lines=lines,
            of=subscription,
        )
        books.kept["lines"][made["id"]] = {"data": lines}
        made["billing_reason"] = reason
        if reason != MANUAL:
            subscription["latest_invoice"] = made["id"]
        return books.keep("invoices", made, "invoice.created")

    def finalize(self, invoice: Object) -> None:
        """Now it is owed."""
        if invoice["status"] != "draft":
            return
        invoice |= {"status": "open", "hosted_invoice_url": f"{self.url}/invoices/{invoice['id']}"}
        invoice["status_transitions"]["finalized_at"] = self.books.now
        customer = self.books.get("customers", invoice["customer"])
        used = invoice["starting_balance"] if invoice["total"] > 0 else 0
        customer["balance"] += min(max(-used, 0), max(invoice["total"], 0)) if used < 0 else 0
        if invoice["total"] < 0:
            customer["balance"] += invoice["total"]
        self.books.tell("invoice.finalized", invoice)

    def pay(self, invoice: Object) -> bool:
        """Try to have an invoice paid. Whether it is."""
        books = self.books
        self.finalize(invoice)
        invoice["attempted"] = True
        if invoice["amount_due"]:
            customer, metadata = invoice["customer"], dict[str, str]()
            intent = objects.intent(
                books.id("pi"),
                books.now,
                amount=invoice["amount_due"],
                currency=invoice["currency"],
                customer=customer,
                metadata=metadata,
            )
            books.keep("payment_intents", intent, "payment_intent.created")
            invoice["attempt_count"] += 1
            if not self.take(intent):
                self._failed(invoice)
                return False
            books.keep("invoice_payments", bills.invoice_payment(books.id("inpay"), books.now, invoice, intent["id"]))
        invoice |= {
            "status": "paid",
            "amount_paid": invoice["amount_due"],
            "amount_remaining": 0,
            "next_payment_attempt": None,
        }
        invoice["status_transitions"]["paid_at"] = books.now
        if (of := self.subscription_of(invoice)) is not None and invoice["billing_reason"] != MANUAL:
            self._booked(invoice, of)
        books.tell("invoice.paid", invoice)
        books.tell("invoice.payment_succeeded", invoice)
        return True

    def _booked(self, invoice: Object, of: Object) -> None:
        self.reprice(of, invoice)
        period = self.books.lines(invoice["id"])[-1]["period"]  # what is bought; before it stands what goes back
        self.note("paid", of, invoice["id"], invoice["amount_paid"], (period["start"], period["end"]))
        if of["status"] in ("incomplete", "past_due", "unpaid"):
            of["status"] = "active"
            self.books.tell("customer.subscription.updated", of)

    def reprice(self, of: Object, invoice: Object) -> None:
        """The change that waited for this invoice is made."""
        update = self.books.kept["pending"].get(of["id"])
        if update is None or update["invoice"] != invoice["id"]:
            return
        del self.books.kept["pending"][of["id"]]
        item, period = of["items"]["data"][0], self.books.lines(invoice["id"])[-1]["period"]
        if period["end"] != item["current_period_end"]:
            item |= {"current_period_start": period["start"], "current_period_end": period["end"]}
        item["price"] = update["price"]
        if of["pending_update"] is not None:
            of["pending_update"] = None
            self.books.tell("customer.subscription.pending_update_applied", of)

    def _failed(self, invoice: Object) -> None:
        books, of = self.books, self.subscription_of(invoice)
        tried = invoice["attempt_count"]
        renews = of is not None and of["status"] in ("active", "past_due", "trialing")
        again = renews and tried <= len(RETRIES) and invoice["billing_reason"] == "subscription_cycle"
        invoice["next_payment_attempt"] = books.now + RETRIES[tried - 1] if again else None
        books.tell("invoice.payment_failed", invoice)
        if invoice["customer"] in books.wary:
            books.tell("invoice.payment_action_required", invoice)
        waiting = None if of is None else books.kept["pending"].get(of["id"])
        if of is None or invoice["billing_reason"] == MANUAL:
            return
        if not renews or (waiting is not None and waiting["invoice"] == invoice["id"]):
            return  # a change that is not paid is no renewal that has failed
        self.note("failed", of, invoice["id"])
        if again:
            of["status"] = "past_due"
        elif self.gives_up == "unpaid":
            of["status"] = "unpaid"
        else:
            self.end(of)
            return
        books.tell("customer.subscription.updated", of)

    def end(self, subscription: Object) -> None:
        """End a subscription now. What is owed for it is not asked for any more, and can still be paid on its page."""
        books = self.books
        if subscription["status"] in ("canceled", "incomplete_expired"):
            return
        over = "incomplete_expired" if subscription["status"] == "incomplete" else "canceled"
        subscription |= {"status": over, "ended_at": books.now, "canceled_at": subscription["canceled_at"] or books.now}
        for invoice in books.of("invoices"):
            if invoice["status"] in ("draft", "open") and self.subscription_of(invoice) is subscription:
                invoice |= {"auto_advance": False, "next_payment_attempt": None}
                expires = over == "incomplete_expired" and invoice["billing_reason"] != MANUAL
                if expires and invoice["status"] == "open":
                    self.void(invoice)
        books.kept["pending"].pop(subscription["id"], None)
        if (schedule := books.kept["schedules"].get(subscription["schedule"] or "")) is not None:
            schedule |= {"status": "canceled", "canceled_at": books.now}
        self.note("ended", subscription)
        books.tell("customer.subscription.deleted", subscription)

    def void(self, invoice: Object) -> None:
        """It is not owed any more."""
        invoice |= {"status": "void", "next_payment_attempt": None}
        invoice["status_transitions"]["voided_at"] = self.books.now
        self.books.tell("invoice.voided", invoice)
