"""What was used is found by scope and by rule, by minute, hour and day, and every question is bounded."""

import asyncio
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.core.scope import Scope
from gateway.journal import Bounds, JournalError, Kind, Rare, Record
from gateway.journal import history as histories
from gateway.journal.history import Granularity, History, Question, TooMuch, query
from gateway.journal.store import Store
from gateway.journal.tally import MINUTE_US
from tests.journal.world import HOUR_US, START_US, World, user

DAY_US = 24 * HOUR_US
ALICE, BOB = user(1), user(2)


def fold(path: Path, records: Sequence[Record], rolled: str) -> None:
    """Write them down. ``rolled``: which of them come before the minutes of their time are in hours and days."""
    store = Store(path, START_US, Bounds())
    half = {"never": 0, "half": len(records) // 2, "late": 0, "all": len(records)}[rolled]
    for part in (records[:half], records[half:]):
        store.flush([*part], START_US, len(part), attempt=True)
        store.fold_all()
        while rolled != "never" and store.fold.roll(START_US + 2 * HOUR_US):
            pass
    store.close()


def later(record: Record, by_us: int) -> Record:
    return record._replace(at_us=record.at_us + by_us)


@pytest.fixture(params=["never", "half", "late", "all"])
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    world, path = World(), tmp_path / "j.db"
    fold(
        path,
        [
            world.charge(ALICE, 5),
            world.charge(ALICE, -2, kind=Kind.REFUND),
            world.refusal(ALICE, 9),
            later(world.charge(ALICE, 1, rule="GET /y"), MINUTE_US),
            later(world.charge(ALICE, 1), HOUR_US),
            world.charge(BOB, 7, kind=Kind.DRAIN)._replace(rare=Rare({"throughput": 3}, shadow=True)),
            Record(Kind.CHARGE, "r", START_US, "GET /x", BOB, {"tokens": 40}),
        ],
        request.param,
    )
    return path


async def ask(path: Path, granularity: Granularity = "minute", **asked: object) -> list[tuple[object, ...]]:
    """Start, rule, meter and sums of each result."""
    history = History(path)
    given: dict[str, object] = {"scope": ALICE, "from_us": START_US - DAY_US, "to_us": START_US + DAY_US, **asked}
    try:
        found, _ = await history.usage(Question(granularity=granularity, **given))  # type: ignore[arg-type]
    finally:
        await history.close()
    return [
        (each.start_us - START_US, each.rule, each.meter, each.amount, each.requests, each.refused) for each in found
    ]


async def test_a_scope_sees_what_it_used_by_minute_and_rule(path: Path) -> None:
    assert await ask(path) == [
        (0, "GET /x", "throughput", 3, 1, 1),
        (MINUTE_US, "GET /y", "throughput", 1, 1, 0),
        (HOUR_US, "GET /x", "throughput", 1, 1, 0),
    ]
    assert await ask(path, from_us=START_US + 1, to_us=START_US + HOUR_US) == [
        (MINUTE_US, "GET /y", "throughput", 1, 1, 0)
    ]
    assert await ask(path, from_us=START_US + DAY_US, to_us=START_US) == []


async def test_hours_and_days_are_the_sums_of_their_minutes(path: Path) -> None:
    assert await ask(path, "hour", by="total") == [
        (0, None, "throughput", 4, 2, 1),
        (HOUR_US, None, "throughput", 1, 1, 0),
    ]
    (day,) = await ask(path, "day", by="total")
    assert day[1:] == (None, "throughput", 5, 3, 1)


async def test_everyone_is_all_scopes_together(path: Path) -> None:
    assert await ask(path, "hour", scope=None) == [
        (0, "GET /x", "throughput", 10, 2, 1),
        (0, "GET /x", "tokens", 40, 1, 0),
        (0, "GET /y", "throughput", 1, 1, 0),
        (HOUR_US, "GET /x", "throughput", 1, 1, 0),
    ]
    assert await ask(path, "hour", scope=None, meter="tokens", by="total") == [(0, None, "tokens", 40, 1, 0)]


async def test_what_passed_in_shadow_and_what_was_given_back_is_told_apart(path: Path) -> None:
    history = History(path)
    asked = Question(scope=ALICE, granularity="hour", from_us=START_US, to_us=START_US + 1, meter="throughput")
    ((mine, *_), _), ((his, *_), _) = [await history.usage(replace(asked, scope=scope)) for scope in (ALICE, BOB)]
    await history.close()
    assert (mine.shadow, mine.released, mine.overrun) == (0, 1, 0)
    assert (his.shadow, his.released, his.overrun) == (1, 0, 3)


async def test_a_long_answer_comes_in_pages_of_whole_periods(path: Path) -> None:
    history = History(path)
    asked = Question(scope=None, granularity="hour", from_us=START_US, to_us=START_US + DAY_US, most=1)
    first, go_on = await history.usage(asked)
    assert [(each.rule, each.meter) for each in first] == [
        ("GET /x", "throughput"),
        ("GET /x", "tokens"),
        ("GET /y", "throughput"),
    ], "one period is not torn apart"
    assert go_on == START_US + HOUR_US
    assert go_on is not None
    rest, end = await history.usage(replace(asked, from_us=go_on))
    assert ([each.start_us for each in rest], end) == ([START_US + HOUR_US], None)
    two, go_on = await history.usage(replace(asked, most=3))
    assert (len(two), go_on) == (3, START_US + HOUR_US)
    await history.close()


async def test_who_used_most_and_what_was_used_most(path: Path) -> None:
    history = History(path)
    scopes = await history.top_scopes(START_US, "throughput", 10)
    assert [(each.scope, each.amount, each.requests, each.refused) for each in scopes] == [
        (BOB, 7, 1, 0),
        (ALICE, 5, 3, 1),
    ]
    assert len(await history.top_scopes(START_US, "throughput", 1)) == 1
    rules = await history.top_rules(START_US, START_US + DAY_US, "throughput", 10)
    assert [(each.rule, each.amount, each.requests) for each in rules] == [("GET /x", 11, 3), ("GET /y", 1, 1)]
    assert await history.top_scopes(START_US + DAY_US, "throughput", 10) == []
    await history.close()


async def test_a_question_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="week"):
        await ask(path, "week")  # type: ignore[arg-type]
    with pytest.raises(TooMuch, match="fewer"):
        await ask(path, from_us=0)
    monkeypatch.setattr(histories, "PATIENCE_US", -1)
    monkeypatch.setattr(histories, "_STEPS", 1)
    with pytest.raises(TooMuch, match="too long"):
        await ask(path, "hour")


async def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"no\.db"):
        await ask(tmp_path / "no.db")
    (tmp_path / "no.db").write_bytes(b"")
    with pytest.raises(JournalError, match=r"no\.db"):
        await ask(tmp_path / "no.db")


async def test_it_is_read_while_it_is_written(path: Path) -> None:
    store, world, history = Store(path, START_US, Bounds()), World(), History(path)
    asked = Question(scope=ALICE, granularity="day", from_us=0, to_us=START_US + DAY_US, by="total")
    for number in range(1, 4):
        store.flush([world.charge(ALICE)], START_US, number, attempt=True)
        store.fold_all()
        ((day,), _) = await history.usage(asked)
        assert day.amount == 5 + number
    store.connection.execute("BEGIN IMMEDIATE")
    assert await asyncio.wait_for(history.usage(asked), 10)
    store.connection.execute("ROLLBACK")
    await history.close()
    store.close()


@pytest.mark.parametrize("granularity", ["minute", "hour", "day"])
@pytest.mark.parametrize("scope", [ALICE, Scope("workspace", "w"), None])
def test_every_question_goes_by_the_key_of_its_table(path: Path, granularity: Granularity, scope: Scope | None) -> None:
    asked = Question(scope=scope, granularity=granularity, from_us=START_US, to_us=START_US + DAY_US)
    names = ("first", "end", "length", "granularity", "part", "kind", "id", "meter", "most")
    connection = sqlite3.connect(path)
    plan = connection.execute(f"EXPLAIN QUERY PLAN {query(asked)}", dict.fromkeys(names, 1)).fetchall()
    connection.close()
    table = "usage" if granularity == "minute" else "history"
    (step,) = [step for *_, step in plan if f" {table} " in f"{step} "]
    assert step.startswith(f"SEARCH {table} USING PRIMARY KEY")
    assert "id=?" in step


def test_minutes_of_which_none_is_kept_are_not_looked_up(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        steps = 0

        def count() -> int:
            nonlocal steps
            steps += 1
            return 0

        def cost(from_us: int, to_us: int) -> tuple[int, list[histories.Usage]]:
            nonlocal steps
            steps = 0
            connection.set_progress_handler(count, 100)
            found, rest = histories.usage(
                connection, Question(scope=ALICE, granularity="minute", from_us=from_us, to_us=to_us)
            )
            assert rest is None
            return steps, found

        near, found = cost(START_US - HOUR_US, START_US + 2 * HOUR_US)
        far, same = cost(START_US - 30 * DAY_US, START_US + 30 * DAY_US)
        assert found == same != []
        assert far <= near + 5, (near, far)
        before, nothing = cost(START_US - 30 * DAY_US, START_US - DAY_US)
        assert nothing == []
        assert before <= near + 5, (near, before)
    connection.close()
