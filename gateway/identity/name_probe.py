"""What the upstream calls the users and workspaces that an admin may see: ``GET /user`` and ``GET /workspace``.

Asked with the admin's own credential, at most once a minute. Of the answers only ids and names are kept; wacraft's
lists of users hold password hashes as well, which go no further.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.core.scope import Scope, normalise_id
from gateway.identity.asking import SECOND_US, Asking, Bounds, Fetch, Yes
from gateway.identity.cache import Kept
from gateway.identity.called import called
from gateway.identity.config import Identified
from gateway.identity.membership import Carried
from gateway.tasks import Tasks

PAGE = 500
MOST_PAGES = 10
"""So many users get names in one go: 5,000. Others get theirs when somebody looks for them again."""
_MOST_REMEMBERED = 8
"""So many admins' last answers are kept: each may be of thousands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NameQuestion(Bounds):
    """What is asked. ``every_us``: how often one admin's questions may go upstream."""

    users: str = "/user"
    workspaces: str = "/workspace"
    every_us: int = 60 * SECOND_US
    entries: int = 1_024
    at_once: int = 2
    waiting: int = 16
    per_user: int = 1
    per_user_minute: int = 2


class NameProbe:
    """Asks the upstream. Make one per process."""

    def __init__(self, question: NameQuestion, fetch: Fetch, tasks: Tasks) -> None:
        self._question = question
        self._asking: Asking[str, dict[Scope, str]] = Asking(question, fetch, tasks, "names")
        self._asked_us: Kept[str, int] = Kept(question.entries)
        self._told: Kept[str, Mapping[Scope, str]] = Kept(_MOST_REMEMBERED)

    async def ask(self, who: Identified, carried: Carried, now_us: int) -> dict[Scope, str]:
        """Names of whom the caller may see; none if there is nothing to ask with, or it was asked a moment ago.

        Raises as ``Asking.join``.
        """
        user = who.principal.user
        if user is None or not carried:
            return {}
        last_us = self._asked_us.get(user)
        if last_us is not None and last_us <= now_us < last_us + self._question.every_us:
            return {}
        self._asked_us.put(user, now_us)
        told = await self._asking.join(user, (user, carried), lambda: self._all(carried), now_us)
        self._told.put(user, told)
        return told

    def told(self, who: Identified) -> Mapping[Scope, str]:
        """What the last answer to the caller said: somebody in it may have come by only since."""
        return self._told.get(who.principal.user or "") or {}

    async def _all(self, carried: Carried) -> dict[Scope, str]:
        found = {Scope("workspace", id_): name for id_, name in await self._list(self._question.workspaces, carried)}
        for number in range(MOST_PAGES):
            page = f"{self._question.users}?limit={PAGE}&offset={number * PAGE}"
            people = await self._list(page, carried)
            new = {Scope("user", id_): name for id_, name in people}
            if len(people) < PAGE or new.keys() <= found.keys():  # the last page, or it knows no pages
                return found | new
            found |= new
        return found

    async def _list(self, path: str, carried: Carried) -> list[tuple[str, str]]:
        answer = await self._asking.ask(path.encode(), carried)
        return _named(answer.body) if isinstance(answer, Yes) else []


def _named(body: bytes) -> list[tuple[str, str]]:
    """Ids and names of a list."""
    try:
        rows = json.loads(body)
    except (ValueError, RecursionError):
        return []
    found = []
    for row in rows if isinstance(rows, list) else ():
        id_ = normalise_id(row["id"]) if isinstance(row, dict) and isinstance(row.get("id"), str) else None
        if id_ is None:
            continue
        if (name := called(row)) is not None:
            found.append((id_, name))
    return found
