from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.allowance import (
    EVERY_METER,
    FALLBACK,
    THROUGHPUT,
    Allowance,
    Plan,
    PlanLimit,
    Subscription,
    fallback_allowance,
    resolve,
)
from gateway.core.bucket import Anchor, Calendar, Epoch, Limit, Refill, Since
from gateway.core.scope import Scope
from tests.core.budgets import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    USER,
    allowance_of,
    default_of,
    per,
    plan,
    subscription,
    subscriptions,
)

FREE = plan(per(100))
PRO = plan(per(5000), slug="pro")
DAILY = plan(per(100, DAY), slug="daily")


def test_a_subscription_takes_the_place_of_the_default_plan_while_it_lasts() -> None:
    bought = subscription("s", PRO, starts_us=NOW, ends_us=NOW + DAY)
    seen = [resolve(USER, (bought,), FREE, at) for at in (NOW - 1, NOW, NOW + DAY - 1, NOW + DAY)]
    assert [(each.purses[0].plan, each.until_us) for each in seen if each] == [
        ("free", NOW),
        ("pro", NOW + DAY),
        ("pro", NOW + DAY),
        ("free", None),
    ]


def test_what_holds_after_the_next_change_is_known() -> None:
    first = subscription("s", PRO, starts_us=NOW, ends_us=NOW + DAY)
    second = subscription("t", DAILY, starts_us=NOW + HOUR)
    found: Allowance | None = allowance_of(first, second)
    plans = []
    while found is not None:
        plans.append([purse.plan for purse in found.purses])
        later = found.after()
        assert later is None or later == resolve(USER, (first, second), None, found.until_us or 0)
        found = later
    assert plans == [["pro"], ["pro", "daily"], ["daily"]]


def test_a_scope_that_has_nothing_now_or_later_has_no_allowance() -> None:
    over = subscription("s", PRO, ends_us=NOW)
    assert resolve(USER, (), None, NOW) is None
    assert resolve(USER, (over,), None, NOW) is None


def test_a_subscription_that_will_start_is_an_allowance_without_purses_until_then() -> None:
    found = allowance_of(subscription("s", PRO, starts_us=NOW + 5))
    assert (found.purses, found.until_us, found.unlimited) == ((), NOW + 5, frozenset())
    later = found.after()
    assert later is not None
    assert later.purses[0].plan == "pro"


def test_subscriptions_alike_in_all_limits_are_one_purse_with_summed_amounts() -> None:
    flow = plan(per(10, MINUTE, Refill.CONTINUOUS, burst=30), slug="flow")
    wide = plan(per(5, MINUTE, Refill.CONTINUOUS), slug="wide")
    (purse,) = allowance_of(subscription("b", flow, ends_us=NOW + 9), subscription("a", wide, ends_us=NOW + 7)).purses
    assert (purse.limits[0].amount, purse.limits[0].burst) == (15, 35)
    assert (purse.grants, purse.plan, purse.ends_us) == (("a", "b"), "wide+flow", NOW + 7)
    assert purse.limits[0].key.purse == ""


@pytest.mark.parametrize(
    "other",
    [
        plan(per(100, MINUTE)),
        plan(per(100, HOUR, Refill.CONTINUOUS)),
        plan(per(100, HOUR, meter="tokens")),
        plan(PlanLimit(THROUGHPUT, 100, HOUR, anchor="subscription")),
        plan(per(100), per(10, SECOND)),
        plan(per(100), pack=True),
    ],
)
def test_subscriptions_that_differ_in_any_limit_are_purses_that_share_no_bucket(other: Plan) -> None:
    purses = allowance_of(subscription("a", FREE), subscription("b", other)).purses
    keys = [limit.key for purse in purses for limit in purse.limits]
    assert len(purses) == 2
    assert len(set(keys)) == len(keys)


@given(subscriptions((THROUGHPUT, "tokens")))
def test_no_two_purses_ever_share_a_bucket_and_order_of_buying_does_not_matter(
    bought: tuple[Subscription, ...],
) -> None:
    for now in (0, 100, 200):
        found, turned = resolve(USER, bought, None, now), resolve(USER, bought[::-1], None, now)
        assert found == turned
        keys = [limit.key for purse in (found.purses if found else ()) for limit in purse.limits]
        assert len(set(keys)) == len(keys)


def test_limits_written_twice_hold_both() -> None:
    (purse,) = default_of(plan(per(100), per(70))).purses
    assert [limit.amount for limit in purse.limits] == [70]


@pytest.mark.parametrize(
    ("written", "anchor"),
    [
        (per(1, DAY - 1), Epoch()),
        (per(1, DAY), Since(NOW)),
        (PlanLimit(THROUGHPUT, 1, DAY, anchor="epoch"), Epoch()),
        (PlanLimit(THROUGHPUT, 1, HOUR, anchor="subscription"), Since(NOW)),
        (PlanLimit(THROUGHPUT, 1, HOUR, anchor=Since(4)), Since(4)),
        (PlanLimit(THROUGHPUT, 1, DAY, Refill.CONTINUOUS, "subscription"), Epoch()),
        (PlanLimit(THROUGHPUT, 1, DAY, Refill.NEVER, "subscription"), Epoch()),
    ],
)
def test_windows_under_a_day_count_from_the_epoch_and_longer_ones_from_the_start(
    written: PlanLimit, anchor: Anchor
) -> None:
    (purse,) = allowance_of(subscription("s", plan(written), starts_us=NOW)).purses
    assert purse.limits[0].key.anchor == anchor


@pytest.mark.parametrize(("unit", "nominal"), [("day", DAY), ("month", 31 * DAY)])
def test_a_calendar_says_how_long_its_window_is(unit: str, nominal: int) -> None:
    calendar = Calendar(unit, ZoneInfo("Europe/Berlin"))  # type: ignore[arg-type]
    (purse,) = default_of(plan(PlanLimit(THROUGHPUT, 1, 0, anchor=calendar), per(1, SECOND))).purses
    key = purse.limits[0].key
    assert (key.window_us, key.anchor) == (nominal, calendar)
    assert f"{unit}:Europe/Berlin" in key.purse


def test_a_default_plan_has_no_start_to_count_from() -> None:
    (purse,) = default_of(DAILY).purses
    assert purse.limits[0].key.anchor == Epoch()
    assert purse.grants == ("default:user",)
    assert default_of(DAILY, Scope("user", "u2")).purses is default_of(DAILY).purses


def test_an_amount_of_zero_or_less_is_unlimited_for_that_meter_and_scope() -> None:
    found = allowance_of(subscription("a", plan(per(0))), subscription("b", plan(per(9), per(5, meter="tokens"))))
    assert found.is_unlimited(THROUGHPUT)
    assert not found.is_unlimited("tokens")
    assert [limit.key.meter for purse in found.purses for limit in purse.limits] == ["tokens"]


def test_an_unlimited_plan_counts_nothing() -> None:
    found = allowance_of(subscription("a", plan(unlimited=True)), subscription("b", PRO))
    assert found.unlimited == {EVERY_METER, THROUGHPUT}
    assert found.is_unlimited("tokens")
    assert found.purses == ()


def test_a_bucket_keeps_its_key_when_another_subscription_makes_a_meter_unlimited() -> None:
    both = plan(per(9), per(5, meter="tokens"))
    alone = allowance_of(subscription("b", both))
    beside = allowance_of(subscription("a", plan(per(0))), subscription("b", both))
    assert beside.purses[0].limits[0] in alone.purses[0].limits


def test_what_many_subscriptions_give_together_is_no_more_than_a_reader_holds() -> None:
    flow = plan(per(10**15 - 1, HOUR, Refill.CONTINUOUS, burst=10**15))
    (limit,) = allowance_of(*(subscription(f"s{number}", flow) for number in range(12))).purses[0].limits
    assert (limit.amount, limit.burst) == (10**15, 10**15)


@pytest.mark.parametrize(("override", "amounts"), [(None, [100, 7]), (30, [30, 7]), (0, [7]), (-1, [7])])
def test_an_override_replaces_the_throughput_of_one_subscription(override: int | None, amounts: list[int]) -> None:
    sold = Subscription("s", plan(per(100), per(7, meter="tokens")), USER, throughput_override=override)
    found = allowance_of(sold)
    assert [limit.amount for purse in found.purses for limit in purse.limits] == amounts
    assert found.is_unlimited(THROUGHPUT) == (override is not None and override <= 0)


def test_an_override_is_the_burst_too_unless_the_plan_says_another() -> None:
    sold = Subscription("s", plan(per(100, HOUR, Refill.CONTINUOUS)), USER, throughput_override=30)
    assert allowance_of(sold).purses[0].limits[0].burst == 30


def test_an_override_is_of_the_first_limit_and_leaves_the_others() -> None:
    several = plan(per(7, meter="tokens"), per(10, MINUTE), per(1_000_000, 30 * DAY))
    found = allowance_of(Subscription("s", several, USER, throughput_override=2_000_000))
    assert [(limit.key.window_us, limit.amount) for limit in found.purses[0].limits] == [
        (several.limits[0].window_us, 7),
        (MINUTE, 2_000_000),
        (30 * DAY, 1_000_000),
    ]


@given(
    amount=st.integers(1, 10**15),
    burst=st.integers(0, 10**15),
    override=st.integers(1, 10**15),
    more=st.integers(0, 10**6),
)
def test_a_burst_goes_with_the_override(amount: int, burst: int, override: int, more: int) -> None:
    sold = plan(per(amount, HOUR, Refill.CONTINUOUS, burst=burst))

    def has(override: int | None) -> Limit:
        return allowance_of(Subscription("s", sold, USER, throughput_override=override)).purses[0].limits[0]

    assert has(amount) == has(None), "the plan's own amount is no change"
    assert has(override).amount == override
    assert has(override).burst >= 1
    assert has(override).burst <= has(override + more).burst
    assert (burst >= amount) <= (has(override).burst >= override), "what held a whole window holds one"
    if 0 < burst <= amount:
        assert has(override).burst <= override


def test_an_override_of_an_unlimited_first_limit_is_its_amount() -> None:
    sold = plan(per(0, HOUR, Refill.CONTINUOUS, burst=5))
    (limit,) = allowance_of(Subscription("s", sold, USER, throughput_override=30)).purses[0].limits
    assert (limit.amount, limit.burst) == (30, 5)


@pytest.mark.parametrize(
    ("limits", "unlimited", "takes"),
    [
        ((per(5),), False, True),
        ((per(0),), False, True),
        ((per(5), per(0, DAY)), False, False),
        ((per(0), per(5, DAY), per(0, meter="tokens")), False, True),
        ((per(5, meter="tokens"),), False, False),
        ((), True, False),
        ((), False, False),
    ],
)
def test_an_override_needs_a_limit_that_it_can_replace(
    limits: tuple[PlanLimit, ...],
    unlimited: bool,  # noqa: FBT001
    takes: bool,  # noqa: FBT001
) -> None:
    sold = plan(*limits, unlimited=unlimited)
    assert sold.takes_override == takes
    plain, other = (
        resolve(USER, (Subscription("s", sold, USER, throughput_override=o),), None, NOW) for o in (None, 3)
    )
    assert (plain != other) == takes


def test_each_pack_is_a_stock_of_its_own_and_burns_last() -> None:
    pack = plan(per(10, 0), slug="pack", pack=True)
    purses = allowance_of(subscription("p2", pack), subscription("p1", pack), subscription("s", DAILY)).purses
    assert [(purse.plan, purse.grants, purse.rank) for purse in purses] == [
        ("daily", ("s",), 0),
        ("pack", ("p1",), 1),
        ("pack", ("p2",), 1),
    ]
    assert [purse.limits[0].key[1:] for purse in purses[1:]] == [(0, "never", (), "p1"), (0, "never", (), "p2")]


def test_a_pack_can_have_a_pace() -> None:
    paced = plan(per(1000, 0, Refill.NEVER), per(10, SECOND), slug="paced")
    (purse,) = allowance_of(subscription("p", paced)).purses
    assert {limit.key.purse for limit in purse.limits} == {"p"}
    assert [limit.key.refill for limit in purse.limits] == [Refill.NEVER, Refill.INTERVAL]


def test_a_plan_may_say_when_it_burns() -> None:
    pack = Plan("pack", "Pack", (per(10, 0),), pack=True, burn_rank=-1)
    purses = allowance_of(subscription("s", FREE), subscription("p", pack)).purses
    assert [purse.plan for purse in purses] == ["pack", "free"]


def test_a_plan_without_limits_gives_nothing() -> None:
    found = allowance_of(subscription("s", plan()))
    assert (found.purses, found.unlimited) == ((), frozenset())


def test_the_fallback_budget_is_a_scope_of_its_own() -> None:
    found = fallback_allowance(USER, FREE, NOW)
    assert (found.scope, found.fallback) == (Scope(FALLBACK, USER.id), True)
    assert found.purses[0].grants == ("default:fallback",)
    assert found.names == {"free": "Free"}
