"""The connections to one address of an upstream: kept, counted, bounded."""

import asyncio
import ssl
import sys
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from gateway.proxy.endpoint import Endpoint
from gateway.proxy.failures import GatewayBusy, UpstreamFailed, UpstreamTimedOut
from gateway.proxy.timed_connection import TimedConnection
from gateway.proxy.upstream import NEVER, UpstreamConnection


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Times in seconds. ``connections``: at most open at once. ``idle``: of them kept unused, for ``idle_timeout``.

    ``waiting``: requests that may wait for a connection. ``requests``, ``age``: how many requests one connection
    serves, and for how long. ``connect_timeout``: to get a connection. ``read_timeout``: for the head of an answer once
    the request is written, and between two parts of its body. ``total_timeout``: for all of it.
    """

    connections: int = 1024
    idle: int = 256
    idle_timeout: float = 30.0
    waiting: int = 4096
    requests: int = sys.maxsize
    age: float = NEVER
    connect_timeout: float = 5.0
    read_timeout: float = 60.0
    total_timeout: float = NEVER


class Connections(Protocol):
    """Where connections to an upstream come from. ``authority``: what ``Host`` says where a request has none."""

    authority: bytes

    def take(self) -> UpstreamConnection | None:
        """A kept connection. No awaiting."""

    async def acquire(self, *, fresh: bool = False) -> UpstreamConnection:
        """A connection, a new one if need be. Raises one of ``NO_CONNECTION``, nothing sent."""
        ...


class UpstreamPool:
    """Connections to one address. Made inside the event loop."""

    def __init__(
        self,
        endpoint: Endpoint,
        limits: PoolLimits | None = None,
        failed: Callable[[str], None] = lambda _: None,
        answered: Callable[[], None] = lambda: None,
    ) -> None:
        """``failed`` is told of each failure of this address, and why; ``answered`` of the first answer after one."""
        self._limits = limits = limits or PoolLimits()
        self.endpoint = endpoint
        self.authority = endpoint.authority
        self.read_timeout = limits.read_timeout
        self.total_timeout = limits.total_timeout
        self.failing = False
        """Whether what happened last on this address was a failure."""
        self._tell_failed, self._tell_answered = failed, answered
        self._make = UpstreamConnection if limits.total_timeout == NEVER else TimedConnection
        self._loop = asyncio.get_running_loop()
        self._idle: deque[UpstreamConnection] = deque()
        self._open: set[UpstreamConnection] = set()
        self._opening = 0
        self._waiters: deque[asyncio.Future[UpstreamConnection | None]] = deque()
        shortest = min(limits.read_timeout, limits.total_timeout)
        self._interval = min(1.0, max(0.01, shortest / 8))
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = self._retired = False

    def counts(self) -> Mapping[tuple[str, ...], float]:
        """Connections by state, for the gauge ``upstream_connections``."""
        idle = len(self._idle)
        return {("idle",): idle, ("busy",): len(self._open) - idle, ("connecting",): self._opening}

    @property
    def load(self) -> int:
        """Requests that have one of these connections, or wait for one."""
        return len(self._open) - len(self._idle) + self._opening + len(self._waiters)

    def take(self) -> UpstreamConnection | None:
        """A kept connection, the one used last, or ``None``. No awaiting: the fast lane lives on this."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            transport = connection.transport
            if transport is not None and not transport.is_closing():
                connection.deadline = NEVER
                return connection
        return None

    async def acquire(self, *, fresh: bool = False) -> UpstreamConnection:
        """A connection: a kept one, a new one, or the next that comes free. ``fresh``: a new one.

        Raises one of ``NO_CONNECTION``.
        """
        connecting, first = False, True
        connection = None if fresh else self.take()
        try:
            async with asyncio.timeout(self._limits.connect_timeout):
                while connection is None:
                    if len(self._open) + self._opening < self._limits.connections:
                        connecting = True
                        return await self._connect()
                    connection, first = self.take() or await self._turn(first=first), False
                    if connection is not None and (fresh or not _is_alive(connection)):
                        connection.close()
                        self._open.discard(connection)
                        connection = None
                return connection
        except TimeoutError:
            problem = UpstreamTimedOut("The upstream did not take the connection in time.", request_sent=False)
            if connecting:
                self.failed(problem.message)
            raise problem from None

    async def _connect(self) -> UpstreamConnection:
        if self._closed:
            raise GatewayBusy("The gateway is stopping.")
        self._opening += 1
        try:
            connection = await self.endpoint.connect(self._loop, lambda: self._make(self, self._loop))
        except BaseException as error:
            self._opening -= 1
            self._wake()
            if isinstance(error, OSError) and not isinstance(error, TimeoutError):
                self.failed(str(error))
                raise UpstreamFailed(_no_connection(error), request_sent=False) from None
            raise
        self._opening -= 1
        self._open.add(connection)
        connection.last_use = self._loop.time() + self._limits.age
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(self._interval, self._sweep)
        return connection

    async def _turn(self, *, first: bool) -> UpstreamConnection | None:
        """Wait for the next connection that comes free; ``None``: there may be a place for a new one.

        ``first``: it has not waited yet; else its place is at the head of the queue.
        """
        if first and len(self._waiters) >= self._limits.waiting:
            raise GatewayBusy("Too many requests wait for the upstream.")
        waiter: asyncio.Future[UpstreamConnection | None] = self._loop.create_future()
        (self._waiters.append if first else self._waiters.appendleft)(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._pass_on(waiter.result())  # the turn was ours
            raise
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _pass_on(self, connection: UpstreamConnection | None) -> None:
        if connection is not None and _is_alive(connection):
            self.keep(connection)
        else:
            self._wake()

    def _wake(self, connection: UpstreamConnection | None = None) -> bool:
        """Give whoever waits longest the connection, or word of a place for one. Whether anybody waits."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return True
        return False

    def keep(self, connection: UpstreamConnection) -> None:
        """The connection is free again. Whoever waits has it at once, or the fast lane would take it away from them."""
        now, limits = self._loop.time(), self._limits
        if (
            self._retired
            or len(self._idle) >= limits.idle
            or connection.used >= limits.requests
            or now >= connection.last_use
        ):
            connection.close()
            return
        if self._waiters:
            connection.deadline = NEVER
            if self._wake(connection):
                return
        until = now + limits.idle_timeout
        connection.deadline = min(connection.last_use, until)
        self._idle.append(connection)

    def drop(self, connection: UpstreamConnection) -> None:
        """The connection is gone."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if self._waiters:
            self._wake()

    def failed(self, why: str) -> None:
        """A connect or an exchange failed on this address."""
        self.failing = True
        self._tell_failed(why)

    def answered(self) -> None:
        """An answer came whole."""
        self.failing = False
        self._tell_answered()

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


def _is_alive(connection: UpstreamConnection) -> bool:
    transport = connection.transport
    return transport is not None and not transport.is_closing()


def _no_connection(error: OSError) -> str:
    """The caller's sentence: TLS is told apart, because it is mended elsewhere."""
    if isinstance(error, ssl.SSLError):
        return "The upstream's certificate or TLS is not good."
    return "The upstream does not take connections."
