"""A gateway before an upstream that fails on purpose, and what the journal says afterwards that it cost."""

import asyncio
import socket
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from gateway.core.bucket import units_spent
from gateway.core.scope import Scope
from gateway.demo.data import ACME, ALICE, BOB, User
from gateway.journal import open_journal
from tests.e2e.audit import used_by
from tests.e2e.shapes import unused_port
from tests.e2e.wire import request
from tests.e2e.world import World, world
from tests.fakes.upstream import Conversation, Script, upstream

WORKSPACE, USER, OTHER = Scope("workspace", ACME.id), Scope("user", BOB.id), Scope("user", ALICE.id)
ADDRESS = Scope("address", "127.0.0.1")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

TEN_YEARS = 315_360_000
"""A window, in seconds, whose end no test meets by accident."""

YAML = """\
workspace: {{membership: trust_clients}}
defaults: {{user: mine, workspace: team, address: mine}}
plans:
  - {{slug: mine, name: Mine, throughput_limit: 10, window_seconds: {window}, anchor: epoch}}
  - {{slug: team, name: Team, throughput_limit: 10, window_seconds: 315360000, anchor: epoch}}
upstream: {{url: "{url}", {more}}}
rules:
  - {{method: ANY, path: /x, weight: 3, {rule}}}
  - {{method: ANY, path: /door, public: true, pays: [address]}}
"""

Upstream = Callable[[], AbstractAsyncContextManager[str]]


@asynccontextmanager
async def down() -> AsyncIterator[str]:
    """Nobody listens."""
    yield f"http://127.0.0.1:{unused_port()}"


@asynccontextmanager
async def deaf() -> AsyncIterator[str]:
    """Somebody listens and takes no connection: the backlog is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        for filler in fillers:
            filler.close()


def plays(script: Script) -> Upstream:
    """An upstream that plays ``script`` on each connection."""

    @asynccontextmanager
    async def playing() -> AsyncIterator[str]:
        async with upstream(script) as up:
            yield up.url

    return playing


def says(wire: bytes) -> Upstream:
    """An upstream that answers each request (without a body) with ``wire``, and then ends the connection."""

    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.send(wire)

    return plays(script)


def told(head: bytes, name: bytes) -> bytes | None:
    """The value of a field of a head."""
    for line in head.split(b"\r\n"):
        if line.lower().startswith(name.lower() + b": "):
            return line.partition(b": ")[2]
    return None


@dataclass(slots=True)
class Scene:
    """What a test plays with. By scope, known when the scene is over, from the journal, which proves itself:

    ``spent``: what the buckets say. ``used``: what the roll-ups say, the same unless a window has ended.
    """

    here: World
    clients: list[Conversation] = field(default_factory=list)
    spent: dict[Scope, int] = field(default_factory=dict)
    used: dict[Scope, int] = field(default_factory=dict)

    async def connect(self) -> Conversation:
        parts = urlsplit(self.here.url)
        client = Conversation(*await asyncio.open_connection(parts.hostname, parts.port))
        self.clients.append(client)
        return client

    def wire(
        self, *fields: tuple[str, str], method: str = "GET", user: User | None = BOB, workspace: str | None = ACME.id
    ) -> bytes:
        """A request to ``/x`` that ends its connection."""
        return request(b"/x", [*self.here.headers(user, workspace).items(), *fields], method)

    async def ask(self, *fields: tuple[str, str], method: str = "GET", user: User | None = BOB) -> bytes:
        """One request in the workspace; everything that came back."""
        client = await self.connect()
        await client.send(self.wire(*fields, method=method, user=user))
        return await client.rest()

    async def quiet(self) -> None:
        """Wait until every request that came is settled."""
        await until(lambda: not self.here.gateway.metrics.in_flight)


@asynccontextmanager
async def scene(
    folder: Path, where: Upstream, *, rule: str = "", more: str = "", extra: str = "", window: int = TEN_YEARS
) -> AsyncIterator[Scene]:
    """A gateway before ``where``; afterwards ``spent`` is filled in."""
    async with where() as url:
        yaml = YAML.format(url=url, rule=rule, more=more, window=window) + extra
        async with world(folder, yaml, upstream=url) as here, asyncio.timeout(20):
            played = Scene(here)
            try:
                yield played
            finally:
                for client in played.clients:
                    client.reset()
                await played.quiet()
    played.spent, played.used = await _read(folder / "ledger.db")
    assert window != TEN_YEARS or played.spent == played.used


async def _read(path: Path) -> tuple[dict[Scope, int], dict[Scope, int]]:
    """What was spent and used, by a journal that has been proved."""
    async with await open_journal(path) as journal:
        held = {scope: await journal.load(scope) for scope in (WORKSPACE, USER, OTHER, ADDRESS)}
        assert await journal.fold()
        assert await journal.prove() == []
    spent = {scope: sum(units_spent(bucket, key) for key, bucket in found.items()) for scope, found in held.items()}
    with closing(sqlite3.connect(path)) as connection:
        used = used_by(connection)
    return {scope: units for scope, units in spent.items() if units}, {s: units for s, units in used.items() if units}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)
