"""What needs no load generator: the cost of rules and buckets, in a process of its own.

``python -m bench.lab`` prints one line of JSON. CPU times are the least of several tries: noise only adds.
"""

import asyncio
import gc
import json
import os
from pathlib import Path

from bench import journaling, matching
from gateway.core.allowance import Plan, PlanLimit, resolve
from gateway.core.cascade import Bill
from gateway.core.scope import Scope
from gateway.ledger.memory import MemoryLedger

BUCKETS = 1_000_000
SCOPES = (100, 10_000, 100_000)
_HOUR_US = 3_600_000_000
_START_US = 1_767_225_600_000_000
_COSTS = {"throughput": 1}
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def bucket_bytes() -> float:
    """The resident memory of one scope with one bucket that has state, among a million of them."""
    plan = Plan("p", "P", (PlanLimit("throughput", 1_000, _HOUR_US),))
    scopes = [Scope("user", f"{number:032x}") for number in range(BUCKETS)]
    ledger, before = MemoryLedger(), _resident()
    for number, scope in enumerate(scopes):
        allowance = resolve(scope, (), plan, _START_US)
        if allowance is not None:
            ledger.charge_now(Bill("id", _COSTS, (allowance,)), _START_US + number)
    return (_resident() - before) / len(ledger)


def _resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES


def main() -> None:
    """Measure everything."""
    matching_ns, bucket = matching.cost_ns(), bucket_bytes()
    journal = {scopes: asyncio.run(journaling.share(scopes=scopes)) for scopes in SCOPES}
    found = {
        "matching_ns": matching_ns,
        "bucket_bytes": bucket,
        "journal": journal[SCOPES[-1]],
        "journal_by_scopes": journal,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
