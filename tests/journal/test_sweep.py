"""What the journal forgets, and what it must not."""

import sqlite3
from contextlib import closing
from pathlib import Path

from gateway.core.bucket import Bucket
from gateway.core.cascade import Posting
from gateway.core.scope import Scope
from gateway.journal import Kind, Options, Pace, Record, Retention, open_journal
from gateway.journal.history import Granularity, Question, Usage, usage
from tests.journal.world import HOUR_US, HOURLY, START_US, STEADY, World, on_disk, spent, user

DAY_US = 24 * HOUR_US
PACE = Pace(flush_s=3600, fold_s=3600, sweep_s=3600)


def used(path: Path, granularity: Granularity, until_us: int) -> list[Usage]:
    with closing(sqlite3.connect(path)) as connection:
        asked = Question(scope=user(1), granularity=granularity, from_us=START_US - DAY_US, to_us=until_us)
        return usage(connection, asked)[0]


async def test_old_entries_go_once_they_are_folded_and_what_follows_from_them_stays(tmp_path: Path) -> None:
    path, world, now_us = tmp_path / "j.db", World(), START_US
    options = Options(pace=PACE, retention=Retention(entries_us=DAY_US))
    async with await open_journal(path, options=options, now_us=lambda: now_us) as journal:
        journal.append(world.charge(user(1)))
        await journal.flush()
        now_us = START_US + 2 * DAY_US
        await journal.sweep()
        assert len(on_disk(path)) == 1
        await journal.fold()
        await journal.sweep()
        assert on_disk(path) == []
        assert len(used(path, "day", now_us)) == 1
        late = world.charge(user(1))._replace(at_us=now_us)
        journal.append(late)
        await journal.fold()
        assert on_disk(path) == [late]
        assert await journal.prove() == []
        (day, today) = used(path, "day", now_us + DAY_US)
        assert (day.amount, today.amount) == (1, 1)


async def test_a_file_that_grows_too_large_loses_its_oldest_entries_and_shrinks(tmp_path: Path) -> None:
    path, world = tmp_path / "j.db", World()
    options = Options(pace=PACE, retention=Retention(bytes=1_000_000))
    async with await open_journal(path, options=options, now_us=lambda: START_US) as journal:
        for _ in range(30):
            for number in range(1_000):
                journal.append(world.charge(user(number)))
            await journal.flush()
        await journal.fold()
        for _ in range(10):
            await journal.sweep()
        kept = on_disk(path)
        assert 0 < len(kept) < 30_000
        assert kept[-1].id == "r30000"
        assert await journal.prove() == []
    assert path.stat().st_size < 1_300_000


async def test_roll_ups_of_minutes_go_first_then_hours_then_days(tmp_path: Path) -> None:
    world, now_us = World(), START_US
    options = Options(pace=PACE, retention=Retention(minutes_us=HOUR_US, hours_us=DAY_US, days_us=10 * DAY_US))
    async with await open_journal(tmp_path / "j.db", options=options, now_us=lambda: now_us) as journal:
        journal.append(world.charge(user(1)))
        await journal.fold()

        async def kept() -> list[str]:
            await journal.sweep()
            wanted: tuple[Granularity, ...] = ("minute", "hour", "day")
            return [each for each in wanted if used(tmp_path / "j.db", each, START_US + DAY_US)]

        assert await kept() == ["minute", "hour", "day"]
        now_us = START_US + 2 * HOUR_US
        assert await kept() == ["minute", "hour", "day"], "it is not in the hours and days yet"
        while await journal._run(journal._store.fold.roll, now_us):
            pass
        assert await kept() == ["hour", "day"]
        now_us = START_US + 2 * DAY_US
        assert await kept() == ["day"]
        assert await journal.prove() == []
        now_us = START_US + 12 * DAY_US
        assert await kept() == []
        assert await journal.prove() == []


async def test_buckets_that_are_full_again_go_a_day_later(tmp_path: Path) -> None:
    world, now_us = World(), START_US
    pack = HOURLY._replace(refill=STEADY.refill.NEVER, window_us=0, purse="pack-1")
    options = Options(pace=PACE, retention=Retention(entries_us=1000 * DAY_US))
    async with await open_journal(tmp_path / "j.db", options=options, now_us=lambda: now_us) as journal:
        for number in range(5_000):
            journal.append(world.charge(user(number)))
        never, steady = Bucket(0, 3, START_US), Bucket(0, 3 * STEADY.window_us, START_US, (), 300)
        postings = (Posting(user(1), pack, 0, 3, never), Posting(user(1), STEADY, 0, 3, steady))
        journal.append(Record(Kind.CHARGE, "r", START_US, "GET /x", user(1), {"throughput": 3}, postings))
        await journal.fold()

        async def stored() -> int:
            for _ in range(4):
                await journal.sweep()
            (number,) = await journal._run(
                lambda: journal._store.connection.execute("SELECT count(*) FROM buckets").fetchone()
            )
            return int(number)

        now_us = START_US + HOUR_US + DAY_US - 1
        assert await stored() == 5_001
        now_us += 2
        assert await stored() == 1
        assert list(await journal.load(user(1))) == [pack]
        assert spent(await journal.load(Scope("user", "u7"))) == 0
        assert await journal.prove() == []
