"""Who is entitled to what, by the provider's objects alone. Knows nothing of how the gateway finds out."""

from typing import Any

DAY_S, SLACK_S, GRACE_S = 86_400, 2 * 3_600, 3 * 86_400


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
    invoices = [each for each in kept["invoices"].values() if each["parent"]]
    mine = [each for each in invoices if each["parent"]["subscription_details"]["subscription"] == of["id"]]
    until, last = of["items"]["data"][0]["current_period_end"], [0]
    while last and not (paid := [i for i in mine if i["status"] == "paid" and _bought(i)["end"] == until]):
        last = [_bought(each)["start"] for each in mine if _bought(each)["end"] == until]
        until = max(last, default=0)  # not paid (yet): then until the period before
    credit = any(each["starting_balance"] < 0 or each["lines"]["data"][0]["amount"] < 0 for each in paid)
    money = _paying(kept, paid) or (_paying(kept, mine) if credit else [])
    if of["status"] not in ("trialing", "active", "past_due") or (money and all(_gone(kept, each) for each in money)):
        return False
    return bool(now < until + (GRACE_S if of["status"] == "past_due" else SLACK_S))


def _bought(invoice: Any) -> Any:
    return invoice["lines"]["data"][-1]["period"]  # what goes back stands before it


def _paying(kept: Any, invoices: list[Any]) -> list[Any]:
    ids = {each["id"] for each in invoices}
    with_ = {e["payment"]["payment_intent"] for e in kept["invoice_payments"].values() if e["invoice"] in ids}
    return [each for each in kept["charges"].values() if each["payment_intent"] in with_]


def _gone(kept: Any, charge: Any) -> bool:
    against = {each["status"] for each in kept["disputes"].values() if each["charge"] == charge["id"]}
    return charge["amount_refunded"] >= charge["amount"] or bool(against & {"needs_response", "under_review", "lost"})
