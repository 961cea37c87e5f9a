"""Plays one case: the test is the client and the upstream at once, and the gateway stands between."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from gateway.app import Gateway
from gateway.clock import now_us
from gateway.demo.tokens import sign
from gateway.server import start
from gateway.settings.load import load
from gateway.settings.models import Settings
from tests.conformance import messages
from tests.conformance.books import Books
from tests.conformance.messages import Message
from tests.conformance.peer import PATIENCE_S, Peer, Torn, connect
from tests.conformance.script import Case, Step, spelled, wire
from tests.e2e.world import SECRET, merged

USER = "0b3f6f9e-1111-4a11-8a11-a11ce0000001"
CONFIG = """\
listen: 127.0.0.1:0
upstream: {url: "http://127.0.0.1:1"}
identity: {jwt: {secret: "${JWT_SECRET}"}}
workspace: {membership: trust_clients}
cascade: [user]
store: null
ledger: sqlite:///ledger.db
log: {access: false}
defaults: {user: mine, address: mine}
plans: [{slug: mine, throughput_limit: 1000, window_seconds: 315360000, anchor: epoch}]
rules:
  - {method: ANY, path: /x/**, weight: 3}
  - {method: ANY, path: /free, weight: 0}
  - {method: ANY, path: /sure, weight: 3, refund_on: [500, 502, 503, 504]}
  - {method: ANY, path: /after, weight: 3, charge: on_success}
  - {method: ANY, path: /dear, weight: 1001}
  - {method: ANY, path: /canary, weight: 1}
  - {method: ANY, path: /door, public: true, pays: [address]}
  - {method: ANY, path: /me, weight: 3, strip_json: [password]}
  - {method: ANY, path: /framed, weight: 3, frame_weight: 2, frame_match: {text: send}}
"""
_WARM = b"GET /x HTTP/1.1\r\nHost: api.example\r\n%b\r\nConnection: close\r\n\r\n"
_CANARY = b"GET /canary HTTP/1.1\r\nHost: api.example\r\n%b\r\n\r\n"


class Stage:
    """``url``: the gateway. ``arrived``: the requests that came to the upstream, in order."""

    def __init__(self, url: str, who: str, *, piecewise: bool = False) -> None:
        self.url = url
        self.words = {"who": who, "token": who.rpartition(" ")[2]}
        self.arrived: list[Message] = []
        self.peers: list[Peer] = []
        self.clients: list[Peer] = []
        self.client: Peer
        self.gateway: Gateway
        self.upstream: Peer | None = None
        self._piecewise = piecewise
        self._stirred = asyncio.Event()

    def accept(self) -> Peer:
        """A connection of the gateway to its upstream."""
        peer = Peer(self._stirred.set)
        self.peers.append(peer)
        return peer

    async def connect(self) -> Peer:
        client = await connect(self.url, self._stirred.set)
        self.clients.append(client)
        return client

    async def warm(self, *, kept: bool) -> None:
        """One request, so that whatever remembers callers and rules knows these. ``kept``: its upstream connection."""
        client = await self.connect()
        await client.send(_WARM % self.words["who"].encode())
        upstream = await self.next()
        await messages.request(upstream)
        await upstream.send(
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n%b\r\n" % (b"" if kept else b"Connection: close\r\n")
        )
        await messages.answer(client)
        client.close()
        if not kept:
            upstream.close()
            await asyncio.sleep(0)
            self.peers.clear()
        self.upstream = None

    async def next(self) -> Peer:
        """The upstream's connection on which something has come."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not (found := [peer for peer in self.peers if peer.buffer]):
                    self._stirred.clear()
                    await self._stirred.wait()
        except TimeoutError:
            told = bytes(self.client.buffer[:400]) if hasattr(self, "client") else b""
            raise Torn(f"nothing comes to the upstream; the client is told {told!r}") from None
        self.upstream = found[0]
        return found[0]

    async def play(self, step: Step) -> None:
        """Do, or look for, what one step says."""
        if (exact := _STEPS.get(step.verb)) is None:
            raise AssertionError(f"nobody knows how to do `{step.verb}`")
        await exact(self, step)

    async def client_sends(self, step: Step) -> None:
        await self.client.send(wire(step.lines, self.words), piecewise=self._piecewise)

    async def client_ends(self, _step: Step) -> None:
        self.client.end()

    async def client_resets(self, _step: Step) -> None:
        self.client.reset()

    async def client_gets(self, step: Step) -> None:
        self._compare(await messages.answer(self.client), step)

    async def client_gets_to_head(self, step: Step) -> None:
        self._compare(await messages.answer(self.client, to_head=True), step)

    async def client_gets_head(self, step: Step) -> None:
        self._compare(await messages.answer_head(self.client), step)

    async def client_gets_bytes(self, step: Step) -> None:
        await self._bytes(self.client, step)

    async def client_closed(self, _step: Step) -> None:
        assert await self.client.rest() == b""

    async def client_cut_off(self, _step: Step) -> None:
        rest = await self.client.rest()
        assert self.client.ended == "reset", f"it ends in order, as if the answer were whole, after {rest!r}"

    async def client_kept(self, _step: Step) -> None:
        """Both sides are in step: a next request on this connection gets the answer that is meant for it."""
        await self.client.send(_CANARY % self.words["who"].encode())
        await self._canary(self.client)

    async def upstream_kept(self, _step: Step) -> None:
        """The same for the upstream's connection, with the request of another client."""
        before, other = self.upstream, await self.connect()
        await other.send(_CANARY % self.words["who"].encode())
        await self._canary(other)
        other.close()
        assert self.upstream is before, "it came over another connection"

    async def _canary(self, client: Peer) -> None:
        upstream = await self.next()
        message = await messages.request(upstream)
        assert message.start == b"GET /canary HTTP/1.1", message
        await upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ncanary")
        told = await messages.answer(client)
        assert (told.status, told.body) == (200, b"canary"), told

    async def upstream_gets(self, step: Step) -> None:
        message = await messages.request(await self.next())
        self.arrived.append(message)
        self._compare(message, step)

    async def upstream_gets_head(self, step: Step) -> None:
        message = await messages.request_head(await self.next())
        messages.framing(message)
        self.arrived.append(message)
        self._compare(message, step)

    async def upstream_gets_body(self, step: Step) -> None:
        message = self.arrived[-1]
        await messages.read_body(self._behind, message)
        body = wire(step.lines, self.words)
        assert message.body == body, f"{message.body[:400]!r} is not {body[:400]!r}"

    async def upstream_gets_bytes(self, step: Step) -> None:
        await self._bytes(self._behind, step)

    async def upstream_gets_nothing(self, _step: Step) -> None:
        assert not [bytes(peer.buffer) for peer in self.peers if peer.buffer]

    async def upstream_sends(self, step: Step) -> None:
        await self._behind.send(wire(step.lines, self.words), piecewise=self._piecewise)

    async def upstream_ends(self, _step: Step) -> None:
        self._behind.close()

    async def upstream_resets(self, _step: Step) -> None:
        self._behind.reset()

    async def upstream_gets_no_whole_body(self, _step: Step) -> None:
        rest = await self._behind.rest()
        assert not await messages.is_whole_chunked(rest), f"{rest!r} looks like a whole body"

    async def upstream_closed(self, _step: Step) -> None:
        assert await self._behind.rest() == b""

    @property
    def _behind(self) -> Peer:
        assert self.upstream is not None, "nothing has come to the upstream yet"
        return self.upstream

    async def _bytes(self, peer: Peer, step: Step) -> None:
        expected = wire(step.lines, self.words)
        came = await peer.exactly(len(expected))
        assert came == expected, f"{came!r} is not {expected!r}"

    def _compare(self, message: Message, step: Step) -> None:
        """The first line, the fields that are named (all their values), and the body, where one is written."""
        start, *more = step.lines
        said = spelled(start, self.words)
        assert message.start in {said, b"HTTP/1.1 " + said} or message.start.startswith(b"HTTP/1.1 %b " % said), message
        fields: dict[bytes, list[bytes]] = {}
        for at, line in enumerate(more):
            if not line:
                body = wire(more[at + 1 :], self.words)
                assert message.body == body, f"{message.body[:400]!r} is not {body[:400]!r}"
                break
            name, _, value = spelled(line, self.words).partition(b":")
            if name.startswith(b"no "):
                fields[name[3:]] = []
            else:
                fields.setdefault(name, []).append(value.strip())
        for name, values in fields.items():
            found = message.trailing() if name == b"trailers" else message.values(name)
            assert found == values, f"{name!r} is {found} in {message}"

    def nothing_is_left(self) -> None:
        """Whatever came was asked for."""
        left = [bytes(peer.buffer[:400]) for peer in [*self.peers, self.client] if peer.buffer]
        assert not left, f"nobody expected {left}"


_FRESH = "upstream's connection is a new one"
_STEPS: dict[str, Callable[[Stage, Step], Awaitable[None]]] = {
    "client sends": Stage.client_sends,
    "client ends": Stage.client_ends,
    "client resets": Stage.client_resets,
    "client gets": Stage.client_gets,
    "client gets to HEAD": Stage.client_gets_to_head,
    "client gets head": Stage.client_gets_head,
    "client gets bytes": Stage.client_gets_bytes,
    "client's connection is kept": Stage.client_kept,
    "client's connection is closed": Stage.client_closed,
    "client is cut off": Stage.client_cut_off,
    "upstream gets": Stage.upstream_gets,
    "upstream gets head": Stage.upstream_gets_head,
    "upstream gets body": Stage.upstream_gets_body,
    "upstream gets bytes": Stage.upstream_gets_bytes,
    "upstream gets no whole body": Stage.upstream_gets_no_whole_body,
    "upstream gets nothing": Stage.upstream_gets_nothing,
    "upstream sends": Stage.upstream_sends,
    "upstream ends": Stage.upstream_ends,
    "upstream resets": Stage.upstream_resets,
    "upstream's connection is kept": Stage.upstream_kept,
    "upstream's connection is closed": Stage.upstream_closed,
}


def credential() -> str:
    """The field of a user who can pay."""
    claims = {"sub": USER, "exp": now_us() // 1_000_000 + 3600}
    return f"Authorization: Bearer {sign(claims, SECRET)}"


@asynccontextmanager
async def staged(folder: Path, yaml: str, *, piecewise: bool = False, kept: bool = True) -> AsyncIterator[Stage]:
    """A gateway, an upstream and a client, all new; afterwards nothing is left that nobody expected."""
    stage = Stage("", credential(), piecewise=piecewise)
    server = await asyncio.get_running_loop().create_server(stage.accept, "127.0.0.1", 0)
    upstream = "http://{}:{}".format(*server.sockets[0].getsockname())
    gateway = await start(settings_for(folder, upstream, yaml))
    try:
        stage.gateway, stage.url = gateway, gateway.urls[0]
        await stage.warm(kept=kept)
        stage.client = await stage.connect()
        yield stage
    finally:
        for peer in [*stage.peers, *stage.clients]:
            peer.close()
        await gateway.stop()
        server.close()
    stage.nothing_is_left()


def settings_for(folder: Path, upstream: str, yaml: str) -> Settings:
    """The configuration with ``yaml``, which is read once, for an upstream and a folder of their own."""
    read = _loaded(yaml)
    return read.model_copy(
        update={
            "upstream": read.upstream.model_copy(update={"url": upstream}),
            "ledger": read.ledger.model_copy(update={"url": f"sqlite:///{folder}/ledger.db"}),
        }
    )


@lru_cache
def _loaded(yaml: str) -> Settings:
    with TemporaryDirectory() as folder:
        config = Path(folder) / "gateway.yaml"
        config.write_text(merged(CONFIG, yaml))
        return load(config, {"JWT_SECRET": SECRET})


async def perform(case: Case, folder: Path, more: str = "", *, piecewise: bool = False) -> None:
    """Play a whole case, and hold the journal against what it says. ``more``: settings of the run."""
    settings = [line for step in case.steps if step.verb == "settings" for line in step.lines]
    script = [step for step in case.steps if step.verb not in {"settings", "ledger", _FRESH}]
    kept = all(step.verb != _FRESH for step in case.steps)
    ledgers = [step for step in case.steps if step.verb == "ledger"]
    assert ledgers, f"{case.file}:{case.at}: what does it cost?"
    assert any(step.verb.startswith("upstream gets") for step in script), f"{case.file}:{case.at}: what arrives?"
    assert any(step.verb.startswith("client") and "sends" not in step.verb for step in script), f"{case.file}:{case.at}"
    at = case.at
    try:
        async with staged(folder, "\n".join([*settings, more]), piecewise=piecewise, kept=kept) as stage:
            for step in script:
                at = step.at
                await stage.play(step)
        at = ledgers[0].at
        await Books(folder / "ledger.db").compare(ledgers[0].lines, stage.arrived)
    except (AssertionError, OSError) as error:
        raise AssertionError(f"{case.file}.txt:{at}: {error}\n{case.why}") from error
