"""Whole outcomes, remembered: the same fields from the same peer mean the same until the credential's time is over."""

from gateway.identity.cache import Digest, Kept
from gateway.identity.carriers import Headers
from gateway.identity.config import Identified

Key = tuple[bytes, str, str | None]

_ALWAYS = (-(2**63), 2**63)


class Outcomes:
    """A bounded memory of outcomes. It holds no credential: the fields are kept as a keyed hash."""

    def __init__(self, entries: int) -> None:
        self._kept: Kept[Key, tuple[Identified, int, int]] = Kept(entries)
        self._digest = Digest()

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, picked: Headers, peer_ip: str, path_workspace: str | None, now_us: int) -> Identified | None:
        """The outcome of such a request; ``None`` if it is not known or its time is not now."""
        key = self._key(picked, peer_ip, path_workspace)
        found = None if key is None else self._kept.get(key)
        if found is None or key is None:
            return None
        outcome, start_us, end_us = found
        if start_us <= now_us < end_us:
            return outcome
        self._kept.drop(key)
        return None

    def put(self, picked: Headers, peer_ip: str, path_workspace: str | None, outcome: Identified) -> None:
        """Remember an outcome for as long as its credential is good."""
        key = self._key(picked, peer_ip, path_workspace)
        if key is None:
            return
        start_us, end_us = _ALWAYS
        if (credential := outcome.credential) is not None:
            start_us = start_us if credential.not_before_us is None else credential.not_before_us
            end_us = end_us if credential.expires_us is None else credential.expires_us
        self._kept.put(key, (outcome, start_us, end_us))

    def _key(self, picked: Headers, peer_ip: str, path_workspace: str | None) -> Key | None:
        """What such a request is remembered by; ``None`` if two different ones could look the same."""
        joined = b"\0".join([part for field in picked for part in field])
        if picked and joined.count(b"\0") != 2 * len(picked) - 1:
            return None
        return (self._digest(joined), peer_ip, path_workspace)

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
