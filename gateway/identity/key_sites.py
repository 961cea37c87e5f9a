"""The sites that publish issuers' keys: one fetcher for all, and key sets that outlive a reload."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import ClientError, ClientResponse, ClientSession, DummyCookieJar, TCPConnector

from gateway.identity.jwks import JwksKeys, Patience
from gateway.identity.keys import DOCUMENT_BYTES
from gateway.tasks import Tasks

_OK = 200
_HEADERS = {
    "Accept": "application/jwk-set+json, application/json",
    "Accept-Encoding": "identity",  # what is packed can be larger than it looks
    "User-Agent": "weighbridge",
}


@dataclass(frozen=True, slots=True)
class KeySite:
    """A JWKS URL, and how it is used. ``ca``: PEM certificates to trust there; ``None``: those of the system."""

    url: str
    algorithms: tuple[str, ...]
    patience: Patience = field(default_factory=Patience)
    ca: str | None = field(default=None, repr=False)


class KeySites:
    """All sites of a process. Can be made anywhere; fetches happen inside the event loop."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._known: dict[KeySite, JwksKeys] = {}
        self._session: ClientSession | None = None

    def keys(self, site: KeySite) -> JwksKeys:
        """The keys of ``site``: those there are already, if it was known before. Raises ``ValueError``."""
        known = self._known.get(site)
        if known is None:
            tls = None if site.ca is None else ssl.create_default_context(cadata=site.ca)

            async def fetch() -> bytes:
                return await self._fetch(site.url, tls)

            known = JwksKeys(fetch, site.algorithms, self._tasks, site.patience, url=site.url)
            self._known[site] = known
        return known

    def settle(self, sites: frozenset[KeySite]) -> None:
        """From now on these count and no others."""
        self._known = {site: keys for site, keys in self._known.items() if site in sites}

    def tend(self, now_us: int) -> None:
        """Fetch what is missing or due. To be called inside the event loop, at the start and now and then."""
        for keys in self._known.values():
            keys.tend(now_us)

    def ages(self, now_us: int) -> Mapping[tuple[str, ...], float]:
        """How old the keys of each URL are, in seconds, where there are any."""
        got = ((site.url, keys.fetches.good_us) for site, keys in self._known.items())
        return {(url,): (now_us - at_us) / 1_000_000 for url, at_us in got if at_us is not None}

    def counts(self) -> Mapping[tuple[str, ...], int]:
        """Fetches by result."""
        fetches = [keys.fetches for keys in self._known.values()]
        return {("ok",): sum(one.good for one in fetches), ("failed",): sum(one.bad for one in fetches)}

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()

    async def _fetch(self, url: str, tls: ssl.SSLContext | None) -> bytes:
        """GET a document. Raises ``OSError``."""
        if self._session is None:
            self._session = ClientSession(
                connector=TCPConnector(limit=16, force_close=True),
                cookie_jar=DummyCookieJar(),
                headers=_HEADERS,
                trust_env=False,
                auto_decompress=False,
            )
        try:
            async with self._session.get(url, allow_redirects=False, ssl=tls or True) as answer:
                return await _read(answer)
        except ClientError as error:
            raise OSError(f"the site does not answer ({type(error).__name__})") from error


async def _read(answer: ClientResponse) -> bytes:
    if answer.status != _OK:
        raise OSError(f"the site answered {answer.status}")
    pieces = bytearray()
    async for piece in answer.content.iter_any():
        pieces += piece
        if len(pieces) > DOCUMENT_BYTES:
            raise OSError(f"the document has more than {DOCUMENT_BYTES} bytes")
    return bytes(pieces)
