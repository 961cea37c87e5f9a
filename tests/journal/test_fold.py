"""Each batch is folded exactly once, whatever dies when."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.limit_text import KeyTexts
from gateway.core.scope import Scope
from gateway.journal import Bounds, Kind, Record
from gateway.journal.columns import Columns
from gateway.journal.prove import prove
from gateway.journal.store import Store
from gateway.journal.tally import EVERYONE, MINUTE_US, NOBODY, Tally, part_of
from tests.journal.stories import Story, stories, summed
from tests.journal.world import HOUR_US, START_US, World, spent, user

LATER_US = START_US + HOUR_US
"""When all that happens at the start is added to hours and days."""


class Death(BaseException):
    """The process ends here."""


class Mortal:
    """A connection that dies at its n-th statement, before or after doing it."""

    def __init__(self, connection: sqlite3.Connection, steps: int, *, after: bool) -> None:
        self._connection, self._left, self._after = connection, steps, after

    def execute(self, *args: Any) -> sqlite3.Cursor:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise Death
        cursor = self._connection.execute(*args)
        if self._left == 0:
            raise Death
        return cursor

    @property
    def in_transaction(self) -> bool:
        return False  # the dead roll nothing back; SQLite does, when the file is opened again


def open_store(path: Path) -> Store:
    return Store(path, START_US, Bounds())


def some_charges(world: World, number: int) -> list[Record]:
    return [world.charge(user(n % 40), 1 + n % 3, rule=f"GET /{n % 5}") for n in range(number)]


def stored_spent(store: Store, world: World) -> dict[Scope, int]:
    return {scope: spent(buckets) for scope, buckets in store.load(world.spent, []).items()}


@pytest.mark.parametrize("after", [False, True])
def test_a_fold_that_dies_at_any_statement_is_made_whole_by_the_next_start(tmp_path: Path, *, after: bool) -> None:
    path, world, step = tmp_path / "j.db", World(), 0
    finished = False
    while not finished:
        step += 1
        store = open_store(path)
        for _ in range(3):
            store.flush(some_charges(world, 20), START_US, world.charged, attempt=True)
        store.fold._connection = Mortal(store.connection, 3 * step, after=after)  # type: ignore[assignment]
        try:
            for _ in range(6):
                store.fold.write(30)
            store.fold.write_all(30)
            for _ in range(12):
                store.fold.roll(LATER_US)
            finished = True
        except Death:
            pass
        store.connection.close()
        again = open_store(path)
        assert stored_spent(again, world) == world.spent
        assert again.fold.done
        again.close()
        assert prove(path, START_US) == []
    assert step > 10


def test_parts_that_were_written_are_not_added_twice(tmp_path: Path) -> None:
    path, world = tmp_path / "j.db", World()
    store = open_store(path)
    store.flush(some_charges(world, 200), START_US, 200, attempt=True)
    store.fold.write(1)
    store.fold.write(1)
    assert store.fold.floor == 0
    assert 0 < store.fold.folded.count(1) < len(store.fold.folded)
    store.flush(some_charges(world, 100), START_US, 300, attempt=True)
    store.connection.close()
    again = open_store(path)
    assert stored_spent(again, world) == world.spent
    again.close()
    assert prove(path, START_US) == []


def test_a_number_is_never_used_again_when_every_entry_has_been_removed(tmp_path: Path) -> None:
    path, world = tmp_path / "j.db", World()
    for _ in range(2):
        store = open_store(path)
        store.flush(some_charges(world, 10), START_US, world.charged, attempt=True)
        store.fold_all()
        store.connection.execute("DELETE FROM entries")
        store.close()
    store = open_store(path)
    assert store.fold.floor == 2
    assert stored_spent(store, world) == world.spent
    store.close()


def test_a_long_tail_reports_how_far_it_is(tmp_path: Path) -> None:
    path, world = tmp_path / "j.db", World()
    store = open_store(path)
    for _ in range(5):
        store.flush(some_charges(world, 10), START_US, world.charged, attempt=True)
    store.connection.close()
    seen: list[tuple[int, int]] = []
    Store(path, START_US, Bounds(), lambda done, last: seen.append((done, last))).close()
    assert seen == [(n, 5) for n in range(1, 6)]


def test_a_scope_belongs_to_the_same_part_in_every_process() -> None:
    assert [part_of(Scope("user", name)) for name in ("", "a", "u1", "ü", "\ud800")] == [0, 3, 54, 21, 51]
    assert part_of(EVERYONE) == 64


@settings(max_examples=20, deadline=None)
@given(stories, st.lists(st.integers(1, 9), max_size=12), st.integers(1, 30), st.integers(0, 80))
def test_snapshots_and_roll_ups_are_what_the_journal_adds_up_to(
    tmp_path_factory: pytest.TempPathFactory, story: Story, cuts: list[int], rows: int, rolls: int
) -> None:
    path = tmp_path_factory.mktemp("story") / "j.db"
    store, rest = open_store(path), story.records
    for cut in cuts:
        batch, rest = rest[:cut], rest[cut:]
        store.flush(batch, START_US, 0, attempt=True)
        store.fold_some(rows)
        for _ in range(rolls):
            store.fold.roll(LATER_US)
    store.flush(rest, START_US, 0, attempt=True)
    store.fold_all()
    expected = summed([story.records])[0]
    assert isinstance(expected, dict)
    for scope, states in store.load(map(user, range(3)), []).items():
        assert set(states.values()) == set(expected.get(scope, {}).values())
    store.close()
    assert prove(path, START_US) == []


def test_what_nobody_was_asked_for_is_counted_too() -> None:
    tally = Tally()
    tally.add(1, Columns([Record(Kind.REFUSAL, "r", START_US, "GET /x", None, {"throughput": 4})]), KeyTexts())
    assert tally.usage == {(NOBODY, "GET /x", START_US // MINUTE_US, "throughput"): [0, 0, 0, 1, 0, 0]}


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE buckets SET spent = spent + 1 WHERE id = 'u1'",
        "DELETE FROM buckets WHERE id = 'u1'",
        "UPDATE history SET amount = amount - 1 WHERE granularity = 'day' AND id = 'u1'",
        "UPDATE history SET requests = requests + 1 WHERE granularity = 'hour' AND kind = '*'",
        "UPDATE usage SET requests = requests + 1 WHERE id = 'u1'",
        "DELETE FROM history WHERE granularity = 'day' AND id = 'u1'",
        "DELETE FROM holds",
        "INSERT INTO holds SELECT 'r1', seq, row FROM holds",
        "DELETE FROM entries WHERE seq = 2",
    ],
)
def test_the_proof_finds_what_does_not_agree(tmp_path: Path, damage: str) -> None:
    path, world = tmp_path / "j.db", World()
    store = open_store(path)
    ended = world.charge(user(1), kind=Kind.HOLD)
    store.flush([ended, Record(Kind.SETTLE, ended.id, START_US, "", ended.scope)], START_US, 2, attempt=True)
    store.flush([world.charge(user(1)), world.charge(user(1), kind=Kind.HOLD)], START_US, 2, attempt=True)
    store.flush([world.charge(user(1))], START_US, 3, attempt=True)
    store.fold_all()
    assert prove(path, START_US) == []
    while store.fold.roll(LATER_US):
        pass
    assert prove(path, START_US) == []
    store.connection.execute(damage)
    store.close()
    assert prove(path, START_US) != []
