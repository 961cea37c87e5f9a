"""Who came by: remembered in memory, written down now and then, so that admins find people by name."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TypeVar

from gateway import log
from gateway.core.principal import Principal
from gateway.core.problems import StoreUnavailable
from gateway.core.scope import Scope
from gateway.store import directory
from gateway.store.store import Store

REMEMBERED = 100_000
"""So many users, and so many workspaces, wait to be written at most; who comes then is seen the next time."""
_GROUP = 200

V = TypeVar("V")

_log = log.get_logger(__name__)


class Sightings:
    """The last sight of each user and workspace, and what workspaces are called, since the last ``flush``."""

    def __init__(self) -> None:
        self._users: dict[str, int] = {}
        self._workspaces: dict[str, int] = {}
        self._names: dict[str, str] = {}

    def heard(self, workspace: str, name: str) -> None:
        """What the upstream calls a workspace, as one of its members is told."""
        if workspace in self._names or len(self._names) < REMEMBERED:
            self._names[workspace] = name

    def saw(self, principal: Principal, at_us: int) -> None:
        """A request of somebody known."""
        seen, id_ = self._users, principal.user
        if id_ is not None and (id_ in seen or len(seen) < REMEMBERED):
            seen[id_] = at_us
        seen, id_ = self._workspaces, principal.workspace
        if id_ is not None and (id_ in seen or len(seen) < REMEMBERED):
            seen[id_] = at_us

    async def flush(self, store: Store, now_us: int) -> None:
        """Write them down, a few at a time. What could not be written is lost: they will come again."""
        users, workspaces, self._users, self._workspaces = self._users, self._workspaces, {}, {}
        names, self._names = self._names, {}
        try:
            for kind, seen in (("user", users), ("workspace", workspaces)):
                await _note(store, kind, seen, now_us)
            for group in _groups(names):
                await directory.name(store, {Scope("workspace", id_): name for id_, name in group}, now_us)
        except StoreUnavailable as error:
            _log.warning("who was seen could not be written down", reason=str(error.__cause__))


async def _note(store: Store, kind: str, seen: Mapping[str, int], now_us: int) -> None:
    for group in _groups(seen):
        await directory.note(store, {Scope(kind, id_): at_us for id_, at_us in group}, now_us)


def _groups(found: Mapping[str, V]) -> Iterator[list[tuple[str, V]]]:
    left = iter(found.items())
    while group := list(islice(left, _GROUP)):
        yield group
