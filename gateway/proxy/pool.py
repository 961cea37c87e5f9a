"""The connections to one upstream: kept, counted, bounded."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway.proxy.failures import UpstreamFailed, UpstreamTimedOut
from gateway.proxy.upstream import NEVER, UpstreamConnection


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """``connections``: at most open at once. ``idle``: of them kept unused, each for ``idle_timeout`` seconds.

    ``waiting``: requests that may wait for a connection, each for the connect time-out.
    """

    connections: int = 1024
    idle: int = 256
    idle_timeout: float = 30.0
    waiting: int = 4096


class UpstreamPool:
    """Connections to ``http://host:port``. Time-outs in seconds.

    ``connect_timeout``: to get a connection. ``read_timeout``: for the head of an answer once the request is written,
    and between two parts of its body.
    """

    def __init__(self, url: str, connect_timeout: float, read_timeout: float, limits: PoolLimits | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname or parts.path not in {"", "/"} or parts.query:
            raise ValueError(f"an upstream is http://host[:port], not {url!r}")
        self.host, self.port = parts.hostname, parts.port or 80
        self.authority = parts.netloc.rpartition("@")[2].encode()
        """What ``Host`` says where a request has none."""
        self.read_timeout = read_timeout
        self._connect_timeout = connect_timeout
        self._limits = limits or PoolLimits()
        self._loop = asyncio.get_running_loop()
        self._idle: deque[UpstreamConnection] = deque()
        self._open: set[UpstreamConnection] = set()
        self._opening = 0
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._interval = min(1.0, max(0.01, read_timeout / 8))
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = self._retired = False

    def counts(self) -> Mapping[tuple[str, ...], float]:
        """Connections by state, for the gauge ``upstream_connections``."""
        idle = len(self._idle)
        return {("idle",): idle, ("busy",): len(self._open) - idle, ("connecting",): self._opening}

    def take(self) -> UpstreamConnection | None:
        """A kept connection, the one used last, or ``None``. No awaiting: the fast lane lives on this."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                connection.deadline = NEVER
                return connection
        return None

    async def acquire(self, *, fresh: bool = False) -> UpstreamConnection:
        """A connection: a kept one, a new one, or the next that comes free. ``fresh``: a new one.

        Raises ``UpstreamFailed`` or ``UpstreamTimedOut``, both with ``request_sent`` false.
        """
        try:
            async with asyncio.timeout(self._connect_timeout):
                while True:
                    connection = None if fresh else self.take()
                    if connection is not None:
                        return connection
                    if len(self._open) + self._opening < self._limits.connections:
                        return await self._connect()
                    await self._turn()
        except TimeoutError:
            raise UpstreamTimedOut("The upstream did not take the connection in time.", request_sent=False) from None

    async def _connect(self) -> UpstreamConnection:
        if self._closed:
            raise UpstreamFailed("The gateway is stopping.", request_sent=False)
        self._opening += 1
        try:
            _, connection = await self._loop.create_connection(
                lambda: UpstreamConnection(self, self._loop), self.host, self.port
            )
        except BaseException as error:
            self._opening -= 1
            self._wake()
            if isinstance(error, OSError) and not isinstance(error, TimeoutError):
                raise UpstreamFailed("The upstream does not take connections.", request_sent=False) from None
            raise
        self._opening -= 1
        self._open.add(connection)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(self._interval, self._sweep)
        return connection

    async def _turn(self) -> None:
        """Wait until a connection or a place for one comes free."""
        if len(self._waiters) >= self._limits.waiting:
            raise UpstreamTimedOut("Too many requests wait for the upstream.", request_sent=False)
        waiter = self._loop.create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._wake()  # the turn was ours: pass it on
            raise
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def keep(self, connection: UpstreamConnection) -> None:
        """The connection is free again."""
        if self._retired or len(self._idle) >= self._limits.idle:
            connection.close()
            return
        connection.deadline = self._loop.time() + self._limits.idle_timeout
        self._idle.append(connection)
        if self._waiters:
            self._wake()

    def drop(self, connection: UpstreamConnection) -> None:
        """The connection is gone."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if self._waiters:
            self._wake()

    def _sweep(self) -> None:
        """Look at every connection's deadline: one timer for all is cheaper than one each."""
        self._sweeper = None
        now = self._loop.time()
        for connection in tuple(self._open):
            connection.expire(now)
        if self._open:
            self._sweeper = self._loop.call_later(self._interval, self._sweep)

    def retire(self) -> None:
        """Keep no connection from now on: only the requests that already have this pool are still served."""
        self._retired = True
        for connection in tuple(self._idle):
            connection.close()

    async def close(self) -> None:
        """Close the kept connections, and those in use as soon as they are free. No new ones are opened."""
        self._closed = True
        self.retire()
        await asyncio.sleep(0)
