"""What holds for every limit, whatever happens in whatever order."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.bucket import (
    Bucket,
    Limit,
    Refill,
    Since,
    give_back,
    left,
    refill,
    take,
    units_spent,
    when_affordable,
)
from tests.core.budgets import instants, limit, limits, windows

moves = st.lists(
    st.tuples(st.sampled_from(["take", "take", "give", "wait", "limit"]), st.integers(1, 12)), min_size=1, max_size=25
)


def resized(of: Limit, amount: int) -> Limit:
    return Limit(of.key, amount, amount)


@given(limits(), moves, instants)
def test_left_depends_only_on_the_last_limit_and_what_was_spent(
    of: Limit, story: list[tuple[str, int]], now: int
) -> None:
    bucket = refill(None, of, now)
    spent = 0
    for move, number in story:
        if move == "take" and number <= left(bucket, of):
            bucket = take(bucket, of, number, now)
            spent += number
        elif move == "give":
            bucket = give_back(bucket, of.key, bucket.generation, number, now)
            spent -= min(spent, number)
        elif move == "limit":
            of = resized(of, number)
        bucket = refill(bucket, of, now)
        assert left(bucket, of) == max(0, of.burst - spent)
        assert units_spent(bucket, of.key) == spent


@given(limits(), st.integers(1, 15), instants, instants, instants)
def test_waiting_twice_is_waiting_once(of: Limit, units: int, start: int, first: int, second: int) -> None:
    bucket = take(refill(None, of, start), of, min(units, of.burst), start)
    once = refill(bucket, of, start + first + second)
    twice = refill(refill(bucket, of, start + first), of, start + first + second)
    assert (once.generation, once.spent) == (twice.generation, twice.spent)


@given(limits(), st.integers(1, 15), instants, st.lists(st.integers(-100, 60), max_size=12))
def test_a_clock_that_steps_back_never_refills(of: Limit, units: int, start: int, steps: list[int]) -> None:
    bucket = take(refill(None, of, start), of, min(units, of.burst), start)
    now = start
    for step in steps:
        before = left(refill(bucket, of, now), of)
        now += step
        after = refill(bucket, of, now)
        if step <= 0:
            assert left(after, of) <= before
        bucket = after


@given(limits(), st.lists(st.tuples(st.integers(-40, 60), st.integers(1, 15)), max_size=15), st.integers(1, 15))
def test_the_hint_is_the_earliest_moment_that_works(of: Limit, story: list[tuple[int, int]], cost: int) -> None:
    now, bucket = 300, None
    for step, units in story:
        now += step
        bucket = refill(bucket, of, now)
        bucket = take(bucket, of, min(units, left(bucket, of)), now)
    current = refill(bucket, of, now)
    ready = when_affordable(current, of, cost, now)
    if ready is None:
        assert all(left(refill(current, of, at), of) < cost for at in (now, now + 100, now + 10_000, now + 10**6))
        return
    assert left(refill(current, of, ready), of) >= cost
    assert ready == now or left(refill(current, of, ready - 1), of) < cost


@given(limits(), st.integers(1, 10), instants)
def test_n_takes_for_k_places_admit_k(of: Limit, cost: int, now: int) -> None:
    bucket = refill(None, of, now)
    admitted = 0
    for _ in range(20):
        if left(bucket, of) >= cost:
            bucket = take(bucket, of, cost, now)
            admitted += 1
    assert admitted == of.burst // cost or admitted == 20


@given(st.integers(1, 12), windows, st.integers(0, 500), st.integers(1, 600), st.lists(st.integers(0, 30), max_size=80))
def test_a_buyer_gets_no_more_full_refills_than_windows_paid(
    amount: int, window: int, start: int, paid: int, waits: list[int]
) -> None:
    of = limit(amount, window, anchor=Since(start))
    bucket: Bucket | None = None
    now, spent = start, 0
    for wait in waits:
        now += wait
        if now >= start + paid:
            break
        bucket = refill(bucket, of, now)
        all_of_it = left(bucket, of)
        bucket = take(bucket, of, all_of_it, now)
        spent += all_of_it
    assert spent <= -(-paid // window) * amount


@given(
    st.integers(1, 12),
    st.integers(1, 15),
    windows,
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8)), max_size=60),
)
def test_a_token_bucket_gives_at_most_its_burst_and_its_rate_and_loses_nothing(
    amount: int, burst: int, window: int, story: list[tuple[int, int]]
) -> None:
    of = limit(amount, window, Refill.CONTINUOUS, burst=burst)
    bucket, now, spent = refill(None, of, 0), 0, 0
    overflowed = 0
    for wait, units in story:
        now += wait
        overflowed += max(0, wait * amount - bucket.spent)
        bucket = refill(bucket, of, now)
        given_now = min(units, left(bucket, of))
        bucket = take(bucket, of, given_now, now)
        spent += given_now
    assert spent * window <= burst * window + now * amount
    # Scaled by the window nothing is lost at all: what came in is what is there, what was spent and what overflowed.
    assert (burst * window - bucket.spent) + spent * window + overflowed == burst * window + now * amount


@given(limits(), st.integers(1, 12), instants, st.integers(0, 120), st.integers(1, 12))
def test_a_refund_commutes_with_waiting(of: Limit, units: int, start: int, wait: int, back: int) -> None:
    bucket = take(refill(None, of, start), of, min(units, of.burst), start)
    now = start + wait
    given_first = refill(give_back(bucket, of.key, bucket.generation, back, now), of, now)
    waited_first = give_back(refill(bucket, of, now), of.key, bucket.generation, back, now)
    assert left(given_first, of) == left(waited_first, of)
    assert left(given_first, of) <= of.burst
