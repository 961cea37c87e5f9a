"""What passes while budgets cannot be asked is written down, and debited once, also by another process."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.core.allowance import FALLBACK, Allowance
from gateway.core.bucket import Bucket, LimitKey, Refill
from gateway.core.principal import Principal
from gateway.core.problems import StoreUnavailable
from gateway.core.profile import PROFILES
from gateway.core.rules import Rule, RuleTable
from gateway.core.scope import Scope
from gateway.journal.append import Journal
from gateway.journal.errors import JournalError
from gateway.journal.open import open_journal
from gateway.journal.record import Kind
from gateway.ledger.memory import MemoryLedger
from gateway.metering.arrears import Arrears
from gateway.metering.catalog import Catalog
from gateway.metering.debts import Debt, debt_from
from gateway.metering.meter import Meter
from gateway.metering.recorder import Recorder
from gateway.metering.snapshot import Snapshot
from gateway.metering.visit import Visit
from gateway.metrics import Metrics
from tests.core.budgets import HOUR, NOW, SECOND, USER, allowance_of, per, plan, subscription

SMALL = plan(per(3), slug="small")
RULE = Rule("GET", "/page", pays=("user",), on_store_failure="open")
CATALOG = Catalog({}, {"user": SMALL})


class Gateway:
    """A meter over a journal on disk, whose ledger cannot be asked while it is ``away``."""

    def __init__(self, journal: Journal, debt: int) -> None:
        self.journal, self.away = journal, True
        ledger, recorder = MemoryLedger(self._restore), Recorder(journal, Metrics())
        self.arrears = Arrears(ledger, recorder, journal, lambda: CATALOG, debt=debt)
        self.meter = Meter(ledger, recorder, lambda: False, arrears=self.arrears)

    async def _restore(self, scope: Scope) -> Mapping[LimitKey, Bucket]:
        if self.away:
            raise StoreUnavailable("away")
        return await self.journal.load(scope)

    async def pass_by(self, id_: str, *, user: str = "ann", status: int | None = 200) -> None:
        """A request; with ``status`` ``None`` it does not end."""
        table = RuleTable.compile([RULE], PROFILES["strict"])
        who = Principal("jwt", user, None, "192.0.2.7")
        visit = Visit(id_, RULE, who, Snapshot(NOW, PROFILES["strict"], table, CATALOG, ("user",)), NOW)
        await self.meter.charge(visit)
        if status is not None:
            await self.meter.settle(visit, status=status, request_sent=status != 502, now_us=NOW + SECOND)
            self.meter.close(visit, status=status, latency_us=1, upstream_latency_us=None)

    async def used(self) -> dict[str, tuple[int, int]]:
        """By payer: what was taken in all, and what nobody had."""
        found: dict[str, tuple[int, int]] = {}
        for id_ in [f"r{number}" for number in range(40)]:
            for record in await self.journal.find(id_):
                if record.kind is Kind.DRAIN:
                    amount, overrun = found.get(str(record.scope), (0, 0))
                    more = sum(record.costs.values()), sum(record.overrun.values())
                    found[str(record.scope)] = amount + more[0], overrun + more[1]
        return found


@asynccontextmanager
async def gateway(folder: Path, *, debt: int = 0) -> AsyncIterator[Gateway]:
    async with await open_journal(folder / "ledger.db") as journal:
        yield Gateway(journal, debt)


async def test_what_a_gateway_let_through_is_debited_by_the_one_that_comes_after_it(tmp_path: Path) -> None:
    async with gateway(tmp_path) as first:
        for number in range(4):
            await first.pass_by(f"r{number}")
        await first.pass_by("r4", user="bob", status=502)
        await first.pass_by("r5", user="eve", status=None)
        with pytest.raises(StoreUnavailable):
            await first.meter.debit_late()
        assert await first.used() == {}
    async with gateway(tmp_path) as second:
        second.away = False
        await second.meter.debit_late()
        expected = {"user:ann": (4, 1), "user:eve": (1, 0)}
        assert await second.used() == expected, "what was free is not owed, what never ended is"
        await second.meter.debit_late()
        assert await second.used() == expected
        assert await second.journal.prove() == []
    async with gateway(tmp_path) as third:
        third.away = False
        await third.meter.debit_late()
        assert await third.used() == expected, "once"


async def test_what_does_not_fit_into_memory_is_read_from_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.metering.arrears.KEPT", 5)
    monkeypatch.setattr("gateway.metering.arrears._PAGE", 2)
    async with gateway(tmp_path) as here:
        for number in range(12):
            await here.pass_by(f"r{number}", user=f"u{number}")
        assert here.meter.late == 12
        assert len(here.arrears._due) == 5
        here.away = False
        await here.meter.debit_late()
        assert await here.used() == {f"user:u{number}": (1, 0) for number in range(12)}
        assert (here.meter.late, here.meter.forgotten) == (0, 0)


async def test_a_journal_that_cannot_be_read_now_is_read_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with gateway(tmp_path) as first:
        await first.pass_by("r0")
    async with gateway(tmp_path) as second:
        second.away = False

        async def unreadable(*_: object) -> None:
            raise JournalError("disk I/O error")

        with monkeypatch.context() as broken:
            broken.setattr(second.journal, "owed", unreadable)
            with pytest.raises(StoreUnavailable, match="cannot be read from the journal"):
                await second.meter.debit_late()
        await second.meter.debit_late()
        assert await second.used() == {"user:ann": (1, 0)}


async def test_a_debt_is_allowed_where_it_is_configured(tmp_path: Path) -> None:
    async with gateway(tmp_path, debt=2) as here:
        for number in range(7):
            await here.pass_by(f"r{number}")
        here.away = False
        await here.meter.debit_late()
        assert await here.used() == {"user:ann": (7, 2)}


async def test_a_request_that_is_under_way_is_not_debited_yet(tmp_path: Path) -> None:
    async with gateway(tmp_path) as here:
        await here.pass_by("r0", status=None)
        here.away = False
        await here.meter.debit_late()
        assert await here.used() == {}
        here.arrears.ended("r0")
        await here.meter.debit_late()
        assert await here.used() == {"user:ann": (1, 0)}


def test_what_is_owed_is_read_as_it_was_written() -> None:
    odd = Scope("user", "\ud800|\u00e9 '\"")
    pack = plan(per(5, 0, Refill.NEVER), slug="pack", pack=True)
    two = plan(per(4), per(40, 24 * HOUR, Refill.CONTINUOUS, burst=7), slug="two")
    bought = allowance_of(subscription("p", pack), subscription("q", two, ends_us=NOW + HOUR))
    mine = Allowance(odd, bought.purses, frozenset({"tokens"}), fallback=True)
    for allowances in (None, (), (mine, Allowance(USER, ()))):
        debt = Debt(
            "x", NOW, "GET /", {"throughput": 3}, "u", None, (odd, Scope(FALLBACK, "f")), allowances, CATALOG,
            fallback=True, doubt="act 17",
        )  # fmt: skip
        assert debt_from(debt.record, CATALOG) == debt
