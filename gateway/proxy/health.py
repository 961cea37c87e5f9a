"""Active health checks: every address of an upstream is asked now and then, whether requests go there or not."""

import asyncio
from dataclasses import dataclass

from gateway.proxy.endpoint import Endpoint
from gateway.proxy.failures import UpstreamFailed, UpstreamTimedOut
from gateway.proxy.fetch import fetch
from gateway.proxy.upstream import UpstreamConnection

_GOOD = range(200, 400)
_MOST_BODY = 64 * 1024


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """GET ``path`` every ``interval_s`` seconds: 2xx or 3xx within ``timeout_s`` is good."""

    path: str
    interval_s: float = 5.0
    timeout_s: float = 2.0


class _Guest:
    """Keeps no connection: a check opens its own, so that it also learns whether one can be opened."""

    failing = False
    total_timeout = float("inf")

    def __init__(self, read_timeout: float) -> None:
        self.read_timeout = read_timeout

    def keep(self, connection: UpstreamConnection) -> None:
        """Not wanted any more."""
        connection.close()

    def drop(self, connection: UpstreamConnection) -> None:
        """Gone."""

    def failed(self, why: str) -> None:
        """The check says so itself."""

    def answered(self) -> None:
        """The same."""


async def ailment(endpoint: Endpoint, check: HealthCheck) -> str | None:
    """Ask once. ``None``: it is well; else what is wrong with it."""
    loop = asyncio.get_running_loop()
    wire = b"GET %b HTTP/1.1\r\nHost: %b\r\nUser-Agent: weighbridge-health\r\nConnection: close\r\n\r\n"
    connection: UpstreamConnection | None = None
    try:
        async with asyncio.timeout(check.timeout_s):
            connection = await endpoint.connect(loop, lambda: UpstreamConnection(_Guest(check.timeout_s), loop))
            answer = await fetch(connection, wire % (check.path.encode(), endpoint.authority), _MOST_BODY)
    except TimeoutError:
        return "no answer in time"
    except (OSError, UpstreamFailed, UpstreamTimedOut) as error:
        return str(error)
    finally:
        if connection is not None:
            connection.abort()
    return None if answer.status in _GOOD else f"status {answer.status}"
