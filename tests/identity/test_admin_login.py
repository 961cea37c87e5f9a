"""The admin's token: until when it is good, and that guesses wait for one another."""

import asyncio

import pytest

from gateway.core.problems import StoreUnavailable, Unauthorized
from gateway.identity.admin_login import LIFETIME_S, AdminLogin

NOW = 1_800_000_000_000_000
HOUR = LIFETIME_S * 1_000_000


async def test_a_token_is_good_for_an_hour_and_on_every_replica() -> None:
    token = (await AdminLogin("a long password").login("a long password", NOW)).encode()
    other = AdminLogin("a long password")
    assert await other.check(token, NOW + HOUR - 1) == NOW + HOUR
    with pytest.raises(Unauthorized, match="expired"):
        await other.check(token, NOW + HOUR)
    with pytest.raises(Unauthorized, match="not good"):
        await AdminLogin("another password").check(token, NOW)


async def test_two_logins_have_two_tokens() -> None:
    login = AdminLogin("a long password")
    assert await login.login("a long password", NOW) != await login.login("a long password", NOW)


async def test_guesses_at_once_are_bounded() -> None:
    login = AdminLogin("a long password")
    tried = await asyncio.gather(*(login.login("a guess", NOW) for _ in range(30)), return_exceptions=True)
    kinds = [type(each) for each in tried]
    assert (kinds.count(Unauthorized), kinds.count(StoreUnavailable)) == (8, 22)
    assert await login.login("a long password", NOW)
