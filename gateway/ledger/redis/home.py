"""Whether the memory of a server is still the one that was believed: what was started again may have come back older.

A snapshot or a log that was not synced brings the ledger's marker back as well, so the marker alone says nothing.
Beside it stands the run of the server in which it was believed last.
"""

from collections.abc import Mapping
from typing import NamedTuple

from redis.exceptions import RedisError

from gateway import log
from gateway.clock import new_id
from gateway.ledger.redis.doctor import setting
from gateway.ledger.redis.names import Names
from gateway.ledger.redis.scripts import HOME
from gateway.ledger.redis.servers import Call, Refused, Servers, Unheard

FILLING = b"!"
"""A marker that begins so is not valid yet: its ledger is being filled."""
_MARGIN_S = 2
"""Servers tell in whole seconds for how long they have been up."""

_log = log.get_logger(__name__)


class Found(NamedTuple):
    """What is said of one marker: the server's run, the one that was believed last, and for how long it has been up."""

    run: bytes
    home: bytes
    marker: bytes
    up_s: int

    @property
    def is_new(self) -> bool:
        """Whether nobody has looked yet at what this run brought."""
        return bool(self.run) and self.run != self.home


class Homes:
    """Looks after the homes of all markers."""

    def __init__(self, servers: Servers, names: Names) -> None:
        self._servers = servers
        self._names = names

    async def settle(self, seen_s: float | None) -> Mapping[str, str]:
        """Say of each marker in a new run whether it is to be believed there; else its ledger has to be filled.

        Returns the runs in which that was said, by marker; empty: the server does not tell.

        ``seen_s``: how long ago this gateway was answered in the run before; ``None``: it never was. Raises as
        ``Servers.ask`` does.
        """
        all_of = await self._look({})
        runs = {marker: found.run.decode() for marker, found in all_of.items()}
        new = {marker: found for marker, found in all_of.items() if found.is_new}
        if not new:
            return runs
        lasting = any(found.home for found in new.values()) and await self._loses_nothing()
        fresh = FILLING + new_id().encode()
        believed = {
            marker: (found.home, b"" if lasting or not found.home or _was_promoted(found, seen_s) else fresh)
            for marker, found in new.items()
        }
        if lost := sum(1 for _, becomes in believed.values() if becomes):
            _log.warning("the ledger's server was started again, it is filled from the journals", markers=lost)
        runs |= {marker: found.run.decode() for marker, found in (await self._look(believed)).items()}
        return runs

    async def _loses_nothing(self) -> bool:
        """Whether a server writes down whatever it answers. Nodes of a cluster are not asked one by one."""
        if len(self._names.markers) > 1:
            return False
        settings = [await setting(self._servers.ask, name) for name in ("appendonly", "appendfsync")]
        return settings == ["yes", "always"]

    async def _look(self, becomes: Mapping[str, tuple[bytes, bytes]]) -> Mapping[str, Found]:
        """What is found of these markers, once that is so; of all, if nothing is to become of any."""
        markers = list(becomes) or self._names.markers
        calls = [Call((marker, self._names.home(marker)), becomes.get(marker, ())) for marker in markers]
        found: dict[str, Found] = {}
        for marker, outcome in zip(markers, await self._servers.run(HOME, calls), strict=True):
            if isinstance(outcome, (Refused, Unheard)):
                raise RedisError(outcome.reason)
            run, home, value, up_s = outcome
            found[marker] = Found(run, home, value, int(up_s))
        return found


def _was_promoted(found: Found, seen_s: float | None) -> bool:
    """Whether a server has been there for longer than the one before is away: it has heard what that one was told.

    What was being filled is not believed of it: it may have heard of the marker and not of what came after.
    """
    return seen_s is not None and found.up_s > seen_s + _MARGIN_S and found.marker[:1] != FILLING
