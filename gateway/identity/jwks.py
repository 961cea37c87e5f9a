"""An issuer's public keys from its JWKS URL: fetched when first needed, kept, rotated, and never too often.

A key id that is not known asks for one fetch, at most every ``retry_us``, whoever sends it. A fetch that fails leaves
the keys there are.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.core.problems import Problem, StoreUnavailable
from gateway.identity.issuers import NeedsKeys
from gateway.identity.keys import PUBLIC
from gateway.log import get_logger
from gateway.tasks import Tasks

if TYPE_CHECKING:
    from gateway.identity.jwk_set import KeyId
    from gateway.identity.public_keys import PublicKey

_SECOND_US = 1_000_000

_log = get_logger(__name__)

Fetch = Callable[[], Awaitable[bytes]]
"""GET the document (bounded in size). Raises nothing but ``OSError``, ``TimeoutError`` and ``Problem``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long what counts.

    ``fresh_us``: a document, before it is fetched again beside the requests. ``stale_us``: the same while that fails.
    ``retry_us``: the shortest time between two fetches.
    """

    fresh_us: int = 600 * _SECOND_US
    stale_us: int = 86_400 * _SECOND_US
    retry_us: int = 10 * _SECOND_US
    timeout_us: int = 5 * _SECOND_US


@dataclass(slots=True)
class Fetches:
    """What became of the fetches. ``failure``: why the last one brought nothing; ``None``: it brought keys."""

    good: int = 0
    bad: int = 0
    good_us: int | None = None
    failure: str | None = None


class JwksKeys:
    """The keys behind one URL. ``generation`` grows whenever a key was taken away: what it verified counts no more."""

    def __init__(
        self, fetch: Fetch, algorithms: Sequence[str], tasks: Tasks, patience: Patience | None = None, *, url: str = ""
    ) -> None:
        if not algorithms or not PUBLIC.issuperset(algorithms):
            raise ValueError("a JWKS URL needs algorithms of public keys: RS…, PS…, ES… or EdDSA")
        from gateway.identity import jwk_set  # noqa: PLC0415  (9 MB that a gateway without public keys does without)

        self._set = jwk_set
        self.algorithms = frozenset(algorithms)
        self.generation = 0
        self._fetch = fetch
        self._tasks = tasks
        self._patience = patience if patience is not None else Patience()
        self._keys: Mapping[KeyId, tuple[PublicKey, ...]] = {}
        self._url = url
        self.fetches = Fetches()
        self._tried_us: int | None = None
        self._running: asyncio.Task[None] | None = None

    def find(self, algorithm: str, kid: str | None, now_us: int) -> "Sequence[PublicKey]":
        """The keys for such a token; none if the issuer does not have them.

        Raises ``NeedsKeys`` if a fetch may bring them, ``StoreUnavailable`` if none could be fetched a moment ago.
        """
        age = None if self.fetches.good_us is None else abs(now_us - self.fetches.good_us)
        if age is None or age >= self._patience.stale_us:
            if self._may_fetch(now_us):
                raise NeedsKeys(self)
            raise StoreUnavailable(
                "The keys that this token would be verified with cannot be fetched just now. Try again in a moment.",
                headers=((b"Retry-After", b"%d" % -(-self._patience.retry_us // _SECOND_US)),),
            )
        self.tend(now_us)
        found = self._keys.get((algorithm, kid))
        if found is None and kid is not None and self._may_fetch(now_us):
            raise NeedsKeys(self)
        return found or ()

    async def refresh(self, now_us: int) -> None:
        """Fetch the keys, or wait for the fetch that is under way. A failure leaves everything as it was."""
        running = self._running
        if running is None and self._may_fetch(now_us):
            running = self._begin(now_us)
        if running is not None:
            await asyncio.shield(running)

    def tend(self, now_us: int) -> None:
        """Fetch beside the requests what is missing or due: remembered tokens do not ask for their keys."""
        age = None if self.fetches.good_us is None else abs(now_us - self.fetches.good_us)
        due = age is None or age >= self._patience.fresh_us
        if due and self._running is None and self._may_fetch(now_us):
            self._begin(now_us)

    def _may_fetch(self, now_us: int) -> bool:
        """Whether a fetch is under way, which one may wait for, or is due."""
        tried = self._tried_us
        return self._running is not None or tried is None or abs(now_us - tried) >= self._patience.retry_us

    def _begin(self, now_us: int) -> "asyncio.Task[None]":
        self._tried_us = now_us
        self._running = self._tasks.start(self._load(now_us), "jwks")
        self._running.add_done_callback(self._ended)
        return self._running

    def _ended(self, _: "asyncio.Task[None]") -> None:
        self._running = None

    async def _load(self, now_us: int) -> None:
        try:
            async with asyncio.timeout(self._patience.timeout_us / _SECOND_US):
                document = await self._fetch()
            keys = self._set.parse_jwks(document, self.algorithms)
        except (OSError, TimeoutError, Problem, ValueError) as error:
            self._failed(str(error) or type(error).__name__)
            return
        self.generation += self._set.some_gone(self._keys, keys)
        self._keys = keys
        if self.fetches.failure is not None:
            _log.info("an issuer's keys are there again", url=self._url)
        self.fetches.good += 1
        self.fetches.good_us, self.fetches.failure = now_us, None

    def _failed(self, why: str) -> None:
        self.fetches.bad += 1
        if self.fetches.failure != why:
            _log.warning("an issuer's keys could not be fetched", url=self._url, reason=why, kept=bool(self._keys))
        self.fetches.failure = why
