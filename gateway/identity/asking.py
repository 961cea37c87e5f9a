"""Questions put to the upstream with a caller's own credential: one at a time for the same thing, and bounded."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from gateway.core.problems import Problem, StoreUnavailable, TooManyQuestions
from gateway.identity.cache import Kept
from gateway.identity.carriers import canonical_name
from gateway.identity.membership import Carried, Relayed
from gateway.tasks import Tasks

SECOND_US = 1_000_000
NOBODY_KNOWS = (StoreUnavailable, TooManyQuestions)
"""What is raised where an answer is not known: that says nothing against the credential or the membership."""
_MINUTE_US = 60 * SECOND_US
_RELAYED_FIELDS = frozenset(
    {b"content-type", b"content-encoding", b"content-language", b"www-authenticate", b"retry-after"}
)
_YES = range(200, 300)  # RFC 9110, 15.3
_NO = range(400, 500)  # RFC 9110, 15.5

K = TypeVar("K", bound=Hashable)
A = TypeVar("A")
Fields = Sequence[tuple[bytes, bytes]]


class Fetch(Protocol):
    """How the upstream is asked. It raises nothing but ``OSError``, ``TimeoutError`` and ``Problem``."""

    async def __call__(self, path: bytes, headers: Fields) -> tuple[int, Fields, bytes]:
        """GET ``path``, with these header fields beside ``Host``: status, header fields, body (bounded)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much is asked: ``at_once`` and ``waiting`` by everybody, ``per_user`` and ``per_user_minute`` by one user.

    ``entries``: for how many something is remembered. An answer is waited for ``timeout_us`` at most.
    """

    timeout_us: int = 5 * SECOND_US
    entries: int = 65_536
    at_once: int = 64
    waiting: int = 1_024
    per_user: int = 8
    per_user_minute: int = 120


@dataclass(frozen=True, slots=True)
class Yes:
    """A 2xx, with its body."""

    body: bytes


class _Minute(NamedTuple):
    number: int
    asked: int


class Asking(Generic[K, A]):
    """The questions under way. ``what``: what a caller comes with that has to be asked about, in the caller's words."""

    def __init__(self, bounds: Bounds, fetch: Fetch, tasks: Tasks, what: str) -> None:
        self._bounds = bounds
        self._fetch = fetch
        self._tasks = tasks
        self._what = what
        self._slots = asyncio.Semaphore(bounds.at_once)
        self._minutes: Kept[str, _Minute] = Kept(bounds.entries)
        self._flights: dict[tuple[K, Carried], asyncio.Task[A]] = {}
        self._flying: Counter[str] = Counter()
        self.epoch = 0
        """Counts what was forgotten: an answer to a question of an earlier epoch is not to be kept."""

    def __len__(self) -> int:
        return len(self._flights)

    async def join(
        self, user: str, flight: tuple[K, Carried], answer: Callable[[], Coroutine[Any, Any, A]], now_us: int
    ) -> A:
        """What ``answer`` finds out, or what the same question under way does.

        Raises ``TooManyQuestions`` if this user asks too much, ``StoreUnavailable`` if everybody together does.
        """
        task = self._flights.get(flight) or self._start(user, flight, answer, now_us)
        # A caller that leaves must not take the answer away from the others who wait for it.
        return await asyncio.shield(task)

    async def ask(self, path: bytes, carried: Carried, *more: tuple[bytes, bytes]) -> Yes | Relayed | None:
        """GET ``path`` with the caller's credential: 2xx, or the refusal (4xx); ``None``: the upstream does not say."""
        own = {canonical_name(name): (name, value) for name, value in reversed(carried)}
        try:
            async with asyncio.timeout(self._bounds.timeout_us / SECOND_US), self._slots:
                status, fields, body = await self._fetch(path, (*own.values(), *more))
        except (OSError, TimeoutError, Problem):
            return None
        if status in _YES:
            return Yes(body)
        if status not in _NO:
            return None
        return Relayed(status, tuple(pair for pair in fields if pair[0].lower() in _RELAYED_FIELDS), body)

    def forget(self) -> None:
        """Nobody new waits for an answer that is under way."""
        self.epoch += 1
        self._flights.clear()

    def _start(
        self, user: str, flight: tuple[K, Carried], answer: Callable[[], Coroutine[Any, Any, A]], now_us: int
    ) -> "asyncio.Task[A]":
        minute = now_us // _MINUTE_US
        last = self._minutes.get(user)
        asked = last.asked if last is not None and last.number == minute else 0
        bounds = self._bounds
        if asked >= bounds.per_user_minute:
            left_us = (minute + 1) * _MINUTE_US - now_us
            raise _too_many(f"{self._what} in a minute", -(-left_us // SECOND_US))
        if self._flying[user] >= bounds.per_user:
            raise _too_many(f"{self._what} at once", 1)
        if len(self._flights) >= bounds.at_once + bounds.waiting:
            raise unavailable(f"Too many {self._what} are being asked about.")
        self._minutes.put(user, _Minute(minute, asked + 1))
        self._flying[user] += 1
        task = self._tasks.start(answer(), f"ask for {self._what}")
        self._flights[flight] = task
        task.add_done_callback(lambda landed: self._landed(user, flight, landed))
        return task

    def _landed(self, user: str, flight: tuple[K, Carried], task: "asyncio.Task[A]") -> None:
        if self._flights.get(flight) is task:
            del self._flights[flight]
        self._flying[user] -= 1
        if not self._flying[user]:
            del self._flying[user]


def _too_many(what: str, wait_s: int) -> TooManyQuestions:
    """The 429 for who alone asks too much. It is nobody's fault but theirs, so it must not look like an outage."""
    return TooManyQuestions(
        f"You come with too many different {what}: each has to be asked about. Try again in {wait_s} s; nothing was "
        "charged.",
        content={"retry_after": wait_s},
        headers=((b"Retry-After", b"%d" % wait_s),),
    )


def unavailable(why: str) -> StoreUnavailable:
    """The 503 for what only the upstream knows and does not say."""
    return StoreUnavailable(f"{why} Try again in a moment; nothing was charged.", headers=((b"Retry-After", b"1"),))
