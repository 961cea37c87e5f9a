import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from jwt.algorithms import RSAAlgorithm

from gateway.core.problems import Unauthorized
from gateway.identity.authenticate import Authenticator
from gateway.identity.issuers import Issuer
from gateway.identity.jwt import TOKEN_BYTES, JwtVerifier
from gateway.identity.keys import secret_keys
from gateway.identity.public_keys import public_keys
from tests.identity.tokens import (
    NOW,
    SECOND,
    SECRET,
    USER,
    bearer,
    claims,
    config,
    hmac_issuer,
    identify,
    raw_token,
    token,
)

RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()


def pem(key: Any) -> bytes:
    return bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def private_pem(key: Any) -> bytes:
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def verify(sent: bytes, issuer: Issuer | None = None, now_us: int = NOW) -> Any:
    return JwtVerifier([issuer or hmac_issuer()]).verify(sent, now_us)


def public_issuer(key: Any, *algorithms: str, **more: Any) -> Issuer:
    keys = public_keys(pem(key), algorithms)
    return Issuer(keys=keys, algorithms=keys.algorithms, **more)


@pytest.mark.parametrize(
    ("key", "algorithm"), [(RSA, "RS256"), (RSA, "RS512"), (RSA, "PS256"), (EC, "ES256"), (ED, "EdDSA")]
)
def test_a_token_of_a_public_keys_owner_is_good_and_of_another_is_not(key: Any, algorithm: str) -> None:
    issuer = public_issuer(key, algorithm)
    assert verify(token(private_pem(key), algorithm), issuer).user == USER
    good = token(private_pem(key), algorithm)
    for forged in (
        token(private_pem(key), algorithm, sub="other").rsplit(b".", 1)[0] + b"." + good.rsplit(b".", 1)[1],
    ):
        with pytest.raises(Unauthorized, match="signature"):
            verify(forged, issuer)


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_token_of_who_knows_the_secret_is_good_and_of_another_is_not(algorithm: str) -> None:
    secret = SECRET * 2  # PyJWT, which signs here, wants 64 bytes for the longest of them
    issuer = Issuer(keys=secret_keys(secret, [algorithm]), algorithms=frozenset({algorithm}))
    good = token(secret, algorithm)
    assert verify(good, issuer).user == USER
    for forged in (token(secret + b"x", algorithm), good[:-8] + b"AAAAAAAA", good[:-4]):
        with pytest.raises(Unauthorized, match="signature"):
            verify(forged, issuer)


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_public_key_is_never_used_as_an_hmac_secret(algorithm: str) -> None:
    header, payload = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({"alg": algorithm}, claims())
    )
    digest = getattr(hashlib, "sha" + algorithm[2:])
    for material in (pem(RSA), pem(RSA).strip()):
        signature = hmac.new(material, header + b"." + payload, digest).digest()
        forged = b".".join((header, payload, base64.urlsafe_b64encode(signature).rstrip(b"=")))
        with pytest.raises(Unauthorized, match="algorithm"):
            verify(forged, public_issuer(RSA, "RS256"))


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "", None, 1, ["HS256"], "HS384", "RS256", "hs256", "HS256 "])
def test_an_algorithm_that_is_not_pinned_is_refused(alg: object) -> None:
    for signature in (b"", b"x"):
        with pytest.raises(Unauthorized):
            verify(raw_token({"alg": alg}, claims(), signature))
    with pytest.raises(Unauthorized):
        verify(raw_token({"typ": "JWT"}, claims()))


@pytest.mark.parametrize(
    "header", [{"crit": ["exp"], "exp": 1}, {"crit": []}, {"b64": True}, {"enc": "A256GCM"}, {"kid": 7}]
)
def test_a_token_that_asks_for_an_extension_is_refused(header: dict[str, Any]) -> None:
    good = raw_token({"alg": "HS256"} | header, claims()).rsplit(b".", 1)[0]
    signature = base64.urlsafe_b64encode(hmac.new(SECRET, good, hashlib.sha256).digest()).rstrip(b"=")
    with pytest.raises(Unauthorized, match=r"extension|kid"):
        verify(good + b"." + signature)


def test_a_token_is_good_until_its_exp_and_not_a_microsecond_longer() -> None:
    sent = token(exp=NOW // SECOND)
    assert verify(sent, now_us=NOW - 1).expires_us == NOW
    with pytest.raises(Unauthorized, match="expired"):
        verify(sent)
    assert verify(sent, hmac_issuer(leeway_us=5 * SECOND), NOW + 5 * SECOND - 1).expires_us == NOW + 5 * SECOND
    with pytest.raises(Unauthorized, match="expired"):
        verify(sent, hmac_issuer(leeway_us=5 * SECOND), NOW + 5 * SECOND)


def test_a_token_is_not_good_before_its_nbf() -> None:
    sent = token(nbf=NOW // SECOND + 10)
    with pytest.raises(Unauthorized, match="nbf"):
        verify(sent, now_us=NOW + 10 * SECOND - 1)
    assert verify(sent, now_us=NOW + 10 * SECOND).user == USER
    assert verify(sent, hmac_issuer(leeway_us=SECOND), NOW + 9 * SECOND).user == USER


def test_keys_that_a_token_brings_along_are_not_looked_at() -> None:
    mine = rsa.generate_private_key(65537, 2048)
    brought = dict(RSAAlgorithm.to_jwk(mine.public_key(), as_dict=True))
    headers = {
        "jwk": brought,
        "jku": "http://127.0.0.1:1/jwks",
        "x5u": "http://127.0.0.1:1/x5u",
        "kid": "../../dev/null",
    }
    with pytest.raises(Unauthorized, match="signature"):
        verify(token(mine, "RS256", headers), public_issuer(RSA, "RS256"))


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b".",
        b"..",
        b"a.b.c",
        b"a.b.c.d.e",
        token() + b"=",
        b"[]",
        b"A.A.A",
        token()[:-2],
        token().replace(b".", b"+."),
        raw_token([], {}),
        raw_token({"alg": "HS256"}, []),
        b"e30." * 2 + b"e30",
    ],
)
def test_what_is_no_token_is_refused(sent: bytes) -> None:
    with pytest.raises(Unauthorized):
        verify(sent)


def test_json_that_nests_without_end_is_refused() -> None:
    deep = base64.urlsafe_b64encode(b"[" * 3_000).rstrip(b"=")
    with pytest.raises(Unauthorized):
        verify(deep + b"." + deep[:100] + b".e30")


def test_a_token_of_more_than_8_kib_is_refused_unread() -> None:
    fits = token(pad="x" * 4_000)
    assert len(fits) < TOKEN_BYTES
    assert verify(fits).user == USER
    for settings in (config(), Authenticator(config())):
        with pytest.raises(Unauthorized, match="longer than"):
            identify(settings, [bearer(token(pad="x" * 7_000))])


def test_a_verified_token_is_kept_until_it_expires_and_only_so_many_are() -> None:
    made = Authenticator(config(cached_tokens=2))
    kept = made._proofs._verified
    first = token(exp=NOW // SECOND + 1, nbf=NOW // SECOND)
    assert identify(made, [bearer(first)]).credential is identify(made, [bearer(first)]).credential
    with pytest.raises(Unauthorized, match="nbf"):
        identify(made, [bearer(first)], now_us=NOW - 1)
    assert len(kept) == 1
    with pytest.raises(Unauthorized, match="expired"):
        identify(made, [bearer(first)], now_us=NOW + SECOND)
    assert len(kept) == 0
    for number in range(5):
        identify(made, [bearer(token(n=number))])
        with pytest.raises(Unauthorized):
            identify(made, [bearer(token("another secret of thirty-two bytes!!", n=number))])
    assert len(kept) == 2
    assert not any(token(n=4) in key for key in kept._kept)
    made.forget()
    assert len(kept) == 0


JWKS = [b'{"kty": "oct", "k": "AAAA"}', b' {"keys": []}', b'[{"kty": "RSA", "n": "AAAA"}]']
DER = RSA.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("secret", [b"", b"  \n", pem(RSA), b"ssh-rsa AAAAB3NzaC1yc2E= x", *JWKS, DER])
def test_a_secret_that_is_none_is_refused_at_once(secret: bytes) -> None:
    with pytest.raises(ValueError, match=r"secret|key") as caught:
        secret_keys(secret, ["HS256"])
    assert "AAAA" not in str(caught.value)


def test_hmac_secrets_and_public_keys_are_never_mixed() -> None:
    for algorithms in (["RS256"], ["HS256", "ES256"], ["none"], []):
        with pytest.raises(ValueError, match=r"algorithm|HMAC"):
            secret_keys(SECRET, algorithms)
    for algorithms in (["HS256"], ["RS256", "HS256"], []):
        with pytest.raises(ValueError, match=r"algorithm|public key"):
            public_keys(pem(RSA), algorithms)


def test_a_key_that_does_not_fit_is_refused_at_once() -> None:
    weak = pem(rsa.generate_private_key(65537, 1024))  # noqa: S505  (that is the point)
    for material, algorithm in (
        (weak, "RS256"),
        (private_pem(RSA), "RS256"),
        (private_pem(EC), "ES256"),
        (pem(EC), "RS256"),
        (pem(RSA), "ES256"),
        (pem(EC), "ES384"),
        (b"rubbish", "RS256"),
        (b"", "EdDSA"),
    ):
        with pytest.raises(ValueError, match="key"):
            public_keys(material, [algorithm])


def test_no_key_is_ever_shown() -> None:
    assert "secret of" not in repr(config()) + repr(hmac_issuer()) + repr(
        secret_keys(SECRET, ["HS256"]).find("HS256", None, 0)
    )
