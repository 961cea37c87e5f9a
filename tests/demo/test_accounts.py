import aiohttp
import pytest

from gateway.demo.backend import Backend
from gateway.demo.data import ACME, ACME_PHONE, ADMIN, ALICE, BETA, BOB
from tests.demo.conftest import Headers
from tests.demo.wire import Clock

LOGIN = "/user/oauth/token"


def password(user: str = ALICE.email, secret: str = ALICE.password) -> dict[str, str]:
    return {"grant_type": "password", "username": user, "password": secret}


async def test_a_login_gives_tokens_that_work_and_a_refresh_keeps_the_refresh_token(
    client: aiohttp.ClientSession, clock: Clock
) -> None:
    async with client.post(LOGIN, json=password()) as response:
        first = await response.json()
    assert (response.status, first["token_type"], first["expires_in"]) == (200, "bearer", 3600)
    clock.pass_seconds(3600)
    async with client.get("/user/me", headers={"Authorization": f"Bearer {first['access_token']}"}) as response:
        assert response.status == 401
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    async with client.post(LOGIN, json=form) as response:
        second = await response.json()
    assert second["refresh_token"] == first["refresh_token"]
    for token in (second["access_token"], second["refresh_token"]):
        async with client.get("/user/me", headers={"Authorization": f"Bearer {token}"}) as response:
            assert response.status == 200


@pytest.mark.parametrize(
    ("form", "status"),
    [
        (password(secret="wrong"), 401),
        (password(user="mallory@example.com"), 401),
        (password(secret=""), 400),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, 401),
        ({"grant_type": "refresh_token"}, 400),
        ({"grant_type": "client_credentials"}, 400),
        ([], 400),
    ],
)
async def test_a_login_that_is_not_good_is_refused(client: aiohttp.ClientSession, form: object, status: int) -> None:
    async with client.post(LOGIN, json=form) as response:
        assert response.status == status


async def test_an_unknown_grant_is_told_in_plain_text(client: aiohttp.ClientSession) -> None:
    async with client.post(LOGIN, json={"grant_type": "magic"}) as response:
        assert (response.content_type, await response.text()) == ("text/plain", "unsupported grant type")


async def test_a_body_that_does_not_call_itself_json_is_refused(client: aiohttp.ClientSession) -> None:
    for content_type, body, status in (("text/plain", b"{}", 400), ("application/json", b"{", 400)):
        async with client.post(LOGIN, data=body, headers={"Content-Type": content_type}) as response:
            assert response.status == status
            assert (await response.json())["context"] == "handler"


async def test_the_eleventh_login_in_a_quarter_of_an_hour_waits(client: aiohttp.ClientSession, clock: Clock) -> None:
    for number in range(10):
        async with client.post(LOGIN, json=password(secret="wrong")) as response:
            assert response.status == 401
            assert response.headers["X-RateLimit-Limit"] == "10"
            assert response.headers["X-RateLimit-Remaining"] == str(9 - number)
            assert response.headers["X-RateLimit-Reset"] == str(900 - number)
        clock.pass_seconds(1)
    async with client.post(LOGIN, json=password()) as response:
        assert response.status == 429
        assert await response.json() == {"error": "Too many login attempts", "message": "Please try again later"}
        assert response.headers["Retry-After"] == "900"
        assert "X-RateLimit-Limit" not in response.headers
    async with client.post(LOGIN, json=password(BOB.email, BOB.password)) as response:
        assert response.status == 200
    clock.pass_seconds(890)
    async with client.post(LOGIN, json=password()) as response:
        assert response.status == 200


async def test_who_am_i_shows_role_verification_and_a_hash(client: aiohttp.ClientSession, signed: Headers) -> None:
    async with client.get("/user/me", headers=signed("su", "")) as response:
        me = await response.json()
    assert (me["id"], me["email"], me["role"], me["email_verified"]) == (ADMIN.id, "su@sudo", "admin", True)
    assert me["password"].startswith("$2a$10$")
    assert len(me["password"]) == 60
    async with client.get("/user/me", headers=signed("carol", "")) as response:
        assert (response.status, (await response.json())["email_verified"]) == (200, False)


async def test_only_the_global_admin_lists_users(client: aiohttp.ClientSession, signed: Headers) -> None:
    for user, status in (("alice", 403), ("su", 200)):
        async with client.get("/user", headers=signed(user, "")) as response:
            assert response.status == status


async def test_everybody_lists_their_own_workspaces(client: aiohttp.ClientSession, signed: Headers) -> None:
    for user, names in (("alice", ["Acme"]), ("bob", ["Acme", "Beta"]), ("su", [])):
        async with client.get("/workspace", headers=signed(user, "no matter")) as response:
            assert [w["name"] for w in await response.json()] == names


async def test_the_headers_workspace_counts_and_not_the_paths(client: aiohttp.ClientSession, signed: Headers) -> None:
    async with client.get(f"/workspace/{BETA.id}", headers=signed("alice", ACME.id)) as response:
        assert (response.status, (await response.json())["id"]) == (200, ACME.id)
    async with client.get(f"/workspace/{ACME.id}", headers=signed("alice", "")) as response:
        assert response.status == 400


async def test_members_come_with_their_policies_and_their_users(
    client: aiohttp.ClientSession, signed: Headers, backend: Backend
) -> None:
    async with client.get(f"/workspace/{ACME.id}/member", headers=signed("bob")) as response:
        rows = {row["user_id"]: row for row in await response.json()}
    assert len(rows) == 3
    assert len(rows[ALICE.id]["policies"]) == 17
    assert "billing.read" in rows[BOB.id]["policies"]
    assert rows[BOB.id]["user"]["email"] == "bob@example.com"
    assert backend.requests[-1].handler == "GET /workspace/:workspace_id/member"


async def test_phone_configs_show_their_secrets_to_those_with_the_policy(
    client: aiohttp.ClientSession, signed: Headers
) -> None:
    path = f"/workspace/{ACME.id}/phone-config?limit=50"
    async with client.get(path, headers=signed("bob")) as response:
        assert response.status == 403
    async with client.get(path, headers=signed("alice")) as response:
        rows = await response.json()
    assert rows[0]["waba_id"] == ACME_PHONE.waba_id
    assert rows[0]["meta_app_secret"] == ACME_PHONE.app_secret
    async with client.get(f"/workspace/{ACME.id}/phone-config/{ACME_PHONE.id}", headers=signed("alice")) as response:
        assert (await response.json())["id"] == ACME_PHONE.id
    async with client.get(f"/workspace/{ACME.id}/phone-config/none", headers=signed("alice")) as response:
        assert response.status == 404
