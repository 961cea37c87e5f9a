"""What was found out and is kept for a while: bounded, the least recently used dropped first."""

import secrets
from collections import OrderedDict
from hashlib import blake2b
from typing import Generic, TypeVar

from gateway.identity.credential import Credential

K = TypeVar("K")
V = TypeVar("V")


class Kept(Generic[K, V]):
    """A map of at most ``entries`` entries."""

    def __init__(self, entries: int) -> None:
        if entries < 1:
            raise ValueError("a cache must keep at least one entry")
        self._entries = entries
        self._kept: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: K) -> V | None:
        """The value, which now counts as used; ``None`` if there is none."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: K, value: V) -> None:
        """Keep ``value``, at the cost of the entry that was unused longest."""
        self._kept[key] = value
        self._kept.move_to_end(key)
        if len(self._kept) > self._entries:
            self._kept.popitem(last=False)

    def drop(self, key: K) -> None:
        """Forget one entry, if it is there."""
        self._kept.pop(key, None)

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()


class VerifiedTokens(Kept[bytes, Credential]):
    """Verified tokens, so that a signature is checked once per token and not once per request. Failures are not kept.

    Keyed by a keyed hash: a dump of this holds no token, and nobody can aim at an entry.
    """

    def __init__(self, entries: int) -> None:
        super().__init__(entries)
        self._secret = secrets.token_bytes(32)

    def digest(self, token: bytes) -> bytes:
        """What a token is known by in here; the same only within this process."""
        return blake2b(token, digest_size=16, key=self._secret).digest()
