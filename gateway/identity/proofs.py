"""Every credential that a request carries, each checked: one that is there and not good ends the request."""

from dataclasses import dataclass, field

from gateway.identity.api_keys import PREFIX, ApiKeys
from gateway.identity.cache import Digest, Kept
from gateway.identity.carriers import (
    AUTHORIZATION,
    COOKIE,
    Fields,
    bearer_token,
    canonical_name,
    cookie_value,
    loose_token,
    query_value,
)
from gateway.identity.config import IdentityConfig
from gateway.identity.credential import Credential, check_time
from gateway.identity.jwt import TOKEN_BYTES, JwtVerifier


@dataclass(slots=True)
class Proofs:
    """What was found. ``carried``: what the upstream reads, as headers. ``key_in_authorization``: it is our key."""

    credentials: list[Credential] = field(default_factory=list)
    carried: list[tuple[bytes, bytes]] = field(default_factory=list, repr=False)
    key_in_authorization: bool = False


class ProofReader:
    """Finds and checks tokens and API keys. Raises ``ValueError`` when made from a configuration that cannot work."""

    def __init__(self, config: IdentityConfig) -> None:
        self._verifier = JwtVerifier(config.issuers) if config.issuers else None
        # A signature is checked once per token and not once per request. Failures are not kept.
        self._verified: Kept[bytes, Credential] = Kept(config.cached_tokens)
        self._digest = Digest()
        self._keys = None if config.api_keys is None else ApiKeys(config.api_keys)
        key_header = None if self._keys is None else config.key.header
        self.key_headers = frozenset() if key_header is None else frozenset({canonical_name(key_header)})
        self._key_bearer = self._keys is not None and config.key.bearer
        jwt = config.jwt if config.issuers else None
        tokens = frozenset() if jwt is None else frozenset(map(canonical_name, jwt.headers))
        self._token_headers = tokens | {AUTHORIZATION} if self._key_bearer else tokens
        self.cookies = () if jwt is None else jwt.cookies
        self._queries = () if jwt is None else jwt.queries
        if overlap := self.key_headers & self._token_headers:
            raise ValueError(f"one header cannot carry both tokens and API keys of its own: {sorted(overlap)}")

    @property
    def headers(self) -> frozenset[bytes]:
        """The canonical names of all carriers that are headers of their own."""
        return self.key_headers | self._token_headers

    @property
    def queries(self) -> frozenset[bytes]:
        """The carriers that are query parameters."""
        return frozenset(self._queries)

    @property
    def generation(self) -> int:
        """Changes when a token that was good may not be any more: time to ``forget``."""
        return 0 if self._verifier is None else self._verifier.generation

    def forget(self) -> None:
        """Drop every verified token."""
        self._verified.clear()

    def read(self, fields: Fields, query: bytes, now_us: int) -> Proofs:
        """Check all that is there. Raises ``Unauthorized``, ``BadRequest`` for a doubled carrier, or ``NeedsKeys``."""
        proofs = Proofs()
        for header in self._token_headers:
            if (value := fields.single.get(header)) is not None:
                self._header(proofs, header, value, now_us)
        for header in self.key_headers:
            if self._keys is not None and (value := fields.single.get(header)) is not None:
                proofs.credentials.append(self._keys.verify(value, now_us))
        for name in self.cookies:
            if fields.cookies and (value := cookie_value(fields.cookies, name)) is not None:
                self._token(proofs, loose_token(value), now_us)
                proofs.carried.append((COOKIE, name + b"=" + value))
        for name in self._queries:
            if query and (value := query_value(query, name)) is not None:
                token = loose_token(value)
                self._token(proofs, token, now_us)
                proofs.carried.append((AUTHORIZATION, b"Bearer " + token))
        return proofs

    def holds_our_key(self, fields: Fields) -> bool:
        """Whether ``Authorization`` looks like one of our keys, good or not: a secret that must not go upstream."""
        return self._key_bearer and PREFIX in fields.single.get(AUTHORIZATION, b"")

    def _header(self, proofs: Proofs, header: bytes, value: bytes, now_us: int) -> None:
        token = bearer_token(value) if header == AUTHORIZATION else loose_token(value)
        ours = header == AUTHORIZATION and self._key_bearer and (token.startswith(PREFIX) or self._verifier is None)
        if ours and self._keys is not None:
            proofs.credentials.append(self._keys.verify(token, now_us))
            proofs.key_in_authorization = True
            return
        self._token(proofs, token, now_us)
        proofs.carried.append((header, value))

    def _token(self, proofs: Proofs, token: bytes, now_us: int) -> None:
        if self._verifier is None:
            return
        if len(token) > TOKEN_BYTES:  # Not worth a hash: the verifier refuses it unread.
            proofs.credentials.append(self._verifier.verify(token, now_us))
            return
        digest = self._digest(token)
        credential = self._verified.get(digest)
        if credential is None:
            credential = self._verifier.verify(token, now_us)
            self._verified.put(digest, credential)
        elif credential.expires_us is not None and now_us >= credential.expires_us:
            self._verified.drop(digest)
        check_time(credential, now_us)
        proofs.credentials.append(credential)
