"""JSON Web Tokens (RFC 7519, 7515): who signed, with which of the pinned algorithms, and what the claims say.

The signature arithmetic is PyJWT's. Parsing is done here, strictly, because time is an argument and one spelling must
be enough: three base64url segments without padding, no ``crit``, no ``b64``, no encryption.
"""

import binascii
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import orjson
from jwt.algorithms import Algorithm
from jwt.exceptions import PyJWTError

from gateway.core.scope import normalise_id
from gateway.identity.credential import AGAIN, Credential, check_time, unauthorized
from gateway.identity.keys import FixedKeys, Key

TOKEN_BYTES = 8 * 1024
"""A longer token is refused unread."""

_COMPACT = re.compile(rb"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_LAST_US = 2**62


class NeedsKeys(Exception):  # noqa: N818  (not an error: the answer is to fetch and ask again)
    """The signature cannot be judged before ``keys`` were fetched."""

    def __init__(self, keys: "KeySource") -> None:
        super().__init__("the signing keys have to be fetched")
        self.keys = keys


class KeySource(Protocol):
    """Where an issuer's keys come from. ``generation`` changes when a token that was good may not be any more."""

    generation: int

    def find(self, algorithm: str, kid: str | None, now_us: int) -> Sequence[Key]:
        """The keys a token of that header may be signed with. Raises ``NeedsKeys`` if they have to be fetched first."""
        ...

    async def refresh(self, now_us: int) -> None:
        """Fetch the keys; returns also when that failed. The next ``find`` does not raise for the same header."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """One party whose tokens count, and how its claims are read.

    ``name``: what ``iss`` must say (``None``: not looked at). ``audience``: ``aud`` must hold one of them (empty: not
    looked at). ``*_claim``: the claim's name, or a dotted path into objects. ``leeway_us`` forgives clocks that
    differ.
    """

    keys: KeySource
    algorithms: frozenset[str]
    name: str | None = None
    audience: frozenset[str] = frozenset()
    user_claim: str = "sub"
    role_claim: str | None = None
    workspace_claim: str | None = None
    leeway_us: int = 0
    require_exp: bool = True

    def __post_init__(self) -> None:
        if self.leeway_us < 0:
            raise ValueError("the leeway must not be negative")
        if not self.user_claim:
            raise ValueError("the claim that names the user must have a name")


class JwtVerifier:
    """Checks tokens of one or several issuers. With several, ``iss`` says whose it is, so each must have a name."""

    def __init__(self, issuers: Sequence[Issuer]) -> None:
        if len(issuers) > 1 and len({issuer.name for issuer in issuers} - {None}) != len(issuers):
            raise ValueError("with several issuers each must have its own name, which its tokens carry as 'iss'")
        if not issuers:
            raise ValueError("at least one issuer is needed to verify a token")
        self._issuers = tuple(issuers)
        self._rotating = tuple(issuer.keys for issuer in issuers if not isinstance(issuer.keys, FixedKeys))
        self._algorithms = frozenset[str]().union(*(issuer.algorithms for issuer in issuers))

    @property
    def rotates(self) -> bool:
        """Whether keys ever change."""
        return bool(self._rotating)

    @property
    def generation(self) -> int:
        """Changes when a verified token may not be good any more, because keys were taken away."""
        return sum(keys.generation for keys in self._rotating)

    def verify(self, token: bytes, now_us: int) -> Credential:
        """The credential in ``token``. Raises ``Unauthorized``, or ``NeedsKeys`` if keys have to be fetched first."""
        if len(token) > TOKEN_BYTES:
            raise unauthorized(f"The token is longer than {TOKEN_BYTES} bytes. {AGAIN}")
        if (parts := _COMPACT.fullmatch(token)) is None:
            raise unauthorized(f"The token is not a JSON Web Token of three base64url parts. {AGAIN}")
        algorithm, kid = self._read_header(parts[1])
        claims = _object(parts[2], "claims")
        issuer = self._issuer(claims)
        # Each issuer pins its own: a public key must never be used as an HMAC secret (RFC 8725, 3.1).
        if algorithm not in issuer.algorithms:
            raise unauthorized(f"The token's issuer does not sign with this algorithm. {AGAIN}")
        signature = _decode(parts[3], "signature")
        signed = token[: parts.end(2)]
        keys = issuer.keys.find(algorithm, kid, now_us)
        if not keys:
            raise unauthorized(f"The token is signed with a key that its issuer does not publish. {AGAIN}")
        if not any(_verified(key, signed, signature) for key in keys):
            raise unauthorized(f"The token's signature does not verify. {AGAIN}")
        credential = _credential(issuer, claims)
        check_time(credential, now_us)
        return credential

    def _read_header(self, segment: bytes) -> tuple[str, str | None]:
        header = _object(segment, "header")
        algorithm, kid = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in self._algorithms:
            raise unauthorized(f"The token's algorithm is not one that is accepted here. {AGAIN}")
        # RFC 7515, 4.1.11: extensions that are not understood make the token invalid. None is understood.
        if "crit" in header or "b64" in header or "enc" in header:
            raise unauthorized(f"The token asks for an extension that is not supported here. {AGAIN}")
        if kid is not None and not isinstance(kid, str):
            raise unauthorized(f"The token's 'kid' is not a string. {AGAIN}")
        return algorithm, kid

    def _issuer(self, claims: Mapping[str, object]) -> Issuer:
        named = claims.get("iss")
        for issuer in self._issuers:
            if issuer.name is None or issuer.name == named:
                return issuer
        raise unauthorized(f"The token's issuer ('iss') is not one that is trusted here. {AGAIN}")


def _decode(segment: bytes, what: str) -> bytes:
    try:
        return binascii.a2b_base64(segment.translate(_URL_SAFE) + b"=" * (-len(segment) % 4))
    except binascii.Error:
        raise unauthorized(f"The token's {what} is not base64url. {AGAIN}") from None


def _object(segment: bytes, what: str) -> dict[str, object]:
    try:
        value = orjson.loads(_decode(segment, what))
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise unauthorized(f"The token's {what} is not a JSON object. {AGAIN}")
    return value


def _verified(key: Key, signed: bytes, signature: bytes) -> bool:
    algorithm: Algorithm = key.algorithm
    try:
        return algorithm.verify(signed, key.prepared, signature)
    except (PyJWTError, ValueError, TypeError):
        return False


def _credential(issuer: Issuer, claims: Mapping[str, object]) -> Credential:
    _check_audience(issuer, claims)
    named = claim_at(claims, issuer.user_claim)
    user = normalise_id(named) if isinstance(named, str) else None
    if user is None:
        raise unauthorized(f"The token's '{issuer.user_claim}' does not name a user: it must be a non-empty string.")
    expires_us = _instant_us(claims, "exp")
    if expires_us is None and issuer.require_exp:
        raise unauthorized(f"The token never expires ('exp' is missing), which is not accepted here. {AGAIN}")
    not_before_us = _instant_us(claims, "nbf")
    workspace, workspaces = _workspaces(issuer, claims)
    role = claim_at(claims, issuer.role_claim) if issuer.role_claim else None
    return Credential(
        proof="jwt",
        user=user,
        workspace=workspace,
        workspaces=workspaces,
        role=role if isinstance(role, str) else None,
        not_before_us=None if not_before_us is None else not_before_us - issuer.leeway_us,
        expires_us=None if expires_us is None else expires_us + issuer.leeway_us,
    )


def _check_audience(issuer: Issuer, claims: Mapping[str, object]) -> None:
    if not issuer.audience:
        return
    named = claims.get("aud")
    audience = named if isinstance(named, list) else [named]
    if not any(isinstance(one, str) and one in issuer.audience for one in audience):
        raise unauthorized(f"The token was made for another audience ('aud'). {AGAIN}")


def _workspaces(issuer: Issuer, claims: Mapping[str, object]) -> tuple[str | None, frozenset[str]]:
    """A string names the workspace the token speaks for; a list, those that the user belongs to."""
    if issuer.workspace_claim is None:
        return None, frozenset()
    match claim_at(claims, issuer.workspace_claim):
        case None:
            return None, frozenset()
        case str(text) if (one := normalise_id(text)) is not None:
            return one, frozenset({one})
        case list(texts):
            ids = (normalise_id(text) for text in texts if isinstance(text, str))
            return None, frozenset(id_ for id_ in ids if id_ is not None)
        case _:
            raise unauthorized(f"The token's '{issuer.workspace_claim}' does not name a workspace. {AGAIN}")


def _instant_us(claims: Mapping[str, object], name: str) -> int | None:
    """A NumericDate (RFC 7519, 2; seconds, perhaps with a fraction) in microseconds."""
    match claims.get(name):
        case None:
            return None
        case bool():
            pass
        case int(seconds):
            return max(-_LAST_US, min(seconds * 1_000_000, _LAST_US))
        case float(seconds) if math.isfinite(seconds):
            return max(-_LAST_US, min(int(seconds * 1_000_000), _LAST_US))
    raise unauthorized(f"The token's '{name}' is not a number of seconds. {AGAIN}")


def claim_at(claims: Mapping[str, object], path: str) -> object:
    """The claim of that name, else what a dotted path leads to (``realm_access.role``), else ``None``."""
    if path in claims:
        return claims[path]
    found: object = claims
    for step in path.split("."):
        if not isinstance(found, dict) or step not in found:
            return None
        found = found[step]
    return found
