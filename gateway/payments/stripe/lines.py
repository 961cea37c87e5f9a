"""The lines of an Invoice: which of them buy the subscription, and which give back what is left of another plan."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.payments.stripe.catalog import plan_of_product

Json = Mapping[str, Any]


def buys(invoice: Json) -> bool:
    """Whether an Invoice, with all of its lines, buys the subscription that it is of, and not only something beside."""
    return bool(bought(invoice["lines"]["data"]))


def bought(lines: Sequence[Json]) -> list[Json]:
    """The lines of an invoice that buy the subscription's last period. None: it is for something else."""
    found = [line for line in lines if _of_subscription(line) and not _is_credit(line)]
    until = max((line["period"]["end"] for line in found), default=None)
    return [line for line in found if line["period"]["end"] == until]


def changes(lines: Sequence[Json], bought: Sequence[Json], due: int) -> tuple[str, ...]:
    """The invoices of which a change gives a part back: for what would have run on, or, where nothing is due, for any.

    What is left of a period that is over is no more than a discount on the next.
    """
    start = min((line["period"]["start"] for line in bought), default=None)
    given = [line for line in lines if _of_subscription(line) and _is_credit(line)]
    of = [line for line in given if start is not None and (not due or line["period"]["end"] > start)]
    return tuple(dict.fromkeys((_proration(line).get("credited_items") or {}).get("invoice") or "" for line in of))


def _proration(line: Json) -> Json:
    parent = line.get("parent") or {}
    details = parent.get("invoice_item_details") or parent.get("subscription_item_details") or {}
    found: Json = details.get("proration_details") or {}
    return found


def plan_of(line: Json) -> str | None:
    """The plan that a line buys, by the product of its price; ``None``: it does not say, or it is none of ours."""
    product = ((line.get("pricing") or {}).get("price_details") or {}).get("product")
    return plan_of_product(product) if isinstance(product, str) else None


def _of_subscription(line: Json) -> bool:
    """Not something sold beside it. What a change of plan is charged is an item of its own, and a proration."""
    parent = line.get("parent") or {}
    return parent.get("type") != "invoice_item_details" or bool(parent["invoice_item_details"].get("proration"))


def _is_credit(line: Json) -> bool:
    """What is left of a plan given up goes back; its period is one that is not bought any more, also if it was free."""
    return line["amount"] < 0 or _proration(line).get("credited_items") is not None
