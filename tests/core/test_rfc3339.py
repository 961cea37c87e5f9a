import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.rfc3339 import LARGEST_US, parsed, written

NOON = 1_793_534_400_123_456


@given(st.integers(0, LARGEST_US))
def test_what_is_written_is_read_as_the_same(at_us: int) -> None:
    text = written(at_us)
    assert (parsed(text), len(text), text[-1]) == (at_us, 27, "Z")


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-01T12:00:00.123456Z",
        "2026-11-01t12:00:00.123456z",
        "2026-11-01 12:00:00.123456Z",
        "2026-11-01T13:30:00.123456+01:30",
        "2026-11-01T08:00:00.123456-04:00",
        "2026-11-01T12:00:00.123456789Z",
    ],
)
def test_an_instant_has_many_spellings(text: str) -> None:
    assert parsed(text) == NOON


def test_parts_of_a_second_may_be_left_out() -> None:
    assert parsed("2026-11-01T12:00:00Z") == NOON - 123_456
    assert parsed("2026-11-01T12:00:00.1Z") == NOON - 23_456
    assert parsed("1969-12-31T23:59:59Z") == -1_000_000


def test_a_leap_second_is_the_one_after() -> None:
    assert parsed("2016-12-31T23:59:60Z") == parsed("2017-01-01T00:00:00Z")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-01",
        "2026-11-01T12:00:00",
        "2026-11-01T12:00Z",
        "2026-02-30T12:00:00Z",
        "2026-11-01T24:00:00Z",
        "2026-11-01T12:00:61Z",
        "2026-11-01T12:00:00+24:00",
        "2026-11-01T12:00:00.1234567890Z",
        "0001-01-01T00:00:00+23:59x",
        "\u0662\u0660\u0662\u0666-11-01T12:00:00Z",
        "1793534400",
    ],
)
def test_what_is_no_instant_is_none(text: str) -> None:
    assert parsed(text) is None


def test_later_than_the_last_day_is_the_last_day() -> None:
    assert written(2**62) == written(LARGEST_US) == "9999-12-31T00:00:00.000000Z"
