"""Tokens and configurations for the identity tests."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import jwt
from jwt.warnings import InsecureKeyLengthWarning as InsecureKeyLengthWarning  # noqa: PLC0414  (for filters in tests)

from gateway.identity.authenticate import Authenticator
from gateway.identity.config import Identified, IdentityConfig
from gateway.identity.issuers import Issuer
from gateway.identity.keys import secret_keys

NOW = 1_800_000_000_000_000
SECOND = 1_000_000
SECRET = b"a secret of thirty-two bytes or more"
USER = "550e8400-e29b-41d4-a716-446655440001"
WORKSPACE = "aa0e8400-e29b-41d4-a716-446655440005"
OTHER = "bb0e8400-e29b-41d4-a716-446655440006"
PEER = "192.0.2.7"

Headers = list[tuple[bytes, bytes]]


def claims(**more: object) -> dict[str, Any]:
    """What wacraft signs, valid for an hour from ``NOW``; ``None`` takes a claim away."""
    all_ = {"sub": USER, "exp": NOW // SECOND + 3600, "iss": "wacraft-server"} | more
    return {name: value for name, value in all_.items() if value is not None}


def token(
    secret: Any = SECRET, algorithm: str = "HS256", headers: Mapping[str, Any] | None = None, **more: object
) -> bytes:
    return jwt.encode(claims(**more), secret, algorithm, headers=dict(headers or {})).encode()


def raw_token(header: object, payload: object, signature: bytes = b"x") -> bytes:
    """Three segments around anything, signed by nobody."""
    parts = (json.dumps(header).encode(), json.dumps(payload).encode(), signature)
    return b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)


def hmac_issuer(**more: Any) -> Issuer:
    keys = secret_keys(SECRET, ["HS256"])
    return Issuer(keys=keys, algorithms=keys.algorithms, **more)


def config(**more: Any) -> IdentityConfig:
    return IdentityConfig(**({"issuers": (hmac_issuer(),)} | more))


def identify(
    settings: IdentityConfig | Authenticator, headers: Headers, query: bytes = b"", peer: str = PEER, **rule: Any
) -> Identified:
    made = settings if isinstance(settings, Authenticator) else Authenticator(settings)
    found = made.identify_now(headers, query, peer, rule.pop("now_us", NOW), **rule)
    assert found is not None
    return found


def bearer(value: bytes) -> tuple[bytes, bytes]:
    return (b"Authorization", b"Bearer " + value)


def removed(found: Identified, headers: Headers) -> Headers:
    """The headers that go on to the upstream."""
    return [(name, value) for name, value in headers if name.lower().replace(b"_", b"-") not in found.strip]
