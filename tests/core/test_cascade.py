import pytest

from gateway.core.allowance import THROUGHPUT, Allowance, Plan
from gateway.core.bucket import Refill
from gateway.core.cascade import NOBODY, Charge, charge, drain, standings_of
from gateway.core.scope import Scope
from tests.core.budgets import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    USER,
    WORKSPACE,
    Shop,
    allowance_of,
    bill,
    default_of,
    per,
    plan,
    subscription,
)

USERS = default_of(plan(per(10)))
WORKSPACES = default_of(plan(per(3)), WORKSPACE)
UNLIMITED = default_of(plan(unlimited=True), WORKSPACE)
HOUR_ENDS = NOW - NOW % HOUR + HOUR


def lefts(charged: Charge) -> list[int]:
    return [standing.left for standing in charged.standings]


def test_the_first_scope_that_can_pay_everything_pays_everything() -> None:
    shop = Shop()
    payers = [shop.paid(2, WORKSPACES, USERS).scope.kind for _ in range(3)]
    assert payers == ["workspace", "user", "user"]
    assert (shop.left(WORKSPACES), shop.left(USERS)) == ([1], [6])


def test_a_refused_request_costs_nothing_in_any_scope() -> None:
    shop = Shop()
    shop.paid(2, WORKSPACES)
    before = {scope: dict(buckets) for scope, buckets in shop.store.items()}
    refusal = shop.refused(11, WORKSPACES, USERS)
    assert shop.store == before
    assert [shortfall.allowance.scope for shortfall in refusal.shortfalls] == [WORKSPACE, USER]


def test_a_charge_says_what_was_taken_from_which_generation_and_what_is_left() -> None:
    paid = Shop().paid(4, USERS)
    (posting,) = paid.postings
    (standing,) = paid.standings
    assert (posting.scope, posting.generation, posting.amount) == (USER, HOUR_ENDS - HOUR, 4)
    assert (posting.after.spent, posting.after.grants) == (4, ("default:user",))
    assert (standing.left, standing.reset_us, standing.purse) == (6, HOUR_ENDS, 0)
    assert (paid.shown, paid.overrun, paid.dropped) == (standing, {}, ())


@pytest.mark.parametrize("cost", [0, {}, {THROUGHPUT: 0, "tokens": 0}])
def test_what_costs_nothing_is_paid_by_an_empty_budget_too(cost: int) -> None:
    shop = Shop()
    shop.paid(10, USERS)
    free = shop.paid(cost, USERS)
    assert (free.scope, free.postings, lefts(free)) == (USER, (), [0])
    assert free.shown == free.standings[0]


def test_what_costs_nothing_is_paid_even_where_nobody_has_a_budget() -> None:
    free = Shop().paid(0)
    assert (free.allowance, free.shown) == (NOBODY, None)


def test_what_costs_nothing_is_shown_for_the_first_scope_that_has_anything() -> None:
    coming = allowance_of(subscription("s", plan(per(5)), scope=WORKSPACE, starts_us=NOW + 5))
    assert Shop().paid(0, coming, USERS).scope == USER
    assert Shop().paid(0, coming).scope == WORKSPACE


def test_an_unlimited_scope_pays_without_counting() -> None:
    paid = Shop().paid(10**9, UNLIMITED, USERS)
    assert (paid.scope, paid.postings, paid.standings, paid.shown) == (WORKSPACE, (), (), None)


def test_a_meter_can_be_unlimited_beside_one_that_is_not() -> None:
    sold = default_of(plan(per(0), per(5, meter="tokens")))
    shop = Shop()
    paid = shop.paid({THROUGHPUT: 99, "tokens": 3}, sold)
    assert [(posting.limit.meter, posting.amount) for posting in paid.postings] == [("tokens", 3)]
    assert shop.paid({THROUGHPUT: 99}, sold).shown is None


def test_a_cost_below_zero_gives_nobody_anything() -> None:
    shop = Shop()
    paid = shop.paid(-5, USERS)
    assert (paid.postings, shop.left(USERS)) == ((), [10])


def test_nobody_to_ask_is_a_refusal_that_waiting_does_not_help() -> None:
    refusal = Shop().refused(1)
    assert (refusal.shortfalls, refusal.first, refusal.ready_us) == ((), None, None)


def test_a_meter_that_no_purse_knows_is_not_payable_there() -> None:
    refusal = Shop().refused({THROUGHPUT: 1, "tokens": 1}, USERS)
    assert refusal.ready_us is None
    assert refusal.shortfalls[0].tightest is None
    assert Shop().paid({THROUGHPUT: 1, "tokens": 0}, USERS).scope == USER


def test_limits_inside_a_purse_hold_all_at_once() -> None:
    both = default_of(plan(per(3, SECOND), per(5, DAY)))
    shop = Shop()
    shop.paid(3, both)
    refusal = shop.refused(1, both)
    assert refusal.ready_us == NOW + SECOND
    assert refusal.first is not None
    assert refusal.first.tightest is not None
    assert refusal.first.tightest.limit.amount == 3
    paid = shop.paid(2, both, now_us=NOW + SECOND)
    assert [posting.amount for posting in paid.postings] == [2, 2]
    assert (lefts(paid), paid.shown and paid.shown.left) == ([1, 0], 0)
    assert shop.refused(1, both, now_us=NOW + SECOND).ready_us == NOW - NOW % DAY + DAY


def test_a_cost_may_be_split_over_purses_in_burn_order() -> None:
    both = allowance_of(
        subscription("pack", plan(per(4, 0), slug="pack", pack=True)),
        subscription("day", plan(per(6, DAY), slug="day")),
        subscription("hour", plan(per(5), slug="hour")),
    )
    paid = Shop().paid(13, both)
    assert [(posting.limit.window_us, posting.amount) for posting in paid.postings] == [(HOUR, 5), (DAY, 6), (0, 2)]
    assert paid.shown is not None
    assert (paid.shown.limit.key.purse, paid.shown.left, paid.shown.reset_us) == ("pack", 2, None)


def order(*named: tuple[str, Plan, int | None], now_us: int = NOW) -> list[str]:
    """Which plans give one unit each when everything is asked for."""
    sold = allowance_of(*(subscription(slug, what, ends_us=ends) for slug, what, ends in named), now_us=now_us)
    total = sum(limit.burst for purse in sold.purses for limit in purse.limits[:1])
    paid = Shop().paid(total, sold, now_us=now_us)
    of_grant = {purse.limits[0].key: purse.grants[0] for purse in sold.purses}
    return [of_grant[posting.limit] for posting in paid.postings if posting.limit in of_grant]


HOURLY, MINUTELY, FLOW = plan(per(5)), plan(per(5, MINUTE)), plan(per(5, DAY, Refill.CONTINUOUS))
DAILY = plan(per(5, DAY))
PACK = plan(per(5, 0), pack=True)
PACED = plan(per(5, SECOND), per(50, DAY))


@pytest.mark.parametrize(
    ("named", "burnt"),
    [
        ([("h", HOURLY, None), ("m", MINUTELY, None)], "mh"),
        ([("h", HOURLY, None), ("f", FLOW, None)], "fh"),
        ([("h", HOURLY, None), ("d", DAILY, NOW + 5)], "dh"),
        ([("p", PACK, NOW + 5), ("d", DAILY, None)], "dp"),
        ([("p", PACK, None), ("q", PACK, NOW + DAY)], "qp"),
        ([("q", PACK, None), ("p", PACK, None)], "pq"),
        # A pace is not a stock: what is lost first is the hour's, not this second's share of the day's.
        ([("s", PACED, None), ("h", HOURLY, None)], "hs"),
    ],
)
def test_what_is_lost_soonest_burns_first_and_packs_last(named: list[tuple[str, Plan, int | None]], burnt: str) -> None:
    assert "".join(order(*named)) == burnt


def test_burn_order_follows_the_clock() -> None:
    day = plan(per(5, DAY))
    shifted = plan(per(5, 23 * HOUR))
    at = [NOW - NOW % DAY + hour * HOUR for hour in range(24 * 23)]
    assert {"".join(order(("a", day, None), ("b", shifted, None), now_us=now)) for now in at} == {"ab", "ba"}


def test_every_meter_must_be_payable_in_full() -> None:
    sold = default_of(plan(per(5), per(100, meter="tokens")))
    shop = Shop()
    paid = shop.paid({THROUGHPUT: 1, "tokens": 60}, sold)
    assert [(posting.limit.meter, posting.amount) for posting in paid.postings] == [(THROUGHPUT, 1), ("tokens", 60)]
    refusal = shop.refused({THROUGHPUT: 1, "tokens": 60}, sold)
    assert refusal.first is not None
    assert refusal.first.tightest is not None
    assert refusal.first.tightest.limit.key.meter == "tokens"
    assert shop.left(sold) == [4, 40]


def test_the_headers_of_a_refusal_describe_the_scope_that_can_pay_first() -> None:
    minute, hour = default_of(plan(per(1, MINUTE)), WORKSPACE), default_of(plan(per(1)))
    shop = Shop()
    shop.paid(1, minute)
    shop.paid(1, hour)
    for allowances in ((minute, hour), (hour, minute)):
        refusal = shop.refused(1, *allowances)
        assert refusal.first is not None
        assert (refusal.first.allowance, refusal.ready_us) == (minute, NOW - NOW % MINUTE + MINUTE)
    hopeless = shop.refused(2, minute, hour)
    assert hopeless.ready_us is None
    assert hopeless.first == hopeless.shortfalls[-1]


def test_the_tightest_limit_shown_is_of_equal_ones_the_one_that_resets_last() -> None:
    sold = default_of(plan(per(5, SECOND), per(5, DAY), per(5, MINUTE)))
    shown = Shop().paid(1, sold).shown
    assert shown is not None
    assert shown.limit.key.window_us == DAY


@pytest.mark.parametrize(
    ("ends_us", "ready_us"),
    [(None, HOUR_ENDS), (HOUR_ENDS + 1, HOUR_ENDS), (HOUR_ENDS, None), (NOW + 1, None)],
)
def test_a_purse_that_ends_before_it_refills_cannot_help(ends_us: int | None, ready_us: int | None) -> None:
    sold = allowance_of(subscription("s", plan(per(5)), ends_us=ends_us))
    shop = Shop()
    shop.paid(5, sold)
    assert shop.refused(1, sold).ready_us == ready_us


def test_a_subscription_that_starts_later_is_a_reason_to_wait() -> None:
    pack = plan(per(5, 0), pack=True)
    first, second = subscription("s", pack, ends_us=NOW + DAY), subscription("t", pack, starts_us=NOW + 7)
    shop = Shop()
    sold = allowance_of(first, second)
    shop.paid(5, sold)
    assert shop.refused(5, sold).ready_us == NOW + 7
    assert shop.refused(6, sold).ready_us is None


def test_late_debits_go_to_the_first_who_can_pay_else_down_to_zero_and_the_rest_is_overrun() -> None:
    shop = Shop()
    first = drain(bill(5, WORKSPACES, USERS), shop.buckets_of, NOW)
    shop.keep(first.postings)
    assert (first.scope, first.overrun) == (USER, {})
    second = drain(bill(7, WORKSPACES, USERS), shop.buckets_of, NOW)
    assert (second.scope, second.postings[0].amount, second.overrun) == (WORKSPACE, 3, {THROUGHPUT: 4})
    assert second.shown is not None
    assert second.shown.left == 0


def test_a_late_debit_that_nobody_has_anything_for_is_overrun_as_a_whole() -> None:
    shop = Shop()
    shop.paid(10, USERS)
    dry = drain(bill(2, USERS), shop.buckets_of, NOW)
    assert (dry.postings, dry.overrun) == ((), {THROUGHPUT: 2})
    assert dry.shown is not None
    nobody = drain(bill(2), shop.buckets_of, NOW)
    assert (nobody.scope, nobody.overrun, nobody.shown) == (Scope("nobody", ""), {THROUGHPUT: 2}, None)


def test_standings_say_how_each_limit_stands() -> None:
    shop = Shop()
    shop.paid(4, USERS)
    (standing,) = standings_of(USERS, shop.buckets_of, NOW)
    assert (standing.left, standing.reset_us) == (6, HOUR_ENDS)


@pytest.mark.parametrize("amounts", [(10,), (10, 2**40)])
def test_one_limit_or_several_make_the_same_charge(amounts: tuple[int, ...]) -> None:
    sold: Allowance = default_of(plan(*(per(amount, HOUR * (index + 1)) for index, amount in enumerate(amounts))))
    outcome = charge(bill(4, sold), lambda _: {}, NOW)
    assert isinstance(outcome, Charge)
    assert (outcome.id, outcome.costs, outcome.at_us, outcome.allowance) == ("bill", {THROUGHPUT: 4}, NOW, sold)
    assert (outcome.standings[0].left, outcome.postings[0].after.spent) == (6, 4)
    assert outcome.shown == outcome.standings[0]
