from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.window import Unit, calendar_window

BERLIN = ZoneInfo("Europe/Berlin")


def us(*parts: int, zone: tzinfo = UTC, fold: int = 0) -> int:
    year, month, day, *rest = parts
    at = datetime(year, month, day, *rest, tzinfo=zone, fold=fold)  # type: ignore[misc,arg-type]
    return int(at.timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("unit", "zone", "now", "start", "end"),
    [
        ("day", UTC, us(2024, 2, 29, 12), us(2024, 2, 29), us(2024, 3, 1)),
        ("day", UTC, us(2024, 3, 1), us(2024, 3, 1), us(2024, 3, 2)),
        ("day", UTC, us(2024, 3, 1) - 1, us(2024, 2, 29), us(2024, 3, 1)),
        ("month", UTC, us(2024, 12, 31, 23), us(2024, 12, 1), us(2025, 1, 1)),
        ("month", UTC, us(2024, 2, 5), us(2024, 2, 1), us(2024, 3, 1)),
        # Clocks go forward: a day of 23 hours.
        ("day", BERLIN, us(2024, 3, 31, 10), us(2024, 3, 30, 23), us(2024, 3, 31, 22)),
        # Clocks go back: a day of 25 hours.
        ("day", BERLIN, us(2024, 10, 27, 10), us(2024, 10, 26, 22), us(2024, 10, 27, 23)),
        ("month", BERLIN, us(2024, 3, 31, 22, 30), us(2024, 3, 31, 22), us(2024, 4, 30, 22)),
        # Havana goes back from 1:00 to 0:00: the day begins at the first of its two midnights.
        ("day", ZoneInfo("America/Havana"), us(2024, 11, 3, 5, 30), us(2024, 11, 3, 4), us(2024, 11, 4, 5)),
        # Beirut goes forward from 0:00 to 1:00: the day begins at 1:00.
        ("day", ZoneInfo("Asia/Beirut"), us(2022, 3, 26, 22), us(2022, 3, 26, 22), us(2022, 3, 27, 21)),
        # Toronto, 1919: forward from 23:30 to 0:30; the half hour after it belongs to the day that has no midnight.
        ("day", ZoneInfo("America/Toronto"), us(1919, 3, 31, 4, 45), us(1919, 3, 30, 5), us(1919, 3, 31, 5)),
        # Saint John's went back from 0:01 to 23:01: the second 23:30 lies after the day's first instant.
        ("day", ZoneInfo("America/St_Johns"), us(2006, 10, 29, 3, 0), us(2006, 10, 29, 2, 30), us(2006, 10, 30, 3, 30)),
        # Samoa skipped 30 December 2011.
        ("day", ZoneInfo("Pacific/Apia"), us(2011, 12, 30, 11), us(2011, 12, 30, 10), us(2011, 12, 31, 10)),
    ],
)
def test_a_calendar_window_is_the_zone_s_own_day_or_month(
    unit: Unit, zone: tzinfo, now: int, start: int, end: int
) -> None:
    assert calendar_window(unit, zone, now) == (start, end)


@given(
    st.sampled_from(["day", "month"]),
    st.sampled_from(
        ["UTC", "Europe/Berlin", "America/St_Johns", "America/Toronto", "Asia/Beirut", "Pacific/Apia", "Asia/Kathmandu"]
    ),
    st.integers(us(1910, 1, 1), us(2040, 1, 1)),
)
def test_calendar_windows_follow_each_other_without_gap_or_overlap(unit: Unit, name: str, now: int) -> None:
    zone = ZoneInfo(name)
    start, end = calendar_window(unit, zone, now)
    assert start <= now < end
    assert calendar_window(unit, zone, start) == (start, end)
    assert calendar_window(unit, zone, end - 1) == (start, end)
    assert calendar_window(unit, zone, end)[0] == end
