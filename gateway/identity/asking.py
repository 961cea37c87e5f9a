"""Asking the upstream on a caller's behalf, for membership probes: bounded, without cookies, redirects or retries."""

from collections.abc import Sequence

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from yarl import URL

from gateway.core.hop_by_hop import key_of

_MOST_BODY = 256 * 1024
_NOT_OURS = frozenset({"User-Agent", "Accept", "Accept-Encoding"})


class UpstreamAsker:
    """GETs paths of one upstream. Made and closed inside the event loop.

    ``own``: fields of the gateway's own that go with every question, where the caller's do not say it already.
    """

    def __init__(self, url: str, timeout_s: float, own: Sequence[tuple[bytes, bytes]] = ()) -> None:
        self._url = url.rstrip("/")
        self._own = tuple(own)
        self._session = ClientSession(
            connector=TCPConnector(limit=64),
            cookie_jar=DummyCookieJar(),
            timeout=ClientTimeout(total=timeout_s),
            skip_auto_headers=_NOT_OURS,
            trust_env=False,
            auto_decompress=False,  # a refusal is relayed as it came
        )

    async def __call__(
        self, path: bytes, headers: Sequence[tuple[bytes, bytes]]
    ) -> tuple[int, Sequence[tuple[bytes, bytes]], bytes]:
        """Status, raw header fields and body of the answer. Raises ``OSError`` or ``TimeoutError``."""
        said = {key_of(name) for name, _ in headers}
        sent = [*headers, *(field for field in self._own if key_of(field[0]) not in said)]
        fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in sent]
        url = URL(self._url + path.decode("ascii"), encoded=True)
        try:
            async with self._session.get(url, headers=fields, allow_redirects=False) as answer:
                return answer.status, answer.raw_headers, await _read(answer)
        except ClientError as error:
            raise OSError(f"the upstream did not answer a membership question: {type(error).__name__}") from error

    async def close(self) -> None:
        """Let go of the connections."""
        await self._session.close()


async def _read(answer: ClientResponse) -> bytes:
    """The body. One that is too long is an error where it would be relayed; with a yes it does not matter."""
    pieces = bytearray()
    async for piece in answer.content.iter_any():
        pieces += piece
        if len(pieces) > _MOST_BODY:
            if answer.ok:
                return b""
            raise OSError("the upstream's answer to a membership question is too long")
    return bytes(pieces)
