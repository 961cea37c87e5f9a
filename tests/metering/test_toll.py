"""Messages inside a WebSocket: each is paid by itself, given back if it did not go on, refused if nobody can pay."""

from dataclasses import replace

import pytest

from gateway.core.cascade import Charge, Refusal
from gateway.core.plan import Plan
from gateway.core.principal import Principal
from gateway.core.problems import StoreUnavailable
from gateway.core.rules import Rule
from gateway.journal.record import Kind
from gateway.metering.catalog import Catalog
from gateway.metering.snapshot import Snapshot
from gateway.metering.toll import DROPPED, PASSED, Purse, Toll
from tests.core.budgets import NOW, SECOND
from tests.metering.test_meter import SMALL, Till

SOCKET = Rule("GET", "/ws", weight=0, frame_weight=2, refund_on=frozenset({404}), charge="on_success")
ANN = Principal("jwt", "ann", None, "192.0.2.7")


class Fixture:
    def __init__(self, rule: Rule = SOCKET) -> None:
        self.till = Till()
        frames = rule.of_frames()
        assert frames is not None
        self.rule = frames
        self.toll = Toll(self.till.meter, frames, "r0")
        self.snapshot = self.till.visit(rule, ANN).snapshot

    def with_defaults(self, **defaults: Plan | None) -> Snapshot:
        return replace(self.snapshot, catalog=Catalog({}, defaults))


def test_a_rule_for_messages_has_a_name_and_a_price_of_its_own() -> None:
    rule = Fixture().rule
    assert (rule.name, rule.costs) == ("FRAME /ws", {"throughput": 2})
    assert (rule.charge, rule.refund_on) == ("before", frozenset())
    assert Rule("GET", "/ws").of_frames() is None


async def test_each_message_is_recorded_by_the_handshakes_id_and_its_number() -> None:
    here = Fixture()
    for number in (1, 2):
        visit = await here.toll.charge(ANN, here.snapshot, NOW)
        assert (visit.id, type(visit.outcome)) == (f"r0.{number}", Charge if number == 1 else Refusal)
        here.toll.close(visit, PASSED, NOW + SECOND)
    first, second = here.till.journal.records
    assert (first.kind, first.rule, first.status, first.latency_us) == (Kind.CHARGE, "FRAME /ws", 101, SECOND)
    assert second.kind is Kind.REFUSAL
    assert here.till.used == {"user:ann": 2}


async def test_what_did_not_go_on_costs_nothing() -> None:
    here = Fixture()
    visit = await here.toll.charge(ANN, here.snapshot, NOW)
    await here.toll.give_back(visit, NOW + SECOND)
    charge, refund = here.till.journal.records
    assert (charge.status, refund.kind, refund.costs) == (DROPPED, Kind.REFUND, {"throughput": -2})
    assert isinstance((await here.toll.charge(ANN, here.snapshot, NOW)).outcome, Charge)


async def test_while_the_ledger_is_away_the_policy_counts() -> None:
    for policy in ("open", "closed"):
        here = Fixture(replace(SOCKET, on_store_failure=policy))
        here.till.away = True
        if policy == "closed":
            with pytest.raises(StoreUnavailable):
                await here.toll.charge(ANN, here.snapshot, NOW)
            continue
        visit = await here.toll.charge(ANN, here.snapshot, NOW)
        here.toll.close(visit, PASSED, NOW)
        assert here.till.meter.late == 1
        here.till.away = False
        await here.till.meter.debit_late()
        assert here.till.used == {"user:ann": 2}


def test_a_purse_has_something_while_a_full_budget_could_pay() -> None:
    here = Fixture()
    purse = Purse(here.rule)
    assert purse.has_something(ANN, here.snapshot, NOW)
    assert purse.has_something(ANN, here.with_defaults(workspace=None, user=SMALL), NOW)
    assert not purse.has_something(ANN, here.with_defaults(workspace=None, user=None), NOW)


def test_what_costs_nothing_or_is_not_enforced_or_asks_nobody_needs_no_purse() -> None:
    here = Fixture()
    nothing = here.with_defaults(workspace=None, user=None)
    assert Purse(replace(here.rule, weight=0)).has_something(ANN, nothing, NOW)
    assert Purse(replace(here.rule, enforce=False)).has_something(ANN, nothing, NOW)
    assert Purse(here.rule).has_something(Principal("anonymous", None, None, "192.0.2.7"), nothing, NOW)
