"""What the web client sends gets the same answer through the gateway as directly, but for our headers."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import now_us
from gateway.core.rate_limit_fields import EXPOSED
from gateway.demo.backend import Backend
from gateway.demo.data import ACME, ACME_PHONE, BETA
from gateway.demo.tokens import sign
from tests.conformance.test_corpus import LANES
from tests.e2e.preset import preset
from tests.e2e.wire import Answered, request, send
from tests.e2e.world import SECRET, World
from tests.presets.calls import ClientCall, calls
from tests.presets.wacraft import ROUTES

WORKSPACES = {"acme": ACME.id, "beta": BETA.id, "nowhere": "cc0e8400-e29b-41d4-a716-446655440005", "malformed": "x"}
OURS = {name.lower() for name in EXPOSED} | {"x-request-id", "connection", "date", "server"}
"""``Server`` is not repeated with a refusal that the gateway was given for itself."""
CHANGED = {"content-length", "access-control-expose-headers"}
"""Where a member was taken out, and where our headers are exposed beside the server's."""
ORIGIN = ("Origin", "https://app.example")


def who(here: World, call: ClientCall) -> list[tuple[str, str]]:
    """The fields that say who calls, and where."""
    said = []
    now_s = now_us() // 1_000_000
    match call.who:
        case "-":
            pass
        case "forged" | "expired" | "nobody":
            claims = {
                "sub": "0b3f6f9e-9999-4f99-8f99-f00000000009",
                "exp": now_s + (-60 if call.who == "expired" else 60),
            }
            token = sign(claims, "another secret" if call.who == "forged" else SECRET)
            said.append(("Authorization", f"Bearer {token}"))
        case name:
            said.append(("Authorization", f"Bearer {here.backend.token(name)}"))
    if call.workspace != "-":
        said.append(("X-Workspace-ID", WORKSPACES.get(call.workspace, call.workspace)))
    return said


def without_hashes(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_hashes(each) for key, each in value.items() if key != "password"}
    return [without_hashes(each) for each in value] if isinstance(value, list) else value


def fields(answer: Answered) -> Mapping[str, list[str]]:
    names = {line.partition(b":")[0].decode("latin-1").lower() for line in answer.head.split(b"\r\n")[1:]}
    return {name: answer.all(name) for name in names - OURS}


RICH = f"""\
workspace: {{{{map: {{{{waba_id: {{{{"{ACME_PHONE.waba_id}": "{ACME.id}"}}}}}}}}}}}}
plans: [{{{{slug: rich, throughput_limit: 1000000, window_seconds: 60}}}}]
defaults: {{{{user: rich, workspace: rich, address: rich}}}}
"""
"""Nobody is refused for want of a budget."""


@asynccontextmanager
async def both(folder: Path, lane: str) -> AsyncIterator[tuple[World, str]]:
    """The gateway before a server, and another server like that one: both hear the same calls in the same order."""
    twin = Backend(jwt_secret=SECRET, send_delay_s=0.01, login_limit=None)
    url = await twin.start()
    try:
        async with preset(folder, f"{RICH.format()}{lane}\n") as here:
            yield here, url
    finally:
        await twin.close()


@pytest.mark.parametrize("lane", LANES)
async def test_the_client_gets_the_same_answers(tmp_path: Path, lane: str) -> None:
    differing = []
    async with both(tmp_path, lane) as (here, twin):
        for call in calls():
            try:
                await compare(here, twin, call)
            except AssertionError as error:
                differing.append(f"{call.name}: {str(error) or error.args}")
    assert not differing, "\n".join(differing)


def test_every_route_of_the_server_is_called() -> None:
    """The list of calls does not fall behind the list of routes."""
    called = {(call.method, tuple(call.target.partition("?")[0].lower().strip("/").split("/"))) for call in calls()}
    missing = [
        route.name
        for route in ROUTES
        if not any(route.method == method and reaches(path, route.path) for method, path in called)
    ]
    assert missing == []


def reaches(path: tuple[str, ...], route: str) -> bool:
    pattern = route.lower().strip("/").split("/")
    return len(path) == len(pattern) and all(
        part.startswith(":") or part == segment for part, segment in zip(pattern, path, strict=True)
    )


async def compare(here: World, twin: str, call: ClientCall) -> None:
    """Send a call both ways."""
    arrived = len(here.backend.requests)
    said = [*who(here, call), ORIGIN]
    wire = request(call.target.encode(), said, call.method, call.body.encode())
    if call.content_type:
        wire = wire.replace(b"Content-Type: application/json", b"Content-Type: " + call.content_type.encode())
    direct, through = await asyncio.gather(send(twin, wire), send(here.url, wire))
    assert direct.status == call.status, f"{direct.status} directly"
    if call.own is not None:
        assert through.status == call.own, f"{through.status} from the gateway"
        assert json.loads(through.body)["context"] == "gateway"
        assert len(here.backend.requests) == arrived
        return
    assert through.status == call.status, f"{through.status} through the gateway"
    same_body(direct, through)
    expected = fields(direct)
    got = fields(through)
    assert {name: value for name, value in got.items() if name not in CHANGED} == {
        name: value for name, value in expected.items() if name not in CHANGED
    }


def same_body(direct: Answered, through: Answered) -> None:
    if direct.get("Content-Type") != "application/json" or not direct.body:
        assert through.body == direct.body
        assert through.get("Content-Length") == direct.get("Content-Length")
        return
    body, expected = json.loads(through.body), without_hashes(json.loads(direct.body))
    if isinstance(body, dict) and ("access_token" in body or direct.status == 201):
        body, expected = body.keys(), expected.keys()  # each server signs its own, and makes up ids
    assert body == expected
    assert b"$2a$" not in through.body
    assert through.get("Content-Length") == str(len(through.body))
