import pytest

from gateway.core.allowance import THROUGHPUT
from gateway.core.bucket import Bucket
from gateway.core.cascade import Charge, Costs, Posting, drain
from gateway.core.refund import Settlement, refund, settle
from tests.core.budgets import DAY, HOUR, NOW, SECOND, Shop, allowance_of, bill, default_of, per, plan, subscription

USERS = default_of(plan(per(10)))
THREE = allowance_of(
    subscription("pack", plan(per(4, 0), slug="pack", pack=True)),
    subscription("day", plan(per(6, DAY), slug="day")),
    subscription("hour", plan(per(5), slug="hour")),
)


def give(shop: Shop, charged: Charge, costs: int | Costs, now_us: int = NOW) -> list[tuple[int, int]]:
    """Windows and amounts of what went back."""
    given = {THROUGHPUT: costs} if isinstance(costs, int) else costs
    postings = refund(charged, given, shop.buckets_of, now_us)
    shop.keep(postings)
    return [(posting.limit.window_us, posting.amount) for posting in postings]


def settled(shop: Shop, charged: Charge, costs: int | Costs, now_us: int = NOW) -> Settlement:
    final = settle(charged, {THROUGHPUT: costs} if isinstance(costs, int) else costs, shop.buckets_of, now_us)
    shop.keep(final.postings)
    return final


def test_a_refund_goes_back_in_reverse_burn_order() -> None:
    shop = Shop()
    charged = shop.paid(13, THREE)
    assert give(shop, charged, 4) == [(0, -2), (DAY, -2)]
    assert [standing.left for standing in shop.paid(0, THREE).standings] == [0, 2, 4]


@pytest.mark.parametrize("costs", [99, {THROUGHPUT: 13}])
def test_a_refund_is_at_most_what_was_paid(costs: int | Costs) -> None:
    shop = Shop()
    charged = shop.paid(13, THREE)
    assert give(shop, charged, costs) == [(0, -2), (DAY, -6), (HOUR, -5)]
    assert give(shop, shop.paid(0, THREE), 5) == []


@pytest.mark.parametrize("costs", [0, -3, {"tokens": 3}])
def test_a_refund_of_nothing_changes_nothing(costs: int | Costs) -> None:
    shop = Shop()
    assert give(shop, shop.paid(4, USERS), costs) == []


def test_limits_that_hold_together_get_back_together_unless_their_window_closed() -> None:
    both = default_of(plan(per(5, SECOND), per(9, DAY)))
    shop = Shop()
    assert give(shop, shop.paid(3, both), 2) == [(SECOND, -2), (DAY, -2)]
    assert give(shop, shop.paid(3, both, now_us=NOW + SECOND), 2, NOW + 2 * SECOND) == [(DAY, -2)]


def test_each_meter_gets_back_its_own() -> None:
    sold = default_of(plan(per(5), per(100, meter="tokens")))
    shop = Shop()
    charged = shop.paid({THROUGHPUT: 2, "tokens": 60}, sold)
    give(shop, charged, {"tokens": 10})
    assert shop.left(sold) == [3, 50]


def test_a_closed_window_takes_nothing_back() -> None:
    shop = Shop()
    charged = shop.paid(4, USERS)
    assert give(shop, charged, 4, NOW + HOUR) == []
    shop.paid(4, USERS, now_us=NOW + HOUR)
    assert give(shop, charged, 4, NOW + HOUR) == []


def test_a_bucket_that_is_gone_takes_nothing_back() -> None:
    shop = Shop()
    charged = shop.paid(4, USERS)
    shop.store.clear()
    assert give(shop, charged, 4) == []


def test_a_late_debit_gives_back_no_more_than_it_took() -> None:
    shop = Shop()
    charged = drain(bill(13, USERS), shop.buckets_of, NOW)
    shop.keep(charged.postings)
    assert give(shop, charged, 13) == [(HOUR, -10)]


def test_settling_for_less_gives_back_the_difference() -> None:
    shop = Shop()
    final = settled(shop, shop.paid(7, USERS), 3)
    assert ([posting.amount for posting in final.postings], final.overrun) == ([-4], {})
    assert shop.left(USERS) == [7]


def test_settling_for_more_takes_down_to_zero_and_the_rest_is_overrun() -> None:
    shop = Shop()
    charged = shop.paid(7, USERS)
    final = settled(shop, charged, 12)
    assert ([posting.amount for posting in final.postings], final.overrun) == ([3], {THROUGHPUT: 2})
    assert shop.left(USERS) == [0]


def test_settling_can_give_back_of_one_meter_and_take_of_another() -> None:
    sold = default_of(plan(per(5), per(100, meter="tokens")))
    shop = Shop()
    final = settled(shop, shop.paid({THROUGHPUT: 2, "tokens": 60}, sold), {"tokens": 70})
    assert [(posting.limit.meter, posting.amount) for posting in final.postings] == [(THROUGHPUT, -2), ("tokens", 10)]
    assert shop.left(sold) == [5, 30]


def test_settling_as_charged_changes_nothing() -> None:
    shop = Shop()
    assert settled(shop, shop.paid(7, USERS), 7) == Settlement((), {})


def test_settling_for_more_after_a_refill_takes_from_the_new_window() -> None:
    shop = Shop()
    charged = shop.paid(7, USERS)
    (posting,) = settled(shop, charged, 9, NOW + HOUR).postings
    assert posting == Posting(USERS.scope, posting.limit, posting.generation, 2, posting.after)
    assert posting.after == Bucket(charged.postings[0].generation + HOUR, 2, NOW + HOUR, ("default:user",))
