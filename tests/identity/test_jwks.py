import asyncio
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from gateway.core.problems import BadGateway, StoreUnavailable, Unauthorized
from gateway.identity.authenticate import Authenticator
from gateway.identity.config import Identified, IdentityConfig
from gateway.identity.issuers import Issuer
from gateway.identity.jwks import JwksKeys, Patience
from gateway.identity.public_keys import public_keys
from gateway.tasks import Tasks
from tests.identity.tokens import NOW, PEER, SECOND, SECRET, USER, bearer, hmac_issuer, token

ONE, TWO = (rsa.generate_private_key(65537, 2048) for _ in range(2))
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
PATIENCE = Patience()
PEM = ONE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def jwk(key: Any, **more: object) -> dict[str, Any]:
    ways: dict[type, Any] = {rsa.RSAPrivateKey: RSAAlgorithm, ec.EllipticCurvePrivateKey: ECAlgorithm}
    algorithm: Any = next((way for kind, way in ways.items() if isinstance(key, kind)), OKPAlgorithm)
    made = dict(algorithm.to_jwk(key.public_key(), as_dict=True))
    made.pop("key_ops", None)
    return made | more


def document(*keys: object) -> bytes:
    return json.dumps({"keys": keys}).encode()


class Site:
    """Serves the document; ``gate`` holds it back."""

    def __init__(self, *keys: object) -> None:
        self.answer: bytes | Exception = document(*keys)
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> bytes:
        self.asked += 1
        await self.gate.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def made(site: Site, *algorithms: str, name: str | None = None, patience: Patience = PATIENCE) -> Issuer:
    keys = JwksKeys(site, algorithms or ("RS256",), Tasks(), patience)
    return Issuer(keys=keys, algorithms=keys.algorithms, name=name)


def gate(*issuers: Issuer) -> Authenticator:
    return Authenticator(IdentityConfig(issuers=issuers))


async def ask(authenticator: Authenticator, sent: bytes, now_us: int = NOW) -> Identified:
    return await authenticator.identify([bearer(sent)], b"", PEER, now_us)


def signed(key: Any = ONE, kid: str | None = "one", algorithm: str = "RS256", **more: object) -> bytes:
    return token(key, algorithm, headers={} if kid is None else {"kid": kid}, **({"exp": NOW // SECOND + 10**6} | more))


async def test_keys_are_fetched_once_when_the_first_token_comes() -> None:
    site = Site(jwk(ONE, kid="one"))
    authenticator = gate(made(site))
    assert authenticator.identify_now([bearer(signed())], b"", PEER, NOW) is None
    assert site.asked == 0
    found = await asyncio.gather(*(ask(authenticator, signed(n=number)) for number in range(50)))
    assert {one.principal.user for one in found} == {USER}
    assert authenticator.identify_now([bearer(signed())], b"", PEER, NOW) is not None
    assert site.asked == 1


@pytest.mark.parametrize(("key", "algorithm"), [(ONE, "PS384"), (EC, "ES256"), (ED, "EdDSA")])
async def test_each_kind_of_key_verifies_its_algorithms(key: Any, algorithm: str) -> None:
    authenticator = gate(made(Site(jwk(key, kid="one")), algorithm))
    assert (await ask(authenticator, signed(key, algorithm=algorithm))).principal.user == USER


async def test_a_token_without_kid_is_tried_with_every_key_of_its_algorithm() -> None:
    authenticator = gate(made(Site(jwk(EC, kid="ec"), jwk(ONE, kid="one"), jwk(TWO)), "RS256", "ES256"))
    for key, algorithm in ((ONE, "RS256"), (TWO, "RS256"), (EC, "ES256")):
        assert (await ask(authenticator, signed(key, None, algorithm))).principal.user == USER


async def test_a_kid_names_one_key_and_no_other_verifies() -> None:
    authenticator = gate(made(Site(jwk(ONE, kid="one"), jwk(TWO, kid="two"))))
    assert (await ask(authenticator, signed(TWO, "two"))).principal.user == USER
    with pytest.raises(Unauthorized, match="signature"):
        await ask(authenticator, signed(TWO, "one"))


async def test_a_new_kid_is_fetched_once_and_strangers_cannot_make_that_often() -> None:
    site = Site(jwk(ONE, kid="one"))
    authenticator = gate(made(site))
    await ask(authenticator, signed())
    site.answer = document(jwk(ONE, kid="one"), jwk(TWO, kid="two"))
    for number in range(20):
        with pytest.raises(Unauthorized, match="does not publish"):
            await ask(authenticator, signed(TWO, f"none{number}"), NOW + 1)
    assert site.asked == 1
    later = NOW + PATIENCE.retry_us
    assert (await ask(authenticator, signed(TWO, "two"), later)).principal.user == USER
    for number in range(20):
        with pytest.raises(Unauthorized):
            await ask(authenticator, signed(TWO, f"none{number}"), later + 1)
    assert site.asked == 2


async def test_old_keys_are_fetched_again_beside_the_requests() -> None:
    site = Site(jwk(ONE, kid="one"))
    tasks = Tasks()
    keys = JwksKeys(site, ["RS256"], tasks)
    await keys.refresh(NOW)
    site.gate.clear()
    site.answer = document(jwk(TWO, kid="two"))
    later = NOW + PATIENCE.fresh_us
    assert keys.find("RS256", "one", later)
    assert keys.find("RS256", "one", later)
    site.gate.set()
    await keys.refresh(later)
    assert site.asked == 2
    assert not keys.find("RS256", "one", later)
    assert keys.find("RS256", "two", later)


async def test_keys_are_fetched_again_although_only_remembered_tokens_come() -> None:
    site = Site(jwk(ONE, kid="one"))
    issuer = made(site)
    authenticator = gate(issuer)
    assert isinstance(issuer.keys, JwksKeys)
    await ask(authenticator, signed())
    site.answer = document(jwk(TWO, kid="two"))
    issuer.keys.tend(NOW + PATIENCE.fresh_us - 1)
    later = NOW + PATIENCE.fresh_us
    assert (await ask(authenticator, signed(), later)).principal.user == USER
    for _ in range(3):
        issuer.keys.tend(later)
    await issuer.keys.refresh(later)
    assert site.asked == 2
    with pytest.raises(Unauthorized):
        await ask(authenticator, signed(), later)


async def test_another_way_that_knows_the_token_does_not_wait_for_a_site_that_is_down() -> None:
    site = Site()
    site.answer = OSError("down")
    old = Issuer(keys=public_keys(PEM, ["RS256"]), algorithms=frozenset({"RS256"}), name="a")
    authenticator = gate(made(site, name="a"), old)
    assert authenticator.identify_now([bearer(signed(iss="a"))], b"", PEER, NOW) is not None
    with pytest.raises(StoreUnavailable):
        await ask(authenticator, signed(TWO, iss="a"))
    assert site.asked == 1


@pytest.mark.parametrize(
    "failure",
    [
        OSError(),
        TimeoutError(),
        BadGateway("down"),
        b"",
        b"{}",
        b"[]",
        document(),
        document({"kty": "oct"}),
        b"[" * 9_999,
    ],
)
async def test_a_failed_fetch_leaves_the_keys_for_a_day(failure: Any) -> None:
    site = Site(jwk(ONE, kid="one"))
    keys = JwksKeys(site, ["RS256"], Tasks())
    await keys.refresh(NOW)
    site.answer = failure
    at = NOW + PATIENCE.stale_us - 1
    assert keys.find("RS256", "one", at)
    await keys.refresh(at)
    assert keys.find("RS256", "one", at)
    with pytest.raises(StoreUnavailable):
        keys.find("RS256", "one", NOW + PATIENCE.stale_us)
    assert keys.generation == 0


async def test_without_any_key_nobody_knows_and_fetches_are_rare() -> None:
    site = Site()
    site.answer = OSError()
    authenticator = gate(made(site))
    for _ in range(5):
        with pytest.raises(StoreUnavailable) as caught:
            await ask(authenticator, signed())
        assert caught.value.headers == ((b"Retry-After", b"10"),)
    assert site.asked == 1
    site.answer = document(jwk(ONE, kid="one"))
    assert (await ask(authenticator, signed(), NOW + PATIENCE.retry_us)).principal.user == USER


async def test_a_site_that_hangs_is_given_up() -> None:
    site = Site(jwk(ONE, kid="one"))
    site.gate.clear()
    with pytest.raises(StoreUnavailable):
        await ask(gate(made(site, patience=Patience(timeout_us=1))), signed())


async def test_a_caller_that_leaves_takes_the_keys_from_nobody() -> None:
    site = Site(jwk(ONE, kid="one"))
    site.gate.clear()
    authenticator = gate(made(site))
    leaves = asyncio.gather(ask(authenticator, signed()))
    stays = asyncio.gather(ask(authenticator, signed()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    leaves.cancel()
    site.gate.set()
    assert [one.principal.user for one in await stays] == [USER]
    assert site.asked == 1


async def test_when_a_key_is_taken_away_tokens_it_verified_count_no_more() -> None:
    for after in (jwk(TWO, kid="two"), jwk(TWO, kid="one")):
        site = Site(jwk(ONE, kid="one"))
        issuer = made(site)
        authenticator = gate(issuer)
        await ask(authenticator, signed())
        site.answer = document(after)
        later = NOW + PATIENCE.fresh_us
        await issuer.keys.refresh(later)
        with pytest.raises(Unauthorized):
            await ask(authenticator, signed(), later)


async def test_a_key_that_is_added_takes_nothing_away() -> None:
    site = Site(jwk(ONE, kid="one"))
    keys = JwksKeys(site, ["RS256"], Tasks())
    await keys.refresh(NOW)
    site.answer = document(jwk(TWO, kid="two"), jwk(ONE, kid="one"))
    await keys.refresh(NOW + PATIENCE.retry_us)
    assert keys.generation == 0


async def test_several_issuers_keep_their_keys_apart() -> None:
    mine, theirs = Site(jwk(ONE, kid="one")), Site(jwk(TWO, kid="one"))
    authenticator = gate(made(mine, name="mine"), made(theirs, name="theirs"), hmac_issuer(name="old"))
    assert (await ask(authenticator, signed(ONE, iss="mine"))).principal.user == USER
    assert (await ask(authenticator, signed(TWO, iss="theirs"))).principal.user == USER
    assert (await ask(authenticator, token(SECRET, iss="old"))).principal.user == USER
    for forged in (
        signed(TWO, iss="mine"),
        signed(ONE, iss="theirs"),
        token(SECRET, iss="mine"),
        signed(ONE, iss="old"),
    ):
        with pytest.raises(Unauthorized):
            await ask(authenticator, forged)


@pytest.mark.parametrize("algorithms", [[], ["HS256"], ["RS256", "HS256"], ["none"]])
async def test_a_jwks_url_verifies_public_algorithms_alone(algorithms: list[str]) -> None:
    with pytest.raises(ValueError, match="public keys"):
        JwksKeys(Site(), algorithms, Tasks())
