from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from gateway.core.bucket import (
    Bucket,
    Calendar,
    Limit,
    LimitKey,
    Refill,
    Since,
    full_at,
    give_back,
    is_closed,
    left,
    refill,
    take,
    units_spent,
    when_affordable,
    window_of,
)
from tests.core.budgets import DAY, HOUR, limit

HOURLY = limit(10, HOUR)
FLOW = limit(10, HOUR, Refill.CONTINUOUS, burst=20)
PACK = limit(10, refill=Refill.NEVER)
MONTH = Limit(LimitKey("throughput", 31 * DAY, Refill.INTERVAL, Calendar("month", ZoneInfo("Europe/Berlin"))), 10, 10)


def spend(bucket: Bucket | None, of: Limit, units: int, now_us: int) -> Bucket:
    return take(refill(bucket, of, now_us), of, units, now_us)


def test_an_interval_is_full_again_at_the_end_of_its_window_and_not_before() -> None:
    bucket = spend(None, HOURLY, 10, 5)
    assert left(refill(bucket, HOURLY, HOUR - 1), HOURLY) == 0
    assert left(refill(bucket, HOURLY, HOUR), HOURLY) == 10


@pytest.mark.parametrize(("now_us", "window"), [(5, (-HOUR + 7, 7)), (7, (7, HOUR + 7)), (HOUR + 6, (7, HOUR + 7))])
def test_windows_are_counted_from_their_anchor(now_us: int, window: tuple[int, int]) -> None:
    assert window_of(limit(1, HOUR, anchor=Since(7)).key, now_us) == window


def test_a_calendar_month_is_as_long_as_its_month() -> None:
    february = 1_707_000_000_000_000
    bucket = spend(None, MONTH, 10, february)
    end = full_at(bucket, MONTH)
    assert end == 1_709_247_600_000_000  # 2024-03-01T00:00 in Berlin
    assert left(refill(bucket, MONTH, end - 1), MONTH) == 0
    assert left(refill(bucket, MONTH, end), MONTH) == 10


def test_a_calendars_time_zone_is_named_as_the_configuration_writes_it() -> None:
    assert Calendar("month", ZoneInfo("Europe/Berlin")).zone_name == "Europe/Berlin"
    assert Calendar("day", UTC).zone_name == "UTC"


def test_a_token_bucket_comes_back_evenly_up_to_its_burst() -> None:
    bucket = spend(None, FLOW, 20, 0)
    assert [left(refill(bucket, FLOW, at), FLOW) for at in (0, HOUR // 10 - 1, HOUR // 10, HOUR, 3 * HOUR)] == [
        0,
        0,
        1,
        10,
        20,
    ]
    assert full_at(bucket, FLOW) == 2 * HOUR


def test_a_token_bucket_of_large_numbers_loses_nothing_to_rounding() -> None:
    huge = limit(10**12 - 1, 366 * DAY, Refill.CONTINUOUS)
    bucket = spend(None, huge, 10**12 - 1, 0)
    for step in range(1, 1001):
        bucket = refill(bucket, huge, step * 366 * DAY // 1000)
    assert left(bucket, huge) == 10**12 - 1


def test_a_pack_never_comes_back() -> None:
    bucket = spend(None, PACK, 10, 0)
    assert left(refill(bucket, PACK, 10**18), PACK) == 0
    assert full_at(bucket, PACK) is None
    assert when_affordable(bucket, PACK, 1, 0) is None
    assert when_affordable(give_back(bucket, PACK.key, 0, 1, 5), PACK, 1, 5) == 5


def test_raising_a_limit_helps_at_once_and_lowering_it_does_not_mint() -> None:
    bucket = spend(None, HOURLY, 8, 0)
    assert [left(bucket, limit(amount, HOUR)) for amount in (12, 8, 3, 10)] == [4, 0, 0, 2]


def test_a_refund_goes_to_the_generation_that_paid_and_no_other() -> None:
    bucket = spend(None, HOURLY, 8, 0)
    assert give_back(bucket, HOURLY.key, 0, 3, 1).spent == 5
    assert give_back(bucket, HOURLY.key, -HOUR, 3, 1) is bucket
    later = spend(bucket, HOURLY, 8, HOUR)
    assert give_back(later, HOURLY.key, 0, 3, HOUR) is later


def test_a_closed_window_takes_nothing_back() -> None:
    bucket = spend(None, HOURLY, 8, 0)
    assert is_closed(bucket, HOURLY.key, HOUR)
    assert give_back(bucket, HOURLY.key, 0, 3, HOUR) is bucket


@pytest.mark.parametrize("of", [HOURLY, FLOW, PACK])
def test_giving_back_never_mints(of: Limit) -> None:
    bucket = spend(None, of, 2, 0)
    whole = give_back(bucket, of.key, bucket.generation, 99, 0)
    assert left(whole, of) == of.burst
    assert give_back(whole, of.key, whole.generation, 1, 0) is whole


def test_stepping_the_clock_back_over_a_boundary_refills_nothing() -> None:
    bucket = spend(None, HOURLY, 10, HOUR + 5)
    back = refill(bucket, HOURLY, HOUR - 5)
    assert left(back, HOURLY) == 0
    assert full_at(back, HOURLY) == 2 * HOUR
    assert when_affordable(back, HOURLY, 1, HOUR - 5) == 2 * HOUR


def test_a_window_more_than_one_window_ahead_counts_as_the_current_one() -> None:
    bucket = spend(None, HOURLY, 7, 100 * HOUR)
    back = refill(bucket, HOURLY, HOUR + 5)
    assert (back.generation, left(back, HOURLY)) == (HOUR, 3)
    assert left(refill(back, HOURLY, 2 * HOUR), HOURLY) == 10


def test_a_token_bucket_ahead_of_the_clock_waits_for_it_but_at_most_a_window() -> None:
    bucket = spend(None, FLOW, 20, 2 * HOUR)
    near = refill(bucket, FLOW, HOUR)
    assert near is bucket
    assert when_affordable(near, FLOW, 1, HOUR) == 2 * HOUR + HOUR // 10
    far = refill(bucket, FLOW, HOUR - 1)
    assert far.as_of_us == HOUR - 1
    assert when_affordable(far, FLOW, 1, HOUR - 1) == HOUR - 1 + HOUR // 10


def test_a_cost_above_the_capacity_is_never_affordable() -> None:
    assert when_affordable(refill(None, HOURLY, 0), HOURLY, 11, 0) is None
    assert when_affordable(refill(None, FLOW, 0), FLOW, 21, 0) is None
    assert when_affordable(refill(None, FLOW, 3), FLOW, 20, 3) == 3


def test_what_a_token_bucket_is_missing_is_said_in_whole_units_rounded_up() -> None:
    bucket = refill(spend(None, FLOW, 3, 0), FLOW, 1)
    assert (units_spent(bucket, FLOW.key), left(bucket, FLOW)) == (3, 17)
    assert units_spent(spend(None, HOURLY, 3, 0), HOURLY.key) == 3
