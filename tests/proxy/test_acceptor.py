"""New clients do not wait for the turns of a loop that others keep busy."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, cast

import pytest
import uvloop

from gateway.proxy.acceptor import Acceptor

CLIENTS = 200


class Counted(asyncio.Protocol):
    """Notes who has connected, and whether small writes go out at once."""

    made: list[bool]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        connected = transport.get_extra_info("socket")
        self.made.append(bool(connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
        cast("asyncio.Transport", transport).abort()  # uvloop's is none by inheritance


async def accepted(turns: int, *, several: bool) -> list[bool]:
    """How many of ``CLIENTS`` that have come at once a loop has accepted after so many turns."""
    made: list[bool] = []
    protocol: Any = type("Made", (Counted,), {"made": made})
    with ExitStack() as stack:
        bound = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1024))
        bound.setblocking(False)
        for _ in range(CLIENTS):
            stack.enter_context(socket.create_connection(bound.getsockname(), timeout=10))
        acceptor = Acceptor([bound], protocol, None, None, 5.0, several=several)
        for _ in range(turns):
            await asyncio.sleep(0)
        found = [*made]
        await acceptor.close()
        return found


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_all_who_have_come_are_accepted_within_a_few_turns(run: Callable[..., Any]) -> None:
    assert run(accepted(20, several=False)) == [True] * CLIENTS


def test_one_of_several_processes_leaves_some_to_the_others() -> None:
    assert 0 < len(uvloop.run(accepted(12, several=True))) < CLIENTS
