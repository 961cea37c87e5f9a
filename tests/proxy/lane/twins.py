"""Two gateways that differ in one setting only, each with an upstream, a ledger, a journal and a log of its own."""

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt

from gateway.app import Gateway
from gateway.clock import now_us
from gateway.journal.convert import decode
from gateway.journal.record import Kind, Record
from gateway.server import start
from gateway.settings.load import load
from tests.proxy.lane.corpus import Conversation, Corpus
from tests.proxy.lane.heard import Heard, answers
from tests.proxy.lane.recorder import Recorder

SECRET = "a-secret-of-the-lane-tests-that-is-long-enough"
CONFIG = """\
listen: 127.0.0.1:0
fast_lane: {fast}
upstream: {{url: "{upstream}", head_bytes: 30000B}}
identity:
  jwt: {{secret: "{secret}"}}
  tell: {{user_header: X-User}}
workspace: {{membership: trust_clients, query: ws}}
defaults: {{user: small, workspace: null}}
plans:
  - {{slug: small, name: Small, throughput_limit: 60, window_seconds: 864000}}
  - {{slug: team, name: Team, throughput_limit: 300, window_seconds: 864000, refill: continuous}}
subscriptions:
  - {{plan: team, scope: workspace, id: "aa0e8400-e29b-41d4-a716-446655440005"}}
rules:
  - {{method: POST, path: "/message/*", weight: 5}}
  - {{method: ANY, path: "/free/**", weight: 0}}
  - {{method: ANY, path: "/refunded", weight: 2, refund_on: [404, 500, 503]}}
  - {{method: ANY, path: "/tried", weight: 3, enforce: false}}
  - {{method: ANY, path: "/open/**", public: true}}
  - {{method: ANY, path: "/stripped", strip_json: [secret]}}
  - {{method: ANY, path: "/open/stripped", strip_json: [secret, "\u00e9"], public: true, refund_on: [404]}}
  - {{method: ANY, path: "/framed", frame_weight: 2, frame_match: {{text: send}}}}
  - {{method: ANY, path: "/kept/**", pays: [address], charge: on_success}}
ledger: sqlite:///{folder}/ledger.db
store: null
limits: {{strip_bytes: 30000B}}
log: {{access: {folder}/access.log}}
"""
USERS = tuple(f"user-{number}" for number in range(40))
WORKSPACES = ("aa0e8400-e29b-41d4-a716-446655440005", "AA0E8400-E29B-41D4-A716-446655440005", "other", "")
_VARIES = ("at_us", "request_id", "latency_us", "upstream_us")


def tokens() -> list[str]:
    """One for each user, good for a day."""
    ends = now_us() // 1_000_000 + 86_400
    return [jwt.encode({"sub": user, "exp": ends}, SECRET, algorithm="HS256") for user in USERS]


class Twin:
    """One of the two."""

    def __init__(self, gateway: Gateway, recorder: Recorder, folder: Path) -> None:
        self.gateway = gateway
        self.recorder = recorder
        self._folder = folder

    async def hold(self, conversation: Conversation) -> list[Heard]:
        """What a client hears."""
        host, _, port = urlsplit(self.gateway.urls[0]).netloc.rpartition(":")
        transport, client = await asyncio.get_running_loop().create_connection(_Client, host, int(port))
        for piece in conversation.pieces:
            if client.ended.done():
                break
            transport.write(piece)
            for _ in range(4):
                await asyncio.sleep(0)
        if conversation.half_closes and not transport.is_closing():
            with contextlib.suppress(OSError):  # it has ended already
                transport.write_eof()
        await asyncio.wait_for(client.ended, 60)
        came = bytes(client.came)
        if conversation.half_closes:  # whether an answer is the last one depends on when that is seen
            came = came.replace(b"\r\nConnection: close\r\n", b"\r\n")
        return answers(came, conversation.methods)

    @property
    def lane_requests(self) -> int:
        return self.gateway.metrics.fast_lane_requests[()]

    def counted(self) -> Mapping[str, Any]:
        """The counters that say what requests did."""
        self.gateway.metrics.text()  # what has ended a moment ago is counted together
        counters = self.gateway.metrics.counters
        return {name: dict(counters[name]) for name in ("requests", "units", "refunded_units", "refusals", "problems")}

    def logged(self) -> list[dict[str, Any]]:
        """The access log, once the gateway has stopped."""
        lines = [json.loads(line) for line in (self._folder / "access.log").read_bytes().splitlines()]
        return [_said(line) for line in lines]

    def recorded(self) -> list[tuple[Any, ...]]:
        """The journal, once the gateway has stopped: each record with what became of its request."""
        with sqlite3.connect(self._folder / "ledger.db") as connection:
            blobs = connection.execute("SELECT blob FROM entries ORDER BY seq").fetchall()
        records = [record for (blob,) in blobs for record in decode(blob)]
        ends = {record.id: record for record in records if record.kind is Kind.DONE}
        return [_meaning(record, ends.get(record.id, record)) for record in records if record.kind is not Kind.DONE]


def _said(line: Mapping[str, Any]) -> dict[str, Any]:
    """A line less what differs from run to run: also how much of a body had come when nobody waited for it."""
    unheard = {"bytes_in"} if line["upstream_us"] is None else set()
    return {key: value for key, value in line.items() if key not in unheard.union(_VARIES)}


def _meaning(record: Record, end: Record) -> tuple[Any, ...]:
    postings = [(posting.scope, posting.limit.window_us, posting.amount) for posting in record.postings]
    who = (record.user, record.workspace, record.scope)
    status = None if record.kind is Kind.REFUND else end.status  # a refund is not how its request ended
    return (record.kind, record.rule, dict(record.costs), postings, who, status, record.outcome, record.shadow)


class _Client(asyncio.Protocol):
    """Keeps all that came, also before a reset."""

    def __init__(self) -> None:
        self.came = bytearray()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.came += data

    def eof_received(self) -> None:
        self._transport.abort()  # what is not sent by now, nobody wants

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if not self.ended.done():
            self.ended.set_result(None)


@asynccontextmanager
async def twins(folder: Path, corpus: Corpus) -> AsyncIterator[tuple[Twin, Twin]]:
    """With and without the lane. At the end both have stopped."""
    async with AsyncExitStack() as stack:
        made = [await _twin(stack, folder / name, corpus, fast=name == "fast") for name in ("fast", "slow")]
        yield made[0], made[1]


async def _twin(stack: AsyncExitStack, folder: Path, corpus: Corpus, *, fast: bool) -> Twin:
    folder.mkdir()
    recorder = Recorder(corpus.plays)
    await recorder.start()
    stack.push_async_callback(recorder.stop)
    config = folder / "gateway.yaml"
    said = {"fast": str(fast).lower(), "upstream": recorder.url, "folder": folder, "secret": SECRET}
    config.write_text(CONFIG.format_map(said))
    gateway = await start(load(config, {}))
    stack.push_async_callback(gateway.stop)
    return Twin(gateway, recorder, folder)
