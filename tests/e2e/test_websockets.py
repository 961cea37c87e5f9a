"""WebSockets through a whole gateway: what is said inside is weighed, and a connection ends when its time is over."""

import asyncio
import hashlib
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web
from aiohttp.test_utils import TestServer

from gateway.clock import now_us
from gateway.core.scope import Scope
from gateway.demo.data import ACME, ALICE, BOB, User
from gateway.journal.read import batches
from gateway.journal.record import Kind, Record
from gateway.settings.load import load
from gateway.store import keys, plans, subscriptions
from gateway.store.rows import KeyDraft
from tests.e2e.audit import restored_from
from tests.e2e.selling import DAY, by, draft, sold, store_of
from tests.e2e.world import SECRET, World, merged, world
from tests.fakes.upstream import Conversation, upstream

SECOND = 1_000_000
YAML = """\
workspace: {membership: trust_clients, query: workspace_id}
defaults: {user: free, workspace: null}
plans:
  - {slug: free, name: Free, throughput_limit: 10, window_seconds: 315360000, anchor: epoch}
rules:
  - {method: GET, path: /plain}
  - {method: GET, path: /free, weight: 0}
  - {method: GET, path: /all, frame_weight: 3}
  - {method: GET, path: /send, frame_weight: 4, frame_match: {members: {type: send}}}
  - {method: GET, path: /shadow, frame_weight: 100, enforce: false}
  - {method: GET, path: /aged, max_age: 1h}
  - {method: GET, path: /door, public: true, pays: [address], frame_weight: 1}
"""


class Echo:
    """An upstream whose sockets say what they hear. ``said``: all of it; ``closes``: how each was closed.

    ``member``: the status with which it says whether somebody is a member. ``asked``: how often it was.
    """

    def __init__(self, *, compress: bool = False) -> None:
        self.member, self.asked = 200, 0
        self.said: list[str] = []
        self.closes: list[int | None] = []
        self._compress = compress
        app = web.Application()
        app.router.add_get("/{path:.*}", self._serve)
        self.server = TestServer(app)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.path.startswith("/workspace/"):
            self.asked += 1
            return web.Response(status=self.member)
        socket = web.WebSocketResponse(compress=self._compress)
        await socket.prepare(request)
        async for message in socket:
            self.said.append(message.data)
            await socket.send_str(f"{message.data}!")
        self.closes.append(socket.close_code)
        return socket


@asynccontextmanager
async def echoing(folder: Path, yaml: str = YAML, *, compress: bool = False) -> AsyncIterator[tuple[World, Echo]]:
    echo = Echo(compress=compress)
    await echo.server.start_server()
    try:
        url = str(echo.server.make_url("/")).rstrip("/")
        async with world(folder, yaml, upstream=url) as here, asyncio.timeout(30):
            yield here, echo
    finally:
        await echo.server.close()


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[tuple[World, Echo]]:
    async with echoing(tmp_path) as found:
        yield found


def socket(here: World, path: str, user: User | None = BOB, *, workspace: str | None = None, **more: Any) -> Any:
    sent = {**here.headers(user, workspace), **more.pop("headers", {})}
    return here.session.ws_connect(here.url + path, headers=sent, **more)


async def said(client: ClientWebSocketResponse, *texts: str) -> list[str]:
    """Say each; what comes back."""
    answers = []
    for text in texts:
        await client.send_str(text)
        answers.append(await client.receive_str(timeout=10))
    return answers


async def closed(client: ClientWebSocketResponse) -> tuple[int, str]:
    """How the other side closes."""
    last = await client.receive(timeout=10)
    assert last.type is WSMsgType.CLOSE, last
    return last.data, last.extra or ""


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


def token(until_us: int) -> dict[str, str]:
    """A credential of Bob's."""
    return {"Authorization": f"Bearer {jwt.encode({'sub': BOB.id, 'exp': until_us // SECOND}, SECRET, 'HS256')}"}


def look(here: World, *, later_us: int = 0) -> None:
    """What the gateway does once a second, ``later_us`` from now."""
    here.gateway._tunnels.look(now_us() + later_us, asyncio.get_running_loop().time() + later_us / SECOND)


def records(folder: Path) -> list[Record]:
    """All that the journal knows of messages."""
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        found = [record for _, batch in batches(connection, folder / "ledger.db") for record in batch]
    return [record for record in found if record.rule.startswith("FRAME")]


async def test_each_message_is_a_charge_of_its_own(tmp_path: Path) -> None:
    async with echoing(tmp_path) as (here, _):
        async with socket(here, "/all") as client:
            assert await said(client, "one", "two") == ["one!", "two!"]
            answer = await here.ask("/plain", BOB)
            assert answer.headers["X-RateLimit-Remaining"] == "2", "handshake 1, two messages 6, this 1"
        opened = client._response.headers["X-Request-ID"]
        await until(lambda: not len(here.gateway._tunnels))
        metrics = here.gateway.metrics
        assert metrics.units["FRAME /all", "throughput", "user"] == 6
        assert metrics.counters["websocket_messages"]["FRAME /all", "passed"] == 2
    charges = [record for record in records(tmp_path) if record.kind is Kind.CHARGE]
    assert [(record.id, record.rule, record.costs, record.scope) for record in charges] == [
        (f"{opened}.{number}", "FRAME /all", {"throughput": 3}, Scope("user", BOB.id)) for number in (1, 2)
    ]
    assert [record.status for record in charges] == [101, 101]
    assert await restored_from(tmp_path / "ledger.db", [Scope("user", BOB.id)]) == ({Scope("user", BOB.id): 8}, [])


async def test_a_message_that_nobody_can_pay_is_not_passed_on_and_closes_both_sides_with_4429(tmp_path: Path) -> None:
    async with echoing(tmp_path) as (here, echo):
        async with socket(here, "/all") as client:
            await said(client, "one", "two", "three")
            await client.send_str("four")
            code, reason = await closed(client)
        assert (code, reason.split(".")[0]) == (4429, "The budget is used up")
        await until(lambda: len(echo.closes) == 1)
        assert (echo.said, echo.closes) == (["one", "two", "three"], [4429])
        assert here.gateway.metrics.refusals["FRAME /all", "wait"] == 1
        assert here.gateway.metrics.counters["websocket_closes"]["4429",] == 1
        await until(lambda: not here.gateway.metrics.in_flight)
        here.gateway.reopen_logs()
    assert '"websocket_close":4429' in (tmp_path / "access.log").read_text()
    assert [(record.kind, record.status) for record in records(tmp_path) if record.kind is Kind.REFUSAL] == [
        (Kind.REFUSAL, 429)
    ]
    assert (await restored_from(tmp_path / "ledger.db", [Scope("user", BOB.id)]))[1] == []


async def test_only_the_messages_that_the_rule_names_cost(both: tuple[World, Echo]) -> None:
    here, echo = both
    async with socket(here, "/send", compress=15) as client:
        assert "Sec-WebSocket-Extensions" not in client._response.headers, "what is compressed could not be judged"
        await said(client, "ping", '{"type": "status"}', '{"type":"send","n":1}', '{"TYPE":"SEND"}', "ping")
        await client.send_str('{"x":1,"type":"send"}')
        assert (await closed(client))[0] == 4429
    assert echo.said[-1] == "ping"


async def test_compressed_messages_are_weighed_where_all_are_and_left_alone(tmp_path: Path) -> None:
    async with echoing(tmp_path, compress=True) as (here, _):
        async with socket(here, "/all", compress=15) as client:
            assert "permessage-deflate" in client._response.headers["Sec-WebSocket-Extensions"]
            assert await said(client, "x" * 100_000) == ["x" * 100_000 + "!"]
        assert here.gateway.metrics.units["FRAME /all", "throughput", "user"] == 3


async def test_an_upstream_that_agrees_to_what_it_was_not_offered_is_502(tmp_path: Path) -> None:
    heads: list[bytes] = []

    async def script(talk: Conversation) -> None:
        heads.append(await talk.head())
        await talk.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
            b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
        )
        await talk.rest()

    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    offer = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Extensions": "permessage-deflate"}
    async with upstream(script) as up, world(tmp_path, YAML, upstream=up.url) as here:
        answer = await here.ask("/send", BOB, headers={**upgrade, **offer})
    assert answer.status == 502
    assert "was not offered" in await answer.text()
    assert b"permessage-deflate" not in heads[0]


async def test_a_message_may_be_let_through_in_shadow(both: tuple[World, Echo]) -> None:
    here, _ = both
    async with socket(here, "/shadow") as client:
        assert await said(client, "one", "two") == ["one!", "two!"]
    assert here.gateway.metrics.shadow_refusals["FRAME /shadow",] == 2


async def test_an_address_pays_for_what_strangers_say(tmp_path: Path) -> None:
    yaml = YAML.replace("{user: free,", "{user: free, address: free,")
    async with echoing(tmp_path, yaml) as (here, echo), socket(here, "/door", None) as client:
        await said(client, *"123456789")
        await client.send_str("10")
        assert (await closed(client))[0] == 4429
        assert len(echo.said) == 9


async def test_what_a_broken_client_says_goes_no_further(both: tuple[World, Echo]) -> None:
    here, echo = both
    async with socket(here, "/all") as client:
        await said(client, "one")
        client._writer.transport.write(b"\x83\x80abcd")
        assert await closed(client) == (1002, "Opcode 3 is reserved.")
    await until(lambda: bool(echo.closes))
    assert (echo.said, echo.closes) == (["one"], [1001])


async def test_it_ends_when_the_token_expires(both: tuple[World, Echo]) -> None:
    here, echo = both
    soon = token(now_us() + 3_000 * SECOND)
    for path in ("/plain", "/all"):
        async with socket(here, path, None, headers=soon) as client:
            look(here, later_us=2_000 * SECOND)
            assert await said(client, "hello") == ["hello!"]
            look(here, later_us=3_100 * SECOND)
            assert await closed(client) == (1008, "The credential has expired. Connect again with a new one.")
    await until(lambda: len(echo.closes) == 2)
    assert echo.closes == [1008, 1008]


async def keyed(here: World, id_: str) -> dict[str, str]:
    """A new key of Bob's."""
    secret = id_.ljust(43, "x")
    hashed = hashlib.sha256(secret.encode()).hexdigest()
    await keys.create(store_of(here), KeyDraft(id=id_, sha256=hashed, name=id_, user_id=BOB.id), by())
    return {"X-API-Key": f"wb_{id_}_{secret}"}


async def test_it_ends_within_seconds_when_its_key_is_revoked(both: tuple[World, Echo]) -> None:
    here, _ = both
    async with (
        socket(here, "/free", None, headers=await keyed(here, "gone")) as gone,
        socket(here, "/free", None, headers=await keyed(here, "stays")) as stays,
    ):
        await keys.revoke(store_of(here), "gone", by())
        assert await closed(gone) == (1008, "The credential is not accepted any more.")
        assert await said(stays, "hello") == ["hello!"]


async def test_a_message_with_a_key_that_was_just_revoked_does_not_go_on(both: tuple[World, Echo]) -> None:
    here, echo = both
    async with socket(here, "/all", None, headers=await keyed(here, "gone")) as client:
        await keys.revoke(store_of(here), "gone", by())
        await client.send_str("quick")
        assert (await closed(client))[0] == 1008
    assert echo.said == []


async def test_it_ends_when_the_secret_of_tokens_changes(both: tuple[World, Echo]) -> None:
    here, _ = both
    async with socket(here, "/plain") as client:
        await here.gateway.reload(load(here.config, {"JWT_SECRET": SECRET + "!"}))
        look(here)
        assert await closed(client) == (1008, "The credential is not accepted any more.")


async def test_it_goes_on_through_a_reload_that_leaves_identity_alone(both: tuple[World, Echo]) -> None:
    here, _ = both
    async with socket(here, "/all") as client:
        here.config.write_text(here.config.read_text().replace("throughput_limit: 10", "throughput_limit: 5"))
        await here.gateway.reload(load(here.config, {"JWT_SECRET": SECRET}))
        look(here)
        assert await said(client, "one") == ["one!"]
        await client.send_str("two")
        assert (await closed(client))[0] == 4429, "the present plan counts, not that of the handshake"


NOTHING_FREE = YAML.replace("{user: free,", "{user: null,")


async def test_it_ends_when_what_paid_for_it_ends_and_nothing_else_is_left(tmp_path: Path) -> None:
    async with echoing(tmp_path, NOTHING_FREE) as (here, _):
        plan = await plans.create(store_of(here), draft(), by())
        mine = await subscriptions.create(store_of(here), sold(plan, Scope("user", BOB.id)), by())
        ends_us, long = now_us() + DAY, token(now_us() + 10 * DAY)
        await subscriptions.create(store_of(here), sold(plan, Scope("workspace", ACME.id), ends_us=ends_us), by())
        async with (
            socket(here, "/plain", None, headers=long) as alone,
            socket(here, "/plain", None, headers=long | {"X-Workspace-ID": ACME.id}) as cascade,
            socket(here, "/free", None, headers=long) as free,
        ):
            await subscriptions.cancel(store_of(here), mine.id, by())
            code, reason = await closed(alone)
            assert (code, reason[:23]) == (1008, "What paid for this conn")
            assert await said(cascade, "still paid by the workspace") == ["still paid by the workspace!"]
            look(here, later_us=2 * DAY)  # the end of the workspace's subscription
            assert (await closed(cascade))[0] == 1008
            assert await said(free, "nobody pays") == ["nobody pays!"]


async def test_an_empty_budget_does_not_end_what_was_paid(both: tuple[World, Echo]) -> None:
    here, _ = both
    async with socket(here, "/plain") as client:
        for _ in range(9):
            await here.ask("/plain", BOB)
        assert (await here.ask("/plain", BOB)).status == 429
        look(here)
        assert await said(client, "hello") == ["hello!"]


async def test_it_ends_when_it_is_too_old(both: tuple[World, Echo]) -> None:
    here, _ = both
    async with socket(here, "/aged") as client:
        look(here, later_us=3_599 * SECOND)
        assert await said(client, "hello") == ["hello!"]
        look(here, later_us=3_601 * SECOND)
        assert await closed(client) == (1008, "This connection has reached its greatest age. Connect again.")


async def test_who_was_removed_from_a_workspace_does_not_spend_its_budget(both: tuple[World, Echo]) -> None:
    here, echo = both
    async with socket(here, "/all", ALICE, workspace=ACME.id) as client:
        yaml = merged(here.config.read_text(), "workspace: {membership: claim, claim: workspaces}\n")
        here.config.write_text(yaml)
        await here.gateway.reload(load(here.config, {"JWT_SECRET": SECRET}))
        await client.send_str("not a member")
        assert await closed(client) == (1008, "You do not belong to this workspace, or not any more.")
    assert echo.said == []


PROBED = YAML.replace("membership: trust_clients", "membership: upstream")
LATER = 3_000 * SECOND
"""When a yes that was heard at the handshake is old."""


@pytest.mark.parametrize("status", [403, 404])
async def test_it_ends_for_who_was_removed_from_the_workspace_that_paid_though_messages_are_free(
    tmp_path: Path, status: int
) -> None:
    async with echoing(tmp_path, PROBED) as (here, echo):
        long = token(now_us() + DAY)
        async with (
            socket(here, "/plain", None, workspace=None, headers=long | {"X-Workspace-ID": ACME.id}) as removed,
            socket(here, "/plain", None, headers=long) as alone,
        ):
            look(here, later_us=SECOND)
            assert echo.asked == 1, "the yes of the handshake is fresh"
            echo.member = status
            look(here, later_us=LATER)
            assert await closed(removed) == (1008, "You do not belong to this workspace, or not any more.")
            look(here, later_us=2 * LATER)
            assert await said(alone, "hello") == ["hello!"]
        assert echo.asked == 2


@pytest.mark.parametrize("status", [200, 401, 429, 500])
async def test_it_goes_on_while_membership_is_confirmed_or_nobody_says(tmp_path: Path, status: int) -> None:
    async with echoing(tmp_path, PROBED) as (here, echo):
        headers = token(now_us() + DAY) | {"X-Workspace-ID": ACME.id}
        async with socket(here, "/plain", None, headers=headers) as client:
            echo.member = status
            for _ in range(3):
                look(here, later_us=LATER)
            await until(lambda: echo.asked > 1 and not here.gateway._tunnels._asking)
            asked = echo.asked
            look(here, later_us=LATER)
            assert not here.gateway._tunnels._asking, "asked again later, not at once"
            assert await said(client, "hello") == ["hello!"]
            assert echo.asked == asked


async def test_others_are_answered_while_one_floods(tmp_path: Path) -> None:
    async def script(talk: Conversation) -> None:
        if b"/send" in await talk.head():
            await talk.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")
            await talk.rest()
        else:
            await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")

    flood = b"\x81\x81\0\0\0\0x" * 500_000
    async with upstream(script) as up, world(tmp_path, YAML, upstream=up.url) as here, asyncio.timeout(60):
        bearer = here.headers(BOB)["Authorization"]
        reader, writer = await asyncio.open_connection(*here.url.removeprefix("http://").split(":"))
        writer.write(
            f"GET /send HTTP/1.1\r\nHost: a\r\nAuthorization: {bearer}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        (tunnel,) = here.gateway._tunnels._open
        writer.write(flood)
        await until(lambda: tunnel.bytes_in > 0)
        answer = await here.ask("/plain", BOB)
        assert (answer.status, await answer.text()) == (200, "hi")
        assert tunnel.bytes_in < len(flood) / 3, "long before the flood was over"
        writer.transport.abort()


async def test_a_gateway_that_stops_says_so_and_does_not_wait(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with ClientSession() as session:
        async with echoing(tmp_path) as (here, echo):
            urls, headers = [here.url + path for path in ("/plain", "/all")], here.headers(BOB)
            clients = [await session.ws_connect(url, headers=headers) for url in urls]
            ends = [asyncio.ensure_future(closed(client)) for client in clients]
            started = loop.time()
        assert loop.time() - started < here.gateway.settings.limits.stop_timeout.seconds
        assert [await end for end in ends] == [(1001, "The gateway is stopping. Connect again.")] * 2
    assert echo.closes == [1001, 1001]


@pytest.mark.parametrize("policy", ["open", "closed"])
async def test_while_charges_cannot_be_written_the_policy_counts(tmp_path: Path, policy: str) -> None:
    async with echoing(tmp_path, f"{YAML}on_store_failure: {policy}\n") as (here, echo):
        journal = here.gateway._recording.journal
        assert journal is not None
        async with socket(here, "/all") as client:
            await journal._run(lambda: journal._store.connection.execute("PRAGMA query_only = 1").fetchall())
            assert await said(client, "before it is known") == ["before it is known!"]
            await until(here.gateway._recording.failing)
            await client.send_str("then")
            if policy == "closed":
                assert await closed(client) == (1013, "Your budget cannot be checked at the moment. Try again shortly.")
            else:
                assert await client.receive_str() == "then!"
        await journal._run(lambda: journal._store.connection.execute("PRAGMA query_only = 0").fetchall())
    said_there, spent = {"open": (["before it is known", "then"], 7), "closed": (["before it is known"], 4)}[policy]
    assert echo.said == said_there
    scope = Scope("user", BOB.id)
    assert await restored_from(tmp_path / "ledger.db", [scope]) == ({scope: spent}, [])
