"""The stand-in has every route of the list, behind the guards that wacraft has there."""

import aiohttp
import pytest

from gateway.demo.backend import Backend
from gateway.demo.data import ACME, ADMIN, ALICE, BOB
from gateway.demo.router import Missing
from tests.demo.conftest import Headers
from tests.presets.wacraft import ROUTES, Route

PLAIN = [route for route in ROUTES if "socket" not in route.more]
INSIDE = [route for route in PLAIN if route.payer == "workspace"]
SIGNED_IN = [route for route in PLAIN if route.payer == "user"]
OPEN_TO_MEMBERS = {
    *("GET /workspace/:workspace_id", "GET /workspace/:workspace_id/member", "GET /messaging-product"),
    *("GET /whatsapp-template", "GET /media/whatsapp/:id", "GET /media/whatsapp/download/:id", "GET /message/whatsapp"),
    *("POST /media/whatsapp/media-info/download", "POST /media/whatsapp/upload"),
}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
async def test_every_route_is_there(backend: Backend, route: Route) -> None:
    found = backend._router.find(route.method, route.example)
    assert not isinstance(found, Missing)


async def ask(client: aiohttp.ClientSession, route: Route, headers: dict[str, str]) -> int:
    async with client.request(route.method, route.example, headers=headers) as response:
        await response.read()
        return response.status


@pytest.mark.parametrize("route", [*INSIDE, *SIGNED_IN], ids=lambda route: route.name)
async def test_a_token_is_asked_for(client: aiohttp.ClientSession, route: Route) -> None:
    assert await ask(client, route, {}) == 400
    assert await ask(client, route, {"Authorization": "Bearer x"}) == 401


@pytest.mark.parametrize("route", INSIDE, ids=lambda route: route.name)
async def test_inside_a_workspace_membership_and_policies_count(
    client: aiohttp.ClientSession, signed: Headers, route: Route
) -> None:
    assert await ask(client, route, signed("alice", "")) == 400
    assert await ask(client, route, signed("carol")) == 403
    assert await ask(client, route, signed("dave")) == 403
    assert await ask(client, route, signed("alice")) not in (401, 403, 405)
    read_only = await ask(client, route, signed("dave", "bb0e8400-e29b-41d4-a716-446655440006"))
    contacts = "contact" in route.path.partition("/message/")[0] and route.method == "GET"
    assert (read_only != 403) == (route.name in OPEN_TO_MEMBERS or contacts)


@pytest.mark.parametrize("route", SIGNED_IN, ids=lambda route: route.name)
async def test_outside_of_one_the_header_is_not_looked_at(
    client: aiohttp.ClientSession, signed: Headers, route: Route
) -> None:
    user = ADMIN.email if route.path.startswith("/user") else ALICE.email
    assert await ask(client, route, signed(user, "no id")) < 300
    unverified = await ask(client, route, signed("carol", ""))
    assert unverified == (403 if route.path != "/user/me" else 204 if route.method == "DELETE" else 200)


async def test_users_and_members_come_with_their_hashes(client: aiohttp.ClientSession, signed: Headers) -> None:
    member = f"/workspace/{ACME.id}/member"
    admin, alice = signed(ADMIN.email), signed()
    for method, path, headers in (
        *(("PUT", "/user/me", alice), ("GET", "/user/content/name/like/a", admin), ("POST", "/user", admin)),
        *(("POST", member, alice), ("PATCH", f"{member}/{BOB.id}", alice)),
    ):
        async with client.request(method, path, headers=headers) as response:
            assert "$2a$" in await response.text(), f"{method} {path}"
