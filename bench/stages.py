"""How much Python one warm request is, stage by stage: calls and bytecodes, which no other load on the machine changes.

``python -m bench.stages`` drives the gateway of ``gateway.yaml`` in this process, with transports that are no sockets:
a client's bytes go in, the API's answer comes back at once. Calls are counted by a profile function, bytecodes by a
trace function, and the CPU time is the lower quartile of many short rounds without either: the least may be a slip of a
virtual machine's clock.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import click
import uvloop

from bench import upstream, workload
from bench.subjects import HERE
from gateway.app import Gateway
from gateway.proxy.downstream import GatewayProtocol
from gateway.proxy.upstream import UpstreamConnection
from gateway.settings.load import load

_SECRET = "only-for-this-process-and-gone-with-it-0123456789"
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Fri, 27 Nov 2026 00:00:00 GMT\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\nConnection: keep-alive\r\n\r\n%b" % (len(upstream.BODY), upstream.BODY)
)
_CLIENTS, _REQUESTS, _ROUND, _ROUNDS = 32, 1_000, 250, 40
_BITE = 10


class _Wire(asyncio.Transport):
    """No socket. ``wrote`` is called with what is written."""

    def __init__(self, wrote: Callable[[bytes], None]) -> None:
        super().__init__({"peername": ("127.0.0.1", 40_000)})
        self.write = wrote  # type: ignore[method-assign, assignment]

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def can_write_eof(self) -> bool:
        return False

    def pause_reading(self) -> None:
        """It is not read from."""

    def resume_reading(self) -> None:
        """Nor again."""

    def close(self) -> None:
        """There is nothing to close."""

    abort = close


@dataclass(frozen=True, slots=True)
class Drive:
    """A gateway with clients at rest, and what they ask.

    ``asked``: upstream connections that owe an answer. ``answers``: what the last clients heard.
    """

    gateway: Gateway
    requests: list[bytes]
    clients: list[GatewayProtocol] = field(default_factory=list)
    asked: list[UpstreamConnection] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)

    def send(self, first: int, count: int) -> None:
        """Let the clients ask ``count`` requests in turn, from the one numbered ``first`` on."""
        clients, requests = self.clients, self.requests
        for number in range(first, first + count):
            clients[number % len(clients)].data_received(requests[number % len(requests)])
            self.answer()

    def answer(self) -> None:
        """Let the API answer what it was asked."""
        asked = self.asked
        while asked:
            asked.pop().data_received(_ANSWER)

    def connect(self) -> None:
        """Clients, and kept connections to the API."""
        doors = self.gateway._doors  # noqa: SLF001  (there is no other way without sockets)
        assert doors is not None
        server = doors._doors[0][1]  # noqa: SLF001
        pool = self.gateway._fleet._members[0].pool  # noqa: SLF001
        for _ in range(_CLIENTS):
            client = server()
            client.connection_made(_Wire(self.answers.append))
            self.clients.append(client)
            connection = UpstreamConnection(pool, asyncio.get_running_loop())
            connection.connection_made(_Wire(partial(self._owe, connection)))
            pool._open.add(connection)  # noqa: SLF001
            pool.keep(connection)

    def _owe(self, connection: UpstreamConnection, _data: bytes) -> None:
        self.asked.append(connection)

    def close_books(self) -> None:
        """Count and log what has ended: the lane does it for many at a time."""
        for act in self.gateway.metrics._behind:  # noqa: SLF001
            act()

    @property
    def idle(self) -> bool:
        """Whether all clients have their answers."""
        return all(client._rests for client in self.clients)  # noqa: SLF001


@asynccontextmanager
async def drive(folder: Path, change: Callable[[str], str] = lambda text: text) -> Any:
    """The gateway of the benchmark, warm."""
    calls = workload.make(_SECRET)
    workload.write(calls, folder)
    config = folder / "gateway.yaml"
    config.write_text(change((HERE / "gateway.yaml").read_text()))
    said = {
        "BENCH_PORT": "0",
        "BENCH_UPSTREAM_PORT": "9",
        "BENCH_JWT_SECRET": _SECRET,
        "BENCH_LEDGER": f"{folder}/l.db",
    }
    os.chdir(folder)  # the access log's name is relative
    gateway = Gateway(load(config, said))
    await gateway.start()
    try:
        found = Drive(gateway, [workload.head_and_body(call, "127.0.0.1:8080") for call in calls[:_REQUESTS]])
        found.connect()
        await asyncio.sleep(0.05)
        await _warm_up(found)
        yield found
    finally:
        await gateway.stop()


async def _warm_up(drive: Drive) -> None:
    """Every request once: some have to be waited for."""
    for first in range(0, len(drive.requests), _CLIENTS):
        drive.send(first, _CLIENTS)
        while not drive.idle:
            await asyncio.sleep(0)
            drive.answer()
        drive.answers.clear()


async def cpu_us(drive: Drive) -> float:
    """Of one request, with its share of the books, without the journal's thread: the lower quartile of the rounds."""
    found = []
    for number in range(_ROUNDS):
        before = time.thread_time_ns()
        drive.send(number * _ROUND, _ROUND)
        drive.close_books()
        found.append((time.thread_time_ns() - before) / _ROUND / 1000)
        await breathe(drive)
    return statistics.quantiles(found, n=4)[0]


async def breathe(drive: Drive) -> None:
    """Let journal and log have their turn: who starves them is refused in the end."""
    drive.answers.clear()
    await asyncio.sleep(0.02)
    while not drive.idle:
        await asyncio.sleep(0)
        drive.answer()


async def calls(drive: Drive, count: int) -> Counter[str]:
    """Calls of Python functions, and of C functions by Python, of ``count`` requests, by name."""
    seen: Counter[str] = Counter()

    def note(frame: FrameType, event: str, arg: Any) -> None:
        if event == "call":
            seen[_name(frame.f_code)] += 1
        elif event == "c_call":
            seen[f"C {arg.__qualname__}"] += 1

    for first in range(0, count, _BITE):
        sys.setprofile(note)
        try:
            drive.send(first, _BITE)
            drive.close_books()
        finally:
            sys.setprofile(None)
        await breathe(drive)
    return seen


async def bytecodes(drive: Drive, count: int) -> Counter[str]:
    """Bytecodes executed by ``count`` requests, by function."""
    seen: Counter[str] = Counter()

    def step(frame: FrameType, event: str, arg: Any) -> Any:  # noqa: ARG001
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            seen[_name(frame.f_code)] += 1
        return step

    def enter(frame: FrameType, event: str, arg: Any) -> Any:  # noqa: ARG001
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return step

    for first in range(0, count, _BITE):
        sys.settrace(enter)
        try:
            drive.send(first, _BITE)
            drive.close_books()
        finally:
            sys.settrace(None)
        await breathe(drive)
    return seen


def _name(code: CodeType) -> str:
    parts = Path(code.co_filename).parts
    return f"{'/'.join(parts[-2:])} {code.co_qualname}"


def _taken(gateway: Gateway) -> int:
    gateway.metrics.text()  # the lane counts what has just ended when somebody reads
    return gateway.metrics.fast_lane_requests[()]


def _tight(config: str) -> str:
    return config.replace("throughput_limit: 1000000000000", "throughput_limit: 1")


async def _main(*, refusing: bool, top: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with drive(Path(folder), _tight if refusing else str) as found:
            cpu = await cpu_us(found)
            count = 500
            before = _taken(found.gateway)
            called = await calls(found, count)
            steps = await bytecodes(found, count)
            found.answers.clear()
            share = (_taken(found.gateway) - before) / (2 * count)
            click.echo(f"taken by the lane: {share:.1%}")
            _show(called, steps, count, top, cpu)


def _show(called: Mapping[str, int], steps: Mapping[str, int], count: int, top: int, cpu: float) -> None:
    python = {name: number for name, number in called.items() if not name.startswith("C ")}
    c_calls = sum(called.values()) - sum(python.values())
    click.echo(
        f"a request: {cpu:.1f} us of CPU, {sum(python.values()) / count:.1f} Python calls, "
        f"{c_calls / count:.1f} C calls, {sum(steps.values()) / count:.0f} bytecodes"
    )
    for name, number in sorted(steps.items(), key=lambda item: -item[1])[:top]:
        click.echo(f"{number / count:8.1f} bytecodes {called.get(name, 0) / count:6.2f} calls  {name}")


@click.command()
@click.option("--refusing", is_flag=True, help="Budgets of 1: nearly all is refused.")
@click.option("--top", default=45, show_default=True)
def main(*, refusing: bool, top: int) -> None:
    """Show what a warm request costs in the gateway's own Python."""
    uvloop.run(_main(refusing=refusing, top=top))


if __name__ == "__main__":
    main()
