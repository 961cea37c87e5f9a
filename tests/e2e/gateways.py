"""Several gateways as processes of their own, on one Redis and one PostgreSQL, and their books."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import NamedTuple

import jwt
import redis
from aiohttp import ClientError, ClientSession, TCPConnector

from gateway.clock import now_us
from gateway.core.bucket import units_spent
from gateway.core.limit_text import key_from
from gateway.journal import Kind, Record
from gateway.journal.read import batches
from gateway.ledger.redis.states import bucket_from
from tests.e2e.served import Served, configure, served
from tests.e2e.world import SECRET

USER = "550e8400-e29b-41d4-a716-446655440000"
MONTH_S = 30 * 86_400
SHARED = """\
ledger: {{url: "{redis}", mode: {mode}, journal: "sqlite:///{folder}/ledger.db", timeout: 2s, late_debt: {debt}}}
store: {store}
workspace: {{membership: trust_clients}}
cascade: [user]
defaults: {{user: free, workspace: null}}
plans:
  - {{slug: free, name: Free, throughput_limit: {budget}, window_seconds: 315360000, anchor: epoch}}
log: {{access: false, level: info}}
"""


def token(user: str = USER) -> str:
    return jwt.encode({"sub": user, "user_id": user, "exp": 4_000_000_000}, SECRET, algorithm="HS256")


@asynccontextmanager
async def gateways(
    folder: Path,
    count: int,
    upstream: str,
    redis_url: str,
    *,
    budget: int,
    store: str = "null",
    mode: str = "exact",
    debt: int = 0,
    more: str = "",
    workers: Sequence[int] = (),
) -> AsyncIterator[list[Served]]:
    """``count`` gateways that listen, each with a journal of its own. ``workers``: how many the first of them have."""
    async with AsyncExitStack() as stack:
        homes = [folder / f"gateway{number}" for number in range(count)]
        for number, home in enumerate(homes):
            home.mkdir()
            yaml = SHARED.format(redis=redis_url, folder=home, store=store, budget=budget, mode=mode, debt=debt)
            own = f"workers: {workers[number]}\n" if number < len(workers) else ""
            configure(home, upstream, f"{yaml}{more}{own}")
        yield [*await asyncio.gather(*(stack.enter_async_context(served(home)) for home in homes))]


class Asked(NamedTuple):
    """A request as its client saw it. ``status`` 0: no answer came."""

    place: Served
    sent_us: int
    ended_us: int
    status: int
    id: str = ""


async def storm(
    places: Sequence[Served],
    requests: int,
    *,
    at_once: int = 100,
    user: str = USER,
    seen: list[Asked] | None = None,
) -> Counter[int]:
    """Send so many requests of a unit each to all gateways alike; what was answered, 0 for no answer.

    By POST: a GET that is cut off in the middle would be sent again by the client's library, and charged twice.
    """
    answers: Counter[int] = Counter()
    asked = [] if seen is None else seen
    headers = {"Authorization": f"Bearer {token(user)}"}
    turns = asyncio.Semaphore(at_once)
    async with ClientSession(connector=TCPConnector(limit=0)) as session:

        async def one(number: int) -> None:
            place, status, id_ = places[number % len(places)], 0, ""
            async with turns:
                sent_us = now_us()
                try:
                    async with session.post(f"{place.url}/one", headers=headers) as answer:
                        await answer.read()
                        status, id_ = answer.status, answer.headers.get("X-Request-Id", "")
                except (ClientError, OSError):
                    pass
            answers[status] += 1
            asked.append(Asked(place, sent_us, now_us(), status, id_))

        await asyncio.gather(*(one(number) for number in range(requests)))
    return answers


def spent(client: "redis.Redis", prefix: str = "wb", user: str = "*") -> int:
    """What Redis says all users have spent, or one of them."""
    total = 0
    for name in client.scan_iter(f"{prefix}:*:user:{user}"):
        if client.type(name) != b"hash":
            continue
        for field, text in client.hgetall(name).items():
            assert isinstance(field, bytes)
            assert isinstance(text, bytes)
            if b"|" in field:
                key = key_from(field.decode())
                total += units_spent(bucket_from(text, key), key)
    return total


def journals_of(place: Served) -> dict[str, list[Record]]:
    """What a gateway's journals hold, by the name of the file."""
    found: dict[str, list[Record]] = {}
    for path in place.folder.glob("ledger*.db"):
        with closing(sqlite3.connect(path)) as connection:
            found[path.stem] = [record for _, records in batches(connection, path) for record in records]
    return found


def recorded(*places: Served, user: str | None = None) -> Counter[str]:
    """What gateways' journals say was used, by kind of record; by one user or by all."""
    sums: Counter[str] = Counter()
    journals = [records for place in places for records in journals_of(place).values()]
    for record in (record for records in journals for record in records):
        ours = user is None or (record.scope is not None and record.scope.id == user)
        if record.kind is not Kind.REFUSAL and ours:
            sums[record.kind] += sum(record.costs.values())
            sums["overrun"] += sum(record.overrun.values())
    return sums


def workers_of(here: Served) -> list[int]:
    """The processes that serve, where there is a supervisor."""
    parent, found = here.process.pid, []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                stat = (process / "stat").read_text()
            except OSError:
                continue
            if int(stat.rpartition(")")[2].split()[1]) == parent:
                found.append(int(process.name))
    return found
