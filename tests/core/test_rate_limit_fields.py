"""The headers that tell a caller where its budget stands (product.md 4; draft-ietf-httpapi-ratelimit-headers-11)."""

import pytest

from gateway.core.allowance import THROUGHPUT, Allowance, fallback_allowance
from gateway.core.bucket import Refill
from gateway.core.cascade import Charge, Refusal, drain
from gateway.core.plan import Plan
from gateway.core.rate_limit_fields import EXPOSED, FieldFamilies, cost_field, seconds_until
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
from tests.core.structured import Members, parse_list

HOUR_ENDS_S = (NOW - NOW % HOUR + HOUR) // SECOND
LATER = plan(per(5), slug="later")
COMING = allowance_of(subscription("s", LATER, starts_us=NOW + DAY))
"""A scope that has nothing yet."""


def said(outcome: Charge | Refusal, now_us: int = NOW, families: FieldFamilies | None = None) -> dict[str, str]:
    """The fields by name, each there once."""
    families = families or FieldFamilies()
    fields = (
        families.of_charge(outcome, now_us) if isinstance(outcome, Charge) else families.of_refusal(outcome, now_us)
    )
    found = {name.decode(): value.decode() for name, value in fields}
    assert len(found) == len(fields)
    return found


def wacraft(fields: dict[str, str]) -> tuple[int, int, int]:
    """Limit, remaining, reset."""
    return (
        int(fields["X-RateLimit-Limit"]),
        int(fields["X-RateLimit-Remaining"]),
        int(fields["X-RateLimit-Reset"]),
    )


def listed(fields: dict[str, str], name: str) -> Members:
    return parse_list(fields[name].encode())


def test_a_paid_answer_describes_who_paid_and_what_is_left() -> None:
    fields = said(Shop().paid(3, default_of(plan(per(10), slug="pro"), WORKSPACE)))
    assert wacraft(fields) == (10, 7, HOUR_ENDS_S)
    assert (fields["X-RateLimit-Scope"], fields["X-RateLimit-Scope-ID"]) == ("workspace", "w1")
    assert "X-RateLimit-Fallback" not in fields
    assert "Retry-After" not in fields
    assert fields["X-Weighbridge-Cost"] == "3"


def test_the_tightest_limit_of_the_purse_that_paid_is_shown_and_all_are_listed() -> None:
    fields = said(Shop().paid(2, default_of(plan(per(5, SECOND), per(1_000, DAY)))))
    assert wacraft(fields) == (5, 3, NOW // SECOND + 1)
    assert listed(fields, "RateLimit-Policy") == [
        ("user.free", {"q": 5, "w": 1}),
        ("user.free.2", {"q": 1_000, "w": 86_400}),
    ]
    assert listed(fields, "RateLimit") == [
        ("user.free", {"r": 3, "t": 1}),
        ("user.free.2", {"r": 998, "t": (DAY - NOW % DAY) // SECOND}),
    ]


def test_what_comes_back_evenly_resets_when_it_is_full() -> None:
    flow = default_of(plan(per(60, HOUR, Refill.CONTINUOUS)))
    fields = said(Shop().paid(2, flow))
    assert wacraft(fields) == (60, 58, NOW // SECOND + 120)
    assert listed(fields, "RateLimit") == [("user.free", {"r": 58, "t": 120})]
    assert listed(fields, "RateLimit-Policy") == [("user.free", {"q": 60, "w": 3_600})]


def test_instants_are_rounded_up_so_that_nobody_comes_too_early() -> None:
    now_us = NOW - NOW % HOUR + 1
    shop, hourly = Shop(), default_of(plan(per(1)))
    assert listed(said(shop.paid(1, hourly, now_us=now_us), now_us), "RateLimit")[0][1]["t"] == 3_600
    fields = said(shop.refused(1, hourly, now_us=now_us), now_us)
    assert fields["Retry-After"] == "3600"
    flow = default_of(plan(per(7, HOUR, Refill.CONTINUOUS)))
    reset = wacraft(said(Shop().paid(1, flow)))[2]
    assert reset == NOW // SECOND + -(-3_600 // 7)


def test_a_pack_has_neither_window_nor_reset() -> None:
    pack = allowance_of(subscription("s", plan(per(5, 0), slug="pack", pack=True)))
    fields = said(Shop().paid(2, pack))
    assert wacraft(fields) == (5, 3, 0)
    assert listed(fields, "RateLimit-Policy") == [("user.pack", {"q": 5})]
    assert listed(fields, "RateLimit") == [("user.pack", {"r": 3})]


@pytest.mark.parametrize("sold", [plan(unlimited=True), plan(per(0)), plan(per(-1))], ids=["plan", "0", "-1"])
@pytest.mark.parametrize("cost", [0, 7])
def test_unlimited_is_0_and_minus_1_and_0(sold: Plan, cost: int) -> None:
    fields = said(Shop().paid(cost, default_of(sold)))
    assert wacraft(fields) == (0, -1, 0)
    assert fields["X-RateLimit-Scope"] == "user"
    assert "RateLimit" not in fields


def test_who_has_nothing_is_not_told_to_be_unlimited() -> None:
    tokens_free = default_of(plan(per(5, meter="tokens"), per(0)))
    for outcome in (
        Shop().paid(0, COMING),
        Shop().paid(0),
        Shop().refused(1, COMING),
        Shop().refused(1),
        Shop().refused(1, default_of(plan())),
        Shop().refused({"images": 1}, tokens_free),
        drain(bill(1, COMING), Shop().buckets_of, NOW),
    ):
        assert wacraft(said(outcome)) == (0, 0, 0)
    assert wacraft(said(Shop().paid(1, tokens_free))) == (0, -1, 0)


def test_every_answer_says_whose_budget_it_speaks_of() -> None:
    for outcome in (Shop().paid(0), Shop().refused(1)):
        assert (said(outcome)["X-RateLimit-Scope"], said(outcome)["X-RateLimit-Scope-ID"]) == ("nobody", "")
    for outcome in (Shop().paid(0, COMING), Shop().refused(1, COMING)):
        assert (said(outcome)["X-RateLimit-Scope"], said(outcome)["X-RateLimit-Scope-ID"]) == ("user", "u1")


def test_what_costs_nothing_shows_the_budget_untouched() -> None:
    fields = said(Shop().paid(0, default_of(plan(per(10)))))
    assert wacraft(fields) == (10, 10, HOUR_ENDS_S)
    assert fields["X-Weighbridge-Cost"] == "0"


def test_a_refusal_says_when_the_first_scope_can_pay_and_describes_that_scope() -> None:
    minute, hour = default_of(plan(per(2, MINUTE), slug="team"), WORKSPACE), default_of(plan(per(2)))
    shop = Shop()
    shop.paid(1, minute)
    shop.paid(2, hour)
    fields = said(shop.refused(2, minute, hour))
    wait = (MINUTE - NOW % MINUTE) // SECOND
    assert fields["Retry-After"] == str(wait)
    assert (fields["X-RateLimit-Scope"], fields["X-RateLimit-Scope-ID"]) == ("workspace", "w1")
    # What is really left; the refused request took nothing.
    assert wacraft(fields) == (2, 1, NOW // SECOND + wait)
    assert listed(fields, "RateLimit") == [("workspace.team", {"r": 1, "t": wait})]
    assert fields["X-Weighbridge-Cost"] == "2"


def test_there_is_no_retry_after_where_waiting_never_helps() -> None:
    pack = allowance_of(subscription("s", plan(per(5, 0), pack=True)))
    shop = Shop()
    shop.paid(5, pack)
    for refusal in (shop.refused(1, pack), Shop().refused(11, default_of(plan(per(10)))), Shop().refused(1)):
        assert "Retry-After" not in said(refusal)


def test_retry_after_is_not_before_the_end_of_what_is_said_of_an_even_refill() -> None:
    flow = default_of(plan(per(60, HOUR, Refill.CONTINUOUS)))
    shop = Shop()
    shop.paid(60, flow)
    fields = said(shop.refused(2, flow))
    assert fields["Retry-After"] == "120"
    assert listed(fields, "RateLimit") == [("user.free", {"r": 0, "t": 120})]
    assert wacraft(fields)[2] == NOW // SECOND + 3_600


def test_the_limits_that_did_not_refuse_keep_their_own_windows() -> None:
    sold = default_of(plan(per(1, SECOND), per(100, DAY), per(1_000, DAY, Refill.CONTINUOUS)))
    shop = Shop()
    shop.paid(1, sold)
    fields = said(shop.refused(1, sold))
    assert fields["Retry-After"] == "1"
    assert [said["t"] for _, said in listed(fields, "RateLimit")] == [1, (DAY - NOW % DAY) // SECOND, 1]


def test_the_fallback_budget_is_the_users_and_marked() -> None:
    spare = fallback_allowance(USER, plan(per(1), slug="free"), NOW)
    shop = Shop()
    for outcome in (shop.paid(1, spare), shop.refused(1, spare)):
        fields = said(outcome)
        assert fields["X-RateLimit-Fallback"] == "true"
        assert (fields["X-RateLimit-Scope"], fields["X-RateLimit-Scope-ID"]) == ("user", "u1")
        assert listed(fields, "RateLimit-Policy")[0][0] == "user.free"


def test_each_family_can_be_left_out() -> None:
    charge, refusal = Shop().paid(1, default_of(plan(per(5)))), Shop().refused(9, default_of(plan(per(5))))
    for outcome in (charge, refusal):
        assert said(outcome, families=FieldFamilies(wacraft=False, ietf=False, cost=False)) == {}
        assert set(said(outcome, families=FieldFamilies(ietf=False, cost=False))) == {
            "X-RateLimit-Limit",
            "X-RateLimit-Remaining",
            "X-RateLimit-Reset",
            "X-RateLimit-Scope",
            "X-RateLimit-Scope-ID",
        }
        assert set(said(outcome, families=FieldFamilies(wacraft=False, cost=False))) == {
            "RateLimit-Policy",
            "RateLimit",
        }
        assert set(said(outcome, families=FieldFamilies(wacraft=False, ietf=False))) == {"X-Weighbridge-Cost"}


def test_retry_after_belongs_to_no_family() -> None:
    shop, hourly = Shop(), default_of(plan(per(1)))
    shop.paid(1, hourly)
    silent = FieldFamilies(wacraft=False, ietf=False, cost=False)
    assert set(said(shop.refused(1, hourly), families=silent)) == {"Retry-After"}


def test_scripts_may_read_whatever_is_sent() -> None:
    spare = fallback_allowance(USER, plan(per(1)), NOW)
    shop = Shop()
    fields = {*said(shop.paid(1, spare)), *said(shop.refused(1, spare))}
    assert fields <= set(EXPOSED)
    assert "X-Request-ID" in EXPOSED


def test_numbers_stay_within_what_a_reader_must_understand() -> None:
    huge = default_of(plan(per(10**15, MINUTE), slug="huge"))
    fields = said(Shop().paid(0, huge))
    assert listed(fields, "RateLimit-Policy") == [("user.huge", {"q": 10**15 - 1, "w": 60})]
    assert listed(fields, "RateLimit")[0][1]["r"] == 10**15 - 1
    assert fields["X-RateLimit-Limit"] == str(10**15)


def test_subscriptions_that_became_one_purse_are_one_policy() -> None:
    both = allowance_of(subscription("a", plan(per(5), slug="pro")), subscription("b", plan(per(7), slug="team")))
    assert listed(said(Shop().paid(1, both)), "RateLimit-Policy") == [("user.pro+team", {"q": 12, "w": 3_600})]


@pytest.mark.parametrize(
    ("id_", "shown"),
    [("müller", "müller".encode()), ("a b", b"a b"), ("\ud800", b"?")],
    ids=["beyond ASCII", "a space", "a lone surrogate"],
)
def test_any_id_that_keys_money_can_be_shown(id_: str, shown: bytes) -> None:
    allowance = Allowance(Scope("user", id_), default_of(plan(per(5))).purses)
    fields = dict(FieldFamilies().of_charge(Shop().paid(1, allowance), NOW))
    assert fields[b"X-RateLimit-Scope-ID"] == shown


def test_the_cost_names_its_meters_only_if_there_are_several() -> None:
    assert cost_field({THROUGHPUT: 5}) == (b"X-Weighbridge-Cost", b"5")
    assert cost_field({THROUGHPUT: 5, "tokens": 812}) == (b"X-Weighbridge-Cost", b"throughput=5, tokens=812")


@pytest.mark.parametrize(("wait_us", "seconds"), [(-5, 1), (0, 1), (1, 1), (SECOND, 1), (SECOND + 1, 2), (HOUR, 3_600)])
def test_a_wait_is_whole_seconds_and_never_too_short(wait_us: int, seconds: int) -> None:
    assert seconds_until(NOW + wait_us, NOW) == seconds


def test_a_window_shorter_than_a_second_is_one_second_to_readers() -> None:
    fast = default_of(plan(per(5, SECOND // 2)))
    assert listed(said(Shop().paid(1, fast)), "RateLimit-Policy") == [("user.free", {"q": 5, "w": 1})]


def test_a_reset_that_is_not_ahead_is_now() -> None:
    """A clock that steps forward between the charge and the answer."""
    charge = Shop().paid(1, default_of(plan(per(5, MINUTE))))
    assert listed(said(charge, NOW + HOUR), "RateLimit") == [("user.free", {"r": 4, "t": 0})]
