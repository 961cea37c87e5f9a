"""Latency at a given pace: ``python -m bench.paced PORT REQUESTS.TSV CONNECTIONS SECONDS RATE``.

Requests are sent when they are due, whether earlier ones were answered or not, and timed from then on: a server that
stalls is not asked more kindly.
"""

import asyncio
import json
import sys
from collections import deque
from pathlib import Path
from typing import cast

import httptools
import uvloop

from bench import workload


class _Connection(asyncio.Protocol):
    """One keep-alive connection; what is due while it is busy waits its turn, with its time running."""

    def __init__(self, latencies_us: list[int]) -> None:
        self._latencies_us = latencies_us
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._due: deque[tuple[float, bytes]] = deque()
        self._busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def ask(self, due: float, wire: bytes) -> None:
        """Send ``wire``, which was due at the loop's time ``due``."""
        self._due.append((due, wire))
        if not self._busy:
            self._send()

    def _send(self) -> None:
        self._busy = True
        self._transport.write(self._due[0][1])

    def on_message_complete(self) -> None:
        due, _ = self._due.popleft()
        self._latencies_us.append(round((self._loop.time() - due) * 1e6))
        self._busy = False
        if self._due:
            self._send()


async def drive(port: int, calls: Path, connections: int, seconds: float, rate: float) -> dict[str, float]:
    """Ask ``rate`` times a second; the latencies' quantiles in microseconds."""
    wires = [workload.head_and_body(call, f"127.0.0.1:{port}") for call in workload.read(calls)[:4_000]]
    loop, latencies_us = asyncio.get_running_loop(), list[int]()
    clients = []
    for _ in range(connections):
        _, client = await loop.create_connection(lambda: _Connection(latencies_us), "127.0.0.1", port)
        clients.append(client)
    start, number = loop.time(), 0
    while (now := loop.time()) < start + seconds:
        while start + number / rate <= now:
            clients[number % connections].ask(start + number / rate, wires[number % len(wires)])
            number += 1
        await asyncio.sleep(0.0005)
    await asyncio.sleep(0.2)
    ordered = sorted(latencies_us) or [0]
    return {
        "asked": number,
        "answered": len(latencies_us),
        "p50_us": ordered[len(ordered) // 2],
        "p99_us": ordered[len(ordered) * 99 // 100],
    }


if __name__ == "__main__":
    port, calls, connections, seconds, rate = sys.argv[1:]
    print(json.dumps(uvloop.run(drive(int(port), Path(calls), int(connections), float(seconds), float(rate)))))
