"""What needs no load generator: the cost of rules and buckets, in a process of its own.

``python -m bench.lab`` prints one line of JSON. CPU times are the least of several tries: noise only adds.
"""

import asyncio
import json
import tracemalloc
from itertools import accumulate

from bench import journaling, matching
from gateway.core.allowance import Plan, PlanLimit, resolve
from gateway.core.cascade import Bill
from gateway.core.scope import Scope
from gateway.ledger.memory import MemoryLedger

BUCKETS = 200_000
CHARGES = 40_000
SCOPES = 100_000
RATE = 40_000
_HOUR_US = 3_600_000_000
_START_US = 1_767_225_600_000_000
_TRIES = 7


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


def main() -> None:
    """Measure everything."""
    matching_ns = matching.cost_ns()
    found = {
        "matching_ns": matching_ns,
        "bucket_bytes": bucket_bytes(),
        "journal": asyncio.run(journaling.share()),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
