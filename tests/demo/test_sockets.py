import asyncio
from urllib.parse import quote_plus

import aiohttp
import pytest

from gateway.demo.backend import Backend
from gateway.demo.data import ACME, ALICE, BETA, CAMPAIGN, fixed_id
from tests.demo.conftest import Headers

CAMPAIGN_PATH = f"/websocket/campaign/whatsapp/send/{CAMPAIGN}"


@pytest.mark.parametrize("path", ["/websocket/message/new", "/WebSocket/Status/new/", CAMPAIGN_PATH])
async def test_a_ping_frame_is_answered_with_pong(client: aiohttp.ClientSession, signed: Headers, path: str) -> None:
    async with client.ws_connect(path, headers=signed()) as socket:
        await socket.send_str("ping")
        assert await socket.receive_str(timeout=5) == "pong"
    assert socket.close_code == 1000


async def test_credentials_may_come_in_the_query(client: aiohttp.ClientSession, backend: Backend) -> None:
    query = f"Authorization={quote_plus('Bearer ' + backend.token('alice'))}&workspace_id={ACME.id}"
    assert "Bearer+" in query
    async with client.ws_connect(f"/websocket/message/new?{query}") as socket:
        await socket.send_str("ping")
        assert await socket.receive_str(timeout=5) == "pong"
    assert backend.requests[-1].user == ALICE.id


@pytest.mark.parametrize(
    ("user", "workspace", "status"),
    [
        *(("", ACME.id, 401), ("?", ACME.id, 401), ("!", ACME.id, 401), ("carol", ACME.id, 403)),
        *(("alice", "", 400), ("alice", "x", 400), ("alice", fixed_id("nothing"), 404), ("alice", BETA.id, 403)),
    ],
)
async def test_a_handshake_is_refused_with_a_status(
    client: aiohttp.ClientSession, signed: Headers, user: str, workspace: str, status: int
) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    credentials = {"": {}, "?": {"Authorization": "Basic x"}, "!": {"Authorization": "Bearer x"}}
    headers = credentials[user] if user in credentials else signed(user, "")
    if workspace:
        headers = headers | {"X-Workspace-ID": workspace}
    key = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    async with client.get("/websocket/message/new", headers=headers | upgrade | key) as response:
        assert response.status == status
        assert "message" in await response.json()


async def test_a_plain_request_is_told_to_upgrade_on_every_path_there(
    client: aiohttp.ClientSession, signed: Headers
) -> None:
    for path in ("/websocket/message/new", "/websocket/nothing", "/websocketfoo"):
        async with client.get(path, headers=signed()) as response:
            assert (response.status, await response.text()) == (426, "Upgrade Required")


async def test_a_sent_message_is_told_to_its_workspace_only(client: aiohttp.ClientSession, signed: Headers) -> None:
    async with (
        client.ws_connect("/websocket/message/new", headers=signed("alice")) as here,
        client.ws_connect("/websocket/status/new", headers=signed("alice")) as status,
        client.ws_connect("/websocket/message/new", headers=signed("bob", BETA.id)) as elsewhere,
    ):
        async with client.post("/message/whatsapp", headers=signed(), json={"x": 1}) as response:
            made = await response.json()
        assert await here.receive_json(timeout=5) == made
        assert (await status.receive_json(timeout=5))["message_id"] == made["id"]
        await elsewhere.send_str("ping")
        assert await elsewhere.receive_str(timeout=5) == "pong"


async def test_a_campaign_reports_its_progress_to_all_who_watch(client: aiohttp.ClientSession, signed: Headers) -> None:
    async with (
        client.ws_connect(CAMPAIGN_PATH, headers=signed()) as sender,
        client.ws_connect(CAMPAIGN_PATH, headers=signed()) as watcher,
    ):
        await watcher.send_str("status")
        assert await watcher.receive_str(timeout=5) == "not sending"
        await sender.send_str("send")
        for socket in (sender, watcher):
            frames = [await socket.receive_json(timeout=5) for _ in range(5)]
            assert frames[-1] == {"total": 5, "sent": 5, "successes": 5, "errors": 0}


async def test_a_campaign_can_be_cancelled_and_sent_again(signed: Headers) -> None:
    slow = Backend(
        jwt_secret="a secret of the tests, long enough", send_delay_s=500, clock=lambda: 1_800_000_000_000_000
    )
    async with (
        aiohttp.ClientSession(await slow.start()) as client,
        client.ws_connect(CAMPAIGN_PATH, headers=signed()) as socket,
    ):
        for command, reply in (
            ("send", None),
            ("status", "sending"),
            ("cancel", "not sending"),
            ("status", "not sending"),
        ):
            await socket.send_str(command)
            if reply is not None:
                assert await socket.receive_str(timeout=5) == reply
        for command, reply in (
            ("cancel", "not sending campaign"),
            ("dance", "unsupported message"),
            ("send", None),
            ("send", "currently sending campaign"),
        ):
            await socket.send_str(command)
            if reply is not None:
                assert (await socket.receive_json(timeout=5))["description"] == f"unable to handle message: {reply}"
        await socket.send_bytes(b"ping")
        assert "only text" in await socket.receive_str(timeout=5)
        await slow.close()
        last = await socket.receive(timeout=5)
        assert (last.type, last.data) == (aiohttp.WSMsgType.CLOSE, 1001)


@pytest.mark.parametrize("campaign", ["x", fixed_id("nothing")])
async def test_an_unknown_campaign_is_an_error_frame_and_the_end(
    client: aiohttp.ClientSession, signed: Headers, campaign: str
) -> None:
    async with client.ws_connect(f"/websocket/campaign/whatsapp/send/{campaign}", headers=signed()) as socket:
        assert (await socket.receive_json(timeout=5))["context"] == "handler"
        assert (await asyncio.wait_for(socket.receive(), 5)).type is aiohttp.WSMsgType.CLOSE
