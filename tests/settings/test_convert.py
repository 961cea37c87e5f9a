"""Settings become the core's values."""

from dataclasses import replace
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from gateway.core.allowance import Plan, PlanLimit, Subscription
from gateway.core.bucket import Calendar, Refill
from gateway.core.rules import Origin, Rule, RuleTable
from gateway.core.scope import Scope
from gateway.core.target import PROFILES, Profile
from gateway.settings import convert
from tests.settings.conftest import Load

DAY = 86_400_000_000

PLANS = """
plans:
  - {slug: hourly, name: Hourly, throughput_limit: 100, window_seconds: 3600}
  - {slug: even, throughput_limit: 100, window_seconds: 60, refill: continuous, burst: 500}
  - {slug: daily, throughput_limit: 7, anchor: day}
  - {slug: monthly, throughput_limit: 7, anchor: month, time_zone: Europe/Berlin}
  - {slug: endless, throughput_limit: 0}
  - {slug: free-for-all, unlimited: true}
  - {slug: pack, throughput_limit: 50_000, pack: true}
  - slug: both
    limits:
      - {amount: 10, window: 1s, refill: continuous}
      - {amount: 1000, window: 30d, anchor: subscription}
defaults: {user: hourly}
fallback: {plan: daily}
"""


def test_each_kind_of_plan_becomes_its_limits(loaded: Load) -> None:
    plans = convert.plans(loaded(PLANS))
    assert {slug: plan.limits for slug, plan in plans.items()} == {
        "hourly": (PlanLimit("throughput", 100, 3_600_000_000),),
        "even": (PlanLimit("throughput", 100, 60_000_000, Refill.CONTINUOUS, None, 500),),
        "daily": (PlanLimit("throughput", 7, DAY, Refill.INTERVAL, Calendar("day", UTC)),),
        "monthly": (
            PlanLimit("throughput", 7, 31 * DAY, Refill.INTERVAL, Calendar("month", ZoneInfo("Europe/Berlin"))),
        ),
        "endless": (PlanLimit("throughput", 0, DAY),),
        "free-for-all": (),
        "pack": (PlanLimit("throughput", 50_000, 0, Refill.NEVER),),
        "both": (
            PlanLimit("throughput", 10, 1_000_000, Refill.CONTINUOUS),
            PlanLimit("throughput", 1000, 30 * DAY, Refill.INTERVAL, "subscription"),
        ),
    }
    assert [slug for slug, plan in plans.items() if plan.unlimited] == ["free-for-all"]
    assert [slug for slug, plan in plans.items() if plan.pack] == ["pack"]
    assert (plans["hourly"].name, plans["pack"].name) == ("Hourly", "pack")


def test_defaults_and_fallback_are_plans(loaded: Load) -> None:
    settings = loaded(PLANS)
    plans = convert.plans(settings)
    assert convert.defaults(settings) == {"workspace": None, "user": plans["hourly"], "address": None}
    assert convert.fallback(settings) == plans["daily"]
    assert convert.fallback(loaded("")) is None


def test_subscriptions_have_stable_ids_and_one_spelling_of_their_scope(loaded: Load) -> None:
    found = convert.subscriptions(
        loaded("""
plans: [{slug: p, throughput_limit: 1, window_seconds: 1}]
subscriptions:
  - {plan: p, scope: workspace, id: AA0E8400E29B41D4A716446655440005}
  - {plan: p, scope: workspace, id: "{aa0e8400-e29b-41d4-a716-446655440005}", starts: 1970-01-02, ends: 1970-01-03}
  - {plan: p, scope: user, id: ann, throughput_override: -1}
""")
    )
    plan = Plan("p", "p", (PlanLimit("throughput", 1, 1_000_000),))
    space = Scope("workspace", "aa0e8400-e29b-41d4-a716-446655440005")
    assert found == [
        Subscription(f"file:{space}#1", plan, space),
        Subscription(f"file:{space}#2", plan, space, DAY, 2 * DAY),
        Subscription("file:user:ann#1", plan, Scope("user", "ann"), throughput_override=-1),
    ]


def test_rules_know_file_and_line_and_compile(loaded: Load) -> None:
    settings = loaded("""
fallback: {plan: p}
plans: [{slug: p, throughput_limit: 1, window_seconds: 1}]
rules:
  - {method: POST, path: "/m/{id}", weight: 5, pays: [user], fallback: true, enforce: false, refund_on: [502],
     on_store_failure: closed}
  - {method: ANY, path: /login, public: true, pays: [address]}
""")
    first, second = convert.rules(settings)
    where = settings.source.files[0]
    assert first == Rule(
        method="POST",
        pattern="/m/{id}",
        weight=5,
        pays=("user",),
        fallback=True,
        enforce=False,
        refund_on=frozenset({502}),
        on_store_failure="closed",
        origin=Origin("file", f"{where}:6"),
    )
    assert (second.public, second.charge, second.origin.where) == (True, "before", f"{where}:8")
    table = RuleTable.compile((first, second), convert.profile(settings), own_prefixes=convert.own_prefixes(settings))
    assert table.match("POST", ("m", "1")).rule == first


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("strict", PROFILES["strict"]),
        ("fiber", PROFILES["fiber"]),
        ("{name: fiber}", PROFILES["fiber"]),
        ("{name: fiber, trailing_slash: significant}", replace(PROFILES["fiber"], trailing_slash="significant")),
        ("{case: insensitive, matrix_params: dropped}", Profile("strict", case="insensitive", matrix_params="dropped")),
    ],
)
def test_a_profile_is_a_name_or_a_name_with_changes(loaded: Load, written: str, meant: Profile) -> None:
    assert convert.profile(loaded(f'upstream: {{url: "http://h:1", profile: {written}}}')) == meant


def test_own_prefixes_have_no_slash_at_their_end(loaded: Load) -> None:
    assert convert.own_prefixes(loaded("")) == (
        "/billing",
        "/billing-admin",
        "/-",
        "/billing-success",
        "/billing-cancel",
    )


def test_what_stands_for_a_workspace_is_read_as_requests_are(loaded: Load) -> None:
    settings = loaded("""
upstream: {url: "http://127.0.0.1:1", profile: fiber}
workspace: {map: {id: {AbC: AA0E8400E29B41D4A716446655440005, 1002003: w%41}}}
rules: [{method: GET, path: "/in/{id}"}]
""")
    assert convert.workspace_map(settings) == {"id": {"abc": "aa0e8400-e29b-41d4-a716-446655440005", "1002003": "w%41"}}
