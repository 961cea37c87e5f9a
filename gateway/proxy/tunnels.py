"""All open WebSockets: joined after their handshakes, and looked after once a second, with one timer for all."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from gateway.core.problems import StoreUnavailable
from gateway.core.scope import Scope
from gateway.metering.catalog import Catalog, Unresolved
from gateway.proxy.chronicle import Trip
from gateway.proxy.client_connection import ClientConnection
from gateway.proxy.gate import Gate
from gateway.proxy.response_parser import ResponseHead
from gateway.proxy.tunnel import GOING_AWAY, Tunnel
from gateway.proxy.upstream import UpstreamConnection
from gateway.proxy.ward import Ward, World
from gateway.proxy.way import Goodbye
from gateway.tasks import Tasks

LOOK_S = 1.0
ASKING = 16
"""WebSockets that others are asked about at a time; the rest wait for the next look."""
_EXTENSIONS = b"sec-websocket-extensions"
_STOPPING = Goodbye(GOING_AWAY, "The gateway is stopping. Connect again.")


class Tunnels:
    """Joins tunnels, and ends them when their time is over."""

    def __init__(self, world: World, tasks: Tasks) -> None:
        self._world = world
        self._tasks = tasks
        self._open: dict[Tunnel, Ward] = {}
        self._fetching: set[Scope] = set()
        self._asking: set[Tunnel] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._stopping = False

    def __len__(self) -> int:
        """How many are open."""
        return len(self._open)

    def join(
        self,
        trip: Trip,
        response: ResponseHead,
        ends: tuple[ClientConnection, UpstreamConnection],
        ended: Callable[[], None],
    ) -> Tunnel:
        """A tunnel between the two ``ends``, not started yet. ``response``: the upstream's 101."""
        tunnel = Tunnel(*ends, lambda: self._ended(trip, tunnel, ended))
        loop = asyncio.get_running_loop()
        if (visit := trip.visit) is not None:
            ward = self._open[tunnel] = Ward(trip, visit, self._world, loop.time())
            if visit.rule.frame_weight is not None:
                extended = _EXTENSIONS in response.keys
                tunnel.gate = Gate(tunnel, visit.rule.frame_match, ward, self._tasks, extended=extended)
        if self._stopping:
            loop.call_soon(tunnel.say_goodbye, _STOPPING)
        elif self._timer is None:
            self._timer = loop.call_later(LOOK_S, self._look)
        return tunnel

    def stop(self) -> None:
        """Tell all that are open, and all that come, to connect elsewhere."""
        self._stopping = True
        for tunnel in tuple(self._open):
            tunnel.say_goodbye(_STOPPING)

    def look(self, now_us: int, now: float) -> None:
        """End those whose time is over. ``now``: the loop's time."""
        running = self._world.live.running
        for tunnel, ward in tuple(self._open.items()):
            if tunnel.goodbye is not None:
                continue
            try:
                goodbye = ward.over(running, now_us, now)
            except Unresolved as need:
                self._fetch(running.snapshot.catalog, need.scope)
                continue
            if goodbye is not None:
                tunnel.say_goodbye(goodbye)
            elif len(self._asking) < ASKING and tunnel not in self._asking and ward.doubts(running, now_us, now):
                self._asking.add(tunnel)
                self._tasks.start(self._ask(tunnel, ward, now_us, now), "ask whether a WebSocket may go on")

    async def _ask(self, tunnel: Tunnel, ward: Ward, now_us: int, now: float) -> None:
        try:
            goodbye = await ward.ask(self._world.live.running, now_us, now)
        finally:
            self._asking.discard(tunnel)
        if goodbye is not None:
            tunnel.say_goodbye(goodbye)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(LOOK_S, self._look) if self._open else None
        self.look(self._world.now_us(), loop.time())

    def _fetch(self, catalog: Catalog, scope: Scope) -> None:
        """Find out what a scope has bought; the next look knows it."""
        if scope not in self._fetching:
            self._fetching.add(scope)
            self._tasks.start(self._fetched(catalog, scope), "fetch what a scope has")

    async def _fetched(self, catalog: Catalog, scope: Scope) -> None:
        with suppress(StoreUnavailable):
            await catalog.load(scope)
        self._fetching.discard(scope)

    def _ended(self, trip: Trip, tunnel: Tunnel, ended: Callable[[], None]) -> None:
        self._open.pop(tunnel, None)
        if (goodbye := tunnel.goodbye) is not None:
            trip.goodbye = goodbye.code
            self._world.metrics.counters["websocket_closes"][(str(goodbye.code),)] += 1
        ended()
