"""Appending, writing, and finding it again after a restart."""

from pathlib import Path

from gateway.core.bucket import Bucket, Epoch, LimitKey, Refill
from gateway.core.cascade import Posting
from gateway.core.scope import Scope
from gateway.journal import Kind, Record, open_journal

HOUR = 3_600_000_000
KEY = LimitKey("throughput", HOUR, Refill.INTERVAL, Epoch())


def charge(n: int, scope: Scope, spent: int) -> Record:
    at_us = 1_700_000_000_000_000 + n
    generation = at_us - at_us % HOUR
    posting = Posting(scope, KEY, generation, 1, Bucket(generation, spent, at_us, ("sub",)))
    return Record(Kind.CHARGE, f"r{n}", at_us, "GET /x", scope, {"throughput": 1}, (posting,), user="u", workspace="w")


async def test_what_was_charged_is_known_after_a_restart(tmp_path: Path) -> None:
    scope = Scope("user", "u1")
    async with await open_journal(tmp_path / "j.db") as journal:
        for n in range(10):
            journal.append(charge(n, scope, n + 1))
        await journal.flush()
    async with await open_journal(tmp_path / "j.db") as journal:
        assert (await journal.load(scope))[KEY].spent == 10
        assert await journal.load(Scope("user", "u2")) == {}
