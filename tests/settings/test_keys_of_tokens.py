"""Which public keys are taken. They are made here, so that no private key lies in the repository."""

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.settings.conftest import Load, Refuse, Write

Private = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
    | dsa.DSAPrivateKey
)


def public(key: Private) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def jwt(algorithm: str) -> str:
    return f'identity: {{jwt: {{public_key: "${{file:key.pem}}", algorithms: [{algorithm}]}}}}'


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("RS256", rsa.generate_private_key(65537, 2048)),
        ("PS512", rsa.generate_private_key(65537, 2048)),
        ("ES256", ec.generate_private_key(ec.SECP256R1())),
        ("ES384", ec.generate_private_key(ec.SECP384R1())),
        ("ES512", ec.generate_private_key(ec.SECP521R1())),
        ("EdDSA", ed25519.Ed25519PrivateKey.generate()),
        ("EdDSA", ed448.Ed448PrivateKey.generate()),
    ],
    ids=["RS256", "PS512", "ES256", "ES384", "ES512", "Ed25519", "Ed448"],
)
def test_a_public_key_that_fits_is_taken(write: Write, loaded: Load, algorithm: str, key: Private) -> None:
    write(public(key), "key.pem")
    settings = loaded(jwt(algorithm))
    assert [jwt.algorithms for jwt in settings.identity.jwt] == [(algorithm,)]


@pytest.mark.parametrize(
    ("pem", "said"),
    [
        (public(rsa.generate_private_key(65537, 1024)), "must have at least 2048 bits"),  # noqa: S505
        (public(dsa.generate_private_key(2048)), "must be an RSA, an EC or an Ed25519 key"),
        (b"-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----\n", "is not a PEM public key; ${file:"),
        (b"words", "is not a PEM public key; ${file:"),
    ],
    ids=["short", "unknown kind", "broken", "no key"],
)
def test_a_key_that_cannot_verify_is_refused(write: Write, refused: Refuse, pem: bytes, said: str) -> None:
    write(pem, "key.pem")
    (told,) = refused(jwt("RS256"))
    assert told.removeprefix("1:30: ").startswith(f"identity.jwt.public_key: {said}")


def test_a_private_key_is_refused_and_not_shown(write: Write, refused: Refuse) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write(pem, "key.pem")
    (told,) = refused(jwt("ES256"))
    assert told.endswith("is a private key; the gateway needs the public one only")
    assert pem.decode().splitlines()[1] not in told
