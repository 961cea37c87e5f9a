"""What was found out and is kept for a while: bounded, the least recently used dropped first."""

import secrets
from collections import OrderedDict
from hashlib import blake2b
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Kept(Generic[K, V]):
    """A map of at most ``entries`` entries."""

    def __init__(self, entries: int) -> None:
        if entries < 1:
            raise ValueError("a cache must keep at least one entry")
        self._entries = entries
        self._crowded = entries // 2
        """With fewer entries than this nothing will be dropped soon, and their order does not matter."""
        self._kept: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: K) -> V | None:
        """The value, which now counts as used; ``None`` if there is none."""
        found = self._kept.get(key)
        if found is not None and len(self._kept) > self._crowded:
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


class Digest:
    """What stands for a secret in a key: a keyed hash. A dump of it holds no token, and nobody can aim at an entry."""

    def __init__(self) -> None:
        self.keyed = blake2b(digest_size=16, key=secrets.token_bytes(32))
        """Copied for each digest."""

    def __call__(self, secret: bytes) -> bytes:
        """16 bytes; the same for the same input, within the life of this object."""
        state = self.keyed.copy()
        state.update(secret)
        return state.digest()
