"""Every credential that a request carries, each checked: one that is there and not good ends the request."""

import re
from collections.abc import Iterator
from typing import NamedTuple

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
from gateway.identity.credential import ADMIN_PREFIX, Credential, check_time, unauthorized
from gateway.identity.jwt import TOKEN_BYTES, JwtVerifier

_OUR_KEY = re.compile(rb"(?<![A-Za-z0-9._~+/-])" + PREFIX)


class Sent(NamedTuple):
    """A credential as it came: in which header it goes upstream, and under which value; ``None``: it is our own key."""

    token: bytes
    carried: tuple[bytes, bytes] | None


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
    def keys(self) -> ApiKeys | None:
        """The gateway's own keys; ``None``: they are not a way here."""
        return self._keys

    @property
    def headers(self) -> frozenset[bytes]:
        """The canonical names of all carriers that are headers of their own."""
        return self.key_headers | self._token_headers

    @property
    def queries(self) -> frozenset[bytes]:
        """The carriers that are query parameters."""
        return frozenset(self._queries)

    @property
    def rotates(self) -> bool:
        """Whether ``generation`` ever changes."""
        return self._verifier is not None and self._verifier.rotates

    @property
    def generation(self) -> int:
        """Changes when a token that was good may not be any more: time to ``forget``."""
        return 0 if self._verifier is None else self._verifier.generation

    def forget(self) -> None:
        """Drop every verified token."""
        self._verified.clear()

    def read(self, fields: Fields, query: bytes, now_us: int) -> list[Credential]:
        """Check all that is there. Raises ``Unauthorized``, ``BadRequest`` for a doubled carrier, or ``NeedsKeys``."""
        found = []
        for sent in self._sent(fields, query):
            if sent.carried is not None:
                found.append(self._verify(sent.token, now_us))
            elif self._keys is not None:
                found.append(self._keys.verify(sent.token, now_us))
        return found

    def carried(self, fields: Fields, query: bytes) -> tuple[tuple[bytes, bytes], ...]:
        """What the upstream reads of the credentials that are there, as header fields. Raises as ``read`` does."""
        return tuple(sent.carried for sent in self._sent(fields, query) if sent.carried is not None)

    def holds_our_key(self, fields: Fields) -> bool:
        """Whether ``Authorization`` looks like one of our keys, or like the admin's login: secrets for us alone."""
        value = fields.single.get(AUTHORIZATION, b"")
        return ADMIN_PREFIX in value or (self._key_bearer and _OUR_KEY.search(value) is not None)

    def _sent(self, fields: Fields, query: bytes) -> Iterator[Sent]:
        for header in self._token_headers:
            if (value := fields.single.get(header)) is not None:
                yield self._in_header(header, value)
        for header in self.key_headers:
            if (value := fields.single.get(header)) is not None:
                yield Sent(value, None)
        for name in self.cookies:
            if fields.cookies and (value := cookie_value(fields.cookies, name)) is not None:
                yield Sent(loose_token(value), (COOKIE, name + b"=" + value))
        for name in self._queries:
            if query and (value := query_value(query, name)) is not None:
                token = loose_token(value)
                yield Sent(token, (AUTHORIZATION, b"Bearer " + token))

    def _in_header(self, header: bytes, value: bytes) -> Sent:
        token = bearer_token(value) if header == AUTHORIZATION else loose_token(value)
        ours = header == AUTHORIZATION and self._key_bearer and (token.startswith(PREFIX) or self._verifier is None)
        return Sent(token, None if ours else (header, value))

    def _verify(self, token: bytes, now_us: int) -> Credential:
        verifier = self._verifier
        if verifier is None:
            raise unauthorized("Tokens are not read here. Send the key that you were given.")
        if len(token) > TOKEN_BYTES:  # Not worth a hash: the verifier refuses it unread.
            return verifier.verify(token, now_us)
        digest = self._digest(token)
        credential = self._verified.get(digest)
        if credential is None:
            credential = verifier.verify(token, now_us)
            self._verified.put(digest, credential)
        elif credential.expires_us is not None and now_us >= credential.expires_us:
            self._verified.drop(digest)
        check_time(credential, now_us)
        return credential
