"""Which answers are paid for, and how a charge looks that will be given back (product.md 2.9)."""

import pytest
from hypothesis import given

from gateway.core.bucket import Refill
from gateway.core.cascade import Charge, charge
from gateway.core.plan import Plan
from gateway.core.refund import refund, unpaid
from gateway.core.rule import Rule
from tests.core.budgets import (
    DAY,
    HOUR,
    NOW,
    Shop,
    allowance_of,
    bill,
    default_of,
    instants,
    per,
    plan,
    plans,
    subscription,
)


@pytest.mark.parametrize("status", [101, 200, 204, 299])
def test_a_success_is_paid_for_whenever_the_rule_charges(status: int) -> None:
    assert Rule("ANY", "/**").is_paid_at(status)
    assert Rule("ANY", "/**", charge="on_success").is_paid_at(status)


@pytest.mark.parametrize("status", [300, 304, 400, 404, 429, 499, 500, 502, 504])
def test_a_failure_is_paid_for_unless_the_rule_says_otherwise(status: int) -> None:
    assert Rule("ANY", "/**").is_paid_at(status)
    assert not Rule("ANY", "/**", charge="on_success").is_paid_at(status)
    assert not Rule("ANY", "/**", refund_on=frozenset({status})).is_paid_at(status)
    assert Rule("ANY", "/**", refund_on=frozenset({status + 1})).is_paid_at(status)


def test_a_success_can_be_free_as_well() -> None:
    assert not Rule("ANY", "/**", charge="on_success", refund_on=frozenset({204})).is_paid_at(204)


def test_a_charge_that_is_given_back_looks_as_if_nothing_had_been_taken() -> None:
    shop, sold = Shop(), default_of(plan(per(10, HOUR), per(60, HOUR, Refill.CONTINUOUS)))
    shop.paid(2, sold)
    before = shop.paid(0, sold)
    shown = unpaid(shop.paid(5, sold))
    assert shown.costs == {"throughput": 0}
    assert (shown.standings, shown.shown) == (before.standings, before.shown)


def test_every_purse_that_paid_gets_its_own_back() -> None:
    pack = subscription("p", plan(per(5, 0), pack=True, slug="pack"))
    sold = allowance_of(subscription("s", plan(per(3))), pack, subscription("d", plan(per(9, DAY), slug="day")))
    shop = Shop()
    before = shop.paid(0, sold)
    paid = shop.paid(7, sold)
    assert len(paid.postings) > 1
    assert unpaid(paid).standings == before.standings


def test_what_took_nothing_stays_as_it_is() -> None:
    shop = Shop()
    for paid in (shop.paid(7, default_of(plan(unlimited=True))), shop.paid(0), shop.paid(0, default_of(plan(per(3))))):
        shown = unpaid(paid)
        assert (shown.standings, shown.shown) == (paid.standings, paid.shown)


@given(sold=plans(), first=instants, wait=instants)
def test_it_looks_as_it_does_after_the_refund(sold: Plan, first: int, wait: int) -> None:
    allowance = allowance_of(subscription("s", sold), now_us=first)
    shop = Shop()
    shop.pay(2, allowance, now_us=first)
    at_us = first + wait
    paid = charge(bill(3, allowance), shop.buckets_of, at_us)
    if not isinstance(paid, Charge):
        return
    shop.keep(paid.postings, paid.dropped)
    shop.keep(refund(paid, paid.costs, shop.buckets_of, at_us))
    after = charge(bill(0, allowance), shop.buckets_of, at_us)
    assert isinstance(after, Charge)
    assert unpaid(paid).standings == after.standings


def test_instants_are_those_of_the_charge() -> None:
    sold = default_of(plan(per(10, HOUR)))
    shown = unpaid(Shop().paid(5, sold, now_us=NOW)).shown
    assert shown is not None
    assert shown.reset_us == NOW - NOW % HOUR + HOUR
