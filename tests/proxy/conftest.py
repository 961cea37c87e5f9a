"""A gateway that only passes through, and a client that speaks bytes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace

import pytest
from aiohttp import web

from gateway.core.answers import Answer
from gateway.core.forwarding import Forwarding
from gateway.core.problems import Problem
from gateway.core.target import Profile, Target, canonical_target
from gateway.proxy.client_connection import ClientLimits
from gateway.proxy.endpoint import Endpoint
from gateway.proxy.forward import Forwarded, forward
from gateway.proxy.gateway_server import GatewayServer
from gateway.proxy.pool import PoolLimits, UpstreamPool
from gateway.proxy.relay import Edit, Join, OnHead
from gateway.proxy.request import Request
from gateway.proxy.request_head import Route, request_head
from gateway.proxy.response_parser import ResponseHead
from tests.fakes.upstream import Conversation

Handler = Callable[[Request], Awaitable[None]]


def problem_answer(problem: Problem) -> Answer:
    return Answer(problem.status, [(b"Content-Type", b"text/plain")], problem.message.encode())


def unchanged(_head: ResponseHead) -> Edit:
    return Edit(frozenset(), b"")


@dataclass
class PassThrough:
    """A gateway without identity or metering. ``outcomes``: how each request went."""

    pool: UpstreamPool
    runner: web.ServerRunner
    server: GatewayServer
    port: int
    outcomes: list[Forwarded] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    clients: list[Conversation] = field(default_factory=list)

    async def connect(self, *, limit: int = 2**16) -> Conversation:
        """A client; its connection is closed when the test ends."""
        client = Conversation(*await asyncio.open_connection("127.0.0.1", self.port, limit=limit))
        self.clients.append(client)
        return client

    async def exchange(self, wire: bytes) -> bytes:
        """Send ``wire`` and end the sending side; everything that comes back."""
        client = await self.connect()
        await client.send(wire)
        client.writer.write_eof()
        return await asyncio.wait_for(client.rest(), 10)

    async def disconnect(self) -> None:
        for client in self.clients:
            client.reset()
        await asyncio.sleep(0)


StartGateway = Callable[..., Awaitable[PassThrough]]


@pytest.fixture
async def start_gateway() -> AsyncIterator[StartGateway]:
    """Start gateways; they are stopped when the test ends."""
    stack = AsyncExitStack()

    async def start(
        url: str,
        *,
        limits: ClientLimits | None = None,
        pool_limits: PoolLimits | None = None,
        connect_timeout: float = 5.0,
        read_timeout: float = 5.0,
        forwarding: Forwarding | None = None,
        protected: frozenset[bytes] = frozenset(),
        profile: Profile | None = None,
        on_head: OnHead = unchanged,
        handler: Handler | None = None,
        join: Join | None = None,
    ) -> PassThrough:
        waits = replace(pool_limits or PoolLimits(), connect_timeout=connect_timeout, read_timeout=read_timeout)
        pool = UpstreamPool(Endpoint.parse(url), waits)
        route = Route(pool, forwarding or Forwarding(style="none"), protected)

        def read(request: Request) -> Target:
            """Any target passes, unless there is a profile to judge it."""
            if profile is None:
                return Target(request.raw_target, (), b"")
            return canonical_target(request.method, request.raw_target, profile)

        async def handle(request: Request) -> None:
            gateway.requests.append(request)
            wire = request_head(request, read(request), route)
            outcome = await forward(request, wire, route, on_head, join)
            gateway.outcomes.append(outcome)
            if outcome.failure is not None and not request.head_sent:
                raise outcome.failure

        def answer(problem: Problem) -> Answer:
            gateway.problems.append(problem)
            return problem_answer(problem)

        server = GatewayServer(handler or handle, answer, limits)
        runner = web.ServerRunner(server, shutdown_timeout=5)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        gateway = PassThrough(pool, runner, server, runner.addresses[0][1])
        stack.push_async_callback(pool.close)
        stack.push_async_callback(runner.cleanup)
        stack.push_async_callback(gateway.disconnect)
        return gateway

    async with stack:
        yield start
