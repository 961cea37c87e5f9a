"""Who cancels and buys again goes on with the same calendar: what was spent in the window that runs stays spent.

Windows of a day and longer are counted from a subscription's start. If each purchase began a calendar of its own,
cancelling (with the money back) and buying again would fill the window anew. So a purchase that begins while a window
of an earlier one still runs takes over its anchor: the same limits are then the same buckets.

A window that was paid for to its end, or that the paid time has used up, binds nobody: who buys a week's pass each week
has a full one each time.
"""

from collections.abc import Iterable
from typing import NamedTuple


class Forerunner(NamedTuple):
    """An earlier purchase of the same scope.

    ``anchor_us``: from when its windows are counted; ``window_us``: the longest of them, 0: none. ``paid_us``: until
    when it was paid. ``over_us``: since when it grants nothing; in the future while it is in its grace.
    """

    anchor_us: int
    window_us: int
    paid_us: int
    over_us: int


def anchor_after(forerunners: Iterable[Forerunner], starts_us: int) -> int | None:
    """From when the windows of a purchase that begins at ``starts_us`` are counted; ``None``: from its start."""
    binding = [each for each in forerunners if _binds(each, starts_us)]
    return max(binding, key=lambda each: min(each.over_us, starts_us)).anchor_us if binding else None


def _binds(forerunner: Forerunner, starts_us: int) -> bool:
    """Whether the last window of an earlier purchase was cut short, or is not paid for, and still runs."""
    anchor_us, window_us, paid_us, over_us = forerunner
    last_us = min(over_us, starts_us) - 1
    if not window_us or last_us < anchor_us:
        return False
    begins_us = last_us - (last_us - anchor_us) % window_us
    return starts_us < begins_us + window_us and (last_us + 1 < paid_us or paid_us <= begins_us)
