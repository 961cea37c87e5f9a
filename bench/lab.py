"""What needs no load generator: the cost of rules and buckets, in a process of its own.

``python -m bench.lab`` prints one line of JSON. CPU times are the least of several tries: noise only adds.
"""

import asyncio
import json
import random
import sys
import time
import tracemalloc
from collections.abc import Callable
from itertools import accumulate

from bench import journaling
from gateway.core.allowance import Plan, PlanLimit, resolve
from gateway.core.cascade import Bill
from gateway.core.profile import PROFILES
from gateway.core.rules import Origin, Rule, RuleTable
from gateway.core.scope import Scope
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
        "journal": asyncio.run(journaling.share()),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
