"""A small world of scopes, limits and charges to journal."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

from gateway.core.bucket import Bucket, Calendar, Epoch, LimitKey, Refill, Since
from gateway.core.cascade import Posting
from gateway.core.scope import Scope
from gateway.journal import Kind, Record
from gateway.journal.read import batches

HOUR_US = 3_600_000_000
START_US = 1_700_000_000_000_000 // HOUR_US * HOUR_US
HOURLY = LimitKey("throughput", HOUR_US, Refill.INTERVAL, Epoch())
MONTHLY = LimitKey("throughput", 31 * 24 * HOUR_US, Refill.INTERVAL, Calendar("month", ZoneInfo("Europe/Berlin")))
STEADY = LimitKey("tokens", 60_000_000, Refill.CONTINUOUS, Epoch(), "a|b%c")
BOUGHT = LimitKey("throughput", 86_400_000_000, Refill.INTERVAL, Since(START_US - 7))


class World:
    """Charges scopes and knows what each bucket must hold: one hourly limit per scope, without an upper end."""

    def __init__(self) -> None:
        self.spent: dict[Scope, int] = {}
        self.charged = 0

    def charge(self, scope: Scope, cost: int = 1, *, kind: Kind = Kind.CHARGE, rule: str = "GET /x") -> Record:
        self.charged += 1
        at_us = START_US + self.charged
        spent = self.spent[scope] = self.spent.get(scope, 0) + cost
        posting = Posting(scope, HOURLY, START_US, cost, Bucket(START_US, spent, at_us, ("sub",)))
        return Record(kind, f"r{self.charged}", at_us, rule, scope, {"throughput": cost}, (posting,), user="u1")

    def refusal(self, scope: Scope, cost: int = 1, rule: str = "GET /x") -> Record:
        self.charged += 1
        return Record(
            Kind.REFUSAL, f"r{self.charged}", START_US + self.charged, rule, scope, {"throughput": cost}, status=429
        )


def on_disk(path: Path) -> list[Record]:
    """Every record in the file, in order, as another process sees it."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return [record for _, records in batches(connection, path) for record in records]


def user(number: int) -> Scope:
    return Scope("user", f"u{number}")


def spent(buckets: Mapping[LimitKey, Bucket]) -> int:
    return buckets[HOURLY].spent if HOURLY in buckets else 0
