"""What an operator of wacraft buys with one line, ``include: [preset:wacraft]``, seen from outside."""

import asyncio
import io
import json
from pathlib import Path
from urllib.parse import quote_plus

import aiohttp
import pytest

from gateway.clock import now_us
from gateway.demo.data import ACME, ACME_PHONE, ADMIN, ALICE, BETA, BOB, CAMPAIGN, CAROL
from gateway.demo.webhook_in import signature
from tests.e2e.preset import SOLD, preset
from tests.e2e.wire import request, send
from tests.e2e.world import World

ORIGIN = {"Origin": "https://app.example"}
LOGIN = "/user/oauth/token"
GUESS = {"grant_type": "password", "username": ALICE.email, "password": "a guess"}
PACKS = """\
plans:
  - {slug: five, throughput_limit: 5, pack: true}
  - {slug: hundred, throughput_limit: 100, pack: true}
  - {slug: two, throughput_limit: 2, pack: true}
defaults: {user: five, address: hundred}
fallback: {plan: two}
"""
"""Budgets that do not come back while a test runs."""


def exposed(answer: aiohttp.ClientResponse) -> set[str]:
    lines = answer.headers.getall("Access-Control-Expose-Headers")
    return {name.strip().lower() for line in lines for name in line.split(",")}


async def test_the_client_finds_out_that_there_is_billing(tmp_path: Path) -> None:
    """It looks for X-RateLimit-Limit on ``GET /user/me``, which a script may read only if it is exposed."""
    async with preset(tmp_path) as here:
        answer = await here.ask("/user/me", ALICE, headers=ORIGIN)
        assert (answer.status, answer.headers["X-RateLimit-Limit"]) == (200, "100")
        assert "x-ratelimit-limit" in exposed(answer)
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_an_empty_budget_sends_the_client_to_billing_and_leaves_it_the_way_there(tmp_path: Path) -> None:
    async with preset(tmp_path, PACKS) as here:
        for _ in range(5):
            assert (await here.ask("/contact", ALICE, workspace=ACME.id)).status == 200
        refused = await here.ask("/contact", ALICE, workspace=ACME.id, headers=ORIGIN)
        assert (refused.status, (await refused.json())["context"]) == (429, "billing")
        assert refused.headers["Access-Control-Allow-Origin"] == "*"
        for _ in range(2):
            answer = await here.ask("/user/me", ALICE, workspace=ACME.id)
            assert (answer.status, answer.headers["X-RateLimit-Fallback"]) == (200, "true")
        assert (await here.ask("/workspace", ALICE)).status == 200, "the billing page asks for it, and it costs nothing"
        assert (await here.ask("/user/me", ALICE)).status == 429


async def test_floods_of_logins_and_sign_ups_end_at_the_gateway(tmp_path: Path) -> None:
    async with preset(tmp_path, PACKS) as here:
        form = {"name": "E", "password": "p"}
        for number in range(4):
            body = form | {"email": f"{number}@example.com"}
            assert (await here.ask("/auth/register", method="POST", json=body)).status == 201
        for _ in range(20):
            assert (await here.ask(LOGIN, method="POST", json=GUESS)).status == 401
        arrived = len(here.backend.requests)
        answers = [await here.ask(LOGIN, method="POST", json=GUESS, headers=ORIGIN) for _ in range(3)]
        assert [answer.status for answer in answers] == [429] * 3
        assert len(here.backend.requests) == arrived == 24


async def test_the_login_form_can_count_down(tmp_path: Path) -> None:
    """It reads X-RateLimit-Reset as an instant, and Retry-After."""
    async with preset(tmp_path) as here:
        answers = await asyncio.gather(
            *[here.ask(LOGIN, method="POST", json=GUESS, headers=ORIGIN) for _ in range(130)]
        )
        refused = [answer for answer in answers if answer.status == 429]
        assert refused
        now_s = now_us() // 1_000_000
        assert 0 <= int(refused[0].headers["X-RateLimit-Reset"]) - now_s <= 901
        assert 1 <= int(refused[0].headers["Retry-After"]) <= 10
        assert {"x-ratelimit-reset", "retry-after"} <= exposed(refused[0])


async def test_an_address_that_is_not_verified_is_told_so_in_the_words_that_the_client_knows(tmp_path: Path) -> None:
    async with preset(tmp_path) as here:
        for path, workspace in (("/contact", ACME.id), ("/workspace", None)):
            answer = await here.ask(path, CAROL, workspace=workspace)
            assert (answer.status, (await answer.json())["message"]) == (403, "Email verification required")
        assert {payer for _, _, payer in here.gateway.metrics.units} <= {"user"}


async def test_nobody_spends_from_a_workspace_without_being_a_member(tmp_path: Path) -> None:
    async with preset(tmp_path) as here:
        answer = await here.ask("/contact", ALICE, workspace=BETA.id)
        assert (answer.status, (await answer.json())["message"]) == (403, "You are not a member of this workspace")
        assert here.arrived == ["GET /workspace/:workspace_id"]
        assert sum(here.gateway.metrics.units.values()) == 0


async def test_membership_is_asked_once_with_the_header_and_the_callers_own_token(tmp_path: Path) -> None:
    async with preset(tmp_path) as here:
        for _ in range(5):
            assert (await here.ask("/contact", BOB, workspace=f"{{{ACME.id.upper()}}}")).status == 200
        assert here.arrived == ["GET /workspace/:workspace_id"] + ["GET /contact"] * 5
        asked, first = (
            {name.lower(): value for name, value in seen.headers} for seen in list(here.backend.requests)[:2]
        )
        assert (here.backend.requests[0].raw_path, asked["x-workspace-id"]) == (f"/workspace/{ACME.id}", ACME.id)
        assert asked["authorization"] == first["authorization"]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("rest", ["", "/", "/member", "/phone-config/x/register"])
async def test_the_workspace_of_the_path_is_that_of_the_header(tmp_path: Path, method: str, rest: str) -> None:
    """The server authorises the header's and deletes the path's."""
    async with preset(tmp_path) as here:
        path = f"/Workspace/{ACME.id.upper()}{rest}"
        assert (await here.ask(path, BOB, method=method, workspace=BETA.id)).status == 400
        assert not here.backend.requests
        assert (await here.ask(path, ALICE, method=method, workspace=ACME.id)).status != 400
        assert here.backend.requests


HASHED = [
    ("GET", "/user/me", ALICE),
    ("HEAD", "/User/Me/", ALICE),
    ("PUT", "/user/me", ALICE),
    ("GET", f"/workspace/{ACME.id}/member", ALICE),
    ("POST", f"/workspace/{ACME.id}/member", ALICE),
    ("PATCH", f"/workspace/{ACME.id}/member/{BOB.id}", ALICE),
    ("GET", "/user?limit=100", ADMIN),
    ("POST", "/user", ADMIN),
    ("GET", "/user/content/name/like/a", ADMIN),
]


@pytest.mark.parametrize(("method", "path", "user"), HASHED, ids=lambda value: str(getattr(value, "name", value)))
async def test_no_password_hash_leaves_the_gateway(tmp_path: Path, method: str, path: str, user: object) -> None:
    async with preset(tmp_path) as here:
        assert user in here.backend.world.users.values()
        who = ADMIN if user is ADMIN else ALICE
        answer = await here.ask(path, who, method=method, workspace=ACME.id, headers={"Accept-Encoding": "gzip, br"})
        body = await answer.text()
        assert answer.status in (200, 201)
        assert "password" not in body
        if method == "HEAD":
            assert "Content-Length" not in answer.headers
            return
        assert int(answer.headers["Content-Length"]) == len(body.encode())
        assert "email" in body


def query_of(here: World, workspace: str = ACME.id) -> str:
    """As the web client writes it: it cannot set headers on a WebSocket."""
    return f"Authorization={quote_plus('Bearer ' + here.backend.token(ALICE))}&workspace_id={workspace}"


async def test_a_websocket_may_bring_its_credential_in_the_query(tmp_path: Path) -> None:
    async with preset(tmp_path) as here:
        query = query_of(here)
        async with here.session.ws_connect(f"{here.url}/websocket/message/new?{query}", headers=ORIGIN) as socket:
            await socket.send_str("ping")
            assert await socket.receive_str(timeout=10) == "pong"
            assert socket._response.headers["X-RateLimit-Scope"] == "workspace"
            assert (await here.ask("/message/whatsapp", ALICE, method="POST", workspace=ACME.id, json={})).status == 201
            assert "sender_data" in json.loads(await socket.receive_str(timeout=10))
        seen = next(each for each in here.backend.requests if each.handler.startswith("GET /websocket"))
        assert (seen.raw_path, seen.user, seen.workspace) == (f"/websocket/message/new?{query}", ALICE.id, ACME.id)


async def test_sending_a_campaign_is_paid_inside_its_websocket_and_talk_is_not(tmp_path: Path) -> None:
    path = f"/websocket/campaign/whatsapp/send/{CAMPAIGN}"
    twelve = "plans: [{slug: twelve, throughput_limit: 12, pack: true}]\ndefaults: {user: twelve}\n"
    async with (
        preset(tmp_path, twelve) as here,
        here.session.ws_connect(f"{here.url}{path}?{query_of(here)}", headers=ORIGIN) as socket,
    ):
        for said, answered in (("ping", "pong"), ("status", "not sending"), ("ping", "pong")):
            await socket.send_str(said)
            assert await socket.receive_str(timeout=10) == answered
        await socket.send_str("send")
        progress = [json.loads(await socket.receive_str(timeout=10)) for _ in range(5)]
        assert progress[-1]["sent"] == progress[-1]["total"] == 5
        rule = "FRAME /websocket/campaign/whatsapp/send/{campaign_id}"
        assert here.gateway.metrics.units[rule, "throughput", "user"] == 10
        await socket.send_str("send")
        last = await socket.receive(timeout=10)
        assert (last.type, last.data) == (aiohttp.WSMsgType.CLOSE, 4429)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda query: query.replace(ACME.id, BETA.id), 403),
        (lambda query: query.replace("Bearer+", "Bearer+x"), 401),
        (lambda query: query.replace("Authorization=", "authorization="), 401),
        (lambda query: query.split("&")[1], 401),
    ],
    ids=["no member", "forged", "another spelling", "none"],
)
async def test_a_websocket_without_a_good_one_is_refused_and_costs_nothing(
    tmp_path: Path, change: object, status: int
) -> None:
    assert callable(change)
    async with preset(tmp_path) as here:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await here.session.ws_connect(f"{here.url}/websocket/message/new?{change(query_of(here))}")
        assert caught.value.status == status
        assert sum(here.gateway.metrics.units.values()) == 0


async def test_no_credential_is_written_anywhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async with preset(tmp_path) as here:
        token = here.backend.token(ALICE)
        for path in ("/websocket/message/new", "/contact", "/nowhere", "/contact//x"):
            for query in (query_of(here), query_of(here, "x"), f"{query_of(here)}&Authorization=Bearer+{token}"):
                await send(here.url, request(f"{path}?{query}".encode()))
        await here.ask("/contact", ALICE, workspace=ACME.id)
        await here.ask(LOGIN, method="POST", json=GUESS)
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".yaml")
    assert b"/websocket/message/new" in written
    said = written.decode("latin-1") + "".join(capfd.readouterr())
    for secret in (token.split(".")[2], "Bearer", GUESS["password"]):
        assert secret not in said


async def test_what_meta_delivers_is_paid_by_the_workspace_of_the_number_and_never_refused(tmp_path: Path) -> None:
    sold = SOLD.replace("plan: wacraft-free", "plan: two")
    async with preset(tmp_path, f"plans: [{{slug: two, throughput_limit: 2, pack: true}}]\n{sold}") as here:
        path, body = f"/webhook-in/{ACME_PHONE.waba_id}", b"{}"
        for secret, status in (("a guess", 401), *[(ACME_PHONE.app_secret, 200)] * 4):
            signed = {"X-Hub-Signature-256": signature(secret, body)}
            assert (await here.ask(path, method="POST", data=body, headers=signed)).status == status
        async with asyncio.timeout(10):
            while here.gateway.metrics.in_flight:
                await asyncio.sleep(0.001)
        rule = "POST /webhook-in/{waba_id}"
        assert here.gateway.metrics.units[rule, "throughput", "workspace"] == 4
        assert here.gateway.metrics.overrun_units[rule, "throughput"] == 2
        hello = f"{path}?hub.mode=subscribe&hub.verify_token={ACME_PHONE.verify_token}&hub.challenge=42"
        assert await (await here.ask(hello)).text() == "42"


async def test_uploads_and_downloads_pass_whole(tmp_path: Path) -> None:
    async with preset(tmp_path) as here:
        form = aiohttp.FormData()
        picture = bytes(range(256)) * 4_096
        form.add_field("file", picture, filename="a.png", content_type="image/png")
        form.add_field("type", "image/png")
        headers = here.headers(ALICE, ACME.id)
        async with here.session.post(f"{here.url}/media/whatsapp/upload", data=form, headers=headers) as answer:
            assert (answer.status, answer.headers["X-Weighbridge-Cost"]) == (200, "10")
            id_ = (await answer.json())["id"]
        answer = await here.ask(f"/media/whatsapp/download/{id_}", ALICE, workspace=ACME.id)
        assert (await answer.text("latin-1")).encode("latin-1") == picture
        assert answer.headers["Content-Disposition"] == f"attachment; filename={id_}.png"
        too_big = await here.ask(
            "/media/whatsapp/upload", ALICE, method="POST", workspace=ACME.id, data=io.BytesIO(bytes(5 << 20))
        )
        assert too_big.status == 413
