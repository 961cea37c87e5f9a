"""Membership by asking the upstream with the caller's own credential, so that the upstream's word decides.

Yes and no are kept for a minute; one question at a time per user, workspace and credential; what the upstream does not
answer is never kept: the last yes counts for a while, else nobody knows and nobody is charged. A yes may say what the
workspace is called, so that admins, who need not be its members, find it by name.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import NamedTuple
from urllib.parse import quote

from gateway.identity.asking import SECOND_US, Asking, Bounds, Fetch, unavailable
from gateway.identity.cache import Kept
from gateway.identity.called import name_of
from gateway.identity.config import Identified
from gateway.identity.membership import Carried, Relayed, not_a_member, vouched
from gateway.tasks import Tasks

CLIMBS = re.compile(r"[/\\%?#;\0]|\A\.+\Z")
"""An id that some server would read as more of the path than one segment, encoded or not: there another route, which
answers 2xx to anybody, would make members of workspaces that do not exist."""
_KEPT_BODY = 4_096
"""A longer refusal is relayed and not kept."""
# What the upstream says about user and workspace; any other 4xx is about this token or this moment.
_ABOUT_MEMBERSHIP = frozenset({403, 404})

Key = tuple[str, str]
Hear = Callable[[str, str], None]
"""Is told what a workspace is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question(Bounds):
    """What is asked, and how much.

    ``path`` holds ``{id}``. ``fresh_us``: how long yes and no count. ``stale_us``: how long the last yes counts while
    the upstream does not answer; it is asked again every ``retry_us``. ``name``: where a yes says the workspace's name.
    """

    path: str = "/workspace/{id}"
    header: bytes = b"X-Workspace-ID"
    fresh_us: int = 60 * SECOND_US
    stale_us: int = 3_600 * SECOND_US
    retry_us: int = SECOND_US
    name: str | None = "name"


class _Yes(NamedTuple):
    proved_us: int
    until_us: int


class _No(NamedTuple):
    answer: Relayed
    at_us: int


class _Outcome(Enum):
    MEMBER = 1
    UNANSWERED = 2


class ByProbe:
    """Asks the upstream. Make one per process; ``forget`` when identities change."""

    lasting = False

    def __init__(self, question: Question, fetch: Fetch, tasks: Tasks, hear: Hear | None = None) -> None:
        if "{id}" not in question.path:
            raise ValueError("the membership path must hold {id} where the workspace goes")
        self._question = question
        self._hear = hear
        self._asking: Asking[Key, Relayed | _Outcome] = Asking(question, fetch, tasks, "workspaces")
        self._yes: Kept[Key, _Yes] = Kept(question.entries)
        # Apart, so that somebody who tries ids at random pushes out nobody's yes.
        self._no: Kept[Key, _No] = Kept(max(1, question.entries // 16))

    def known(self, who: Identified, workspace: str, now_us: int) -> bool | None:
        """The answer if it is bound to the credential or fresh in memory."""
        if vouched(who, workspace):
            return True
        if (user := who.principal.user) is None:
            return False
        return self._fresh((user, workspace), now_us)

    async def ask(self, who: Identified, carried: Carried, workspace: str, now_us: int) -> Relayed | None:
        """``None``: a member; else the upstream's refusal.

        Raises ``StoreUnavailable`` if it does not say, ``Forbidden`` without asking, and as ``Asking.join``.
        """
        user = who.principal.user
        if vouched(who, workspace):
            return None
        # Without the caller's own credential there is nothing to ask with.
        if user is None or not carried or CLIMBS.search(workspace):
            raise not_a_member()
        key = (user, workspace)
        fresh = self._fresh(key, now_us)
        if fresh is not None:
            no = self._no.get(key)
            return None if fresh or no is None else no.answer
        match await self._asking.join(user, (key, carried), partial(self._answer, key, carried, now_us), now_us):
            case Relayed() as answer:
                return answer
            case _Outcome.MEMBER:
                return None
        raise unavailable("Whether you belong to this workspace cannot be found out just now.")

    def forget(self) -> None:
        """Drop every answer; one that is under way is not kept, and nobody new waits for it."""
        self._asking.forget()
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

    async def _answer(self, key: Key, carried: Carried, now_us: int) -> Relayed | _Outcome:
        epoch = self._asking.epoch
        path = self._question.path.replace("{id}", quote(key[1], safe="")).encode()
        answer = await self._asking.ask(path, carried, (self._question.header, key[1].encode()))
        if answer is None:
            return self._unanswered(key, now_us)
        counts = epoch == self._asking.epoch
        if not isinstance(answer, Relayed):
            if counts:
                self._no.drop(key)
                self._yes.put(key, _Yes(now_us, now_us + self._question.fresh_us))
                self._tell_name(key[1], answer.body)
            return _Outcome.MEMBER
        if counts and answer.status in _ABOUT_MEMBERSHIP:
            self._yes.drop(key)
            if len(answer.body) <= _KEPT_BODY:
                self._no.put(key, _No(answer, now_us))
        return answer

    def _tell_name(self, workspace: str, body: bytes) -> None:
        field = self._question.name
        if self._hear is not None and field is not None and (name := name_of(body, workspace, field)) is not None:
            self._hear(workspace, name)

    def _unanswered(self, key: Key, now_us: int) -> _Outcome:
        """The last yes goes on for a moment, if it is not too old."""
        yes = self._yes.get(key)
        if yes is None or now_us >= yes.proved_us + self._question.stale_us:
            return _Outcome.UNANSWERED
        self._yes.put(key, _Yes(yes.proved_us, now_us + self._question.retry_us))
        return _Outcome.MEMBER
