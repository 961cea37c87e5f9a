"""JSON Web Tokens (RFC 7519, 7515): who signed, with which of the pinned algorithms, and what the claims say.

The signature arithmetic is the keys'. Parsing is done here, strictly, because time is an argument and one spelling must
be enough: three base64url segments without padding, no ``crit``, no ``b64``, no encryption.
"""

import binascii
import re
from collections.abc import Mapping, Sequence

import orjson

from gateway.core.problems import StoreUnavailable
from gateway.identity.credential import AGAIN, Credential, check_time, unauthorized
from gateway.identity.issuers import Issuer, NeedsKeys
from gateway.identity.keys import FixedKeys

TOKEN_BYTES = 8 * 1024
"""A longer token is refused unread."""

_COMPACT = re.compile(rb"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


class JwtVerifier:
    """Checks tokens of one or several issuers. With several, ``iss`` says whose it is, so each must have a name.

    A name may be there more than once: for the time of a new secret, or of another algorithm.
    """

    def __init__(self, issuers: Sequence[Issuer]) -> None:
        if not issuers:
            raise ValueError("at least one issuer is needed to verify a token")
        if len(issuers) > 1 and any(issuer.name is None for issuer in issuers):
            raise ValueError("with several issuers each must have a name, which its tokens carry as 'iss'")
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
        candidates = self._candidates(claims, algorithm)
        signature = _decode(parts[3], "signature")
        issuer = _signer(candidates, (algorithm, kid), (token[: parts.end(2)], signature), now_us)
        credential = issuer.credential(claims)
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

    def _candidates(self, claims: Mapping[str, object], algorithm: str) -> Sequence[Issuer]:
        """Who may have signed it, by ``iss``, algorithm and ``aud``."""
        named = claims.get("iss")
        found = [issuer for issuer in self._issuers if issuer.name is None or issuer.name == named]
        if not found:
            raise unauthorized(f"The token's issuer ('iss') is not one that is trusted here. {AGAIN}")
        # Each issuer pins its own: a public key must never be used as an HMAC secret (RFC 8725, 3.1).
        found = [issuer for issuer in found if algorithm in issuer.algorithms]
        if not found:
            raise unauthorized(f"The token's issuer does not sign with this algorithm. {AGAIN}")
        found = [issuer for issuer in found if issuer.made_for_us(claims)]
        if not found:
            raise unauthorized(f"The token was made for another audience ('aud'). {AGAIN}")
        return found


def _signer(
    candidates: Sequence[Issuer], header: tuple[str, str | None], signed: tuple[bytes, bytes], now_us: int
) -> Issuer:
    """The one whose key signed it. Raises ``Unauthorized``, or why that cannot be known yet."""
    unknown: NeedsKeys | StoreUnavailable | None = None
    published = False
    for issuer in candidates:
        try:
            keys = issuer.keys.find(*header, now_us)
        except NeedsKeys as needs:
            unknown = needs
        except StoreUnavailable as unavailable:
            unknown = unknown or unavailable
        else:
            published = published or bool(keys)
            if any(key.verifies(*signed) for key in keys):
                return issuer
    if unknown is not None:
        raise unknown
    if not published:
        raise unauthorized(f"The token is signed with a key that its issuer does not publish. {AGAIN}")
    raise unauthorized(f"The token's signature does not verify. {AGAIN}")


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
