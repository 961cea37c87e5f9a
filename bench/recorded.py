"""What share of a real client's requests the fast lane takes: ``python -m bench.recorded``.

The requests of wacraft's web client, as the tests have them, go through the gateway with ``preset:wacraft`` to the
stand-in backend over a kept connection, in their order, each written at once as browsers do. They are sent twice: what
is remembered after the first time is what a gateway remembers after its first minute. Its own counters say how many the
lane took.
"""

import asyncio
import http.client
import json
import socket
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.metrics import Metrics
from tests.e2e.preset import preset
from tests.e2e.test_client_calls import RICH, who
from tests.e2e.world import World
from tests.presets.calls import ClientCall, calls

Who = dict[tuple[str, str], list[tuple[str, str]]]
"""The fields that say who calls, and where: nobody signs in anew for each request."""


async def measure() -> dict[str, Any]:
    """The share, and which calls went the long way."""
    with tempfile.TemporaryDirectory() as folder:
        async with preset(Path(folder), RICH.format()) as here:
            asked = [call for call in calls() if call.own is None and not call.target.startswith("/billing")]
            known: Who = {(call.who, call.workspace): who(here, call) for call in asked}
            await _send(here, asked, known)
            return await _send(here, asked, known)


async def _send(here: World, asked: Sequence[ClientCall], known: Who) -> dict[str, Any]:
    metrics, slow, client = here.gateway.metrics, Counter[str](), _Client(here.gateway.urls[0])
    for call in asked:
        before = _taken(metrics)
        await asyncio.to_thread(client.ask, call, known[call.who, call.workspace])
        if _taken(metrics) == before:
            slow[f"{call.method} {call.target.partition('?')[0]} as {call.who}"] += 1
    client.close()
    taken = len(asked) - slow.total()
    return {"calls": len(asked), "taken": taken, "share": taken / len(asked), "long_way": dict(slow.most_common())}


def _taken(metrics: Metrics) -> int:
    metrics.text()  # the lane counts what has just ended when somebody reads
    return metrics.fast_lane_requests[()]


class _Client:
    """One kept connection; a new one where the gateway has ended it."""

    def __init__(self, url: str) -> None:
        self._place = urlsplit(url)
        self._socket: socket.socket | None = None

    def ask(self, call: ClientCall, fields: Sequence[tuple[str, str]]) -> None:
        """Send one request and read its answer."""
        self._socket = self._socket or self._connect()
        self._socket.sendall(_wire(call, fields))
        answer = http.client.HTTPResponse(self._socket, method=call.method)
        answer.begin()
        answer.read()
        if answer.will_close:
            self.close()

    def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def _connect(self) -> socket.socket:
        return socket.create_connection((self._place.hostname, self._place.port), timeout=30)


def _wire(call: ClientCall, fields: Sequence[tuple[str, str]]) -> bytes:
    lines = [f"{call.method} {call.target} HTTP/1.1", "Host: api.example", "Accept: application/json, text/plain, */*"]
    lines += [f"{name}: {value}" for name, value in fields]
    body = call.body.encode()
    if body:
        lines += [f"Content-Type: {call.content_type or 'application/json'}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def main() -> None:
    """Print one line of JSON."""
    print(json.dumps(asyncio.run(measure())))


if __name__ == "__main__":
    main()
