"""Days and months of a time zone's calendar, as half-open windows of microseconds."""

from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Literal

Unit = Literal["day", "month"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def calendar_window(unit: Unit, zone: tzinfo, now_us: int) -> tuple[int, int]:
    """The day or month of ``zone`` that holds ``now_us``: its first instant, and the first instant after it.

    Windows follow each other without gap or overlap, also where a clock change crosses midnight. A day that a
    zone skips has no window.
    """
    local = (_EPOCH + timedelta(microseconds=now_us)).astimezone(zone)
    here = local.year, local.month, local.day
    start, end = _first_instant(unit, zone, *here, 0), _first_instant(unit, zone, *here, 1)
    # Where clocks are changed across midnight, an instant can lie on the other side of a boundary than its date says.
    if now_us >= end:
        return end, _first_instant(unit, zone, *here, 2)
    if now_us < start:
        return _first_instant(unit, zone, *here, -1), start
    return start, end


@lru_cache(maxsize=4096)
def _first_instant(unit: Unit, zone: tzinfo, year: int, month: int, day: int, offset: int) -> int:
    """The first instant of the date's day or month, ``offset`` units on."""
    if unit == "day":
        first = date(year, month, day) + timedelta(days=offset)
    else:
        months = year * 12 + month - 1 + offset
        first = date(months // 12, months % 12 + 1, 1)
    midnight = datetime(first.year, first.month, first.day, tzinfo=zone)
    return (midnight - _EPOCH) // _MICROSECOND
