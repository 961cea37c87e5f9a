"""A stranger's address pays for sign-up and login before anything is forwarded (decisions/0006)."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiohttp import ClientResponse

from gateway.demo.backend import Backend
from gateway.demo.data import ALICE
from tests.e2e.world import SECRET, World, world

LOGIN = "/user/oauth/token"
GUARDED = """\
identity: {jwt: {secret: "${JWT_SECRET}"}, anonymous: public_only}
defaults: {user: free, address: door}
plans:
  - {slug: free, throughput_limit: 10, window_seconds: 3600}
  - {slug: door, throughput_limit: 100, pack: true}
rules:
  - {method: POST, path: /user/oauth/token, public: true, pays: [address]}
"""
BEHIND = GUARDED.replace("anonymous: public_only", "anonymous: public_only, trusted_proxies: 1")
GOOD = {"grant_type": "password", "username": ALICE.email, "password": ALICE.password}
BAD = GOOD | {"password": "a guess"}


async def login(here: World, form: dict[str, str], headers: Sequence[tuple[str, str]] = ()) -> ClientResponse:
    return await here.ask(LOGIN, method="POST", json=form, headers=dict(headers))


def generous() -> Backend:
    return Backend(jwt_secret=SECRET, login_limit=1_000)


@pytest.mark.parametrize("form", [GOOD, BAD], ids=["good", "bad"])
async def test_the_101st_login_of_an_address_is_refused_and_never_forwarded(
    tmp_path: Path, form: dict[str, str]
) -> None:
    async with world(tmp_path, GUARDED, backend=generous()) as here:
        answers = [await login(here, form) for _ in range(100)]
        assert {answer.status for answer in answers} == {200 if form is GOOD else 401}
        assert answers[-1].headers["X-RateLimit-Remaining"] == "0"
        assert answers[-1].headers["X-RateLimit-Scope"] == "address"
        refused = await login(here, GOOD)
        assert refused.status == 429
        assert (await refused.json())["context"] == "billing"
        assert len(here.backend.requests) == 100


async def test_a_flood_at_once_gets_no_further_than_one_after_the_other(tmp_path: Path) -> None:
    async with world(tmp_path, GUARDED, backend=generous()) as here:
        answers = await asyncio.gather(*[login(here, BAD) for _ in range(150)])
        statuses = [answer.status for answer in answers]
        assert (statuses.count(401), statuses.count(429)) == (100, 50)
        assert len(here.backend.requests) == 100


async def test_whoever_is_named_at_the_door_pays_nothing(tmp_path: Path) -> None:
    async with world(tmp_path, GUARDED, backend=generous()) as here:
        for _ in range(3):
            answer = await login(here, BAD, [*here.headers(ALICE).items(), ("X-Workspace-ID", "no id at all")])
            assert answer.status == 401
        assert {scope for _, _, scope in here.gateway.metrics.units} == {"address"}
        after = await here.ask("/user/me", ALICE)
        assert after.headers["X-RateLimit-Remaining"] == "9"


async def test_behind_a_trusted_proxy_the_address_is_the_one_that_the_proxy_saw(tmp_path: Path) -> None:
    async with world(tmp_path, BEHIND, backend=generous()) as here:
        for number in range(100):
            forged = await login(here, BAD, [("X-Forwarded-For", f"198.51.100.{number}, 203.0.113.9")])
            assert forged.status == 401
        assert (await login(here, GOOD, [("X-Forwarded-For", "203.0.113.9")])).status == 429
        other = await login(here, GOOD, [("X-Forwarded-For", "203.0.113.10")])
        assert (other.status, other.headers["X-RateLimit-Scope-ID"]) == (200, "203.0.113.10")
        assert other.headers["X-RateLimit-Remaining"] == "99"


async def test_without_a_trusted_proxy_nobody_can_borrow_an_address(tmp_path: Path) -> None:
    async with world(tmp_path, GUARDED, backend=generous()) as here:
        for number in range(3):
            answer = await login(here, BAD, [("X-Forwarded-For", f"198.51.100.{number}")])
            assert answer.headers["X-RateLimit-Scope-ID"] == "127.0.0.1"
            assert answer.headers["X-RateLimit-Remaining"] == str(99 - number)


async def test_the_neighbours_in_an_ipv6_network_share_one_budget(tmp_path: Path) -> None:
    async with world(tmp_path, BEHIND, backend=generous()) as here:
        first = await login(here, BAD, [("X-Forwarded-For", "2001:db8:1:2::1")])
        second = await login(here, BAD, [("X-Forwarded-For", "[2001:db8:1:2:ffff::9]:443")])
        ids = [answer.headers["X-RateLimit-Scope-ID"] for answer in (first, second)]
        assert ids == ["2001:db8:1:2::/64"] * 2
        assert second.headers["X-RateLimit-Remaining"] == "98"
