"""What the journal costs at 40,000 charges a second over 100,000 scopes: ``python -m bench.journaling``.

Charges come at the pace of a busy gateway, are written every 100 ms and folded every second, as in the application;
only the clock is made up, so that ten seconds of traffic need not take ten. The cost on the loop is measured around
``append``, ``complete`` and the taking of a batch, that of the thread by its own clock of CPU time.
"""

import asyncio
import json
import random
import tempfile
import time
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from gateway.core.bucket import Bucket, Epoch, LimitKey, Refill
from gateway.core.cascade import Posting
from gateway.core.scope import Scope
from gateway.journal import Journal, Kind, Options, Pace, Record, open_journal
from gateway.server import tune_the_interpreter
from gateway.tasks import Tasks

RATE = 40_000
SCOPES = 100_000
RULES = 500
SECONDS = 5
_TICKS = 10
_START_US = 1_767_225_600_000_000
_HOUR_US = 3_600_000_000
_KEY = LimitKey("throughput", _HOUR_US, Refill.INTERVAL, Epoch())
_COSTS = {"throughput": 1}
_BY_HAND = Options(pace=Pace(flush_s=3600, flush_records=1 << 30, fold_s=3600, close_s=300))


class Traffic:
    """Charges of Zipf-distributed scopes by Zipf-distributed rules."""

    def __init__(self, scopes: int, rules: int) -> None:
        self._chance = random.Random(scopes)  # noqa: S311  (not a secret: it shall repeat)
        self._scopes = [Scope("user", f"{number:032x}") for number in range(scopes)]
        self._rules = [f"GET /resource{number}/*" for number in range(rules)]
        self._weights = [*accumulate(1 / rank for rank in range(1, scopes + 1))]
        self._rule_weights = [*accumulate(1 / rank for rank in range(1, rules + 1))]
        self._spent: dict[Scope, int] = {}
        self._number = 0
        self.now_us = _START_US

    def tick(self, charges: int) -> list[Record]:
        """The charges of the next 100 ms."""
        scopes = self._chance.choices(self._scopes, cum_weights=self._weights, k=charges)
        rules = self._chance.choices(self._rules, cum_weights=self._rule_weights, k=charges)
        from_us = self.now_us
        self.now_us += 100_000
        return [
            self._charge(scope, rule, from_us + number * 100_000 // charges)
            for number, (scope, rule) in enumerate(zip(scopes, rules, strict=True))
        ]

    def _charge(self, scope: Scope, rule: str, at_us: int) -> Record:
        self._number += 1
        spent = self._spent[scope] = self._spent.get(scope, 0) + 1
        posting = Posting(scope, _KEY, _START_US, 1, Bucket(_START_US, spent, at_us, ("default:user",)))
        id_ = f"{at_us // 1000:012x}{self._number:014x}"
        return Record(Kind.CHARGE, id_, at_us, rule, scope, _COSTS, (posting,), user=scope.id, outcome="paid")


@dataclass(slots=True)
class Spent:
    """CPU time, in nanoseconds, and the longest time for which the event loop did not come to its turn."""

    loop_ns: int = 0
    flush_ns: int = 0
    fold_ns: int = 0
    stall_ns: int = 0


async def _tick(journal: Journal, records: list[Record], spent: Spent, *, fold: bool) -> None:
    run, store = journal._run, journal._store  # noqa: SLF001  (its two halves are measured apart)
    before = time.thread_time_ns()
    for record in records:
        journal.append(record)
        journal.complete(record, status=200, latency_us=900, upstream_latency_us=700)
    spent.loop_ns += time.thread_time_ns() - before
    started, before = await run(time.thread_time_ns), time.thread_time_ns()
    await journal.flush()
    spent.loop_ns += time.thread_time_ns() - before
    between = await run(time.thread_time_ns)
    if fold:
        await run(store.fold_some, Pace().fold_rows)
    spent.flush_ns += between - started
    spent.fold_ns += await run(time.thread_time_ns) - between


async def _watch(spent: Spent) -> None:
    """Note the longest time between two turns of the loop."""
    last = time.perf_counter_ns()
    while True:
        await asyncio.sleep(0)
        now = time.perf_counter_ns()
        spent.stall_ns = max(spent.stall_ns, now - last)
        last = now


async def share(seconds: int = SECONDS, *, scopes: int = SCOPES, rules: int = RULES) -> dict[str, float]:
    """What it costs: microseconds for each charge, and the share of one core at ``RATE``."""
    tune_the_interpreter()
    spent, traffic = Spent(), Traffic(scopes, rules)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "j.db"
        async with await open_journal(path, options=_BY_HAND, now_us=lambda: traffic.now_us) as journal:
            for number in range(seconds * _TICKS):
                await _tick(journal, traffic.tick(RATE // _TICKS), spent, fold=number % _TICKS == _TICKS - 1)
            stalls = [await _stall(journal, traffic) for _ in range(5)]
            size = await asyncio.to_thread(lambda: sum(file.stat().st_size for file in path.parent.iterdir()))
    charges = seconds * RATE
    per_charge = {
        "append_us": spent.loop_ns / 1e3 / charges,
        "write_us": spent.flush_ns / 1e3 / charges,
        "fold_us": spent.fold_ns / 1e3 / charges,
    }
    return {
        **per_charge,
        "share": sum(per_charge.values()) * RATE / 1e6,
        "stall_ms": min(stalls),
        "bytes": size / charges,
    }


async def _stall(journal: Journal, traffic: Traffic) -> float:
    """The longest stall of the loop in a second, in milliseconds: the journal's thread beside a loop always ready."""
    ticks = [traffic.tick(RATE // _TICKS) for _ in range(_TICKS)]
    spent, longest = Spent(), Spent()
    for number, records in enumerate(ticks):
        for record in records:
            journal.append(record)
        tasks = Tasks()
        tasks.start(_watch(longest), "watch the loop")
        await asyncio.sleep(0)
        await _tick(journal, [], spent, fold=number == _TICKS - 1)
        await tasks.close()
    return longest.stall_ns / 1e6


def main() -> None:
    """Print one line of JSON."""
    print(json.dumps(asyncio.run(share())))


if __name__ == "__main__":
    main()
