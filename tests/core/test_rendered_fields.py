"""The rate-limit fields as they are written: the short way gives the very bytes of the long one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import rate_limit_fields
from gateway.core.allowance import Allowance, fallback_allowance
from gateway.core.bucket import Refill
from gateway.core.cascade import Charge, drain
from gateway.core.hop_by_hop import lines
from gateway.core.rate_limit_fields import FieldFamilies
from gateway.core.scope import Scope
from gateway.core.till import till_of
from tests.core.budgets import NOW, USER, Shop, bill, default_of, per, plan

FAMILIES = [
    FieldFamilies(wacraft=wacraft, ietf=ietf, cost=cost)
    for wacraft in (True, False)
    for ietf in (True, False)
    for cost in (True, False)
]
amounts = st.one_of(st.integers(1, 20), st.just(10**12), st.just(10**16))
limits = st.builds(
    per, amounts, st.sampled_from([60_000_000, 3_600_000_000]), st.sampled_from([Refill.INTERVAL, Refill.CONTINUOUS])
)


def told_both_ways(families: FieldFamilies, charge: Charge, now_us: int) -> None:
    assert families.lines_of_charge(charge, now_us) == lines(families.of_charge(charge, now_us))


@given(
    st.sampled_from(FAMILIES),
    st.lists(limits, min_size=1, max_size=2, unique_by=lambda limit: limit.window_us),
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 90_000_000)), min_size=1, max_size=5),
)
def test_a_template_filled_in_is_what_the_fields_say(
    families: FieldFamilies, bought: list[object], story: list[tuple[int, int]]
) -> None:
    allowance, shop, now_us = default_of(plan(*bought)), Shop(), NOW  # type: ignore[arg-type]
    for cost, wait_us in story:
        now_us += wait_us
        charge = drain(bill(cost, allowance), shop.buckets_of, now_us)
        shop.keep(charge.postings)
        told_both_ways(families, charge, now_us)


@pytest.mark.parametrize("id_", ["50%", "%(left)d", "%s", "%%", "müller", "\ud800"], ids=range(6))
def test_no_id_is_taken_for_a_place_to_fill_in(id_: str) -> None:
    allowance = Allowance(Scope("user", id_), default_of(plan(per(5), slug="a")).purses)
    told_both_ways(FieldFamilies(), Shop().paid(1, allowance), NOW)


def test_an_edited_plan_is_not_told_by_the_old_ones_template() -> None:
    families = FieldFamilies()
    for amount in (5, 9):
        told_both_ways(families, Shop().paid(1, default_of(plan(per(amount)))), NOW)


def test_packs_fallbacks_several_meters_and_no_limit_at_all_are_told_too() -> None:
    pack = default_of(plan(per(5, 0, Refill.NEVER), slug="pack"))
    last = fallback_allowance(USER, plan(per(3)), NOW)
    both = default_of(plan(per(5), per(7, meter="tokens")))
    unlimited = Allowance(USER, (), frozenset({"*"}))
    for cost, allowance in ((1, pack), (1, last), ({"throughput": 1, "tokens": 2}, both), (1, unlimited)):
        assert allowance is not None
        told_both_ways(FieldFamilies(), drain(bill(cost, allowance), Shop().buckets_of, NOW), NOW)


def test_templates_are_bounded_and_what_was_forgotten_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit_fields, "_TEMPLATES", 2)
    families, purses = FieldFamilies(), default_of(plan(per(5))).purses
    for id_ in ("a", "b", "c", "a"):
        told_both_ways(families, Shop().paid(1, Allowance(Scope("user", id_), purses)), NOW)
        assert len(families._templates) <= 2


def test_the_template_of_a_till_says_what_its_charge_does() -> None:
    allowance = default_of(plan(per(9)))
    charge = Shop().paid(2, allowance)
    till = till_of(allowance, charge.costs)
    assert till is not None
    shown = charge.shown
    assert shown is not None
    assert shown.reset_us is not None
    for families in FAMILIES:
        filled = families.filled(families.template_of(till), shown.left, shown.reset_us, 2, NOW)
        assert filled == lines(families.of_charge(charge, NOW))
