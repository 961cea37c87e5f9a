"""An issuer's public keys from its JWKS URL (RFC 7517): fetched when first needed, kept, rotated, and never too often.

A key id that is not known asks for one fetch, at most every ``retry_us``, whoever sends it. A fetch that fails leaves
the keys there are. What could be used to forge is not taken: symmetric, private and short RSA keys, other uses.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from jwt.algorithms import get_default_algorithms
from jwt.exceptions import PyJWTError

from gateway.core.problems import Problem, StoreUnavailable
from gateway.identity.jwt import NeedsKeys
from gateway.identity.keys import PUBLIC, Key, check_public
from gateway.tasks import Tasks

_SECOND_US = 1_000_000
_DOCUMENT_BYTES = 256 * 1024
_MOST_KEYS = 64
_CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}

Fetch = Callable[[], Awaitable[bytes]]
"""GET the document (bounded in size). Raises nothing but ``OSError``, ``TimeoutError`` and ``Problem``."""
KeyId = tuple[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long what counts.

    ``fresh_us``: a document, before it is fetched again beside the requests. ``stale_us``: the same while that fails.
    ``retry_us``: the shortest time between two fetches.
    """

    fresh_us: int = 600 * _SECOND_US
    stale_us: int = 86_400 * _SECOND_US
    retry_us: int = 30 * _SECOND_US
    timeout_us: int = 5 * _SECOND_US


class JwksKeys:
    """The keys behind one URL. ``generation`` grows whenever a key was taken away: what it verified counts no more."""

    def __init__(self, fetch: Fetch, algorithms: Sequence[str], tasks: Tasks, patience: Patience | None = None) -> None:
        if not algorithms or not PUBLIC.issuperset(algorithms):
            raise ValueError("a JWKS URL needs algorithms of public keys: RS…, PS…, ES… or EdDSA")
        self.algorithms = frozenset(algorithms)
        self.generation = 0
        self._fetch = fetch
        self._tasks = tasks
        self._patience = patience if patience is not None else Patience()
        self._keys: Mapping[KeyId, tuple[Key, ...]] = {}
        self._fetched_us: int | None = None
        self._tried_us: int | None = None
        self._running: asyncio.Task[None] | None = None

    def find(self, algorithm: str, kid: str | None, now_us: int) -> Sequence[Key]:
        """The keys for such a token; none if the issuer does not have them.

        Raises ``NeedsKeys`` if a fetch may bring them, ``StoreUnavailable`` if none could be fetched a moment ago.
        """
        age = None if self._fetched_us is None else abs(now_us - self._fetched_us)
        if age is None or age >= self._patience.stale_us:
            if self._may_fetch(now_us):
                raise NeedsKeys(self)
            raise StoreUnavailable(
                "The keys that this token would be verified with cannot be fetched just now. Try again in a moment.",
                headers=((b"Retry-After", b"%d" % -(-self._patience.retry_us // _SECOND_US)),),
            )
        if age >= self._patience.fresh_us and self._running is None and self._may_fetch(now_us):
            self._begin(now_us)
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
            keys = parse_jwks(document, self.algorithms)
        except (OSError, TimeoutError, Problem, ValueError):
            return
        self.generation += _some_gone(self._keys, keys)
        self._keys = keys
        self._fetched_us = now_us


def parse_jwks(document: bytes, algorithms: frozenset[str]) -> dict[KeyId, tuple[Key, ...]]:
    """The usable keys of a JWK Set by algorithm and ``kid``; under ``kid`` ``None`` all keys of an algorithm.

    Keys that cannot be used are passed over (RFC 7517, 5). Raises ``ValueError`` if none is left, or it is no JWK Set.
    """
    if len(document) > _DOCUMENT_BYTES:
        raise ValueError(f"a JWKS document has at most {_DOCUMENT_BYTES} bytes")
    read = orjson.loads(document)
    entries = read.get("keys") if isinstance(read, dict) else None
    if not isinstance(entries, list):
        raise ValueError("a JWKS document is an object with a list 'keys'")  # noqa: TRY004  (the content, not the type)
    found: dict[KeyId, tuple[Key, ...]] = {}
    for entry in entries[:_MOST_KEYS]:
        for name in sorted(_algorithms_of(entry) & algorithms):
            if (key := _key(entry, name)) is None:
                continue
            kid = entry.get("kid")
            for named in (None, kid) if isinstance(kid, str) else (None,):
                found[name, named] = (*found.get((name, named), ()), key)
    if not found:
        raise ValueError("the JWKS document holds no key that can be used")
    return found


def _some_gone(before: Mapping[KeyId, tuple[Key, ...]], after: Mapping[KeyId, tuple[Key, ...]]) -> bool:
    """Whether a key of ``before`` is not under its id any more."""
    return any(
        all(key.prepared != other.prepared for other in after.get(id_, ()))
        for id_, keys in before.items()
        for key in keys
    )


def _algorithms_of(entry: object) -> frozenset[str]:
    """What the key may verify. Nothing for symmetric and private keys, and for those with another use."""
    if not isinstance(entry, dict) or "d" in entry or "k" in entry or entry.get("use", "sig") != "sig":
        return frozenset()
    operations = entry.get("key_ops")
    if operations is not None and not (isinstance(operations, list) and "verify" in operations):
        return frozenset()
    match entry.get("kty"):
        case "RSA":
            possible = {name for name in PUBLIC if name.startswith(("RS", "PS"))}
        case "EC":
            possible = {_CURVES.get(str(entry.get("crv")), "")} - {""}
        case "OKP":
            possible = {"EdDSA"}
        case _:
            possible = set()
    stated = entry.get("alg")
    return frozenset(possible if stated is None else possible & {str(stated)})


def _key(entry: Mapping[str, Any], name: str) -> Key | None:
    algorithm = get_default_algorithms()[name]
    try:
        prepared = algorithm.from_jwk(dict(entry))
        check_public(prepared)
    except (PyJWTError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return Key(algorithm, prepared)
