"""Asking the upstream on a caller's behalf, who it is and where it belongs: as requests go, bounded."""

import asyncio
from collections.abc import Sequence

from gateway.core.hop_by_hop import key_of
from gateway.proxy.failures import GatewayBusy, UpstreamFailed, UpstreamTimedOut
from gateway.proxy.fetch import Fetched, Stale, fetch
from gateway.proxy.pool import Connections

_MOST_BODY = 256 * 1024
_OK = range(200, 300)


class UpstreamAsker:
    """GETs paths of the upstream over ``connections``, each within ``timeout_s`` seconds.

    ``own``: fields of the gateway's own that go with every question, where the caller's do not say it already.
    ``most``: bytes of an answer that are read.
    """

    def __init__(
        self,
        connections: Connections,
        timeout_s: float,
        own: Sequence[tuple[bytes, bytes]] = (),
        *,
        most: int = _MOST_BODY,
    ) -> None:
        self._most = most
        self._connections = connections
        self._timeout_s = timeout_s
        self._own = tuple(own)

    async def __call__(
        self, path: bytes, headers: Sequence[tuple[bytes, bytes]]
    ) -> tuple[int, Sequence[tuple[bytes, bytes]], bytes]:
        """Status, raw header fields and body of the answer. Raises ``OSError`` or ``TimeoutError``."""
        said = {key_of(name) for name, _ in headers}
        sent = [*headers, *(field for field in self._own if key_of(field[0]) not in said)]
        fields = b"".join([b"%b: %b\r\n" % pair for pair in sent])
        wire = b"GET %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (path, self._connections.authority, fields)
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._fetch(wire)
        except UpstreamTimedOut as problem:
            raise TimeoutError(problem.message) from problem
        except (UpstreamFailed, GatewayBusy) as problem:
            raise OSError(f"the upstream did not answer a question of the gateway: {problem.message}") from problem
        if answer.body is None and answer.status not in _OK:
            raise OSError("the upstream's answer to a question of the gateway is too long")
        return answer.status, answer.headers, answer.body or b""

    async def _fetch(self, wire: bytes) -> Fetched:
        connections = self._connections
        try:
            return await fetch(connections.take() or await connections.acquire(), wire, self._most)
        except Stale:
            return await fetch(await connections.acquire(fresh=True), wire, self._most)
