"""Public keys as verification keys: PyJWT's arithmetic, by ``cryptography``. See ``keys``."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from jwt.algorithms import Algorithm, get_default_algorithms
from jwt.exceptions import PyJWTError

from gateway.identity.keys import PUBLIC, FixedKeys, expect

_PUBLIC_KEYS = (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)
_RSA_BITS = 2048


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key prepared for one algorithm."""

    algorithm: Algorithm
    prepared: Any = field(repr=False)

    def verifies(self, signed: bytes, signature: bytes) -> bool:
        """Whether ``signature`` is that of ``signed``."""
        try:
            return self.algorithm.verify(signed, self.prepared, signature)
        except (PyJWTError, ValueError, TypeError):
            return False


def public_keys(pem: bytes, algorithms: Sequence[str]) -> FixedKeys:
    """The public key in ``pem``, for each algorithm. ``ValueError`` if it does not fit, is private, or too short."""
    expect(algorithms, PUBLIC, "a public key verifies only RS…, PS…, ES… and EdDSA")
    keys = {name: PublicKey(*_prepared(name, pem)) for name in algorithms}
    for key in keys.values():
        check_public(key.prepared)
    return FixedKeys(keys)


def check_public(prepared: object) -> None:
    """Raise ``ValueError`` unless ``prepared`` is a public key of sufficient length (RFC 7518, 3.3)."""
    if not isinstance(prepared, _PUBLIC_KEYS):
        raise ValueError("the key is not a public key: the gateway verifies tokens and must not hold what signs them")  # noqa: TRY004
    if isinstance(prepared, rsa.RSAPublicKey) and prepared.key_size < _RSA_BITS:
        raise ValueError(f"an RSA key must have at least {_RSA_BITS} bits")


def _prepared(name: str, material: bytes) -> tuple[Algorithm, Any]:
    algorithm = get_default_algorithms()[name]
    try:
        return algorithm, algorithm.prepare_key(material)
    except (PyJWTError, ValueError, TypeError) as error:
        # The library's sentence may quote the material: it is not repeated.
        raise ValueError(f"the key cannot be used for {name} ({type(error).__name__})") from None
