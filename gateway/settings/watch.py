"""Noticing that a file of the configuration has changed: by looking, because that works on every file system.

A look costs one ``stat`` a file. Contents are compared only when that has changed, so a touch is no change; and only
when it has then stayed the same until the next look, so that a file is not read while an editor writes it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from gateway.settings.files import MISSING, digest


class _Stamp(NamedTuple):
    mtime_ns: int
    size: int
    inode: int


class Watched:
    """Files and what was in them when they were last looked at. ``look`` at regular intervals."""

    def __init__(self) -> None:
        self._loaded: dict[str, str] = {}
        self._stamps: dict[str, _Stamp | None] = {}
        self._settling: set[str] = set()

    def look(self, digests: Mapping[str, str]) -> tuple[str, ...]:
        """The files that are not what they were at the last look, or, the first time, not what ``digests`` says."""
        return tuple(path for path in digests if self._has_changed(path, digests[path]))

    def _has_changed(self, path: str, loaded: str) -> bool:
        known = path in self._loaded
        if not known:
            self._loaded[path] = loaded
        stamp = _stamp(path)
        if known and stamp == self._stamps[path] and path not in self._settling:
            return False
        if known and stamp != self._stamps[path]:
            self._stamps[path] = stamp
            self._settling.add(path)
            return False
        self._stamps[path] = stamp
        self._settling.discard(path)
        now = content(path)
        before, self._loaded[path] = self._loaded[path], now
        return now != before


def _stamp(path: str) -> _Stamp | None:
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None
    return _Stamp(found.st_mtime_ns, found.st_size, found.st_ino)


def content(path: str) -> str:
    """The digest of what is in a file now; ``MISSING`` if it cannot be read."""
    try:
        return digest(Path(path).read_bytes())
    except (OSError, ValueError):
        return MISSING


async def watch(
    digests: Callable[[], Mapping[str, str]],
    on_change: Callable[[tuple[str, ...]], Awaitable[None]],
    interval_s: float = 1.0,
) -> None:
    """Call ``on_change`` with the changed files, until cancelled. What it raises ends the watch.

    ``digests`` says what is loaded now, as ``Settings.source.digests`` does. After a refused reload it should hold
    ``SettingsErrors.digests`` as well: the repair may be made in a file that the running configuration does not have.
    """
    watched = Watched()
    while True:
        changed = watched.look(digests())
        if changed:
            await on_change(changed)
        await asyncio.sleep(interval_s)
