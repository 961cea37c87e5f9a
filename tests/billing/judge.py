"""Who is entitled to what, by the provider's objects alone. Knows nothing of how the gateway finds out."""

from typing import Any

DAY_S, SLACK_S, GRACE_S, BESIDE = 86_400, 2 * 3_600, 3 * 86_400, {"void", "manual"}


def entitled(kept: Any, sold: str, days: int, now: int, begun: int | None) -> bool:
    """Whether who bought ``sold`` for so many days has a right to it ``now``. ``begun``: when what is free began."""
    pages = [each for each in kept["sessions"].values() if each["metadata"]["subscription_id"] == sold]
    renewing = [each for each in kept["subscriptions"].values() if each["metadata"].get("subscription_id") == sold]
    if renewing:  # also what a page has begun that was not paid on it, but by the bill that the try has left
        return any(_runs(kept, each, now) for each in renewing)
    if charges := [c for c in kept["charges"].values() if c["payment_intent"] in [p["payment_intent"] for p in pages]]:
        left = [each["created"] for each in charges if not _gone(kept, each)]
        return bool(left) and now < min(left) + len(left) * days * DAY_S
    free = any((each["status"], each["payment_status"]) == ("complete", "no_payment_required") for each in pages)
    return free and now < (now if begun is None else begun) + days * DAY_S


def _runs(kept: Any, of: Any, now: int) -> bool:
    bills = [e for e in kept["invoices"].values() if e["parent"] and not {e["status"], e["billing_reason"]} & BESIDE]
    mine = [each for each in bills if each["parent"]["subscription_details"]["subscription"] == of["id"]]
    opened = {_bought(each)["end"]: _needed(mine, each) for each in mine if not _prorated(each, -1)}
    paid = {end: needed for end, needed in opened.items() if all(each["status"] == "paid" for each in needed)}
    start, until = (of["items"]["data"][0][f"current_period_{each}"] for each in ("start", "end"))
    until = until if until in paid else max((end for end in paid if end <= start), default=0)  # not paid (yet)
    late_s = {"trialing": SLACK_S, "active": SLACK_S, "past_due": GRACE_S}.get(of["status"], -until)
    return now < until + late_s and not any(_gone(kept, each) for each in _paying(kept, paid.get(until, [])))


def _needed(mine: Any, opens: Any) -> list[Any]:
    """The bill that opens a period, the differences paid since, and what the period needed that was given for it."""
    (start, end), before = _bought(opens).values(), mine[: mine.index(opens)]
    since = [each for each in mine if _prorated(each, -1) and each["status"] == "paid" and _bought(each)["end"] == end]
    given = [each for each in before if _bought(each)["start"] <= start < _bought(each)["end"]]
    if not _prorated(opens, 0):  # nothing, unless what had been left before pays all of it
        left = opens["starting_balance"] < 0 == opens["amount_due"]
        given = [each for each in before if left and _prorated(each, 0) and not each["amount_due"]]
    same = [each for each in before if given and _bought(each)["end"] == _bought(given[-1])["end"]]
    return [opens, *since, *(need for each in same if not _prorated(each, -1) for need in _needed(mine, each))]


def _bought(invoice: Any) -> Any:
    return invoice["lines"]["data"][-1]["period"]  # what goes back stands before it


def _prorated(invoice: Any, line: int) -> bool:
    return bool((invoice["lines"]["data"][line]["parent"]["invoice_item_details"] or {}).get("proration"))


def _paying(kept: Any, invoices: list[Any]) -> list[Any]:
    used = {(e["invoice"], e["payment"]["payment_intent"]) for e in kept["invoice_payments"].values()}
    return [c for c in kept["charges"].values() if any((i["id"], c["payment_intent"]) in used for i in invoices)]


def _gone(kept: Any, charge: Any) -> bool:
    against = {each["status"] for each in kept["disputes"].values() if each["charge"] == charge["id"]}
    return charge["amount_refunded"] >= charge["amount"] or bool(against & {"needs_response", "under_review", "lost"})
