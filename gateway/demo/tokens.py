"""JSON Web Tokens as golang-jwt v4 signs and judges them there: any HMAC with the one key, of whatever length."""

import base64
import hashlib
import hmac
import re
from typing import Any

import orjson

_DIGESTS = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}
_SEGMENTS = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)", re.ASCII)


class TokenError(ValueError):
    """A token that is not accepted; the text says why and holds nothing of the token."""


def sign(claims: dict[str, object], secret: str) -> str:
    """A compact HS256 token (RFC 7515, 7.1)."""
    signed = f"{_encode(orjson.dumps({'alg': 'HS256', 'typ': 'JWT'}))}.{_encode(orjson.dumps(claims))}"
    return f"{signed}.{_encode(_mac(signed, secret, 'HS256'))}"


def read(token: str, secret: str, now_s: int) -> dict[str, Any]:
    """The claims of a good token. ``exp``, ``nbf`` and ``iat`` are judged if present, other claims never.

    Raises:
        TokenError: malformed, not HMAC, forged, expired or not yet valid.
    """
    segments = _SEGMENTS.fullmatch(token)
    if segments is None:
        raise TokenError("token contains an invalid number of segments")
    head, body, signature = segments.groups()
    algorithm, claims = _object(head).get("alg"), _object(body)
    if not isinstance(algorithm, str) or algorithm not in _DIGESTS:
        raise TokenError("unexpected signing method")
    if not hmac.compare_digest(_encode(_mac(f"{head}.{body}", secret, algorithm)), signature):
        raise TokenError("signature is invalid")
    if "exp" in claims and not (_is_number(claims["exp"]) and now_s < claims["exp"]):
        raise TokenError("Token is expired")
    if any(name in claims and not (_is_number(claims[name]) and now_s >= claims[name]) for name in ("nbf", "iat")):
        raise TokenError("Token is not valid yet")
    return claims


def _mac(signed: str, secret: str, algorithm: str) -> bytes:
    return hmac.new(secret.encode(), signed.encode(), _DIGESTS[algorithm]).digest()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _object(segment: str) -> dict[str, Any]:
    try:
        value = orjson.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    except ValueError:
        raise TokenError("token is malformed") from None
    if not isinstance(value, dict):
        raise TokenError("token is malformed")
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
