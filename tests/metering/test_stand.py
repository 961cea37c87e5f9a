"""What a caller may spend is laid out once for all who share it."""

from gateway.core.allowance import Plan, PlanLimit
from gateway.core.principal import Principal
from gateway.core.profile import Profile
from gateway.core.rules import Rule, RuleTable
from gateway.core.scope import Scope
from gateway.metering.catalog import Catalog
from gateway.metering.snapshot import Snapshot
from gateway.metering.stand import Stand

PROFILE = Profile("strict")
NOW = 10 * 3_600_000_000
KINDS = ("workspace", "user")
SMALL = Plan("small", "Small", (PlanLimit("throughput", 20, 3_600_000_000),))
BOTH = Plan("both", "Both", (PlanLimit("throughput", 20, 3_600_000_000), PlanLimit("tokens", 9, 3_600_000_000)))


def snapshot_of(plan: Plan, fallback: Plan | None = None) -> Snapshot:
    catalog = Catalog({}, dict.fromkeys(KINDS, plan), fallback)
    return Snapshot(0, PROFILE, RuleTable.compile((), PROFILE), catalog, KINDS)


def test_those_who_share_a_workspace_share_its_till_and_what_is_said_of_it() -> None:
    snapshot, rule = snapshot_of(SMALL), Rule("GET", "/x", weight=1)
    ann, bob = (Stand(snapshot, Principal("jwt", user, "acme"), KINDS, rule, NOW) for user in ("ann", "bob"))
    assert ann.tills[0] is bob.tills[0]
    assert ann.texts[0] is bob.texts[0]
    assert [till.scope.id for till in (*ann.tills, *bob.tills)] == ["acme", "ann", "acme", "bob"]
    assert [text.payer for text in ann.texts] == [b'"workspace:acme"', b'"user:ann"']
    assert ann.whole
    assert bob.whole


def test_a_till_that_was_laid_out_for_one_meter_is_not_used_for_another() -> None:
    snapshot = snapshot_of(SMALL)
    allowance = snapshot.catalog.allowance(Scope("user", "ann"), NOW)
    assert allowance is not None
    assert snapshot.till(allowance, {"throughput": 1}) is not None
    assert snapshot.till(allowance, {"tokens": 1}) is None
    assert snapshot.till(allowance, {"throughput": 1, "tokens": 1}) is None


def test_where_an_allowance_has_several_limits_nothing_is_laid_out() -> None:
    stand = Stand(snapshot_of(BOTH), Principal("jwt", "ann", "acme"), KINDS, Rule("GET", "/x", weight=1), NOW)
    assert len(stand.allowances) == 2
    assert (stand.tills, stand.whole) == ((), False)


def test_a_separate_budget_to_pay_with_comes_last_and_is_said_to_be_one() -> None:
    rule = Rule("GET", "/plan", weight=1, fallback=True)
    stand = Stand(snapshot_of(SMALL, SMALL), Principal("jwt", "ann", "acme"), KINDS, rule, NOW)
    assert [till.allowance.fallback for till in stand.tills] == [False, False, True]
    assert stand.texts[-1].payer == b'"user:ann"'
