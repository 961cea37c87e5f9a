"""The fast lane cannot be told from the reference path: not by clients, not by the upstream, not in the books.

``LANE_CASES=100000 LANE_SEED=7 python -m pytest tests/proxy/lane`` tries more than the test run does.
"""

import asyncio
import os
from pathlib import Path

from gateway.core.bucket import units_spent
from gateway.core.scope import Scope
from gateway.ledger.memory import MemoryLedger
from tests.proxy.lane.corpus import made
from tests.proxy.lane.twins import WORKSPACES, Twin, tokens, twins

CASES = int(os.environ.get("LANE_CASES", "2000"))
SEED = int(os.environ.get("LANE_SEED", "1"))


async def test_both_ways_are_the_same_for_clients_upstreams_and_books(tmp_path: Path) -> None:
    corpus = made(CASES, SEED, tokens(), WORKSPACES)
    async with twins(tmp_path, corpus) as (fast, slow):
        for number, conversation in enumerate(corpus.conversations):
            seen = len(slow.recorder.came)
            heard, expected = await asyncio.gather(fast.hold(conversation), slow.hold(conversation))
            assert heard == expected, (number, conversation)
            assert fast.recorder.came[seen:] == slow.recorder.came[seen:], (number, conversation)
        assert fast.counted() == slow.counted()
        assert slow.lane_requests == 0
        assert fast.lane_requests > CASES / 2
    assert spent(fast) == spent(slow)
    assert fast.logged() == slow.logged()
    assert fast.recorded() == slow.recorded()


def spent(twin: Twin) -> dict[Scope, list[int]]:
    """What every scope has spent, by bucket, in whole units."""
    ledger = twin.gateway._ledger
    assert isinstance(ledger, MemoryLedger)
    return {
        scope: sorted(units_spent(bucket, key) for key, bucket in ledger._buckets_of(scope).items())
        for scope in ledger._scopes
    }
