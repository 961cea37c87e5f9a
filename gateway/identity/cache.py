"""Verified tokens, so that a signature is checked once per token and not once per request."""

import secrets
from collections import OrderedDict
from hashlib import blake2b

from gateway.identity.credential import Credential


class VerifiedTokens:
    """A bounded map from token to credential, the least recently used one dropped first.

    Keyed by a keyed hash: a dump of the process holds no token from here, and nobody can aim at a slot. Failures are
    not kept.
    """

    def __init__(self, entries: int) -> None:
        if entries < 1:
            raise ValueError("at least one verified token must be kept")
        self._entries = entries
        self._secret = secrets.token_bytes(32)
        self._kept: OrderedDict[bytes, Credential] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def digest(self, token: bytes) -> bytes:
        """What a token is known by in here; the same only within this process."""
        return blake2b(token, digest_size=16, key=self._secret).digest()

    def get(self, digest: bytes) -> Credential | None:
        """The credential, whose times are still to be checked; ``None`` if it is not known."""
        found = self._kept.get(digest)
        if found is not None:
            self._kept.move_to_end(digest)
        return found

    def put(self, digest: bytes, credential: Credential) -> None:
        """Remember a verified token."""
        self._kept[digest] = credential
        if len(self._kept) > self._entries:
            self._kept.popitem(last=False)

    def drop(self, digest: bytes) -> None:
        """Forget a token that has expired."""
        self._kept.pop(digest, None)

    def clear(self) -> None:
        """Forget all: issuers or keys have changed."""
        self._kept.clear()
