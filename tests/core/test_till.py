"""A till pays as the machinery does, or leaves it to it."""

from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.allowance import THROUGHPUT, Allowance, Purse
from gateway.core.bucket import Bucket, Calendar, Epoch, Limit, LimitKey, Refill, Since
from gateway.core.cascade import Bill, paid_at_once
from gateway.core.scope import Scope
from gateway.core.till import charge_of, take_open, till_of

HOUR_US = 3_600_000_000
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
    till = till_of(payer)
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
    till = till_of(allowance(10, key))
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
    assert till_of(Allowance(SCOPE, ())) is None
    assert till_of(allowance(1, hourly._replace(refill=Refill.CONTINUOUS))) is None
    zone = Calendar("day", ZoneInfo("UTC"))
    assert till_of(allowance(1, hourly._replace(anchor=zone))) is None
