"""How fast calls may come, with the clock as an argument."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.pace import Pace
from gateway.core.problems import TooManyRequests

NOW, SECOND, MINUTE = 1_800_000_000_000_000, 1_000_000, 60_000_000
ME, YOU = ("user", "me"), ("user", "you")


def allowed(pace: Pace, who: tuple[str, str], per_minute: int, now_us: int) -> bool:
    try:
        pace.take(who, per_minute, now_us)
    except TooManyRequests:
        return False
    return True


def test_a_minutes_worth_at_once_and_then_evenly() -> None:
    pace = Pace()
    assert [allowed(pace, ME, 120, NOW) for _ in range(121)] == [True] * 120 + [False]
    assert allowed(pace, YOU, 120, NOW), "each has their own"
    assert not allowed(pace, ME, 120, NOW + SECOND // 2 - 1)
    assert allowed(pace, ME, 120, NOW + SECOND // 2)
    assert not allowed(pace, ME, 120, NOW + SECOND // 2)


def test_who_waits_as_told_is_let_in() -> None:
    pace = Pace()
    for _ in range(7):
        pace.take(ME, 7, NOW)
    with pytest.raises(TooManyRequests) as refused:
        pace.take(ME, 7, NOW)
    assert refused.value.headers == ((b"Retry-After", b"9"),)
    pace.take(ME, 7, NOW + 9 * SECOND)


def test_a_clock_that_goes_back_shuts_nobody_out_for_long() -> None:
    pace = Pace()
    for _ in range(60):
        pace.take(ME, 60, NOW)
    earlier = NOW - 3_600 * SECOND
    assert not allowed(pace, ME, 60, earlier)
    assert allowed(pace, ME, 60, earlier + 2 * SECOND)


def test_what_is_remembered_is_bounded() -> None:
    pace = Pace(entries=2)
    for name in ("a", "b", "c"):
        pace.take(("user", name), 1, NOW)
    assert allowed(pace, ("user", "a"), 1, NOW), "forgotten, for want of room"
    assert not allowed(pace, ("user", "c"), 1, NOW)


@given(st.integers(1, 1_000), st.lists(st.integers(0, MINUTE), max_size=200))
def test_no_minute_lets_in_more_than_twice_the_rate(per_minute: int, gaps: list[int]) -> None:
    pace, now_us, let_in = Pace(), NOW, []
    for gap in gaps:
        now_us += gap
        if allowed(pace, ME, per_minute, now_us):
            let_in.append(now_us)
    for start in let_in:
        assert sum(start <= at < start + MINUTE for at in let_in) <= 2 * per_minute
