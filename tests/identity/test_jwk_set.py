from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from gateway.identity.jwk_set import parse_jwks
from tests.identity.test_jwks import EC, ED, ONE, TWO, document, jwk


@pytest.mark.parametrize(
    "entry",
    [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "one", "alg": "RS256"},
        jwk(ONE, kid="one", k="c2VjcmV0"),
        jwk(ONE, kid="one", use="enc"),
        jwk(ONE, kid="one", key_ops=["sign"]),
        jwk(ONE, kid="one", key_ops="verify"),
        jwk(ONE, kid="one", alg="RS512"),
        jwk(ONE, kid="one", alg="HS256"),
        jwk(ONE, kid="one", kty="EC"),
        jwk(ONE, kid="one", n="!!"),
        jwk(ONE, kid="one", n=7),
        dict(RSAAlgorithm.to_jwk(ONE, as_dict=True), kid="one"),
        jwk(rsa.generate_private_key(65537, 1024), kid="one"),  # noqa: S505  (that is the point)
        jwk(EC, kid="one", crv="P-384"),
        jwk(ED, kid="one", crv="X25519"),
        {"kty": "RSA"},
        {},
        "RSA",
        None,
    ],
)
def test_a_key_that_could_forge_or_does_not_fit_is_passed_over(entry: Any) -> None:
    algorithms = frozenset({"RS256", "ES256", "ES384", "EdDSA"}) if entry and "crv" in entry else frozenset({"RS256"})
    with pytest.raises(ValueError, match="no key that can be used"):
        parse_jwks(document(entry), algorithms)
    assert {kid for _, kid in parse_jwks(document(entry, jwk(TWO, kid="two")), algorithms)} == {None, "two"}


def test_a_kid_that_is_no_string_is_none() -> None:
    for kid in (7, ["one"], {"a": 1}):
        assert set(parse_jwks(document(jwk(ONE, kid=kid)), frozenset({"RS256"}))) == {("RS256", None)}


def test_a_document_is_bounded() -> None:
    with pytest.raises(ValueError, match="at most"):
        parse_jwks(document(jwk(ONE)) + b" " * 300_000, frozenset({"RS256"}))
    many = parse_jwks(document(*(jwk(EC, kid=str(number)) for number in range(200))), frozenset({"ES256"}))
    assert len(many["ES256", None]) == 64
