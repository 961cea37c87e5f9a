"""What a member may do in a workspace: its list of members, asked with the caller's own credential (wacraft.md 1.4).

What it says counts for a minute. Of the list only the caller's own policies are kept: wacraft's holds password hashes.
"""

import json
from dataclasses import dataclass
from enum import Enum
from functools import partial
from urllib.parse import quote

from gateway.core.scope import normalise_id
from gateway.identity.asking import SECOND_US, Asking, Bounds, Fetch, unavailable
from gateway.identity.cache import Kept
from gateway.identity.config import Identified
from gateway.identity.membership import Carried, Relayed
from gateway.identity.probe import CLIMBS
from gateway.tasks import Tasks

EVERYTHING = "workspace.admin"
"""The policy that implies every other."""
LONGEST_LIST = 4 * 1024 * 1024
"""Bytes of a list of members that are read: some ten thousand members."""
_MOST_POLICIES = 256
Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyQuestion(Bounds):
    """What is asked. ``path`` holds ``{id}``; ``header`` names the workspace as well, ``None``: it does not.

    ``fresh_us``: how long an answer counts. ``stale_us``: how long the last one does while the upstream is silent.
    """

    path: str = "/workspace/{id}/member"
    header: bytes | None = b"X-Workspace-ID"
    fresh_us: int = 60 * SECOND_US
    stale_us: int = 300 * SECOND_US
    per_user: int = 4
    per_user_minute: int = 30
    at_once: int = 16


@dataclass(frozen=True, slots=True)
class _Kept:
    policies: frozenset[str]
    at_us: int


class _Outcome(Enum):
    UNANSWERED = 1


class PolicyProbe:
    """Asks the upstream. Make one per process; ``forget`` when identities change."""

    def __init__(self, question: PolicyQuestion, fetch: Fetch, tasks: Tasks) -> None:
        self._question = question
        self._asking: Asking[Key, frozenset[str] | Relayed | _Outcome] = Asking(question, fetch, tasks, "workspaces")
        self._kept: Kept[Key, _Kept] = Kept(question.entries)

    async def ask(
        self, who: Identified, carried: Carried, workspace: str, now_us: int
    ) -> frozenset[str] | Relayed | None:
        """The caller's policies in ``workspace`` (none, for who is not in the list), or the upstream's refusal.

        ``None``: there is nobody, or nothing, to ask with, or no place for such an id in a path. Raises
        ``StoreUnavailable`` if the upstream does not say, and as ``Asking.join``.
        """
        user = who.principal.user
        if user is None or not carried or CLIMBS.search(workspace):
            return None
        key = (user, workspace)
        if (kept := self._within(key, self._question.fresh_us, now_us)) is not None:
            return kept
        answer = await self._asking.join(user, (key, carried), partial(self._answer, key, carried, now_us), now_us)
        if isinstance(answer, _Outcome):
            raise unavailable("What you may do in this workspace cannot be found out just now.")
        return answer

    def forget(self) -> None:
        """Drop every answer; one that is under way is not kept, and nobody new waits for it."""
        self._asking.forget()
        self._kept.clear()

    def _within(self, key: Key, age_us: int, now_us: int) -> frozenset[str] | None:
        kept = self._kept.get(key)
        return kept.policies if kept is not None and kept.at_us <= now_us < kept.at_us + age_us else None

    async def _answer(self, key: Key, carried: Carried, now_us: int) -> frozenset[str] | Relayed | _Outcome:
        epoch = self._asking.epoch
        user, workspace = key
        question = self._question
        path = question.path.replace("{id}", quote(workspace, safe="")).encode()
        named = () if question.header is None else ((question.header, workspace.encode()),)
        answer = await self._asking.ask(path, carried, *named)
        if isinstance(answer, Relayed):
            self._kept.drop(key)
            return answer
        policies = None if answer is None else _policies(answer.body, user)
        if policies is None:
            known = self._within(key, question.stale_us, now_us)
            return _Outcome.UNANSWERED if known is None else known
        if epoch == self._asking.epoch:
            self._kept.put(key, _Kept(policies, now_us))
        return policies


def _policies(body: bytes, user: str) -> frozenset[str] | None:
    """The policies of ``user`` in a list of members; ``None`` if this is none."""
    try:
        members = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(members, list):
        return None
    for member in members:
        if not isinstance(member, dict) or not isinstance(member.get("user_id"), str):
            return None
        if normalise_id(member["user_id"]) == user:
            held = member.get("policies")
            if not isinstance(held, list):
                return None
            return frozenset(each for each in held[:_MOST_POLICIES] if isinstance(each, str))
    return frozenset()
