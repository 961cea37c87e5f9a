"""Membership by asking the upstream with the caller's own credential, so that the upstream's word decides.

Yes and no are kept for a minute; one question at a time per user, workspace and credential; what the upstream does not
answer is never kept: the last yes counts for a while, else nobody knows and nobody is charged.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol
from urllib.parse import quote

from gateway.core.problems import Problem, StoreUnavailable
from gateway.identity.cache import Kept
from gateway.identity.carriers import canonical_name
from gateway.identity.config import Identified
from gateway.identity.membership import Carried, Relayed, not_a_member, vouched
from gateway.tasks import Tasks

_SECOND_US = 1_000_000
_KEPT_BODY = 4_096
"""A longer refusal is relayed and not kept."""
_RELAYED_FIELDS = frozenset(
    {b"content-type", b"content-encoding", b"content-language", b"www-authenticate", b"retry-after"}
)
# What the upstream says about user and workspace; any other 4xx is about this token or this moment.
_ABOUT_MEMBERSHIP = frozenset({403, 404})

Fields = Sequence[tuple[bytes, bytes]]
Key = tuple[str, str]


class Fetch(Protocol):
    """How the upstream is asked. It raises nothing but ``OSError``, ``TimeoutError`` and ``Problem``."""

    async def __call__(self, path: bytes, headers: Fields) -> tuple[int, Fields, bytes]:
        """GET ``path``, with these header fields beside ``Host``: status, header fields, body (bounded)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked, and how much.

    ``path`` holds ``{id}``. ``fresh_us``: how long yes and no count. ``stale_us``: how long the last yes counts while
    the upstream does not answer; it is asked again every ``retry_us``. ``at_once`` and ``waiting`` bound all questions,
    ``per_user`` and ``per_user_minute`` those of one user.
    """

    path: str = "/workspace/{id}"
    header: bytes = b"X-Workspace-ID"
    timeout_us: int = 5 * _SECOND_US
    fresh_us: int = 60 * _SECOND_US
    stale_us: int = 3_600 * _SECOND_US
    retry_us: int = _SECOND_US
    entries: int = 65_536
    at_once: int = 64
    waiting: int = 1_024
    per_user: int = 8
    per_user_minute: int = 120


class _Yes(NamedTuple):
    proved_us: int
    until_us: int


class _No(NamedTuple):
    answer: Relayed
    at_us: int


class _Minute(NamedTuple):
    number: int
    asked: int


class _Outcome(Enum):
    MEMBER = 1
    UNANSWERED = 2


class ByProbe:
    """Asks the upstream. Make one per process; ``forget`` when identities change."""

    def __init__(self, question: Question, fetch: Fetch, tasks: Tasks) -> None:
        if "{id}" not in question.path:
            raise ValueError("the membership path must hold {id} where the workspace goes")
        self._question = question
        self._fetch = fetch
        self._tasks = tasks
        self._slots = asyncio.Semaphore(question.at_once)
        self._yes: Kept[Key, _Yes] = Kept(question.entries)
        # Apart, so that somebody who tries ids at random pushes out nobody's yes.
        self._no: Kept[Key, _No] = Kept(max(1, question.entries // 16))
        self._minutes: Kept[str, _Minute] = Kept(question.entries)
        self._flights: dict[tuple[Key, object], asyncio.Task[Relayed | _Outcome]] = {}
        self._flying: Counter[str] = Counter()
        self._epoch = 0

    def known(self, who: Identified, workspace: str, now_us: int) -> bool | None:
        """The answer if it is bound to the credential or fresh in memory."""
        if vouched(who, workspace):
            return True
        if (user := who.principal.user) is None:
            return False
        return self._fresh((user, workspace), now_us)

    async def ask(self, who: Identified, carried: Carried, workspace: str, now_us: int) -> Relayed | None:
        """``None``: a member; else the upstream's refusal. Raises ``StoreUnavailable`` if it does not say."""
        user = who.principal.user
        if vouched(who, workspace):
            return None
        if user is None or not carried:  # Without the caller's own credential there is nothing to ask with.
            raise not_a_member()
        key = (user, workspace)
        fresh = self._fresh(key, now_us)
        if fresh is not None:
            no = self._no.get(key)
            return None if fresh or no is None else no.answer
        flight = self._flights.get((key, carried)) or self._start(key, carried, now_us)
        # A caller that leaves must not take the answer away from the others who wait for it.
        match await asyncio.shield(flight):
            case Relayed() as answer:
                return answer
            case _Outcome.MEMBER:
                return None
        raise _unavailable("Whether you belong to this workspace cannot be found out just now.")

    def forget(self) -> None:
        """Drop every answer; one that is under way is not kept, and nobody new waits for it."""
        self._epoch += 1
        self._flights.clear()
        self._yes.clear()
        self._no.clear()

    def _fresh(self, key: Key, now_us: int) -> bool | None:
        yes = self._yes.get(key)
        if yes is not None and yes.proved_us <= now_us < yes.until_us:
            return True
        no = self._no.get(key)
        if no is not None and no.at_us <= now_us < no.at_us + self._question.fresh_us:
            return False
        return None

    def _start(self, key: Key, carried: Carried, now_us: int) -> "asyncio.Task[Relayed | _Outcome]":
        """Begin to ask. Raises ``StoreUnavailable`` if this user, or everybody together, asks too much."""
        user = key[0]
        minute = now_us // (60 * _SECOND_US)
        last = self._minutes.get(user)
        asked = last.asked if last is not None and last.number == minute else 0
        question = self._question
        if self._flying[user] >= question.per_user or asked >= question.per_user_minute:
            raise _unavailable("You ask for too many workspaces at once.")
        if len(self._flights) >= question.at_once + question.waiting:
            raise _unavailable("Too many memberships are being asked for.")
        self._minutes.put(user, _Minute(minute, asked + 1))
        self._flying[user] += 1
        flight = (key, carried)
        task = self._tasks.start(self._answer(key, carried, now_us), "membership")
        self._flights[flight] = task
        task.add_done_callback(lambda landed: self._landed(flight, landed))
        return task

    def _landed(self, flight: tuple[Key, object], task: "asyncio.Task[Relayed | _Outcome]") -> None:
        if self._flights.get(flight) is task:
            del self._flights[flight]
        user = flight[0][0]
        self._flying[user] -= 1
        if not self._flying[user]:
            del self._flying[user]

    async def _answer(self, key: Key, carried: Carried, now_us: int) -> Relayed | _Outcome:
        epoch = self._epoch
        path = self._question.path.replace("{id}", quote(key[1], safe="")).encode()
        own = {canonical_name(name): (name, value) for name, value in reversed(carried)}
        headers = (*own.values(), (self._question.header, key[1].encode()))
        try:
            async with asyncio.timeout(self._question.timeout_us / _SECOND_US), self._slots:
                status, fields, body = await self._fetch(path, headers)
        except (OSError, TimeoutError, Problem):
            return self._unanswered(key, now_us)
        if 200 <= status < 300:  # noqa: PLR2004  (RFC 9110, 15.3)
            if epoch == self._epoch:
                self._no.drop(key)
                self._yes.put(key, _Yes(now_us, now_us + self._question.fresh_us))
            return _Outcome.MEMBER
        if not 400 <= status < 500:  # noqa: PLR2004  (RFC 9110, 15.5)
            return self._unanswered(key, now_us)
        answer = Relayed(status, tuple(pair for pair in fields if pair[0].lower() in _RELAYED_FIELDS), body)
        if status in _ABOUT_MEMBERSHIP and epoch == self._epoch:
            self._yes.drop(key)
            if len(body) <= _KEPT_BODY:
                self._no.put(key, _No(answer, now_us))
        return answer

    def _unanswered(self, key: Key, now_us: int) -> _Outcome:
        """The last yes goes on for a moment, if it is not too old."""
        yes = self._yes.get(key)
        if yes is None or now_us >= yes.proved_us + self._question.stale_us:
            return _Outcome.UNANSWERED
        self._yes.put(key, _Yes(yes.proved_us, now_us + self._question.retry_us))
        return _Outcome.MEMBER


def _unavailable(why: str) -> StoreUnavailable:
    return StoreUnavailable(f"{why} Try again in a moment; nothing was charged.", headers=((b"Retry-After", b"1"),))
