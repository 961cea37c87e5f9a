"""What holds for every scope, whatever was bought and whatever happens in whatever order."""

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.account import Account
from gateway.core.allowance import THROUGHPUT, Allowance, Plan, PlanLimit, Subscription, resolve
from gateway.core.bucket import LimitKey, Refill, units_spent
from gateway.core.cascade import Charge, Refusal, charge, drain
from gateway.core.refund import refund
from gateway.core.scope import Scope
from tests.core.budgets import USER, WORKSPACE, Shop, bill, default_of, plans, subscriptions

METERS = (THROUGHPUT, "tokens")
costs_of = st.dictionaries(st.sampled_from(METERS), st.integers(0, 30), min_size=1)
waits = st.integers(0, 40)
orders = st.lists(st.tuples(waits, costs_of), max_size=12)


class Market:
    """Two scopes, a user who subscribes and a workspace that has a default plan, and the passing of time."""

    def __init__(self, bought: tuple[Subscription, ...], default: Plan | None, workspace: Plan | None) -> None:
        self.bought = bought
        self.default = default
        self.workspace = workspace
        self.shop = Shop()

    def allowances(self, now_us: int) -> tuple[Allowance, ...]:
        resolved = (
            resolve(WORKSPACE, (), self.workspace, now_us),
            resolve(USER, self.bought, self.default, now_us),
        )
        return tuple(each for each in resolved if each is not None)

    def ask(self, costs: Mapping[str, int], now_us: int) -> Charge | Refusal:
        """What would happen; nothing is kept."""
        return charge(bill(costs, *self.allowances(now_us)), self.shop.buckets_of, now_us)


markets = st.builds(Market, subscriptions(METERS), st.none() | plans(METERS), st.none() | plans(METERS))


@settings(max_examples=150)
@given(markets, orders, costs_of, waits)
def test_the_hint_is_the_earliest_moment_that_works(
    market: Market, story: list[tuple[int, dict[str, int]]], costs: dict[str, int], wait: int
) -> None:
    now = 0
    for pause, earlier in story:
        now += pause
        market.shop.pay(earlier, *market.allowances(now), now_us=now)
    now += wait
    outcome = market.ask(costs, now)
    if isinstance(outcome, Charge):
        return
    ready = outcome.ready_us
    if ready is not None:
        assert ready > now
        assert isinstance(market.ask(costs, ready), Charge)
        assert isinstance(market.ask(costs, ready - 1), Refusal)
    for later in range(now, min(now + 450, ready or now + 450), 31):
        assert isinstance(market.ask(costs, later), Refusal)


@given(markets, orders)
def test_who_pays_pays_everything_and_no_bucket_gives_more_than_it_has(
    market: Market, story: list[tuple[int, dict[str, int]]]
) -> None:
    now = 0
    for pause, costs in story:
        now += pause
        before = {scope: dict(buckets) for scope, buckets in market.shop.store.items()}
        allowances = market.allowances(now)
        outcome = market.shop.pay(costs, *allowances, now_us=now)
        if isinstance(outcome, Refusal):
            assert market.shop.store == before
            continue
        for meter, cost in costs.items():
            if outcome.postings:
                assert taken(outcome, meter) == cost
        for posting in outcome.postings:
            found = [each for each in outcome.standings if each.limit.key == posting.limit]
            assert units_spent(posting.after, posting.limit) <= found[0].limit.burst


def taken(outcome: Charge, meter: str) -> int:
    """What the purses gave of a meter: limits of one purse carry the same units."""
    by_purse = {
        purse: posting.amount
        for posting in outcome.postings
        for purse, each in enumerate(outcome.allowance.purses)
        if posting.limit.meter == meter and posting.limit in [limit.key for limit in each.limits]
    }
    return sum(by_purse.values())


@given(markets, costs_of, st.integers(0, 300))
def test_n_requests_for_k_places_admit_k(market: Market, costs: dict[str, int], now: int) -> None:
    if not any(costs.values()):
        return
    places = 0
    for allowance in market.allowances(now):
        account = Account(allowance, {}, now)
        fits = [
            sum(account.can_give(limits) for _, limits in account.purses_for(meter)) // cost
            for meter, cost in costs.items()
            if cost
        ]
        places += min(fits)
    admitted = sum(
        isinstance(market.shop.pay(costs, *market.allowances(now), now_us=now), Charge) for _ in range(places + 3)
    )
    assert admitted == places


@given(markets, st.lists(st.tuples(costs_of, st.integers(0, 30), st.booleans()), max_size=12), st.integers(0, 300))
def test_taken_less_given_back_is_what_is_missing(
    market: Market, story: list[tuple[dict[str, int], int, bool]], now: int
) -> None:
    missing: dict[tuple[Scope, LimitKey], int] = {}
    for costs, back, late in story:
        if late:
            outcome: Charge | Refusal = drain(bill(costs, *market.allowances(now)), market.shop.buckets_of, now)
        else:
            outcome = market.ask(costs, now)
        if isinstance(outcome, Refusal):
            continue
        market.shop.keep(outcome.postings)
        returned = refund(
            outcome, {meter: min(back, cost) for meter, cost in costs.items()}, market.shop.buckets_of, now
        )
        market.shop.keep(returned)
        for posting in outcome.postings + returned:
            place = (posting.scope, posting.limit)
            missing[place] = missing.get(place, 0) + posting.amount
    for (scope, key), units in missing.items():
        assert units_spent(market.shop.store[scope][key], key) == units


@given(markets, orders, st.data())
def test_a_request_refunded_at_once_leaves_no_trace(
    market: Market, story: list[tuple[int, dict[str, int]]], data: st.DataObject
) -> None:
    now = 0
    for pause, costs in story:
        now += pause
        allowances = market.allowances(now)
        before = [market.shop.left(each, now) for each in allowances]
        outcome = market.shop.pay(costs, *allowances, now_us=now)
        if isinstance(outcome, Charge) and data.draw(st.booleans()):
            market.shop.keep(refund(outcome, costs, market.shop.buckets_of, now))
            assert [market.shop.left(each, now) for each in allowances] == before


@given(
    plans(packs=False), plans(packs=False), st.lists(st.tuples(waits, st.integers(1, 12), st.booleans()), max_size=20)
)
def test_a_purse_more_never_makes_anything_less_payable(
    first: Plan, second: Plan, story: list[tuple[int, int, bool]]
) -> None:
    """And a charge by one limit alone is the charge that the machinery for many makes."""
    alone, beside = default_of(first), default_of(second)
    both = Allowance(USER, alone.purses + tuple(p for p in beside.purses if not shares(p.limits, alone)))
    shop, now = Shop(), 0
    for wait, cost, keep in story:
        now += wait
        by_one, by_both = (charge(bill(cost, each), shop.buckets_of, now) for each in (alone, both))
        assert isinstance(by_both, Charge) or isinstance(by_one, Refusal)
        if keep and isinstance(by_one, Charge):
            shop.keep(by_one.postings)


def shares(limits: tuple[object, ...], other: Allowance) -> bool:
    keys = {limit.key for purse in other.purses for limit in purse.limits}
    return any(getattr(limit, "key", None) in keys for limit in limits)


@given(plans(packs=False), st.lists(st.tuples(waits, st.integers(-3, 15)), max_size=25))
def test_a_charge_at_once_is_the_charge_that_the_machinery_makes(sold: Plan, story: list[tuple[int, int]]) -> None:
    allowance = default_of(sold)
    beside = Allowance(USER, allowance.purses, frozenset({"another meter"}))  # Sends it the long way.
    shop, now = Shop(), 0
    for wait, cost in story:
        now += wait
        short, long = (charge(bill(cost, each), shop.buckets_of, now) for each in (allowance, beside))
        if isinstance(short, Charge):
            assert isinstance(long, Charge)
            assert short[2:] == long[2:]
            shop.keep(short.postings)
        else:
            assert isinstance(long, Refusal)
            assert short.ready_us == long.ready_us


@given(plans(packs=False), st.lists(st.tuples(st.integers(-80, 60), st.integers(1, 12)), max_size=25))
def test_a_clock_that_steps_back_gives_nobody_anything(sold: Plan, story: list[tuple[int, int]]) -> None:
    allowance, shop, now = default_of(sold), Shop(), 500
    for step, cost in story:
        before = shop.left(allowance, now)
        now += step
        if step <= 0:
            assert all(new <= old for new, old in zip(shop.left(allowance, now), before, strict=True))
        shop.pay(cost, allowance, now_us=now)


@given(st.lists(st.tuples(waits, st.integers(1, 12), st.integers(1, 12)), max_size=25), st.sampled_from(list(Refill)))
def test_what_is_left_depends_on_the_last_limit_and_not_on_those_before(
    story: list[tuple[int, int, int]], by: Refill
) -> None:
    window = 10**6  # Everything happens in one window, in which a token bucket refills less than a unit.
    shop, now, spent = Shop(), 0, 0
    for wait, amount, cost in story:
        now += wait
        sold = default_of(Plan("p", "P", (PlanLimit(THROUGHPUT, amount, window, by),)))
        fits = cost <= amount - spent
        assert isinstance(shop.pay(cost, sold, now_us=now), Charge) == fits
        spent += cost if fits else 0
        assert shop.left(sold, now) == [max(0, amount - spent)]
