"""Who is entitled to what at an instant, by the facts about money alone. Knows nothing of how the gateway finds out."""

from collections.abc import Iterable
from typing import Any

ONCE_S, SLACK_S, GRACE_S = 30 * 86_400, 2 * 3_600, 3 * 86_400


def entitled(facts: Iterable[Any], sold: str, now: int) -> bool:  # noqa: C901  (one story, kept in one piece)
    """Whether who bought ``sold`` has a right to it ``now``. ``facts``: (at, kind, of, what, amount, start, end)."""
    paid: dict[str, tuple[int, int, int]] = {}  # what was paid: from when, until when, how much
    back: dict[str, int] = {}  # how much of it went back
    disputed, failed, renews = set(), set(), False
    for at, kind, of, what, amount, start, end in facts:
        if of != sold or at > now:
            continue
        if kind == "ended":
            return False
        if kind == "paid":
            paid[what] = (start or at, end or at + ONCE_S, amount)
            renews = renews or end is not None
            failed.discard(what)
        elif kind == "refunded":
            back[what] = back.get(what, 0) + amount
        elif kind in ("disputed", "lost"):
            disputed.add(what)
        elif kind == "won":
            disputed.discard(what)
        elif kind == "failed":
            failed.add(what)
    if not paid:
        return False
    last = max(end for _, end, _ in paid.values())
    newest = [what for what, (_, end, _) in paid.items() if end == last]
    if all(what in disputed or 0 < paid[what][2] <= back.get(what, 0) for what in newest):
        return False
    late = 0 if not renews else GRACE_S if failed else SLACK_S
    return min(start for start, _, _ in paid.values()) <= now < last + late
