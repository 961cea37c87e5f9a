"""A till pays as the machinery does, or leaves it to it."""

from dataclasses import replace
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.allowance import THROUGHPUT, Allowance, Purse, Source
from gateway.core.bucket import Bucket, Calendar, Epoch, Limit, LimitKey, Refill, Since
from gateway.core.cascade import Bill, charge, paid_at_once
from gateway.core.scope import Scope
from gateway.core.till import charge_of, refusal_of, shortfall_of, take_open, till_of

HOUR_US = 3_600_000_000
COSTS = {THROUGHPUT: 1}
SCOPE = Scope("user", "ann")


def allowance(amount: int, key: LimitKey) -> Allowance:
    return Allowance(SCOPE, (Purse((Limit(key, amount, amount),), ("sub",), "small"),))


KEYS = st.sampled_from(
    [
        LimitKey(THROUGHPUT, HOUR_US, Refill.INTERVAL, Epoch()),
        LimitKey(THROUGHPUT, HOUR_US, Refill.INTERVAL, Since(7)),
        LimitKey(THROUGHPUT, HOUR_US, Refill.INTERVAL, Epoch(), "another"),
    ]
)


@given(
    key=KEYS,
    stored=KEYS,
    amount=st.integers(1, 20),
    spent=st.integers(0, 25),
    cost=st.integers(1, 25),
    started=st.integers(-2 * HOUR_US, 2 * HOUR_US),
)
def test_what_a_till_takes_is_what_the_machinery_takes(
    key: LimitKey, stored: LimitKey, amount: int, spent: int, cost: int, started: int
) -> None:
    now_us = 10 * HOUR_US + 5
    bucket = Bucket(now_us - 5 + started // HOUR_US * HOUR_US, spent, now_us - 1, ("earlier",))
    payer = allowance(amount, key)
    till = till_of(payer, COSTS)
    assert till is not None
    after = take_open(till, stored, bucket, cost, now_us)
    if after is None:
        return
    bill = Bill("id", {THROUGHPUT: cost}, (payer,))
    expected = paid_at_once(bill, payer, stored, bucket, now_us)
    assert expected is not None
    assert expected.postings[0].after == after
    assert charge_of(till, expected.postings[0], "id", bill.costs, now_us) == expected


def test_a_till_pays_from_an_open_window_that_has_enough_and_from_no_other() -> None:
    key = LimitKey(THROUGHPUT, HOUR_US, Refill.INTERVAL, Epoch())
    till = till_of(allowance(10, key), COSTS)
    assert till is not None
    bucket = Bucket(HOUR_US, 4, HOUR_US)
    assert take_open(till, key, bucket, 6, HOUR_US + 9) == Bucket(HOUR_US, 10, HOUR_US + 9, ("sub",))
    assert take_open(till, key, bucket, 7, HOUR_US + 9) is None
    assert take_open(till, key, bucket, 1, 2 * HOUR_US) is None
    assert take_open(till, key, bucket, 1, HOUR_US - 1) is None
    assert take_open(till, key._replace(purse="another"), bucket, 1, HOUR_US) is None
    assert take_open(till, key._replace(), bucket, 1, HOUR_US) is not None


def test_what_is_more_than_one_limit_with_fixed_windows_has_no_till() -> None:
    hourly = LimitKey(THROUGHPUT, HOUR_US, Refill.INTERVAL, Epoch())
    assert till_of(Allowance(SCOPE, ()), COSTS) is None
    assert till_of(allowance(1, hourly._replace(refill=Refill.CONTINUOUS)), COSTS) is None
    zone = Calendar("day", ZoneInfo("UTC"))
    assert till_of(allowance(1, hourly._replace(anchor=zone)), COSTS) is None


@given(
    states=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 12), st.integers(0, 3)), min_size=1, max_size=3),
    cost=st.integers(1, 12),
)
def test_what_tills_refuse_the_machinery_refuses_in_the_same_words(
    states: list[tuple[int, int, int]], cost: int
) -> None:
    now_us, costs = 10 * HOUR_US + 5, {THROUGHPUT: cost}
    key = LimitKey(THROUGHPUT, HOUR_US, Refill.INTERVAL, Epoch())
    payers, buckets, shortfalls = [], {}, []
    for number, (amount, spent, hours) in enumerate(states):
        scope = Scope("user", str(number))
        longer = key._replace(window_us=HOUR_US * (1 + hours))
        payer = Allowance(scope, (Purse((Limit(longer, amount, amount),), ("sub",), "small"),))
        till = till_of(payer, costs)
        assert till is not None
        bucket = Bucket(now_us - now_us % longer.window_us, spent, now_us - 1)
        payers.append(payer)
        buckets[scope] = {longer: bucket}
        shortfall = shortfall_of(till, longer, bucket, cost, now_us)
        assert (shortfall is None) == (spent + cost <= amount)
        if shortfall is not None:
            shortfalls.append(shortfall)
    if len(shortfalls) == len(states):
        expected = charge(Bill("id", costs, tuple(payers)), lambda scope: buckets[scope], now_us)
        assert refusal_of("id", costs, shortfalls, now_us) == expected


def test_nothing_is_said_of_a_window_that_is_not_open_or_of_another_bucket() -> None:
    key = LimitKey(THROUGHPUT, HOUR_US, Refill.INTERVAL, Epoch())
    till = till_of(allowance(1, key), COSTS)
    assert till is not None
    bucket = Bucket(HOUR_US, 1, HOUR_US)
    assert shortfall_of(till, key, bucket, 1, HOUR_US) is not None
    assert shortfall_of(till, key._replace(), bucket, 1, HOUR_US) is not None
    assert shortfall_of(till, key, bucket, 1, 2 * HOUR_US) is None
    assert shortfall_of(till, key._replace(purse="another"), bucket, 1, HOUR_US) is None


def test_a_till_is_for_one_meter_that_nothing_else_changes() -> None:
    hourly = LimitKey(THROUGHPUT, HOUR_US, Refill.INTERVAL, Epoch())
    assert till_of(allowance(1, hourly), {"tokens": 1}) is None
    assert till_of(allowance(1, hourly), {THROUGHPUT: 1, "tokens": 1}) is None
    assert till_of(replace(allowance(1, hourly), source=Source((), None)), COSTS) is None
