import aiohttp
import pytest

from gateway.demo.backend import Backend
from tests.demo.conftest import Headers
from tests.demo.wire import Clock

EVE = {"name": "Eve", "email": "eve@example.com", "password": "eve-demo-6"}
LIMITS = {"register": 5, "resend-verification": 5, "forgot-password": 5, "reset-password": 10}


async def test_who_registers_can_log_in_owns_a_workspace_and_is_not_verified(
    client: aiohttp.ClientSession, signed: Headers
) -> None:
    async with client.post("/auth/register", json=EVE) as response:
        row = await response.json()
    assert (response.status, row["email"], row["email_verified"]) == (201, EVE["email"], False)
    form = {"grant_type": "password", "username": EVE["email"], "password": EVE["password"]}
    async with client.post("/user/oauth/token", json=form) as response:
        assert response.status == 200
    headers = signed(EVE["email"], "")
    async with client.get("/workspace", headers=headers) as response:
        assert (response.status, (await response.json())["message"]) == (403, "Email verification required")
    async with client.get("/auth/verify-email", params={"token": row["id"]}) as response:
        assert response.status == 200
    async with client.get("/workspace", headers=headers) as response:
        (workspace,) = await response.json()
    for path in ("/contact", "/message/conversation"):
        async with client.get(path, headers=headers | {"X-Workspace-ID": workspace["id"]}) as response:
            assert (response.status, await response.json()) == (200, [])


async def test_what_cannot_be_registered_is_refused(client: aiohttp.ClientSession) -> None:
    async with client.post("/auth/register", json=EVE | {"email": "alice@example.com"}) as response:
        assert response.status == 409
    async with client.post("/auth/register", json={"email": "x@example.com"}) as response:
        assert response.status == 400
    async with client.get("/auth/verify-email", params={"token": "none"}) as response:
        assert response.status == 400


@pytest.mark.parametrize(("name", "limit"), LIMITS.items())
async def test_an_address_may_ask_so_many_times_an_hour(
    client: aiohttp.ClientSession, clock: Clock, name: str, limit: int
) -> None:
    for number in range(limit):
        async with client.post(f"/auth/{name}", json={"email": f"{number}@example.com"}) as response:
            assert response.status != 429
            assert response.headers["X-RateLimit-Remaining"] == str(limit - 1 - number)
    async with client.post(f"/auth/{name}", json={}) as response:
        assert (response.status, (await response.json())["error"]) == (429, "Too many requests")
        assert "context" not in await response.json()
    clock.pass_seconds(3_600)
    async with client.post(f"/auth/{name}", json={"email": "x"}) as response:
        assert response.status != 429


async def test_limits_can_be_switched_off(clock: Clock) -> None:
    backend = Backend(jwt_secret="a secret of the tests, long enough", login_limit=None, clock=clock)
    url = await backend.start()
    try:
        async with aiohttp.ClientSession(base_url=url) as client:
            for _ in range(12):
                for path in ("/auth/forgot-password", "/user/oauth/token"):
                    async with client.post(path, json={"grant_type": "refresh_token"}) as response:
                        assert response.status in (200, 400)
                        assert "X-RateLimit-Limit" not in response.headers
    finally:
        await backend.close()
