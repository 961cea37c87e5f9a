"""What needs no load generator: the cost of rules, buckets and the journal, in a process of its own.

``python -m bench.lab`` prints one line of JSON. CPU times are the least of several tries: noise only adds.
"""

import asyncio
import json
import random
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

from gateway.core.allowance import Plan, PlanLimit, resolve
from gateway.core.bucket import Bucket, Epoch, LimitKey, Refill
from gateway.core.cascade import Bill, Posting
from gateway.core.profile import PROFILES
from gateway.core.rules import Origin, Rule, RuleTable
from gateway.core.scope import Scope
from gateway.journal.open import open_journal
from gateway.journal.options import Options, Pace
from gateway.journal.record import Kind, Record
from gateway.ledger.memory import MemoryLedger

BUCKETS = 200_000
CHARGES = 40_000
SCOPES = 100_000
RATE = 40_000
_HOUR_US = 3_600_000_000
_START_US = 1_767_225_600_000_000
_TRIES = 7


def match_ns(rules: int) -> float:
    """The time of one match among ``rules`` rules, paths never seen before."""
    shapes = ("", "/search", "/{id}", "/{id}/members", "/files/**")
    made = [
        Rule(
            "GET", f"/resource{number // len(shapes)}{shapes[number % len(shapes)]}", origin=Origin("file", str(number))
        )
        for number in range(rules)
    ]
    table = RuleTable.compile(made, PROFILES["strict"])
    chance = random.Random(rules)  # noqa: S311  (not a secret: it shall repeat)
    paths = [(f"resource{chance.randrange(max(1, rules // len(shapes)))}", str(n), "members") for n in range(2_000)]

    def match() -> None:
        for path in paths:
            table.match("GET", path)

    return _least_ns(match) / len(paths)


def bucket_bytes() -> float:
    """The memory of one scope with one bucket that has state."""
    plan = Plan("p", "P", (PlanLimit("throughput", 1_000, _HOUR_US),))
    allowances = [resolve(Scope("user", f"{number:032x}"), (), plan, _START_US) for number in range(BUCKETS)]
    ledger = MemoryLedger()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number, allowance in enumerate(allowances):
        if allowance is not None:
            ledger.charge_now(Bill("id", _COSTS, (allowance,)), _START_US + number)
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return used / len(ledger)


_COSTS = {"throughput": 1}


async def journal_share() -> dict[str, float]:
    """What ``RATE`` charges a second over ``SCOPES`` scopes cost: the share of one core, by the clocks of CPU time."""
    chance = random.Random(1)  # noqa: S311  (not a secret: it shall repeat)
    key = LimitKey("throughput", _HOUR_US, Refill.INTERVAL, Epoch())
    scopes = [Scope("user", f"{number:032x}") for number in range(SCOPES)]
    rules = [f"GET /resource{number}/*" for number in range(500)]
    picked = chance.choices(scopes, cum_weights=_zipf(SCOPES), k=CHARGES)
    by = chance.choices(rules, cum_weights=_zipf(500), k=CHARGES)
    now_us, loop_ns, thread_ns, longest_ns = _START_US, 0, 0, 0
    options = Options(pace=Pace(flush_s=3600, flush_records=1 << 30, fold_s=3600, close_s=300))
    with tempfile.TemporaryDirectory() as folder:
        async with await open_journal(Path(folder) / "j.db", options=options, now_us=lambda: now_us) as journal:
            run, store = journal._run, journal._store  # noqa: SLF001  (its two halves are measured apart)
            for start in range(0, CHARGES, RATE // 10):
                now_us += 100_000
                records = [
                    _charge(picked[n], by[n], key, now_us, n) for n in range(start, min(start + RATE // 10, CHARGES))
                ]
                before = time.thread_time_ns()
                for record in records:
                    journal.append(record)
                    journal.complete(record, status=200, latency_us=900, upstream_latency_us=700)
                loop_ns += time.thread_time_ns() - before
                before, wall = await run(time.thread_time_ns), time.perf_counter_ns()
                await journal.flush()
                longest_ns = max(longest_ns, time.perf_counter_ns() - wall)
                if start % RATE == 0:
                    await run(store.fold_some, options.pace.fold_rows)
                thread_ns += await run(time.thread_time_ns) - before
    seconds = CHARGES / RATE
    return {
        "loop_us": loop_ns / 1e3 / CHARGES,
        "thread_us": thread_ns / 1e3 / CHARGES,
        "share": (loop_ns + thread_ns) / 1e9 / seconds,
        "longest_flush_ms": longest_ns / 1e6,
    }


def _charge(scope: Scope, rule: str, key: LimitKey, at_us: int, number: int) -> Record:
    posting = Posting(scope, key, _START_US, 1, Bucket(_START_US, number, at_us, ("default:user",)))
    id_ = f"{at_us:012x}{number:014x}"
    return Record(Kind.CHARGE, id_, at_us, rule, scope, _COSTS, (posting,), user=scope.id, outcome="paid")


def _zipf(count: int) -> list[float]:
    return list(accumulate(1 / rank for rank in range(1, count + 1)))


def _least_ns(act: Callable[[], None]) -> int:
    least = sys.maxsize
    for _ in range(_TRIES):
        before = time.thread_time_ns()
        act()
        least = min(least, time.thread_time_ns() - before)
    return least


def main() -> None:
    """Measure everything."""
    few, many = match_ns(10), match_ns(10_000)
    found = {
        "match_10_rules_ns": few,
        "match_10000_rules_ns": many,
        "bucket_bytes": bucket_bytes(),
        "journal": asyncio.run(journal_share()),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
