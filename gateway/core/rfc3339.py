"""Instants as text (RFC 3339), to the microsecond and back."""

import re
from datetime import UTC, datetime, timedelta, timezone

_FORM = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:([Zz])|([+-])(\d\d):(\d\d))", re.ASCII
)
_START = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
LARGEST_US = (datetime(9999, 12, 31, tzinfo=UTC) - _START) // _MICROSECOND


def written(at_us: int) -> str:
    """``2026-11-01T12:00:00.123456Z``, always with six digits and in UTC; the last day that has a name at most."""
    at = _START + timedelta(microseconds=min(at_us, LARGEST_US))
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def parsed(text: str) -> int | None:
    """Microseconds since 1970; finer digits are cut off. ``None`` for what is no instant with its offset from UTC."""
    if (found := _FORM.fullmatch(text)) is None:
        return None
    year, month, day, hour, minute, second = map(int, found.group(1, 2, 3, 4, 5, 6))
    micros = int((found[7] or "").ljust(6, "0")[:6])
    offset = timedelta() if found[8] else timedelta(hours=int(found[10]), minutes=int(found[11]))
    try:
        zone = timezone(-offset if found[9] == "-" else offset)
        at = datetime(year, month, day, hour, minute, min(second, 59), micros, zone)
        at_us = (at - _START) // _MICROSECOND
    except (ValueError, OverflowError):
        return None
    leap = second - 59 if second > 59 else 0  # noqa: PLR2004  (RFC 3339, 5.7: a leap second is the one after)
    return at_us + leap * 1_000_000 if leap <= 1 else None
