"""The fast lane cannot be told from the reference path: not by clients, not by the upstream, not in the books.

``LANE_CASES=100000 LANE_SEED=7 python -m pytest tests/proxy/lane`` tries more than the test run does.
"""

import asyncio
import os
from pathlib import Path

from gateway.core.bucket import units_spent
from gateway.core.scope import Scope
from gateway.ledger.memory import MemoryLedger
from tests.proxy.lane.asked import Asked
from tests.proxy.lane.corpus import Corpus, made
from tests.proxy.lane.twins import WORKSPACES, Twin, tokens, twins

CASES = int(os.environ.get("LANE_CASES", "2000"))
SEED = int(os.environ.get("LANE_SEED", "1"))


async def test_both_ways_are_the_same_for_clients_upstreams_and_books(tmp_path: Path) -> None:
    corpus = made(CASES, SEED, tokens(), WORKSPACES)
    async with twins(tmp_path, corpus) as (fast, slow):
        await hold_all(corpus, fast, slow)
        assert fast.lane_requests > CASES / 2
    compare_books(fast, slow)


async def test_both_ways_are_the_same_where_the_ledger_has_to_be_asked(tmp_path: Path) -> None:
    corpus = made(CASES // 4, SEED, tokens(), WORKSPACES)
    async with twins(tmp_path, corpus) as (fast, slow):
        asked = Asked(memory_of(fast))
        fast.gateway._meter._ledger, slow.gateway._meter._ledger = asked, Asked(memory_of(slow))
        await hold_all(corpus, fast, slow)
        assert asked.asked > CASES / 16
    compare_books(fast, slow)


async def hold_all(corpus: Corpus, fast: Twin, slow: Twin) -> None:
    for number, conversation in enumerate(corpus.conversations):
        seen = len(slow.recorder.came)
        heard, expected = await asyncio.gather(fast.hold(conversation), slow.hold(conversation))
        assert heard == expected, (number, conversation)
        assert fast.recorder.came[seen:] == slow.recorder.came[seen:], (number, conversation)
    assert fast.counted() == slow.counted()
    assert slow.lane_requests == 0


def compare_books(fast: Twin, slow: Twin) -> None:
    assert spent(fast) == spent(slow)
    assert fast.logged() == slow.logged()
    assert fast.recorded() == slow.recorded()


def memory_of(twin: Twin) -> MemoryLedger:
    ledger = twin.gateway._ledger
    assert isinstance(ledger, MemoryLedger)
    return ledger


def spent(twin: Twin) -> dict[Scope, list[int]]:
    """What every scope has spent, by bucket, in whole units."""
    ledger = memory_of(twin)
    return {
        scope: sorted(units_spent(bucket, key) for key, bucket in ledger._buckets_of(scope).items())
        for scope in ledger._scopes
    }
