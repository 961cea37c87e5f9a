"""Names of keys. All that belongs to one scope shares a hash tag, and with it a slot of a cluster."""

from zlib import crc32

from gateway.core.scope import Scope

SHARDS = 1024
"""Scopes are dealt over so many hash tags; each has a marker, so that a node that lost its data is noticed."""


class Names:
    """The keys of one ledger. ``prefix`` keeps ledgers that share a Redis apart."""

    def __init__(self, prefix: str, *, sharded: bool) -> None:
        self._prefix = prefix
        self.sharded = sharded

    def scope(self, scope: Scope) -> bytes:
        """The hash with a scope's buckets."""
        return f"{self._prefix}:{{{_shard(scope)}}}:{scope.kind}:{scope.id}".encode("utf-8", "surrogatepass")

    def kept(self, scope: Scope) -> bytes:
        """What became of a scope's acts that are to be kept: ``kept_key`` in ``lua/acts.lua``."""
        return self.scope(scope) + b"\xfflate"

    def marker(self, scope: Scope) -> str:
        """The key that holds the epoch of what a scope is part of."""
        return self._marker(_shard(scope)) if self.sharded else self.markers[0]

    @property
    def markers(self) -> list[str]:
        """All markers: one, or on a cluster one for each hash tag."""
        return [self._marker(shard) for shard in range(SHARDS)] if self.sharded else [f"{self._prefix}:epoch"]

    def home(self, marker: str) -> str:
        """The key beside a marker that says in which run of a server it was believed last."""
        return f"{marker}-home"

    def common(self, name: str) -> str:
        """A key that belongs to no scope."""
        return f"{self._prefix}:{name}"

    def _marker(self, shard: int) -> str:
        return f"{self._prefix}:{{{shard}}}:epoch"


def _shard(scope: Scope) -> int:
    return crc32(f"{scope.kind}:{scope.id}".encode("utf-8", "surrogatepass")) % SHARDS
