"""Appending, writing, and finding it again after a restart."""

import asyncio
import threading
from contextlib import suppress
from pathlib import Path

from gateway.core.bucket import Bucket, LimitKey
from gateway.core.cascade import Posting
from gateway.core.scope import Scope
from gateway.journal import Kind, Options, Pace, Rare, Record, open_journal
from tests.journal.world import HOURLY, MONTHLY, START_US, World, on_disk, spent, user

BY_HAND = Options(pace=Pace(flush_s=3600, fold_s=3600))
"""Writes and folds when told to."""


async def test_what_was_charged_is_known_after_a_restart(tmp_path: Path) -> None:
    world = World()
    async with await open_journal(tmp_path / "j.db") as journal:
        for number in range(100):
            journal.append(world.charge(user(number % 7), 1 + number % 3))
    async with await open_journal(tmp_path / "j.db") as journal:
        for scope, units in world.spent.items():
            assert spent(await journal.load(scope)) == units
        assert await journal.load(user(99)) == {}
        assert await journal.prove() == []


async def test_appended_records_reach_the_disk_by_themselves(tmp_path: Path) -> None:
    world = World()
    options = Options(pace=Pace(flush_s=0.001, fold_s=0.001))
    async with await open_journal(tmp_path / "j.db", options=options) as journal:
        journal.append(world.charge(user(1)))
        while journal.written < 1 or journal.report.dirty:
            await asyncio.sleep(0.001)
        assert journal.pending == 0
        assert journal.folded_until_us == journal.last_written_us


async def test_many_records_are_written_before_their_time(tmp_path: Path) -> None:
    world = World()
    options = Options(pace=Pace(flush_s=3600, flush_records=10))
    async with await open_journal(tmp_path / "j.db", options=options) as journal:
        for _ in range(10):
            journal.append(world.charge(user(1)))
        while journal.written < 10:
            await asyncio.sleep(0.001)


async def test_the_end_of_a_request_is_filled_in_while_its_record_waits(tmp_path: Path) -> None:
    async with await open_journal(tmp_path / "j.db", options=BY_HAND) as journal:
        record = World().charge(user(1))
        journal.append(record)
        journal.complete(record, status=200, latency_us=1500, upstream_latency_us=1000)
        await journal.flush()
        (kept,) = on_disk(tmp_path / "j.db")
        assert (kept.status, kept.latency_us, kept.upstream_latency_us) == (200, 1500, 1000)


async def test_the_end_of_a_request_follows_its_record_once_that_is_written(tmp_path: Path) -> None:
    async with await open_journal(tmp_path / "j.db", options=BY_HAND) as journal:
        record = World().charge(user(1))
        journal.append(record)
        await journal.flush()
        journal.complete(record, status=504, latency_us=9)
        await journal.flush()
        first, second = on_disk(tmp_path / "j.db")
        assert (first.kind, first.status) == (Kind.CHARGE, None)
        assert (second.kind, second.id, second.status) == (Kind.DONE, first.id, 504)
        assert await journal.find(record.id) == [first, second]
        assert await journal.prove() == []


async def test_what_is_covered_is_on_disk(tmp_path: Path) -> None:
    now_us = START_US
    async with await open_journal(tmp_path / "j.db", options=BY_HAND, now_us=lambda: now_us) as journal:
        assert journal.last_written_us == START_US
        journal.append(World().charge(user(1)))
        now_us += 5
        assert journal.pending == 1
        assert await journal.flush()
        assert (journal.last_written_us, journal.folded_until_us) == (START_US + 5, START_US)
        assert await journal.fold()
        assert journal.folded_until_us == START_US + 5


async def test_buckets_are_loaded_as_the_last_record_left_them_wherever_it_is(tmp_path: Path) -> None:
    world, scope = World(), user(1)
    async with await open_journal(tmp_path / "j.db", options=BY_HAND) as journal:
        journal.append(world.charge(scope))
        await journal.fold()
        assert spent(await journal.load(scope)) == 1
        journal.append(world.charge(scope))
        await journal.flush()
        assert spent(await journal.load(scope)) == 2
        journal.append(world.charge(scope))
        assert spent(await journal.load(scope)) == 3


async def test_loads_of_one_moment_share_a_turn(tmp_path: Path) -> None:
    world = World()
    async with await open_journal(tmp_path / "j.db", options=BY_HAND) as journal:
        for number in range(50):
            journal.append(world.charge(user(number), number + 1))
        found = await asyncio.gather(*(journal.load(user(number)) for number in range(50)), journal.load(user(0)))
        assert [spent(buckets) for buckets in found] == [*range(1, 51), 1]


async def test_a_dropped_bucket_is_gone_and_may_come_again(tmp_path: Path) -> None:
    scope = user(1)

    def charge(number: int, *dropped: LimitKey) -> Record:
        posting = Posting(scope, MONTHLY, START_US, 1, Bucket(START_US, number, START_US + number, ("sub",)))
        return Record(
            Kind.CHARGE,
            str(number),
            START_US,
            "GET /x",
            scope,
            {"throughput": 1},
            (posting,),
            rare=Rare(dropped=dropped),
        )

    async with await open_journal(tmp_path / "j.db", options=BY_HAND) as journal:
        journal.append(World().charge(scope))
        await journal.fold()
        journal.append(charge(1, HOURLY))
        assert list(await journal.load(scope)) == [MONTHLY]
        await journal.fold()
        assert list(await journal.load(scope)) == [MONTHLY]
        journal.append(World().charge(scope))
        await journal.fold()
        assert set(await journal.load(scope)) == {MONTHLY, HOURLY}
        assert await journal.prove() == []


async def test_a_posting_may_belong_to_another_scope_than_the_one_that_pays(tmp_path: Path) -> None:
    other = Scope("fallback", "u1")
    record = World().charge(other)._replace(scope=user(1))
    async with await open_journal(tmp_path / "j.db", options=BY_HAND) as journal:
        journal.append(record)
        assert spent(await journal.load(other)) == 1
        await journal.fold()
        assert spent(await journal.load(other)) == 1
        assert await journal.load(user(1)) == {}


async def test_open_holds_outlive_the_process(tmp_path: Path) -> None:
    world = World()
    held = [world.charge(user(n), 5, kind=Kind.HOLD) for n in (1, 2)]
    first, second = (hold._replace(rare=Rare(deadline_us=START_US + 60, owner="gateway-1")) for hold in held)
    async with await open_journal(tmp_path / "j.db", options=BY_HAND) as journal:
        journal.append(first)
        journal.append(second)
        await journal.fold()
        journal.append(Record(Kind.SETTLE, first.id, START_US + 9, first.rule, first.scope, {"throughput": -2}))
    async with await open_journal(tmp_path / "j.db", options=BY_HAND) as journal:
        assert await journal.holds() == [second]
        journal.append(Record(Kind.RELEASE, second.id, START_US + 9, second.rule, second.scope, {"throughput": -5}))
        assert await journal.holds() == []
        assert await journal.prove() == []


async def test_a_record_that_cannot_be_written_takes_no_other_with_it(tmp_path: Path) -> None:
    world = World()
    async with await open_journal(tmp_path / "j.db", options=BY_HAND) as journal:
        for _ in range(5):
            journal.append(world.charge(user(1)))
        journal.append(Record(Kind.CHARGE, "odd", 1, costs={"throughput": complex(1)}))  # type: ignore[dict-item]
        journal.append(world.charge(user(1)))
        await journal.flush()
        assert journal.lost == 1
        assert len(on_disk(tmp_path / "j.db")) == 6
        assert spent(await journal.load(user(1))) == 6


async def test_ids_that_are_not_unicode_have_their_buckets_too(tmp_path: Path) -> None:
    world, scope = World(), Scope("user", "a\udc80")
    async with await open_journal(tmp_path / "j.db", options=BY_HAND) as journal:
        journal.append(world.charge(scope))
        assert spent(await journal.load(scope)) == 1
        assert await journal.fold()
        assert spent(await journal.load(scope)) == 1


async def test_records_whose_write_nobody_waits_for_any_more_are_written(tmp_path: Path) -> None:
    """The journal's thread has something else to do when whoever flushes is cancelled: at a stop it is the flusher."""
    async with await open_journal(tmp_path / "j.db", options=BY_HAND) as journal:
        busy, go_on = threading.Event(), threading.Event()

        def hold_up() -> None:
            busy.set()
            go_on.wait(10)

        holding = asyncio.get_running_loop().run_in_executor(journal._writer, hold_up)
        await asyncio.to_thread(busy.wait, 10)
        journal.append(World().charge(user(1)))
        flushing = asyncio.ensure_future(journal.flush())
        await asyncio.sleep(0.01)
        flushing.cancel()
        with suppress(asyncio.CancelledError):
            await flushing
        go_on.set()
        await holding
    assert len(on_disk(tmp_path / "j.db")) == 1
