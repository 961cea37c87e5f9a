"""Keys that come while the gateway runs."""

import hashlib

import pytest

from gateway.core.problems import Unauthorized
from gateway.identity.api_keys import ApiKey
from gateway.identity.authenticate import Authenticator
from gateway.identity.config import Identified, IdentityConfig

WORD = "s" * 43
HEADERS = ((b"X-API-Key", b"wb_k1_" + WORD.encode()),)


def key(**changes: object) -> ApiKey:
    given = {"id": "k1", "sha256": hashlib.sha256(WORD.encode()).hexdigest(), "user": "alice"}
    return ApiKey(**{**given, **changes})  # type: ignore[arg-type]


async def identify(authenticator: Authenticator) -> Identified:
    return await authenticator.identify(HEADERS, b"", "192.0.2.1", 0)


async def test_a_key_counts_from_when_it_is_put_in_until_it_is_revoked() -> None:
    authenticator = Authenticator(IdentityConfig(api_keys=()))
    assert authenticator.takes_keys
    with pytest.raises(Unauthorized):
        await identify(authenticator)
    authenticator.put_key(key())
    assert [(await identify(authenticator)).principal.user for _ in range(2)] == ["alice", "alice"]
    authenticator.put_key(key(user="bob"))
    assert (await identify(authenticator)).principal.user == "bob", "what was remembered of it is gone"
    authenticator.put_key(key(revoked=True))
    with pytest.raises(Unauthorized):
        await identify(authenticator)


async def test_another_key_disturbs_nobody() -> None:
    authenticator = Authenticator(IdentityConfig(api_keys=(key(),)))
    before = await identify(authenticator)
    authenticator.put_key(key(id="k2"))
    assert await identify(authenticator) is before


def test_a_key_for_nobody_or_where_keys_are_no_way_is_refused() -> None:
    with pytest.raises(ValueError, match="must name a user"):
        Authenticator(IdentityConfig(api_keys=())).put_key(key(user=None))
    without = Authenticator(IdentityConfig())
    assert not without.takes_keys
    with pytest.raises(ValueError, match="not a way"):
        without.put_key(key())
