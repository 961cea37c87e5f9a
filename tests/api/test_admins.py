"""Who is a global admin: by configuration, by a claim, by the upstream's word, by the gateway's own password."""

from pathlib import Path
from typing import Any

import argon2
import pytest

from gateway.clock import now_us
from gateway.demo.data import ACME, ADMIN, ALICE, BOB, User
from gateway.demo.tokens import sign
from gateway.identity.admin_login import LIFETIME_S, AdminLogin
from tests.e2e.world import SECRET, World, world

PASSWORD = "correct horse battery"
PLANS = """\
defaults: {user: free, workspace: null}
plans:
  - {slug: free, name: Free, throughput_limit: 1000, window_seconds: 3600}
"""


async def is_admin(here: World, user: User | None = None, **headers: str) -> bool:
    answer = await here.ask("/billing/me", user, headers=headers)
    assert answer.status == 200, await answer.text()
    said: dict[str, Any] = await answer.json()
    return bool(said["admin"])


async def logged_in(here: World, password: str = PASSWORD) -> str:
    answer = await here.ask("/billing/login", method="POST", json={"password": password})
    assert answer.status == 200, await answer.text()
    said = await answer.json()
    assert (said["token_type"], said["expires_in"]) == ("bearer", 3600)
    assert answer.headers["Cache-Control"] == "no-store"
    return f"Bearer {said['access_token']}"


async def test_by_default_nobody_is(tmp_path: Path) -> None:
    async with world(tmp_path, PLANS) as here:
        assert not await is_admin(here, ADMIN), "a role that the upstream knows was not asked for"
        answer = await here.ask("/billing/login", method="POST", json={"password": "x"})
        assert answer.status == 404
        assert (await (await here.ask("/billing/about")).json())["login"] == {"upstream": False, "admin": False}


async def test_users_may_be_named(tmp_path: Path) -> None:
    async with world(tmp_path, f'admins: {{users: ["{BOB.id.upper()}"]}}\n' + PLANS) as here:
        assert [await is_admin(here, user) for user in (ALICE, BOB)] == [False, True]


async def test_a_claim_may_say_it(tmp_path: Path) -> None:
    async with world(tmp_path, "admins: {claim: {role: admin, realm.kind: staff}}\n" + PLANS) as here:
        good = {"role": ["user", "admin"], "realm": {"kind": "staff"}}
        for claims, expected in (
            (good, True),
            ({**good, "role": "admin"}, True),
            ({**good, "role": "administrator"}, False),
            ({**good, "realm": {}}, False),
            ({**good, "role": {"admin": True}}, False),
            ({}, False),
        ):
            token = sign({"sub": ALICE.id, "exp": 2**40, **claims}, SECRET)
            assert await is_admin(here, Authorization=f"Bearer {token}") is expected, claims


async def test_the_upstream_may_say_it(tmp_path: Path) -> None:
    async with world(tmp_path, "admins: {upstream: true}\n" + PLANS) as here:
        assert [await is_admin(here, user) for user in (ADMIN, ALICE)] == [True, False]
        assert here.arrived == ["GET /user/me"] * 2
        assert await is_admin(here, ADMIN)
        assert len(here.arrived) == 2, "its word counts for a minute"
        assert (await (await here.ask("/billing/me", ALICE)).json())["name"] == "Alice", "as it calls her"


async def test_nobody_is_while_the_upstream_does_not_say(tmp_path: Path) -> None:
    async with world(tmp_path, "admins: {upstream: true}\n" + PLANS, upstream="http://127.0.0.1:9") as here:
        assert not await is_admin(here, ADMIN)


@pytest.mark.parametrize("hashed", [False, True])
async def test_a_password_logs_in_for_an_hour(tmp_path: Path, hashed: bool) -> None:  # noqa: FBT001
    said = argon2.PasswordHasher(time_cost=1, memory_cost=8192).hash(PASSWORD) if hashed else PASSWORD
    async with world(tmp_path, f"admins: {{password: '{said}'}}\n" + PLANS) as here:
        token = await logged_in(here)
        answer = await here.ask("/billing/me", headers={"Authorization": token})
        assert await answer.json() == {"admin": True, "via": "admin_login", "policies": []}
        assert (await here.ask("/user/me", headers={"Authorization": token})).status == 401, "for our own routes only"
        assert not here.arrived
        for wrong in ("correct horse", PASSWORD + "x", ""):
            refused = await here.ask("/billing/login", method="POST", json={"password": wrong})
            assert refused.status == (401 if wrong else 422)
            assert wrong not in await refused.text() or not wrong
        head, _, tail = token.rpartition(".")
        for forged in (f"{head}.{tail[::-1]}", f"{head[:-1]}{'A' if head[-1] != 'A' else 'B'}.{tail}", f"{token}x"):
            assert (await here.ask("/billing/me", headers={"Authorization": forged})).status == 401


@pytest.mark.parametrize(
    "more",
    [
        "identity: {peers: {networks: [192.0.2.0/24]}}\n",
        "rules: [{method: GET, path: /user/me, public: true}]\n",
    ],
    ids=["no tokens are read", "a public rule"],
)
async def test_a_login_never_goes_upstream(tmp_path: Path, more: str) -> None:
    async with world(
        tmp_path, f"admins: {{password: {PASSWORD}}}\nworkspace: {{membership: trust_clients}}\n{more}{PLANS}"
    ) as here:
        await here.ask("/user/me", headers={"Authorization": await logged_in(here)})
        await here.ask("/user/me", headers={"Authorization": "Bearer theirs"})
        arrived = [dict(request.headers).get("Authorization") for request in here.backend.requests]
        assert arrived == [None, "Bearer theirs"]


async def test_an_expired_login_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path, f"admins: {{password: {PASSWORD}}}\n" + PLANS) as here:
        for age_s, status in ((LIFETIME_S + 1, 401), (LIFETIME_S - 600, 200)):
            token = await AdminLogin(PASSWORD).login(PASSWORD, now_us() - age_s * 1_000_000)
            answer = await here.ask("/billing/me", headers={"Authorization": f"Bearer {token}"})
            assert answer.status == status


async def test_the_login_survives_a_restart_and_not_another_password(tmp_path: Path) -> None:
    async with world(tmp_path, f"admins: {{password: {PASSWORD}}}\n" + PLANS) as here:
        token = await logged_in(here)
    async with world(tmp_path, f"admins: {{password: {PASSWORD}}}\n" + PLANS) as here:
        assert await is_admin(here, Authorization=token)
    async with world(tmp_path, f"admins: {{password: {PASSWORD}!}}\n" + PLANS) as here:
        assert (await here.ask("/billing/me", headers={"Authorization": token})).status == 401


async def test_passwords_are_not_tried_without_end(tmp_path: Path) -> None:
    async with world(tmp_path, f"admins: {{password: {PASSWORD}}}\n" + PLANS) as here:
        tried = [
            (await here.ask("/billing/login", method="POST", json={"password": f"guess number {n}"})).status
            for n in range(14)
        ]
        assert tried[:10] == [401] * 10
        assert 429 in tried[10:]
        assert (await here.ask("/billing/login", method="POST", json={"password": PASSWORD})).status == 429


async def test_nor_from_many_addresses(tmp_path: Path) -> None:
    proxied = 'identity: {jwt: {secret: "${JWT_SECRET}"}, trusted_proxies: 1}\n'
    async with world(tmp_path, f"admins: {{password: {PASSWORD}}}\n" + proxied + PLANS) as here:

        async def tried(number: int, password: str) -> int:
            said = {"X-Forwarded-For": f"192.0.2.{number}"}
            answer = await here.ask("/billing/login", method="POST", json={"password": password}, headers=said)
            return answer.status

        statuses = [await tried(number, "a wrong password") for number in range(100)]
        assert set(statuses[:60]) == {401}
        assert 429 in statuses
        assert await tried(201, "a wrong password") == 429
        assert await tried(200, PASSWORD) == 200, "guesses from elsewhere do not keep out who knows"
        assert await is_admin(here, ADMIN) is False
        assert (await here.ask("/user/me", ALICE)).status == 200


async def test_an_admin_by_name_needs_no_upstream_to_act_for_a_workspace(tmp_path: Path) -> None:
    yaml = f'admins: {{users: ["{BOB.id}"]}}\n' + PLANS
    async with world(tmp_path, yaml, upstream="http://127.0.0.1:9") as here:
        answer = await here.ask("/billing/me", BOB, workspace=ACME.id)
        assert (answer.status, (await answer.json())["workspace_id"]) == (200, ACME.id)
        assert (await here.ask("/billing/me", ALICE, workspace=ACME.id)).status == 503


async def test_a_page_learns_how_to_log_in(tmp_path: Path) -> None:
    yaml = f"admins: {{password: {PASSWORD}}}\nrules: [{{method: POST, path: /user/oauth/token, public: true}}]\n"
    async with world(tmp_path, yaml + PLANS) as here:
        said = await (await here.ask("/billing/about")).json()
        assert said["login"] == {"upstream": True, "admin": True}
        assert said["prefixes"] == {"billing": "/billing", "admin": "/billing-admin"}
        assert (said["currencies"]["jpy"], said["currencies"]["usd"]) == (0, 2)
        assert said["workspace_header"] == "X-Workspace-ID"
