"""Verification keys: what they are to whoever checks a token, and HMAC secrets, which need no library.

Public keys are in ``public_keys``, which only who has some imports: its library takes 9 MB.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import orjson

HMAC = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
"""The hash of each algorithm."""
PUBLIC = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
DOCUMENT_BYTES = 256 * 1024
"""How long a document with public keys may be."""
_NO_SECRETS = (b"ssh-", b"ecdsa-sha2-", b"0\x82")  # SSH's public keys, and DER
_PEM = b"-----BEGIN"


class Key(Protocol):
    """A key for one algorithm."""

    def verifies(self, signed: bytes, signature: bytes) -> bool:
        """Whether ``signature`` is that of ``signed``."""
        ...


@dataclass(frozen=True, slots=True)
class Secret:
    """What signs and verifies (RFC 7518, 3.2). ``hash_name``: as ``hashlib`` calls it."""

    hash_name: str
    secret: bytes = field(repr=False)

    def verifies(self, signed: bytes, signature: bytes) -> bool:
        """Whether ``signature`` is that of ``signed``; the time does not tell how near it is."""
        return hmac.compare_digest(hmac.digest(self.secret, signed, self.hash_name), signature)


class FixedKeys:
    """Keys that do not change while the process runs. ``kid`` is not looked at: there is one key per algorithm."""

    def __init__(self, keys: Mapping[str, Key]) -> None:
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
    expect(algorithms, HMAC, "an HMAC secret verifies only HS256, HS384 and HS512")
    if not secret.strip():
        raise ValueError("the JWT secret is empty: everybody could sign tokens")
    if _PEM in secret or secret.startswith(_NO_SECRETS) or _is_jwk(secret):
        # What is public, or looks so, would let everybody sign tokens (RFC 8725, 3.1).
        raise ValueError("the JWT secret is a key file: give public keys as public_key, and secrets as they are")
    return FixedKeys({name: Secret(HMAC[name], secret) for name in algorithms})


def expect(algorithms: Sequence[str], allowed: Mapping[str, str] | frozenset[str], why: str) -> None:
    """Raise ``ValueError`` unless there are algorithms, all of them ``allowed``."""
    if not algorithms:
        raise ValueError("at least one algorithm must be named")
    if strange := sorted(set(algorithms) - set(allowed)):
        raise ValueError(f"{why}, not {', '.join(strange)}")


def _is_jwk(secret: bytes) -> bool:
    """Whether it is a key, or a set of them, in JSON (RFC 7517)."""
    try:
        read = orjson.loads(secret)
    except orjson.JSONDecodeError:
        return False
    return isinstance(read, dict | list)
