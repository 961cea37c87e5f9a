"""A gateway under a flood of odd requests, an upstream that reads strictly, and the books of both held together."""

import asyncio
import random
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote_to_bytes

from structlog.testing import capture_logs

from gateway.app import Gateway
from gateway.clock import now_us
from gateway.journal import Kind, Record
from gateway.journal.prove import prove
from gateway.journal.read import batches
from gateway.server import start
from tests.conformance import messages
from tests.conformance.messages import Message
from tests.conformance.peer import PATIENCE_S, Peer, Torn, connect
from tests.conformance.stage import credential, settings_for

RICH = "plans: [{slug: mine, throughput_limit: 1000000000, window_seconds: 315360000, anchor: epoch}]\n"
PRICES = {b"x": 3, b"free": 0, b"sure": 3, b"after": 3, b"canary": 1, b"dear": 1001, b"me": 3, b"framed": 3}
DOOR = (b"door",)
ANSWERS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 9\r\n\r\n',
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 22\r\n\r\n{"password":"x","n":1}',
)
_PAUSE_S = 0.005
_TO_HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


def price(message: Message) -> int | None:
    """What the request costs whoever is known, as its path says once it has arrived; ``None``: it is public."""
    path = message.start.split(b" ")[1].partition(b"?")[0]
    if path == b"*":
        return 1
    segments = [unquote_to_bytes(each) for each in path.split(b"/")[1:]]
    if tuple(segments) == DOOR:
        return None
    if segments[0] == b"x":
        return PRICES[b"x"]
    return PRICES.get(segments[0], 1) if len(segments) == 1 else 1


@dataclass(slots=True)
class Flood:
    """``arrived``: heads that came to the upstream. ``wrong``: what was no HTTP there, or at a client."""

    folder: Path
    gateway: Gateway = field(init=False)
    arrived: list[Message] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    spoil: Callable[[], bytes] | None = None
    """Makes the upstream's answers, instead of good ones; its connection ends behind each."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def accept(self) -> Peer:
        """A connection of the gateway to its upstream."""
        peer = Peer()
        task = asyncio.ensure_future(self._serve(peer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return peer

    async def _serve(self, peer: Peer) -> None:
        """Answer what comes; whatever the strict reader does not understand is written down."""
        try:
            while True:
                await peer.until(lambda: bool(peer.buffer), "a request")
                message = await messages.request_head(peer)
                self.arrived.append(message)
                await messages.read_body(peer, message)
                if self.spoil is not None:
                    await peer.send(self.spoil())
                    peer.close()
                    return
                if message.values(b"upgrade"):
                    await peer.send(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n")
                    continue
                said = _TO_HEAD if message.start.startswith(b"HEAD ") else self.chance.choice(ANSWERS)
                await peer.send(said)
                if b"Connection: close" in said:
                    peer.close()
                    return
        except Torn:
            peer.close()
        except AssertionError as error:
            self.wrong.append(f"at the upstream: {error}")
            peer.close()

    async def send(self, data: bytes, cuts: Sequence[int] = ()) -> None:
        """Send ``data`` on a connection of its own, cut in pieces; read what comes until the gateway ends it."""
        client = await connect(self.gateway.urls[0])
        for begin, end in pairwise((0, *sorted(cuts), len(data))):
            await client.send(data[begin:end])
            if end < len(data):
                await _pause(client)
            if client.ended:
                break
        if not client.ended:
            client.end()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._read(client, strictly=b"HEAD" not in data and b"websocket" not in data)
        except TimeoutError:
            self.wrong.append(f"no end of the answer to {data!r}")
        except AssertionError as error:
            self.wrong.append(f"{error} in answer to {data!r}")
        client.transport.abort()

    async def _read(self, client: Peer, *, strictly: bool) -> None:
        if not strictly:
            await client.rest()
            return
        while True:
            try:
                await client.until(lambda: bool(client.buffer), "an answer")
            except Torn:
                return
            try:
                self.answers[(await messages.answer(client)).status] += 1
            except Torn:
                assert client.ended == "reset", "half an answer, and an end in order"
                return


async def _pause(client: Peer) -> None:
    """Wait for an answer, or for a moment."""
    before = len(client.buffer)
    with suppress(TimeoutError, Torn):
        async with asyncio.timeout(_PAUSE_S):
            await client.until(lambda: len(client.buffer) > before, "an answer")


@asynccontextmanager
async def flood(folder: Path, more: str = "") -> AsyncIterator[Flood]:
    """A gateway whose users can pay; afterwards nothing has crashed, and upstream and journal tell the same."""
    flooded = Flood(folder)
    server = await asyncio.get_running_loop().create_server(flooded.accept, "127.0.0.1", 0, backlog=1024)
    upstream = "http://{}:{}".format(*server.sockets[0].getsockname())
    trouble: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: trouble.append(str(context)))
    with capture_logs() as logs:
        gateway = await start(settings_for(folder, upstream, RICH + more))
        flooded.gateway = gateway
        try:
            yield flooded
            async with asyncio.timeout(PATIENCE_S):
                while gateway.metrics.in_flight:
                    await asyncio.sleep(0.01)
        finally:
            await gateway.stop()
            server.close()
            for task in list(flooded.tasks):
                task.cancel()
            await asyncio.gather(*flooded.tasks, return_exceptions=True)
    assert not flooded.wrong, "\n".join(flooded.wrong[:10])
    assert not trouble, trouble[:5]
    assert [entry for entry in logs if entry["log_level"] in {"error", "critical"}] == []
    assert not gateway.metrics.problems["internal",]
    compare(flooded)


def compare(flooded: Flood) -> None:
    """Every request of somebody known is in the journal at its price, and every charge was for one that arrived."""
    path = flooded.folder / "ledger.db"
    assert prove(path, now_us()) == []
    with closing(sqlite3.connect(path)) as connection:
        records = [record for _, found in batches(connection, path) for record in found]
    charges = {record.id: record for record in records if record.kind is Kind.CHARGE}
    ends = {record.id: record.status for record in records if record.status is not None}
    refunds = {record.id: record for record in records if record.kind is Kind.REFUND}
    assert {record.kind for record in records} <= {Kind.CHARGE, Kind.REFUND, Kind.REFUSAL, Kind.DONE}
    known = [message for message in flooded.arrived if message.values(b"authorization")]
    ids = Counter(_id(message) for message in known)
    for message in known:
        _is_charged(message, charges[_id(message)])
    for id_, record in charges.items():
        # A kept connection that died in between makes two of one; a client that left makes one of none.
        assert ids[id_] in (1, 2) or record.id in refunds or ends[id_] == 499 or record.rule == "ANY /door", record
    for record in refunds.values():
        assert record.costs == {"throughput": -charges[record.id].costs["throughput"]}
    strangers = {_id(message) for message in flooded.arrived} - set(ids)
    assert not [charges[id_] for id_ in strangers & set(charges) if charges[id_].rule != "ANY /door"]


def _id(message: Message) -> str:
    (id_,) = message.values(b"x-request-id")
    return id_.decode()


def _is_charged(message: Message, record: Record) -> None:
    expected = price(message)
    if expected is not None:
        assert record.costs == {"throughput": expected}, f"{message} costs {record.costs}"


def who() -> dict[str, str]:
    """The words of a script for somebody who can pay."""
    said = credential()
    return {"who": said, "token": said.rpartition(" ")[2]}
