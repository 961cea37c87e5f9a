"""A load generator for machines without wrk: ``python -m bench.client PORT REQUESTS.TSV CONNECTIONS SECONDS``.

Slower than wrk, so on a fast subject it is what is measured; it prints the same line of JSON.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import cast

import httptools
import uvloop

from bench import workload

MOST_BROKEN = 1_000  # then the subject is taken for dead


class Driver:
    """Deals out the requests, and counts and times the answers."""

    def __init__(self, requests: list[bytes], port: int) -> None:
        self.loop = asyncio.get_running_loop()
        self.started = self.loop.time()
        self.ended = self.loop.create_future()
        self.latencies_us: list[int] = []
        self.bad_status = 0
        self.broken = 0
        self._requests = requests
        self._port = port
        self._at = -1

    def next_request(self) -> bytes:
        self._at = (self._at + 1) % len(self._requests)
        return self._requests[self._at]

    def answered(self, status: int, latency_us: int) -> None:
        self.latencies_us.append(latency_us)
        self.bad_status += status >= 400

    async def connect(self) -> None:
        """Open one, and await its first answer: many that nobody has accepted yet overflow the queue, and are reset."""
        _, connection = await self.loop.create_connection(lambda: Connection(self), "127.0.0.1", self._port)
        await connection.begun

    def lost(self) -> None:
        self.broken += 1
        if self.broken >= MOST_BROKEN and not self.ended.done():
            self.ended.set_result(None)


class Connection(asyncio.Protocol):
    """One keep-alive connection: the next request follows the answer."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._parser = httptools.HttpResponseParser(self)
        self._sent = 0.0
        self.begun = driver.loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._send()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        latency = round((self._driver.loop.time() - self._sent) * 1e6)
        self._driver.answered(self._parser.get_status_code(), latency)
        if not self.begun.done():
            self.begun.set_result(None)
        if self._driver.ended.done():
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if not self.begun.done():
            self.begun.set_result(None)
        if not self._driver.ended.done():
            self._driver.lost()

    def _send(self) -> None:
        self._sent = self._driver.loop.time()
        self._transport.write(self._driver.next_request())


async def drive(port: int, calls: Path, connections: int, seconds: float) -> dict[str, float]:
    """Keep ``connections`` busy for ``seconds`` and return what ``bench.load.Load`` holds."""
    requests = [workload.head_and_body(call, f"127.0.0.1:{port}") for call in workload.read(calls)]
    driver = Driver(requests, port)
    await asyncio.gather(*(driver.connect() for _ in range(connections)))
    driver.latencies_us.clear()
    start = driver.loop.time()
    await asyncio.wait([driver.ended], timeout=seconds)
    if not driver.ended.done():
        driver.ended.set_result(None)
    elapsed = driver.loop.time() - start
    ordered = sorted(driver.latencies_us) or [0]
    return {
        "requests": len(driver.latencies_us),
        "seconds": elapsed,
        "bad_status": driver.bad_status,
        "broken": driver.broken,
        "p50_us": ordered[len(ordered) // 2],
        "p99_us": ordered[len(ordered) * 99 // 100],
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(drive(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))))
