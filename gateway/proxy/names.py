"""From the URLs of an upstream to addresses: names are asked for again and again, because what they mean changes."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import structlog

from gateway.proxy.endpoint import Endpoint

_log = structlog.get_logger(__name__)
_SOONEST_S = 1.0
"""Names are not asked for more often than this, whatever fails."""


class Resolve(Protocol):
    """How names become addresses."""

    async def __call__(self, host: str) -> Sequence[str]:
        """IPv4 addresses first. Raises ``OSError``."""
        ...


async def resolve(host: str) -> list[str]:
    """The addresses of ``host`` by the system's resolver, IPv4 before IPv6."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    ordered = sorted(found, key=lambda entry: entry[0] != socket.AF_INET)
    return list(dict.fromkeys(str(entry[4][0]) for entry in ordered))


class Placed(NamedTuple):
    """An address to use. ``rank`` 1: only if no address of rank 0 is up."""

    endpoint: Endpoint
    rank: int


class Names:
    """The addresses of ``origins``. ``changed`` is called when there are others than before.

    The IPv6 addresses of a name that has IPv4 addresses too have rank 1: a server on one of the two is then found
    whichever it is, as with ``localhost``. A name that cannot be resolved keeps the addresses it had.
    """

    def __init__(
        self, origins: Sequence[Endpoint], interval_s: float, find: Resolve, changed: Callable[[], None]
    ) -> None:
        self._origins = tuple(dict.fromkeys(origins))
        self._interval_s = interval_s
        self._find = find
        self._changed = changed
        self._found: dict[str, tuple[str, ...]] = {}
        self._failing: set[str] = set()
        self._wanted = asyncio.Event()
        self.looked = asyncio.Event()
        """Set after every name was asked for once."""
        if not self.dynamic:
            self.looked.set()

    @property
    def dynamic(self) -> bool:
        """Whether there is a name among the origins."""
        return any(origin.named for origin in self._origins)

    def placed(self) -> list[Placed]:
        """All addresses that are known now, each once."""
        return list(dict.fromkeys(place for origin in self._origins for place in self._places(origin)))

    def _places(self, origin: Endpoint) -> list[Placed]:
        if not origin.named:
            return [Placed(origin, 0)]
        found = self._found.get(origin.host, ())
        has_four = any(":" not in address for address in found)
        return [Placed(origin.at(address), int(has_four and ":" in address)) for address in found]

    def look_again(self) -> None:
        """An address has failed: perhaps the name means another one by now."""
        self._wanted.set()

    async def keep_looking(self) -> None:
        """Until cancelled."""
        while True:
            hosts = dict.fromkeys(origin.host for origin in self._origins if origin.named)
            before = self.placed()
            await asyncio.gather(*(self._look(host) for host in hosts))
            if self.placed() != before:
                self._changed()
            self.looked.set()
            self._wanted.clear()
            await asyncio.sleep(min(_SOONEST_S, self._interval_s))
            try:
                async with asyncio.timeout(max(0.0, self._interval_s - _SOONEST_S)):
                    await self._wanted.wait()
            except TimeoutError:
                continue

    async def _look(self, host: str) -> None:
        try:
            found = tuple(await self._find(host))
        except OSError as error:
            if host not in self._failing:
                _log.warning("the upstream's name cannot be resolved", host=host, reason=str(error))
            self._failing.add(host)
            return
        self._failing.discard(host)
        if set(found) != set(self._found.get(host, ())):  # resolvers turn the order round
            self._found[host] = found
