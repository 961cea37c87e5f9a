"""``kill -9`` at any moment: what was confirmed is there, and nothing is there twice."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.journal import Kind, open_journal
from tests.journal.world import on_disk, spent, user

SCOPES = 50
WRITER = """
import asyncio, pathlib, sys
from gateway.core.bucket import Bucket
from gateway.core.cascade import Posting
from gateway.journal import Kind, Options, Pace, Record, open_journal
from tests.journal.world import HOURLY, START_US, user

async def main(path, scopes):
    options = Options(pace=Pace(flush_s=0.002, fold_s=0.003, fold_rows=40))
    journal = await open_journal(path, options=options)
    state = {}
    for n in range(scopes):
        buckets = await journal.load(user(n))
        state[user(n)] = buckets[HOURLY].spent if buckets else 0
    print("ready", sum(state.values()), flush=True)
    first = sum(state.values())
    number = first
    while True:
        for _ in range(20):
            scope = user(number % scopes)
            state[scope] += 1
            number += 1
            posting = Posting(scope, HOURLY, START_US, 1, Bucket(START_US, state[scope], START_US + number))
            journal.append(Record(Kind.CHARGE, str(number), START_US, "GET /x", scope, {"throughput": 1}, (posting,)))
        print(first + journal.written, first + journal.appended, flush=True)
        await asyncio.sleep(0.001)

asyncio.run(main(pathlib.Path(sys.argv[1]), int(sys.argv[2])))
"""


@pytest.mark.parametrize("seed", range(6))
async def test_everything_confirmed_survives_and_nothing_is_there_twice(tmp_path: Path, seed: int) -> None:
    path, dice, confirmed, appended = tmp_path / "j.db", random.Random(seed), 0, 0
    for _ in range(2):
        with subprocess.Popen(  # noqa: ASYNC220  (nothing else runs here)
            [sys.executable, "-c", WRITER, path, str(SCOPES)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            ready, restored = writer.stdout.readline().split()
            assert ready == "ready"
            assert confirmed <= int(restored) <= appended
            for _ in range(dice.randrange(5, 60)):
                confirmed, appended = map(int, writer.stdout.readline().split())
            writer.send_signal(signal.SIGKILL)
            last = writer.stdout.read().splitlines()
        # The last line may be cut short, and more may have been appended than was printed.
        for line in last[:-1]:
            confirmed, appended = map(int, line.split())
        appended += 40
    async with await open_journal(path) as journal:
        assert await journal.prove() == []
        ids = [int(record.id) for record in on_disk(path) if record.kind is Kind.CHARGE]
        assert ids == list(range(1, len(ids) + 1))
        assert confirmed <= len(ids) <= appended
        for number in range(SCOPES):
            assert spent(await journal.load(user(number))) == sum(1 for id_ in ids if (id_ - 1) % SCOPES == number)
