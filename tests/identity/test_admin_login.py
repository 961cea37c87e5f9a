"""The admin's token: until when it is good, and that guesses wait for one another."""

import asyncio

import argon2
import pytest

from gateway.core.problems import StoreUnavailable, Unauthorized
from gateway.identity.admin_login import LIFETIME_S, SKEW_S, AdminLogin

NOW = 1_800_000_000_000_000
HOUR = LIFETIME_S * 1_000_000
HASH = argon2.PasswordHasher(time_cost=1, memory_cost=1024).hash("a long password")


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


async def test_who_has_read_the_hash_can_sign_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway, thief = AdminLogin(HASH), AdminLogin(HASH)
    monkeypatch.setattr(thief, "_knows", lambda _guess: True)  # this program, with what asks for the password taken out
    forged = (await thief.login("no idea", NOW)).encode()
    assert await thief.check(forged, NOW)
    with pytest.raises(Unauthorized, match="not good"):
        await gateway.check(forged, NOW)
    with pytest.raises(Unauthorized, match="not the admin's password"):
        await gateway.login(HASH, NOW)


async def test_a_login_with_a_hash_is_good_where_it_was_made_and_with_a_secret_everywhere() -> None:
    alone = AdminLogin(HASH)
    token = (await alone.login("a long password", NOW)).encode()
    assert await alone.check(token, NOW) == NOW + HOUR
    with pytest.raises(Unauthorized, match="not good"):
        await AdminLogin(HASH).check(token, NOW)
    token = (await AdminLogin(HASH, "s" * 32).login("a long password", NOW)).encode()
    assert await AdminLogin(HASH, "s" * 32).check(token, NOW) == NOW + HOUR
    for other in (AdminLogin(HASH, "t" * 32), AdminLogin("s" * 32), AdminLogin(HASH)):
        with pytest.raises(Unauthorized, match="not good"):
            await other.check(token, NOW)


async def test_a_token_for_longer_than_any_login_is_refused() -> None:
    login = AdminLogin("a long password")
    ahead = (await login.login("a long password", NOW + SKEW_S * 1_000_000)).encode()
    assert await login.check(ahead, NOW), "another replica's clock may be a minute ahead"
    with pytest.raises(Unauthorized, match="not good"):
        await login.check(ahead, NOW - 1_000_000)
