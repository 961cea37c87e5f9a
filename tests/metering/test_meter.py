"""Who is debited before the upstream is asked, who only afterwards, and who never (decisions/0006)."""

from collections.abc import Mapping

import pytest

from gateway.core.account import Posting
from gateway.core.bucket import Bucket, LimitKey
from gateway.core.cascade import Charge, Refusal
from gateway.core.plan import Plan, Subscription
from gateway.core.principal import Principal
from gateway.core.problems import StoreUnavailable
from gateway.core.profile import PROFILES
from gateway.core.rules import Rule, RuleTable
from gateway.core.scope import Scope
from gateway.journal.record import Kind, Record
from gateway.ledger.memory import MemoryLedger
from gateway.metering.arrears import UNKNOWN_SCOPES
from gateway.metering.catalog import Catalog
from gateway.metering.meter import Meter
from gateway.metering.recorder import Recorder
from gateway.metering.snapshot import Snapshot
from gateway.metering.visit import Visit
from gateway.metrics import Metrics
from tests.core.budgets import NOW, SECOND, per, plan

SMALL = plan(per(3), slug="small")
STRANGER = Principal("anonymous", None, None, "192.0.2.7")
CLAIMING = Principal("anonymous", "ann", "acme", "192.0.2.7")
"""Names a user and a workspace that nobody has checked."""
LOGIN = Rule("POST", "/login", pays=("address",), public=True)
HOOK = Rule("POST", "/hook/{id}", pays=("workspace",), public=True, charge="on_success", enforce=False)


class Journal:
    """Remembers its records."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def append(self, record: Record) -> None:
        self.records.append(record)

    def complete(self, record: Record, *, status: int, latency_us: int, upstream_latency_us: int | None) -> None:
        record.end[:] = status, latency_us, upstream_latency_us


class Ledger(MemoryLedger):
    """In memory. Whoever is in ``stuck`` gets nothing back now."""

    stuck: frozenset[str] = frozenset()

    async def refund(self, charge: Charge, costs: Mapping[str, int], now_us: int) -> tuple[Posting, ...]:
        if charge.scope.id in self.stuck:
            raise StoreUnavailable("not now")
        return await super().refund(charge, costs, now_us)


class Till:
    """A meter over a ledger in memory, and what it wrote down."""

    def __init__(self) -> None:
        self.journal, self.metrics, self.away = Journal(), Metrics(), False
        self.ledger = Ledger(self._restore)
        self.meter = Meter(self.ledger, Recorder(self.journal, self.metrics), lambda: False)
        self._count = 0

    async def _restore(self, scope: Scope) -> Mapping[LimitKey, Bucket]:
        del scope
        if self.away:
            raise StoreUnavailable("the disk is away")
        return {}

    def visit(self, rule: Rule, who: Principal, *, cascade: tuple[str, ...] = ("workspace", "user")) -> Visit:
        self._count += 1
        table = RuleTable.compile([rule], PROFILES["strict"])
        catalog = Catalog({}, dict.fromkeys(("workspace", "user", "address"), SMALL))
        return Visit(f"r{self._count}", rule, who, Snapshot(NOW, PROFILES["strict"], table, catalog, cascade), NOW)

    async def settle(self, visit: Visit, status: int, *, sent: bool = True) -> None:
        await self.meter.settle(visit, status=status, request_sent=sent, now_us=NOW + SECOND)
        self.meter.close(visit, status=status, latency_us=1, upstream_latency_us=None)

    @property
    def used(self) -> dict[str, int]:
        """Units by payer."""
        units: dict[str, int] = {}
        for record in self.journal.records:
            if record.kind is not Kind.REFUSAL:
                units[str(record.scope)] = units.get(str(record.scope), 0) + sum(record.costs.values())
        return units


async def test_an_address_pays_before_anything_is_forwarded_and_keeps_paying_for_failures() -> None:
    till = Till()
    for _ in range(3):
        visit = till.visit(LOGIN, STRANGER)
        assert isinstance(await till.meter.charge(visit), Charge)
        await till.settle(visit, 401)
    refused = await till.meter.charge(till.visit(LOGIN, STRANGER))
    assert isinstance(refused, Refusal)
    assert till.used == {"address:192.0.2.7": 3}


async def test_an_address_whose_request_was_never_sent_gets_its_units_back() -> None:
    till = Till()
    visit = till.visit(LOGIN, STRANGER)
    assert isinstance(await till.meter.charge(visit), Charge)
    await till.settle(visit, 502, sent=False)
    assert till.used == {"address:192.0.2.7": 0}


@pytest.mark.parametrize("status", [200, 401])
async def test_charged_on_success_an_address_is_held_to_its_budget_and_given_back_what_failed(status: int) -> None:
    till, rule = Till(), Rule("POST", "/login", weight=2, pays=("address",), public=True, charge="on_success")
    visit = till.visit(rule, STRANGER)
    assert isinstance(await till.meter.charge(visit), Charge)
    assert isinstance(await till.meter.charge(till.visit(rule, STRANGER)), Refusal)
    await till.settle(visit, status)
    assert till.used == {"address:192.0.2.7": 2 if status == 200 else 0}


@pytest.mark.parametrize("pays", [("user",), ("workspace",), ("workspace", "user"), None])
async def test_who_is_only_named_is_never_charged_before(pays: tuple[str, ...] | None) -> None:
    till = Till()
    visit = till.visit(Rule("POST", "/login", pays=pays, public=True), CLAIMING)
    assert await till.meter.charge(visit) is None
    await till.settle(visit, 200)
    assert till.used == {}


async def test_who_is_only_named_does_not_pay_in_the_place_of_the_address() -> None:
    till = Till()
    visit = till.visit(Rule("GET", "/page"), CLAIMING, cascade=("workspace", "user", "address"))
    assert isinstance(await till.meter.charge(visit), Charge)
    assert till.used == {"address:192.0.2.7": 1}


@pytest.mark.parametrize(("status", "used"), [(200, 1), (204, 1), (302, 0), (401, 0), (404, 0), (500, 0)])
async def test_a_workspace_that_a_stranger_names_pays_for_what_the_upstream_accepted(status: int, used: int) -> None:
    till = Till()
    visit = till.visit(HOOK, CLAIMING)
    assert await till.meter.charge(visit) is None
    assert till.used == {}
    await till.settle(visit, status)
    assert sum(till.used.values()) == used
    assert set(till.used) <= {"workspace:acme"}


async def test_a_workspace_that_pays_afterwards_is_never_refused_and_its_overrun_is_written_down() -> None:
    till = Till()
    for _ in range(5):
        visit = till.visit(HOOK, CLAIMING)
        assert await till.meter.charge(visit) is None
        await till.settle(visit, 200)
    assert [record.kind for record in till.journal.records] == [Kind.DRAIN] * 5
    overruns = [sum(record.overrun.values()) for record in till.journal.records]
    assert overruns == [0, 0, 0, 1, 1]
    assert sum(till.metrics.overrun_units.values()) == 2
    assert [record.status for record in till.journal.records] == [200] * 5


async def test_a_workspace_without_a_plan_is_not_charged_before_either() -> None:
    till = Till()
    visit = till.visit(HOOK, CLAIMING)
    visit.snapshot.catalog.defaults["workspace"] = None  # type: ignore[index]
    assert await till.meter.charge(visit) is None
    await till.settle(visit, 401)
    assert till.journal.records == []


async def test_what_the_upstream_accepted_while_the_ledger_was_away_is_debited_later() -> None:
    till = Till()
    visit = till.visit(HOOK, CLAIMING)
    assert await till.meter.charge(visit) is None
    till.away = True
    await till.settle(visit, 200)
    assert (till.used, till.meter.late) == ({}, 1)
    till.away = False
    await till.meter.debit_late()
    assert (till.used, till.meter.late) == ({"workspace:acme": 1}, 0)


async def test_a_refund_that_cannot_be_made_keeps_no_other_and_no_late_debit_waiting() -> None:
    till = Till()
    till.ledger.stuck = frozenset({"ann", "bob"})
    for user in ("ann", "bob"):
        who = Principal("jwt", user, None, "192.0.2.7")
        visit = till.visit(Rule("POST", "/a"), who)
        assert isinstance(await till.meter.charge(visit), Charge)
        await till.settle(visit, 502, sent=False)
    owing = till.visit(HOOK, CLAIMING)
    assert await till.meter.charge(owing) is None
    till.away = True
    await till.settle(owing, 200)
    till.away, till.ledger.stuck = False, frozenset({"ann"})
    assert (till.used, till.meter.unsettled) == ({"user:ann": 1, "user:bob": 1}, 2)
    with pytest.raises(StoreUnavailable):
        await till.meter.debit_late()
    assert till.used == {"user:ann": 1, "user:bob": 1, "workspace:acme": 1}
    with pytest.raises(StoreUnavailable):
        await till.meter.debit_late()
    assert till.used == {"user:ann": 1, "user:bob": 0, "workspace:acme": 1}
    till.ledger.stuck = frozenset()
    await till.meter.debit_late()
    assert (till.used, till.meter.unsettled) == ({"user:ann": 0, "user:bob": 0, "workspace:acme": 1}, 0)


async def test_a_verified_principal_is_debited_before_whatever_the_rule_says() -> None:
    till, ann = Till(), Principal("jwt", "ann", None, "192.0.2.7")
    visit = till.visit(Rule("POST", "/a", charge="on_success"), ann)
    assert isinstance(await till.meter.charge(visit), Charge)
    await till.settle(visit, 409)
    assert till.used == {"user:ann": 0}


class Shelf:
    """Holdings of which some are never found."""

    def __init__(self, *lost: str) -> None:
        self.lost = set(lost)
        self.asked: list[str] = []
        self.found: set[Scope] = set()

    def known(self, scope: Scope, plans: Mapping[str, Plan]) -> tuple[Subscription, ...] | None:
        del plans
        return () if scope in self.found else None

    async def load(self, scope: Scope, plans: Mapping[str, Plan]) -> None:
        del plans
        self.asked.append(scope.id)
        if scope.id in self.lost:
            raise StoreUnavailable("nobody knows that plan")
        self.found.add(scope)


async def late(till: Till, shelf: Shelf, *users: str) -> None:
    """Let a request of each through while nothing can be looked up."""
    rule = Rule("GET", "/page", pays=("user",), on_store_failure="open")
    table = RuleTable.compile([rule], PROFILES["strict"])
    catalog = Catalog({}, {"user": SMALL}, holdings=shelf)
    for number, user in enumerate(users):
        who = Principal("jwt", user, None, "192.0.2.7")
        visit = Visit(f"l{number}", rule, who, Snapshot(NOW, PROFILES["strict"], table, catalog, ("user",)), NOW)
        lost, shelf.lost = shelf.lost, {user}
        assert await till.meter.charge(visit) is None
        shelf.lost = lost
        await till.settle(visit, 200)
    shelf.asked.clear()


async def test_a_payer_that_stays_unknown_does_not_hold_up_the_others() -> None:
    till, shelf = Till(), Shelf("eve")
    await late(till, shelf, "eve", "eve", "ann", "eve", "bob")
    assert till.meter.late == 5
    with pytest.raises(StoreUnavailable):
        await till.meter.debit_late()
    assert (till.used, till.meter.late) == ({"user:ann": 1, "user:bob": 1}, 3)
    assert shelf.asked == ["eve", "ann", "bob"], "in one round nobody is asked for twice"
    shelf.lost.clear()
    await till.meter.debit_late()
    assert (till.used, till.meter.late) == ({"user:ann": 1, "user:bob": 1, "user:eve": 3}, 0)


async def test_a_round_of_late_debits_steps_past_so_many_and_the_next_one_goes_on_there() -> None:
    lost = [f"e{number}" for number in range(UNKNOWN_SCOPES + 5)]
    till, shelf = Till(), Shelf(*lost)
    await late(till, shelf, *lost, "ann")
    with pytest.raises(StoreUnavailable):
        await till.meter.debit_late()
    assert (len(shelf.asked), till.used) == (UNKNOWN_SCOPES, {})
    with pytest.raises(StoreUnavailable):
        await till.meter.debit_late()
    assert (till.used, till.meter.late) == ({"user:ann": 1}, len(lost))
