"""Whole outcomes, remembered: the same fields from the same peer mean the same until the credential's time is over."""

from collections.abc import Mapping
from dataclasses import replace

from gateway.identity.cache import Digest, Kept
from gateway.identity.carriers import Fields
from gateway.identity.config import Identified
from gateway.identity.credential import in_time

Key = tuple[bytes, str, str | None]


class Outcomes:
    """A bounded memory of outcomes. It holds no credential: the fields are kept as a keyed hash."""

    def __init__(self, entries: int) -> None:
        self._kept: Kept[Key, Identified] = Kept(entries)
        self._digest = Digest()

    def __len__(self) -> int:
        return len(self._kept)

    def key(self, fields: Mapping[bytes, bytes], peer_ip: str, path_workspace: str | None) -> Key | None:
        """What such a request is remembered by; ``None`` if two different ones could look the same."""
        joined = b"\0".join([part for pair in fields.items() for part in pair])
        if fields and joined.count(b"\0") != 2 * len(fields) - 1:
            return None
        return (self._digest(joined), peer_ip, path_workspace)

    def get(self, key: Key, fields: Fields, now_us: int) -> Identified | None:
        """The outcome, carrying this request's own credential; ``None`` if it is not known or its time is not now."""
        found = self._kept.get(key)
        if found is None or found.credential is None:
            return found
        if not in_time(found.credential, now_us):
            self._kept.drop(key)
            return None
        if not found.carried:
            return found
        return Identified(
            found.principal,
            found.strip,
            found.strip_query,
            found.asked,
            found.credential,
            tuple([(name, fields.single[name]) for name, _ in found.carried]),
        )

    def put(self, key: Key, outcome: Identified) -> None:
        """Remember an outcome, without the values of the credentials it carries."""
        bare = tuple((name, b"") for name, _ in outcome.carried)
        self._kept.put(key, replace(outcome, carried=bare) if bare else outcome)

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
