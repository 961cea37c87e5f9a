"""A JWK Set (RFC 7517): which of its keys can verify which tokens.

What could be used to forge is not taken: symmetric, private and short RSA keys, and keys for another use.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from jwt.algorithms import get_default_algorithms
from jwt.exceptions import PyJWTError

from gateway.identity.keys import DOCUMENT_BYTES, PUBLIC
from gateway.identity.public_keys import PublicKey, check_public

_MOST_KEYS = 64
_CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}

KeyId = tuple[str, str | None]
"""Algorithm and ``kid``."""


def parse_jwks(document: bytes, algorithms: frozenset[str]) -> dict[KeyId, tuple[PublicKey, ...]]:
    """The usable keys of a JWK Set by algorithm and ``kid``; under ``kid`` ``None`` all keys of an algorithm.

    Keys that cannot be used are passed over (RFC 7517, 5). Raises ``ValueError`` if none is left, or it is no JWK Set.
    """
    if len(document) > DOCUMENT_BYTES:
        raise ValueError(f"a JWKS document has at most {DOCUMENT_BYTES} bytes")
    read = orjson.loads(document)
    entries = read.get("keys") if isinstance(read, dict) else None
    if not isinstance(entries, list):
        raise ValueError("a JWKS document is an object with a list 'keys'")  # noqa: TRY004  (the content, not the type)
    found: dict[KeyId, tuple[PublicKey, ...]] = {}
    for entry in entries[:_MOST_KEYS]:
        for name in sorted(_algorithms_of(entry) & algorithms):
            if (key := _key(entry, name)) is None:
                continue
            kid = entry.get("kid")
            for named in (None, kid) if isinstance(kid, str) else (None,):
                found[name, named] = (*found.get((name, named), ()), key)
    if not found:
        raise ValueError("the JWKS document holds no key that can be used")
    return found


def some_gone(before: Mapping[KeyId, tuple[PublicKey, ...]], after: Mapping[KeyId, tuple[PublicKey, ...]]) -> bool:
    """Whether a key of ``before`` is not under its id any more."""
    return any(
        all(key.prepared != other.prepared for other in after.get(id_, ()))
        for id_, keys in before.items()
        for key in keys
    )


def _algorithms_of(entry: object) -> frozenset[str]:
    """What the key may verify. Nothing for symmetric and private keys, and for those with another use."""
    if not isinstance(entry, dict) or "d" in entry or "k" in entry or entry.get("use", "sig") != "sig":
        return frozenset()
    operations = entry.get("key_ops")
    if operations is not None and not (isinstance(operations, list) and "verify" in operations):
        return frozenset()
    match entry.get("kty"):
        case "RSA":
            possible = {name for name in PUBLIC if name.startswith(("RS", "PS"))}
        case "EC":
            possible = {_CURVES.get(str(entry.get("crv")), "")} - {""}
        case "OKP":
            possible = {"EdDSA"}
        case _:
            possible = set()
    stated = entry.get("alg")
    return frozenset(possible if stated is None else possible & {str(stated)})


def _key(entry: Mapping[str, Any], name: str) -> PublicKey | None:
    algorithm = get_default_algorithms()[name]
    try:
        prepared = algorithm.from_jwk(dict(entry))
        check_public(prepared)
    except (PyJWTError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return PublicKey(algorithm, prepared)
