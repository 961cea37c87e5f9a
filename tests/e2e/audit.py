"""The clients' books against the journal that the gateways left behind."""

import sqlite3
from bisect import bisect
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from statistics import median

from gateway.clock import now_us
from gateway.core.bucket import units_spent
from gateway.core.scope import Scope
from gateway.journal import Kind, Record, open_journal
from gateway.journal.prove import prove
from gateway.journal.read import batches
from tests.e2e.clients import Answered, Books

NEVER_US = -1


class Audit:
    """Reads a journal whose gateways were killed at ``killed_us``; each check raises ``AssertionError``."""

    def __init__(self, path: Path, books: Books, killed_us: Sequence[int]) -> None:
        self._books, self._killed_us = books, killed_us
        self.written_us: dict[int, list[int]] = {}
        """By life and batch: everything that was appended before this instant is in this batch or an earlier one."""
        self.charges: dict[str, tuple[int, Record]] = {}
        self.refunds: dict[str, Record] = {}
        with closing(sqlite3.connect(path)) as connection:
            for _, records in batches(connection, path):
                self._read(records)
        self.answered = {answer.id: answer for answer in books.answered}

    def _read(self, records: Sequence[Record]) -> None:
        lives = {bisect(self._killed_us, record.at_us) for record in records}
        assert len(lives) == 1, "a batch holds records of two lives"
        life = lives.pop()
        self.written_us.setdefault(life, []).append(max(record.at_us for record in records))
        for record in records:
            if record.kind is Kind.CHARGE:
                assert record.id not in self.charges, f"{record.id} is charged twice"
                self.charges[record.id] = (life, record)
            elif record.kind is Kind.REFUND:
                assert record.id not in self.refunds, f"{record.id} is refunded twice"
                assert record.id in self.charges, f"{record.id} is refunded and was never charged"
                self.refunds[record.id] = record

    def surely_us(self, life: int) -> int:
        """What was answered in ``life`` up to this instant is on disk."""
        return max(self.written_us.get(life, [NEVER_US]))

    @property
    def missing(self) -> list[Answered]:
        """Answered, debited in memory, and gone with the process."""
        return [each for each in self._books.answered if each.status != 429 and each.id not in self.charges]

    def check_that_only_the_last_moments_are_missing(self) -> None:
        assert len(self.answered) == len(self._books.answered), "two answers have one id"
        for answer in self.missing:
            surely_us = self.surely_us(answer.life)
            assert answer.at_us > surely_us, f"{answer} was answered {surely_us - answer.at_us} us before a write"
        for id_, (life, _) in self.charges.items():
            told = self.answered.get(id_)
            if told is not None and told.status == 503 and id_ not in self.refunds:
                # The answer may arrive before its refund is appended; the write after the next one has it.
                assert told.at_us > max([NEVER_US, *self.written_us[life][:-1]]), f"no refund of {told}"

    def check_that_the_answers_told_the_truth(self) -> None:
        """Every charge is the one its answer told of, to the unit; what has no answer was sent and not answered."""
        unknown: Counter[tuple[int, Scope]] = Counter()
        for id_, (life, record) in self.charges.items():
            assert record.scope is not None
            answer, cost = self.answered.get(id_), record.costs["throughput"]
            if answer is None:
                unknown[life, record.scope] += cost
                continue
            assert (answer.life, answer.scope, answer.order.cost) == (life, record.scope, cost)
            # A 503 is free by its rule: its answer says so before the refund is written.
            told = (503, 0) if b"/fails" in answer.order.wire[:12] else (200, cost)
            assert (answer.status, answer.cost) == told
        in_flight = self._in_flight_by_life()
        for place, units in unknown.items():
            assert units <= in_flight[place], f"{place} was debited {units} units that nobody asked for"

    def _in_flight_by_life(self) -> Counter[tuple[int, Scope]]:
        found: Counter[tuple[int, Scope]] = Counter()
        for life, order in self._books.unanswered:
            for payer in order.payers:
                found[life, payer] += order.cost
        return found

    def debited(self) -> Counter[Scope]:
        """What the records take from each scope."""
        units: Counter[Scope] = Counter()
        for record in [*(record for _, record in self.charges.values()), *self.refunds.values()]:
            assert record.scope is not None
            units[record.scope] += record.costs["throughput"]
        return units

    def check_bounds(self, restored: Mapping[Scope, int], amounts: Mapping[Scope, int]) -> None:
        """surely on disk <= debited <= answered + in flight, for each scope, and never above its budget."""
        surely: Counter[Scope] = Counter()
        at_most: Counter[Scope] = Counter()
        for answer in self._books.answered:
            if answer.status == 429:
                continue
            if answer.status == 200:
                at_most[answer.scope] += answer.cost
                if answer.at_us <= self.surely_us(answer.life):
                    surely[answer.scope] += answer.cost
            elif answer.id not in self.refunds:
                at_most[answer.scope] += answer.order.cost
        for (_, scope), units in self._in_flight_by_life().items():
            at_most[scope] += units
        for scope, amount in amounts.items():
            spent = restored.get(scope, 0)
            assert surely[scope] <= spent <= min(at_most[scope], amount), f"{scope}: {surely[scope]} <= {spent}"

    def measure(self) -> str:
        """How much the kills cost, for whoever reads the test's output."""
        gaps = self.gaps_us()
        return (
            f"{len(self._killed_us)} kills, {len(self.answered)} answers, {len(self.charges)} charges on disk,"
            f" {len(self.missing)} gone, {len(self._books.unanswered)} in flight; between the last write and the kill:"
            f" median {median(gaps) / 1_000:.0f} ms, most {max(gaps) / 1_000:.0f} ms"
        )

    def gaps_us(self) -> list[int]:
        """By life that wrote: from the last instant that is surely on disk to the kill."""
        return [self._killed_us[life] - self.surely_us(life) for life in self.written_us if life < len(self._killed_us)]


async def restored_from(path: Path, scopes: Sequence[Scope]) -> tuple[dict[Scope, int], list[str]]:
    """Open a journal as a gateway does: what each scope has spent, and what does not agree."""
    spent = {}
    async with await open_journal(path) as journal:
        for scope in scopes:
            buckets = await journal.load(scope)
            spent[scope] = sum(units_spent(bucket, key) for key, bucket in buckets.items())
        assert await journal.fold()
        with closing(sqlite3.connect(path)) as connection:
            return spent, prove(path, now_us()) + _usage_differs(connection, spent)


def _usage_differs(connection: sqlite3.Connection, spent: Mapping[Scope, int]) -> list[str]:
    """Where the roll-ups of all days do not add up to what the counters say."""
    used = used_by(connection)
    # A scope that was only refused is in the roll-ups with nothing.
    return [
        f"{scope} spent {spent.get(scope, 0)} and used {used.get(scope, 0)}"
        for scope in used.keys() | spent.keys()
        if scope.kind and used.get(scope, 0) != spent.get(scope, 0)
    ]


def used_by(connection: sqlite3.Connection) -> dict[Scope, int]:
    """What each scope used on all days together, by the roll-ups."""
    days = "SELECT kind, id, amount FROM history WHERE granularity = 'day'"
    fresh = "SELECT kind, id, amount FROM usage JOIN folded USING (part) WHERE start_us >= rolled_us"
    rows = connection.execute(
        f"SELECT kind, id, sum(amount) FROM ({days} UNION ALL {fresh}) WHERE kind <> '*' GROUP BY kind, id"  # noqa: S608
    )
    return {Scope(kind, id_): amount for kind, id_, amount in rows}
