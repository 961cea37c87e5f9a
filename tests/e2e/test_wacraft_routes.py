"""Every route of wacraft through the gateway: it reaches its handler, costs its weight, and the right one pays."""

from pathlib import Path

import pytest

from gateway.demo.data import ACME, ADMIN, ALICE
from tests.e2e.preset import preset
from tests.e2e.world import World
from tests.presets.wacraft import ROUTES, Route, spellings

AMPLE = f"""\
plans: [{{slug: ample, throughput_limit: 100_000, window_seconds: 86400}}]
defaults: {{user: ample, address: ample}}
subscriptions: [{{plan: ample, scope: workspace, id: "{ACME.id}"}}]
"""
HTTP = [route for route in ROUTES if "socket" not in route.more]
SOCKETS = [route for route in ROUTES if "socket" in route.more]
PAYERS = ("address", "user", "workspace")
REFUSED = (401, 403, 404, 405, 429, 500, 502)
KNOWN_TO_FAIL = ("POST /webhook-in/:waba_id", "GET /webhook-in/:waba_id", "GET /message/whatsapp")
"""Without a signature, without Meta's verify token, and never finished by the server."""


def nameless(handler: str) -> str:
    """A handler whatever its parameters are called."""
    return "/".join("*" if each.startswith(":") else each for each in handler.split("/"))


def handler(route: Route) -> str:
    """How the stand-in calls it."""
    if route.path.startswith("/docs"):
        return "GET /docs/**"
    return f"{route.method} {route.example}" if ":waba_id" in route.path else nameless(route.name)


async def test_every_route_reaches_its_handler_and_costs_what_the_list_says(tmp_path: Path) -> None:
    async with preset(tmp_path, AMPLE) as here:
        for route in HTTP:
            for path in spellings(route.example):
                await follow(here, route, path)


async def follow(here: World, route: Route, path: str) -> None:
    user = None if route.public else ADMIN if route.path.startswith("/user") else ALICE
    answer = await here.ask(path, user, method=route.method, workspace=None if route.public else ACME.id)
    seen, where = here.backend.requests[-1], f"{route.method} {path}: {answer.status}"
    assert (seen.method, seen.raw_path, nameless(seen.handler)) == (route.method, path, handler(route)), where
    assert answer.status not in REFUSED or route.name in KNOWN_TO_FAIL, where
    if route.payer in PAYERS:
        assert answer.headers["X-Weighbridge-Cost"] == str(route.weight), where
        assert answer.headers["X-RateLimit-Scope"] == route.payer, where
    else:
        assert "X-Weighbridge-Cost" not in answer.headers, where


async def test_strangers_get_no_further_than_the_gateway_unless_the_route_is_public(tmp_path: Path) -> None:
    async with preset(tmp_path, AMPLE) as here:
        for route in ROUTES:
            before = len(here.backend.requests)
            answer = await here.ask(route.example, method=route.method)
            arrived = len(here.backend.requests) - before
            assert arrived == int(route.public), route.name
            assert route.public or answer.status == 401, route.name
            assert "X-RateLimit-Limit" not in answer.headers or route.payer == "address", route.name


@pytest.mark.parametrize("route", SOCKETS, ids=lambda route: route.name)
async def test_every_websocket_opens_and_its_handshake_is_paid(tmp_path: Path, route: Route) -> None:
    async with preset(tmp_path, AMPLE) as here:
        async with here.session.ws_connect(here.url + route.example, headers=here.headers(ALICE, ACME.id)) as socket:
            await socket.send_str("ping")
            assert (await socket.receive_str(timeout=10)) == "pong"
            headers = socket._response.headers
        assert (headers["X-Weighbridge-Cost"], headers["X-RateLimit-Scope"]) == (str(route.weight), "workspace")
        assert here.backend.requests[-1].workspace == ACME.id
