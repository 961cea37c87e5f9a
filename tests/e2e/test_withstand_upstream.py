"""A gateway whose upstream is not there, or breaks off."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import ClientError

from gateway.demo.backend import Backend
from gateway.demo.data import ALICE
from tests.e2e.served import configure, served, until
from tests.e2e.world import PLANS, SECRET
from tests.fakes.upstream import Conversation, upstream

LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"


@pytest.fixture
def reserved() -> Iterator[socket.socket]:
    """An address that nobody else can take and where, until it listens, connections are refused."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield kept


def token() -> str:
    return Backend(jwt_secret=SECRET).token(ALICE)


async def test_an_upstream_that_is_down_at_the_start_costs_nothing_and_is_found_when_it_is_up(
    tmp_path: Path, reserved: socket.socket
) -> None:
    host, port = reserved.getsockname()
    configure(tmp_path, f"http://{host}:{port}", PLANS)
    async with served(tmp_path) as here:
        assert (await here.ask("/-/health/ready")).status == 200
        for _ in range(15):
            answer = await here.ask("/x", token())
            assert answer.status == 502
            assert (await answer.json())["context"] == "gateway"

        async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(answer_once, sock=reserved)
        try:
            found = await here.ask("/x", token())
            assert (found.status, found.headers["X-RateLimit-Remaining"]) == (204, "9")
        finally:
            server.close()
        assert await here.end() == 0


async def test_an_upstream_that_resets_in_the_middle_of_a_body_cuts_the_client_off_and_is_paid_for(
    tmp_path: Path,
) -> None:
    async def breaks_off(talk: Conversation) -> None:
        head = await talk.head()
        if head.startswith(b"GET /whole"):
            await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            return
        await talk.send(LONG + b"half")
        talk.reset()

    async with upstream(breaks_off) as there:
        configure(tmp_path, there.url, PLANS)
        async with served(tmp_path) as here:
            for _ in range(3):
                with pytest.raises(ClientError):  # a body that is not whole must not look whole
                    await here.ask("/broken", token())
            whole = await here.ask("/whole", token())
            assert (whole.status, whole.headers["X-RateLimit-Remaining"]) == (200, "6")
            await until(lambda: len(here.accesses) == 4, "four lines in the access log")
            broken = here.accesses[0]
            assert (broken["status"], broken["outcome"], broken["problem"]) == (200, "charged", "bad_gateway")
            metrics = await (await here.ask("/-/metrics")).text()
            assert 'weighbridge_problems_total{code="bad_gateway"} 3.0' in metrics
            assert "weighbridge_in_flight_requests 1.0" in metrics  # the one that asks
            assert await here.end() == 0
            assert [event for event in here.events if event["level"] == "error"] == []
