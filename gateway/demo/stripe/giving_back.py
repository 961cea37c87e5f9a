"""The ledger of the fake Stripe, and what gives money back: refunds and disputes. Each fact is written down."""

from typing import NamedTuple

from gateway.demo.stripe import returns
from gateway.demo.stripe.books import Books, Refusal
from gateway.demo.stripe.objects import Object


class Fact(NamedTuple):
    """One money fact. ``kind``: paid | refunded | disputed | won | lost | failed | ended | stopped | resumed.

    ``of``: the reference of whoever sold it; ``what``: which payment. A payment says how much, and for which period.
    """

    at: int
    kind: str
    of: str
    what: str = ""
    amount: int = 0
    start: int | None = None
    end: int | None = None


class GivingBack:
    """Acts on the books, and keeps the ledger."""

    def __init__(self, books: Books, url: str) -> None:
        self.books = books
        self.url = url
        self.ledger: list[Fact] = []

    def note(
        self,
        kind: str,
        of: Object,
        what: str = "",
        amount: int = 0,
        period: tuple[int | None, int | None] = (None, None),
    ) -> None:
        """Write a fact down."""
        reference = str((of.get("metadata") or {}).get("subscription_id") or of["id"])
        start, end = period
        self.ledger.append(Fact(self.books.now, kind, reference, what, amount, start, end))

    def subscription_of(self, invoice: Object) -> Object | None:
        """The subscription that an invoice is of."""
        parent = invoice["parent"]
        return (
            None if parent is None else self.books.get("subscriptions", parent["subscription_details"]["subscription"])
        )

    def refund(self, charge: Object, amount: int | None) -> Object:
        """Give money back. Raises ``Refusal`` for more than is left of it."""
        books = self.books
        left = charge["amount"] - charge["amount_refunded"]
        given = left if amount is None else amount
        if not 0 < given <= left:
            raise Refusal(
                400,
                "invalid_request_error",
                "Refund amount is greater than what is left.",
                code="charge_already_refunded",
            )
        made = returns.refund(books.id("re"), books.now, given, charge)
        charge["amount_refunded"] += given
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        self._note_charge("refunded", charge, given)
        books.keep("refunds", made, "refund.created")
        books.tell("charge.refunded", charge)
        books.tell("refund.updated", made)
        return made

    def refund_failed(self, refund: Object) -> None:
        """The money did not reach the customer: it is with us again."""
        charge = self.books.get("charges", refund["charge"])
        refund["status"] = "failed"
        charge["amount_refunded"] -= refund["amount"]
        charge["refunded"] = False
        self._note_charge("refunded", charge, -refund["amount"])
        self.books.tell("refund.failed", refund)
        self.books.tell("charge.refund.updated", refund)

    def dispute(self, charge: Object, status: str = "needs_response") -> Object:
        """The bank takes the money back, until it is decided; an inquiry (a warning) takes nothing."""
        books = self.books
        made = returns.dispute(books.id("du"), books.now, charge, status)
        charge["disputed"] = True
        books.keep("disputes", made, "charge.dispute.created")
        if not status.startswith("warning"):
            self._note_charge("disputed", charge, charge["amount"])
            books.tell("charge.dispute.funds_withdrawn", made)
        return made

    def decide(self, dispute: Object, status: str) -> None:
        """The bank has decided: won or lost."""
        dispute["status"] = status
        self._note_charge(status, self.books.get("charges", dispute["charge"]), dispute["amount"])
        self.books.tell("charge.dispute.closed", dispute)
        if status == "won":
            self.books.tell("charge.dispute.funds_reinstated", dispute)

    def _note_charge(self, kind: str, charge: Object, amount: int) -> None:
        """A fact about a payment: of its invoice, if it paid one, else of itself."""
        for paid in self.books.kept["invoice_payments"].values():
            if paid["payment"]["payment_intent"] == charge["payment_intent"]:
                of = self.subscription_of(self.books.get("invoices", paid["invoice"]))
                if of is not None:
                    self.note(kind, of, paid["invoice"], amount)
                return
        self.note(kind, charge, charge["payment_intent"], amount)
