"""What tests of the ledger in Redis share."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from gateway.core.allowance import Allowance
from gateway.core.bucket import Bucket, LimitKey
from gateway.core.cascade import Charge
from gateway.core.scope import Scope
from gateway.ledger.port import Page
from gateway.ledger.redis.ledger import RedisLedger
from gateway.ledger.redis.open import open_redis
from tests.core.budgets import NOW, bill, default_of, per, plan

USERS = default_of(plan(per(100)))


class Journal:
    """What a gateway knows by itself."""

    def __init__(self) -> None:
        self.states: dict[Scope, dict[LimitKey, Bucket]] = {}
        self.epochs = ""

    async def pages(self) -> AsyncIterator[Page]:
        yield list(self.states.items())

    def filled(self) -> str:
        return self.epochs

    def fill(self, epochs: str) -> None:
        self.epochs = epochs

    def record(self, charge: Charge) -> None:
        for posting in charge.postings:
            self.states.setdefault(posting.scope, {})[posting.limit] = posting.after


@asynccontextmanager
async def ledger_at(
    url: str,
    *,
    prefix: str = "t",
    kept: Journal | None = None,
    gather_s: float = 0,
    timeout_s: float = 5.0,
    leased: bool = False,
) -> AsyncIterator[RedisLedger]:
    ledger = await open_redis(
        url, prefix=prefix, kept=kept, gather_s=gather_s, timeout_s=timeout_s, leased=leased, now_us=None
    )
    try:
        yield ledger
    finally:
        await ledger.close()


async def left(ledger: RedisLedger, allowance: Allowance = USERS, now_us: int = NOW) -> list[int]:
    return [standing.left for standing in await ledger.standings(allowance, now_us)]


async def paid(
    ledger: RedisLedger, cost: int, allowance: Allowance = USERS, *, id_: str = "b", now_us: int = NOW
) -> Charge:
    outcome = await ledger.charge(bill(cost, allowance, id_=id_), now_us)
    assert isinstance(outcome, Charge)
    return outcome


def spent(states: Mapping[LimitKey, Bucket]) -> list[int]:
    return [bucket.spent for bucket in states.values()]
