"""What the fake Stripe knows: its objects, its events, and who pays when asked."""

import copy
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from gateway.demo.stripe import objects
from gateway.demo.stripe.objects import Object

VERSION = "2026-05-27.dahlia"


class Refusal(Exception):  # noqa: N818  (it is an answer)
    """An answer that is no success, as Stripe writes it."""

    def __init__(
        self, status: int, kind: str, message: str, *, code: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        said = {"type": kind, "message": message, "code": code, "param": param}
        self.status, self.body = status, {"error": {name: value for name, value in said.items() if value is not None}}


def refused(message: str, code: str | None = None) -> Refusal:
    """A request that cannot be."""
    return Refusal(400, "invalid_request_error", message, code=code)


def missing(what: str, id_: str) -> Refusal:
    """There is no such object."""
    return Refusal(404, "invalid_request_error", f"No such {what}: '{id_}'", code="resource_missing", param="id")


class Books:
    """Objects by kind and id, and events from the oldest to the newest. ``now`` is in seconds, and only moves on."""

    def __init__(self, now: Callable[[], int]) -> None:
        self.account = "acct_not_real"
        self._clock = now
        self._ahead = 0
        self.kept: dict[str, dict[str, Object]] = defaultdict(dict)
        self.events: list[Object] = []
        self.on_event: Callable[[Object], None] = lambda _event: None
        self.declining: set[str] = set()
        """Customers whose bank says no."""
        self.wary: set[str] = set()
        """Customers whose bank wants to hear it from them."""
        self.carded: set[str] = set()
        """Customers who have left a card."""
        self.switching = False
        """Whether the portal lets customers switch plans."""
        self._count = 0

    @property
    def now(self) -> int:
        """The time here."""
        return self._clock() + self._ahead

    def move_to(self, at: int) -> None:
        """Let time be ``at``."""
        self._ahead = max(at - self._clock(), self._ahead)

    def id(self, prefix: str) -> str:
        """A new id; they sort by age."""
        self._count += 1
        return f"{prefix}_{self._count:024d}"

    def keep(self, what: str, made: Object, *events: str) -> Object:
        """Remember an object, and tell of it."""
        self.kept[what][made["id"]] = made
        for event in events:
            self.tell(event, made)
        return made

    def get(self, what: str, id_: str) -> Object:
        """An object. Raises ``Refusal`` if it is not there."""
        try:
            return self.kept[what][id_]
        except KeyError:
            raise missing(what, id_) from None

    def lines(self, invoice: str) -> list[Object]:
        """All lines of an invoice, in Stripe's order: items that waited, then what the subscription is to."""
        found: list[Object] = self.get("lines", invoice)["data"]
        return found

    def of(self, what: str, **equal: object) -> list[Object]:
        """The objects with these fields, newest first."""
        found = [
            each for each in self.kept[what].values() if all(each.get(name) == value for name, value in equal.items())
        ]
        return found[::-1]

    def tell(self, kind: str, about: Object) -> Object:
        """An event: what ``about`` is now, whatever becomes of it later."""
        made = objects.event(self.id("evt"), self.now, kind, copy.deepcopy(about), VERSION)
        self.events.append(made)
        self.on_event(made)
        return made

    def customer(self, id_: str) -> Object:
        """A customer that is there."""
        found = self.get("customers", id_)
        if found.get("deleted"):
            raise missing("customer", id_)
        return found

    def price(self, given: Mapping[str, Any], product: Callable[[Any], Object]) -> Object:
        """The price that a line names, or one made of what it says."""
        if "price" in given:
            return self.get("prices", given["price"])
        said = given["price_data"]
        of = said.get("product") or product(said["product_data"])["id"]
        return self.keep("prices", objects.price(self.id("price"), self.now, said, of), "price.created")
