from typing import Any

import pytest

from gateway.catalog.merge import Configured, check_weights, merge, rule_of
from gateway.core.plan import THROUGHPUT, Plan, PlanLimit, Subscription
from gateway.core.problems import Unprocessable
from gateway.core.profile import PROFILES
from gateway.core.rule import Origin, Rule
from gateway.core.rules import RuleTable
from gateway.core.scope import Scope
from gateway.store.rows import Stock, WeightRow

ALICE = Scope("user", "alice")
PROFILE = PROFILES["fiber"]


def plan(slug: str, amount: int = 10) -> Plan:
    return Plan(slug, slug.title(), (PlanLimit(THROUGHPUT, amount, 3_600_000_000),))


def weight(method: str, pattern: str, units: int = 5, id_: str = "") -> WeightRow:
    row: dict[str, Any] = {"method": method, "pattern": pattern, "weight": units, "id": id_ or f"{method} {pattern}"}
    return WeightRow(**row, revision=1, created_us=0, updated_us=0)


def configured(*rules: Rule, **changes: Any) -> Configured:
    free = plan("free")
    given: dict[str, Any] = {
        "plans": {"free": free},
        "defaults": {"user": free, "workspace": None},
        "fallback": free,
        "subscriptions": {},
        "rules": RuleTable.compile(rules, PROFILE),
        "profile": PROFILE,
    }
    return Configured(**{**given, **changes})


def cost(table: RuleTable, method: str, *path: str) -> int:
    return table.match(method, path).rule.weight


def from_file(method: str, pattern: str, units: int = 1, **more: Any) -> Rule:
    return Rule(method, pattern, units, origin=Origin("file", "gateway.yaml:1"), **more)


def test_without_a_store_the_configuration_is_all_there_is() -> None:
    here = configured(from_file("POST", "/message", 2))
    merged = merge(here, Stock(), None)
    assert merged.rules is here.rules
    assert merged.catalog.plans == here.plans
    assert merged.notes == ()


def test_plans_of_both_are_there_and_the_stores_wins_a_slug() -> None:
    theirs = plan("free", 99)
    held = Subscription("file:user:alice#1", plan("free"), ALICE)
    merged = merge(configured(subscriptions={ALICE: (held,)}), Stock(plans={"free": theirs, "pro": plan("pro")}), None)
    catalog = merged.catalog
    assert set(catalog.plans) == {"free", "pro"}
    assert catalog.plans["free"] is theirs
    assert catalog.defaults == {"user": theirs, "workspace": None}
    assert catalog.fallback is theirs
    (kept,) = catalog.subscriptions[ALICE]
    assert (kept.id, kept.plan) == (held.id, theirs)
    assert merged.notes == ("the plan 'free' of the configuration does not count: the store has one of this slug",)


def test_the_stores_default_is_for_users_where_the_configuration_is_silent() -> None:
    stock = Stock(plans={"pro": plan("pro")}, default="pro")
    silent = configured(defaults={"user": None, "workspace": None}, silent=frozenset({"user"}))
    merged = merge(silent, stock, None)
    assert merged.catalog.defaults == {"user": stock.plans["pro"], "workspace": None}
    assert merged.notes == ()
    said = merge(configured(), stock, None)
    assert said.catalog.defaults["user"] == plan("free")
    assert said.notes == ("the default plan 'pro' of the store does not count: `defaults.user` is set",)


def test_a_weight_changes_what_a_request_costs_and_nothing_else() -> None:
    here = configured(
        from_file("POST", "/message/*", 2, pays=("user",), fallback=True, refund_on=frozenset({502})),
        from_file("ANY", "/auth/**", 0, public=True),
    )
    exact = rule_of(here, weight("POST", "/message/:kind"))
    assert (exact.weight, exact.pays, exact.fallback, exact.refund_on) == (5, ("user",), True, frozenset({502}))
    assert exact.origin == Origin("admin", "POST /message/:kind")
    assert rule_of(here, weight("GET", "/auth/login", 0)).public, "a page to sign in on stays one"
    assert not rule_of(here, weight("POST", "/contact")).public
    table = merge(here, Stock(weights=(weight("POST", "/message/*", 7), weight("POST", "/Contact/", 3))), None).rules
    assert cost(table, "POST", "message", "whatsapp") == 7
    assert cost(table, "POST", "contact") == 3
    assert cost(table, "GET", "contact") == 1


def test_a_rule_that_a_weight_hides_is_named() -> None:
    merged = merge(configured(from_file("POST", "/message", 2)), Stock(weights=(weight("POST", "/message"),)), None)
    assert merged.notes == ("POST /message (gateway.yaml:1) never counts: an admin's weight hides it",)


def test_a_weight_that_would_do_nothing_is_named() -> None:
    merged = merge(
        configured(from_file("ANY", "/auth/**", 0, public=True)), Stock(weights=(weight("GET", "/auth/x"),)), None
    )
    assert merged.notes == ("the weight GET /auth/x does nothing: what it matches is public, so nobody pays",)


def test_weights_that_cannot_be_used_are_left_out_and_never_stop_a_gateway() -> None:
    here = configured(from_file("POST", "/message", 2))
    bad = (weight("POST", "no slash"), weight("GET", "/a/:x"), weight("GET", "/a/:y"), weight("FETCH", "/f"))
    merged = merge(here, Stock(weights=(*bad, weight("GET", "/good", 8))), None)
    assert cost(merged.rules, "GET", "good") == 8
    assert cost(merged.rules, "GET", "a", "1") == 5, "the first of two equal ones counts"
    assert cost(merged.rules, "POST", "message") == 2
    assert len(merged.notes) == 3
    assert all("does not count" in note for note in merged.notes)


def test_whoever_makes_a_weight_hears_at_once_what_is_wrong() -> None:
    here = configured(from_file("POST", "/message", 2))
    check_weights(here, (weight("GET", "/a/:x"), weight("POST", "/message")))
    with pytest.raises(Unprocessable) as refused:
        check_weights(
            here, (weight("GET", "/a/:x", id_="1"), weight("GET", "/A/:y/", id_="2"), weight("POST", "x", id_="3"))
        )
    assert refused.value.content is not None
    assert set(refused.value.content["weights"]) == {"2", "3"}  # type: ignore[call-overload]


@pytest.mark.parametrize("pattern", ["/a/{", "/billing/plan", ""])
def test_patterns_that_no_request_can_meet_are_refused(pattern: str) -> None:
    with pytest.raises(Unprocessable):
        check_weights(configured(own_prefixes=("/billing",)), (weight("GET", pattern),))
