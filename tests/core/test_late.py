"""A debit that comes late goes to its own window, and to none that has come since."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.bucket import Refill
from gateway.core.cascade import Charge, Refusal, drain
from gateway.core.late import charge_late, drain_late
from gateway.core.plan import THROUGHPUT, Plan
from tests.core.budgets import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    Shop,
    allowance_of,
    bill,
    default_of,
    per,
    plan,
    plans,
    subscription,
)

HOURLY = default_of(plan(per(10)))
START = NOW - NOW % HOUR


def late(shop: Shop, cost: int, at_us: int) -> Charge:
    charged = drain_late(bill(cost, HOURLY), shop.buckets_of, at_us)
    shop.keep(charged.postings, charged.dropped)
    return charged


def test_a_window_that_is_still_open_pays_and_the_rest_is_overrun() -> None:
    shop = Shop()
    shop.paid(6, HOURLY, now_us=START + 5 * MINUTE)
    charged = late(shop, 7, START + MINUTE)
    assert ([each.amount for each in charged.postings], charged.overrun) == ([4], {"throughput": 3})
    assert shop.left(HOURLY, START + 10 * MINUTE) == [0]


def test_a_debt_is_allowed_up_to_what_is_said_and_the_rest_is_overrun() -> None:
    shop = Shop()
    shop.paid(6, HOURLY, now_us=START + MINUTE)
    charged = drain_late(bill(20, HOURLY), shop.buckets_of, START + MINUTE, 5)
    assert ([each.amount for each in charged.postings], charged.overrun) == ([9], {"throughput": 11})
    shop.keep(charged.postings)
    assert shop.left(HOURLY, START + MINUTE) == [0]
    again = drain_late(bill(1, HOURLY), shop.buckets_of, START + MINUTE, 5)
    assert (again.postings, again.overrun) == ((), {"throughput": 1})
    assert shop.left(HOURLY, START + HOUR) == [10], "a debt ends with its window"


def test_a_token_bucket_pays_its_debt_back_before_it_gives_again() -> None:
    flowing = default_of(plan(per(60, HOUR, Refill.CONTINUOUS)))
    shop = Shop()
    charged = drain_late(bill(70, flowing), shop.buckets_of, NOW, 10)
    assert charged.overrun == {}
    shop.keep(charged.postings)
    assert [shop.left(flowing, NOW + minutes * MINUTE) for minutes in (0, 10, 11)] == [[0], [0], [1]]


def test_packs_owe_nothing_and_a_purse_owes_what_its_tightest_limit_may() -> None:
    pack = plan(per(5, 0, Refill.NEVER), slug="pack", pack=True)
    allowance = allowance_of(subscription("p", pack), subscription("q", plan(per(4), per(40, DAY), slug="two")))
    charged = drain_late(bill(30, allowance), Shop().buckets_of, NOW, 6)
    taken = {posting.limit.window_us: posting.amount for posting in charged.postings}
    assert (taken, charged.overrun) == ({0: 5, HOUR: 10, DAY: 10}, {"throughput": 15})
    only = allowance_of(subscription("p", pack))
    assert drain_late(bill(9, only), Shop().buckets_of, NOW, 6).overrun == {"throughput": 4}


@given(plans(), st.integers(0, 12), st.integers(1, 40), st.integers(0, 9))
def test_a_debt_covers_what_is_short_as_far_as_it_may(sold: Plan, first: int, cost: int, debt: int) -> None:
    shop, allowance = Shop(), default_of(sold)
    shop.pay(first, allowance)
    without = drain_late(bill(cost, allowance), shop.buckets_of, NOW).overrun.get(THROUGHPUT, 0)
    within = drain_late(bill(cost, allowance), shop.buckets_of, NOW, debt).overrun.get(THROUGHPUT, 0)
    refills = any(limit.key.refill is not Refill.NEVER for purse in allowance.purses for limit in purse.limits)
    assert within == (max(0, without - debt) if refills else without)


def test_a_window_that_has_come_since_pays_nothing_for_the_one_before() -> None:
    shop = Shop()
    shop.paid(6, HOURLY, now_us=START + HOUR)
    charged = late(shop, 7, START)
    assert (charged.scope, charged.costs, charged.postings, charged.overrun) == (
        HOURLY.scope,
        {"throughput": 7},
        (),
        {},
    )
    assert shop.left(HOURLY, START + HOUR) == [4]


def test_a_token_bucket_that_has_been_full_since_is_left_alone() -> None:
    flowing = default_of(plan(per(10, MINUTE, Refill.CONTINUOUS)))
    shop = Shop()
    shop.paid(10, flowing, now_us=NOW + DAY)
    charged = charge_late(bill(3, flowing), shop.buckets_of, NOW)
    assert isinstance(charged, Charge)
    assert charged.postings == ()
    recent = charge_late(bill(3, flowing), shop.buckets_of, NOW + DAY - MINUTE // 2)
    assert isinstance(recent, Refusal), "half a minute ago it had not been full since"


@given(plans(), st.integers(0, 400), st.integers(1, 12), st.integers(1, 30))
def test_what_is_not_late_is_what_it_always_was(sold: Plan, now: int, first: int, cost: int) -> None:
    shop, allowance = Shop(), default_of(sold)
    shop.pay(first, allowance, now_us=now)
    asked = bill(cost, allowance)
    assert drain_late(asked, shop.buckets_of, now) == drain(asked, shop.buckets_of, now)


@given(plans(packs=False), st.integers(0, 400), st.integers(0, 400), st.integers(1, 12), st.integers(1, 30))
def test_a_late_debit_gives_nobody_anything(sold: Plan, then: int, wait: int, first: int, cost: int) -> None:
    shop, allowance, now = Shop(), default_of(sold), then + wait
    shop.pay(first, allowance, now_us=now)
    before = shop.left(allowance, now)
    charged = drain_late(bill(cost, allowance), shop.buckets_of, then)
    shop.keep(charged.postings, charged.dropped)
    assert all(new <= old for new, old in zip(shop.left(allowance, now), before, strict=True))
