"""Verification keys: one HMAC secret or one public key, fixed by configuration, checked when they are read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from jwt.algorithms import Algorithm, get_default_algorithms
from jwt.exceptions import PyJWTError

HMAC = frozenset({"HS256", "HS384", "HS512"})
PUBLIC = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
_PUBLIC_KEYS = (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)
_RSA_BITS = 2048


@dataclass(frozen=True, slots=True)
class Key:
    """A key prepared for one algorithm."""

    algorithm: Algorithm
    prepared: Any = field(repr=False)


class FixedKeys:
    """Keys that do not change while the process runs. ``kid`` is not looked at: there is one key per algorithm."""

    def __init__(self, keys: dict[str, Key]) -> None:
        self.generation = 0
        self._keys = {name: (key,) for name, key in keys.items()}

    @property
    def algorithms(self) -> frozenset[str]:
        """What these keys can verify."""
        return frozenset(self._keys)

    def find(self, algorithm: str, kid: str | None, now_us: int) -> Sequence[Key]:  # noqa: ARG002  (the port's arguments)
        """The key for ``algorithm``, if there is one."""
        return self._keys.get(algorithm, ())

    async def refresh(self, now_us: int) -> None:
        """Nothing to fetch."""


def secret_keys(secret: bytes, algorithms: Sequence[str]) -> FixedKeys:
    """Keys for HMAC algorithms. Raises ``ValueError`` for an empty secret, a key file as secret, another algorithm."""
    _expect(algorithms, HMAC, "an HMAC secret verifies only HS256, HS384 and HS512")
    if not secret.strip():
        raise ValueError("the JWT secret is empty: everybody could sign tokens")
    return FixedKeys({name: Key(*_prepared(name, secret)) for name in algorithms})


def public_keys(pem: bytes, algorithms: Sequence[str]) -> FixedKeys:
    """The public key in ``pem``, for each algorithm. ``ValueError`` if it does not fit, is private, or too short."""
    _expect(algorithms, PUBLIC, "a public key verifies only RS…, PS…, ES… and EdDSA")
    keys = {name: Key(*_prepared(name, pem)) for name in algorithms}
    for key in keys.values():
        check_public(key.prepared)
    return FixedKeys(keys)


def check_public(prepared: object) -> None:
    """Raise ``ValueError`` unless ``prepared`` is a public key of sufficient length (RFC 7518, 3.3)."""
    if not isinstance(prepared, _PUBLIC_KEYS):
        raise ValueError("the key is not a public key: the gateway verifies tokens and must not hold what signs them")  # noqa: TRY004
    if isinstance(prepared, rsa.RSAPublicKey) and prepared.key_size < _RSA_BITS:
        raise ValueError(f"an RSA key must have at least {_RSA_BITS} bits")


def _expect(algorithms: Sequence[str], allowed: frozenset[str], why: str) -> None:
    if not algorithms:
        raise ValueError("at least one algorithm must be named")
    if strange := sorted(set(algorithms) - allowed):
        raise ValueError(f"{why}, not {', '.join(strange)}")


def _prepared(name: str, material: bytes) -> tuple[Algorithm, Any]:
    algorithm = get_default_algorithms()[name]
    try:
        return algorithm, algorithm.prepare_key(material)
    except (PyJWTError, ValueError, TypeError) as error:
        # The library's sentence may quote the material: it is not repeated.
        raise ValueError(f"the key cannot be used for {name} ({type(error).__name__})") from None
